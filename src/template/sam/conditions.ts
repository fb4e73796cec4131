/** Conditions that the transform adds to the template. */
import type { JsonObject } from '../tree.ts';

/**
 * A condition that holds if one of at least two does. `Fn::Or` takes at most ten conditions, so there may be numbered ones below the
 * one with the name.
 */
export function combinedConditions(names: readonly string[], name: string): JsonObject {
  const made: JsonObject = {};
  let rest = [...names];
  let number = Math.floor((names.length - 2) / 9);
  while (rest.length > 1) {
    const own = number > 0 ? `${name}${number}` : name;
    number -= 1;
    made[own] = { 'Fn::Or': rest.slice(0, 10).map((Condition) => ({ Condition })) };
    rest = [...rest.slice(10), own];
  }
  return made;
}
