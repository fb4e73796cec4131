/**
 * The types of properties: the checks that the translator makes before it translates a resource or an event, and inside it.
 * A value that may be an intrinsic function (a map with one member) passes, unless the property is strict.
 */
import type { Json, JsonObject } from '../tree.ts';
import { InvalidEvent, InvalidResource } from './errors.ts';

/** A type of a property. `expected` completes "should be a ..."; without it the message says "Type of property ... is invalid". */
export interface Check {
  readonly expected?: string;
  readonly accepts: (value: Json) => boolean;
}

export interface PropertyRule {
  readonly check: Check;
  readonly required: boolean;
  /** Does not take an intrinsic function in place of its type. */
  readonly strict: boolean;
}

/** The properties that a resource or an event may have. Others are an error. */
export type PropertyTable = Readonly<Record<string, PropertyRule>>;

export const STRING: Check = { expected: 'string', accepts: (value) => typeof value === 'string' };
export const MAP: Check = { expected: 'map', accepts: isMap };
export const LIST: Check = { accepts: Array.isArray };
export const BOOLEAN: Check = { accepts: (value) => typeof value === 'boolean' };
/** Python's booleans are integers. */
export const INTEGER: Check = { accepts: (value) => Number.isInteger(value) || typeof value === 'boolean' };
export const ANY: Check = { accepts: () => true };

export const listOf = (item: Check): Check => ({
  accepts: (value) => Array.isArray(value) && value.every((member) => item.accepts(member)),
});
export const mapOf = (member: Check): Check => ({
  accepts: (value) => isMap(value) && Object.values(value).every((each) => member.accepts(each)),
});
export const oneOf = (...checks: readonly Check[]): Check => ({
  accepts: (value) => checks.some((check) => check.accepts(value)),
});
export const stringOf = (first: string, second: string): Check => ({
  expected: `one of the strings: '${first}' or '${second}'`,
  accepts: (value) => value === first || value === second,
});

export const optional = (check: Check): PropertyRule => ({ check, required: false, strict: false });
export const required = (check: Check): PropertyRule => ({ check, required: true, strict: false });
export const strict = (check: Check): PropertyRule => ({ check, required: false, strict: true });
export const requiredStrict = (check: Check): PropertyRule => ({ check, required: true, strict: true });
/** Passed on unread. */
export const PASSED: PropertyRule = strict(ANY);

/**
 * Checks the properties of a resource or an event.
 *
 * @param logicalId of the resource; an event's is the function's and its own
 * @param allowsOthers whether properties that are not in the table are ignored
 * @throws InvalidResource for the first property that is unknown, missing or of another type
 */
export function checkProperties(
  logicalId: string,
  type: string,
  properties: JsonObject,
  table: PropertyTable,
  allowsOthers = false,
): void {
  for (const name in properties) {
    if (!allowsOthers && !Object.hasOwn(table, name)) {
      throw new InvalidResource(logicalId, `property ${name} not defined for resource of type ${type}`);
    }
  }
  // No list of entries: this runs for each resource and event
  for (const name in table) checkProperty(logicalId, name, member(properties, name), table[name] as PropertyRule);
}

function checkProperty(logicalId: string, name: string, value: Json | undefined, rule: PropertyRule): void {
  if (!rule.strict && isMap(value) && Object.keys(value).length === 1) return;
  if (value === null || value === undefined) {
    if (rule.required) throw new InvalidResource(logicalId, `Missing required property '${name}'.`);
  } else if (!rule.check.accepts(value)) {
    const { expected } = rule.check;
    throw new InvalidResource(
      logicalId,
      expected === undefined ? `Type of property '${name}' is invalid.` : `Property '${name}' should be a ${expected}.`,
    );
  }
}

export function isMap(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An own member; `undefined` where there is none. Names come from templates, and may be those of Object's methods. */
export function member(map: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(map, name) ? map[name] : undefined;
}

/** Where a value stands: in a property of a resource, in an attribute of it (Properties, Connectors), or in an event. */
export type Place =
  | { readonly resource: string; readonly path: string }
  | { readonly attribute: string; readonly path: string }
  | { readonly event: string; readonly path: string };

const TYPES = {
  map: (value: Json | undefined) => isMap(value),
  list: (value: Json | undefined) => Array.isArray(value),
  string: (value: Json | undefined) => typeof value === 'string',
  integer: (value: Json | undefined) => Number.isInteger(value) || typeof value === 'boolean',
  boolean: (value: Json | undefined) => typeof value === 'boolean',
} as const;

/** @throws InvalidResource or InvalidEvent unless the value is a map */
export function expectMap(value: Json | undefined, place: Place, message?: string): JsonObject {
  return expectType(value, 'map', place, message) as JsonObject;
}

export function expectList(value: Json | undefined, place: Place, message?: string): Json[] {
  return expectType(value, 'list', place, message) as Json[];
}

export function expectString(value: Json | undefined, place: Place, message?: string): string {
  return expectType(value, 'string', place, message) as string;
}

export function expectBoolean(value: Json | undefined, place: Place, message?: string): boolean {
  return expectType(value, 'boolean', place, message) as boolean;
}

export function expectInteger(value: Json | undefined, place: Place, message?: string): number {
  return expectType(value, 'integer', place, message) as number;
}

/** @throws InvalidResource or InvalidEvent if there is no value */
export function expectPresent(value: Json | undefined, place: Place, message?: string): Json {
  if (value === undefined || value === null) throw misplaced(place, message ?? `Property '${place.path}' is required.`);
  return value;
}

function expectType(value: Json | undefined, type: keyof typeof TYPES, place: Place, message?: string): Json {
  if (value !== undefined && TYPES[type](value)) return value;
  const what = 'attribute' in place ? 'Attribute' : 'Property';
  throw misplaced(place, message ?? `${what} '${place.path}' should be a ${type}.`);
}

function misplaced(place: Place, message: string): InvalidResource | InvalidEvent {
  if ('event' in place) return new InvalidEvent(place.event, message);
  return new InvalidResource('attribute' in place ? place.attribute : place.resource, message);
}
