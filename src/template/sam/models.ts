/**
 * Nested properties that AWS's translator checks with a library (pydantic 1). A model says what a map must look like; the problems
 * have the library's words.
 */
import type { Json, JsonObject } from '../tree.ts';
import { isMap, member } from './checks.ts';
import { setMember } from './intrinsics.ts';

export interface Problem {
  /** Names of members and indexes of items, from the top. */
  readonly path: readonly (string | number)[];
  readonly message: string;
  /** The library's kind of error. */
  readonly type: string;
}

/** Gives the value as the library converts it, and adds what is wrong to `problems`. */
export type Model = (value: Json, path: Problem['path'], problems: Problem[]) => Json;

interface Field {
  readonly model: Model;
  readonly isRequired: boolean;
}

export const needs = (model: Model): Field => ({ model, isRequired: true });
export const may = (model: Model): Field => ({ model, isRequired: false });

export const anything: Model = (value) => value;

export const text: Model = (value, path, problems) => {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  problems.push({ path, message: 'str type expected', type: 'type_error.str' });
  return value;
};

export const integer: Model = (value, path, problems) => {
  if (typeof value === 'number') return Math.trunc(value);
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'string' && /^\s*[-+]?\d+\s*$/.test(value)) return Number(value);
  problems.push({ path, message: 'value is not a valid integer', type: 'type_error.integer' });
  return value;
};

export const float: Model = (value, path, problems) => {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value))) return Number(value);
  problems.push({ path, message: 'value is not a valid float', type: 'type_error.float' });
  return value;
};

const WORDS_FOR_TRUE: readonly Json[] = [true, 1, '1', 'on', 't', 'true', 'y', 'yes'];
const WORDS_FOR_FALSE: readonly Json[] = [false, 0, '0', 'off', 'f', 'false', 'n', 'no'];

export const boolean: Model = (value, path, problems) => {
  const word = typeof value === 'string' ? value.toLowerCase() : value;
  if (WORDS_FOR_TRUE.includes(word)) return true;
  if (WORDS_FOR_FALSE.includes(word)) return false;
  problems.push({ path, message: 'value could not be parsed to a boolean', type: 'type_error.bool' });
  return value;
};

/** A map of anything: an intrinsic function. The library takes an empty list or text for an empty map. */
export const anyMap: Model = (value, path, problems) => {
  if (isMap(value)) return value;
  if (value === '' || (Array.isArray(value) && value.length === 0)) return {};
  problems.push({ path, message: 'value is not a valid dict', type: 'type_error.dict' });
  return value;
};

export const oneOfTexts =
  (...texts: readonly string[]): Model =>
  (value, path, problems) => {
    if (typeof value === 'string' && texts.includes(value)) return value;
    const permitted = texts.map((each) => `'${each}'`).join(', ');
    problems.push({ path, message: `unexpected value; permitted: ${permitted}`, type: 'value_error.const' });
    return value;
  };

/** An item or a member that may not be null. */
const present =
  (model: Model): Model =>
  (value, path, problems) => {
    if (value !== null) return model(value, path, problems);
    problems.push(none(path));
    return value;
  };

const none = (path: Problem['path']): Problem => ({
  path,
  message: 'none is not an allowed value',
  type: 'type_error.none.not_allowed',
});

export const listModel =
  (item: Model): Model =>
  (value, path, problems) => {
    if (Array.isArray(value)) return value.map((each, index) => present(item)(each, [...path, index], problems));
    problems.push({ path, message: 'value is not a valid list', type: 'type_error.list' });
    return value;
  };

export const mapModel =
  (item: Model): Model =>
  (value, path, problems) => {
    const found = problems.length;
    const map = anyMap(value, path, problems);
    if (problems.length > found) return value;
    const made: JsonObject = {};
    for (const [name, each] of Object.entries(map as JsonObject))
      setMember(made, name, present(item)(each, [...path, name], problems));
    return made;
  };

/** The first model without problems; the problems of all if there is none. */
export const unionModel =
  (...models: readonly Model[]): Model =>
  (value, path, problems) => {
    const all: Problem[] = [];
    for (const model of models) {
      const own: Problem[] = [];
      const made = model(value, path, own);
      if (own.length === 0) return made;
      all.push(...own);
    }
    problems.push(...all);
    return value;
  };

/** A map with these members and no others. Members without a value are left out. */
export const objectModel =
  (fields: Readonly<Record<string, Field>>): Model =>
  (value, path, problems) => {
    if (!isMap(value)) return anyMap(value, path, problems);
    const made: JsonObject = {};
    for (const [name, field] of Object.entries(fields)) {
      const given = member(value, name);
      const own = [...path, name];
      if (given !== undefined && given !== null) {
        made[name] = field.model(given, own, problems);
      } else if (field.isRequired && given === null) {
        problems.push(none(own));
      } else if (field.isRequired) {
        problems.push({ path: own, message: 'field required', type: 'value_error.missing' });
      }
    }
    for (const name of Object.keys(value).sort()) {
      if (Object.hasOwn(fields, name)) continue;
      problems.push({ path: [...path, name], message: 'extra fields not permitted', type: 'value_error.extra' });
    }
    return made;
  };

/** Text or number that may also be an intrinsic function. */
export const intrinsicOr = (...models: readonly Model[]): Model => unionModel(anyMap, ...models);

/** The library's own text for the problems. */
export function libraryMessage(model: string, problems: readonly Problem[]): string {
  const count = `${problems.length} validation error${problems.length === 1 ? '' : 's'}`;
  const lines = problems.map(({ path, message, type }) => `${path.join(' -> ')}\n  ${message} (type=${type})`);
  return [`${count} for ${model}`, ...lines].join('\n');
}
