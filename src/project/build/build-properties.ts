/** `Metadata.BuildProperties` of a template: typed values, and errors with the place of the property. */
import { OperatorError } from '../../operator-error.ts';
import type { Json } from '../../template/tree.ts';
import type { Artifact } from './artifacts.ts';

export type BuildProperties = {
  text(name: string): string | undefined;
  flag(name: string): boolean | undefined;
  /** A list, or text with commas between its items. */
  list(name: string): string[] | undefined;
  choice<Choice extends string>(name: string, choices: readonly Choice[]): Choice | undefined;
};

/**
 * Reads the properties of an artifact. `known` are all that its build method has; any other is an error.
 * @throws OperatorError 'build-property'
 */
export function readBuildProperties(
  artifact: Artifact,
  known: readonly string[],
  defaults: Readonly<Record<string, Json>> = {},
): BuildProperties {
  const { buildProperties, logicalId, method = 'none', place } = artifact;
  const fail = (reason: string) => {
    const where = `${place.file === undefined ? '' : `${place.file}:`}${place.line}:${place.column}`;
    return new OperatorError('build-property', { place: where, logicalId, reason });
  };
  const unknown = Object.keys(buildProperties).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    const offered = known.length === 0 ? 'no properties' : known.join(', ');
    throw fail(`BuildMethod ${method} has no property ${unknown}. It has ${offered}`);
  }
  const scalar = (name: string): string | undefined => {
    const value = buildProperties[name] ?? defaults[name];
    if (value === undefined || value === null) return undefined;
    if (typeof value === 'object') throw fail(`${name} must be text`);
    return String(value);
  };
  return {
    text: scalar,
    flag(name) {
      const value = scalar(name);
      if (value === undefined) return undefined;
      if (value !== 'true' && value !== 'false') throw fail(`${name} must be true or false`);
      return value === 'true';
    },
    list(name) {
      const value = buildProperties[name] ?? defaults[name];
      if (!Array.isArray(value))
        return scalar(name)
          ?.split(',')
          .flatMap((item) => item.trim() || []);
      if (value.some((item) => typeof item === 'object')) throw fail(`${name} must be a list of texts`);
      return value.map(String);
    },
    choice(name, choices) {
      const value = scalar(name);
      const found = choices.find((choice) => choice === value);
      if (value !== undefined && found === undefined) throw fail(`${name} must be one of ${choices.join(', ')}`);
      return found;
    },
  };
}
