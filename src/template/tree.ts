/**
 * A template as a tree of JSON. Objects have no prototype, so that a key such as `__proto__` or `constructor` is a key
 * like any other: make them with `object`, never with `{}`. Keys keep their order, except that JavaScript puts keys that
 * are small integers first.
 *
 * A number in JavaScript does not remember how it was written, but SAM's hashes do: `swagger: 2.0` hashes as `2.0`. The
 * readers therefore note the text of such numbers on the object or list that holds them, and `numberText` returns it.
 */

export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json;
}

/** A way from the root of a template to a node, for example `['Resources', 'F', 'DependsOn', 0]`. */
export type Path = readonly (string | number)[];

const NUMBER_TEXTS: unique symbol = Symbol('texts of numbers');

type WithNumberTexts = { [NUMBER_TEXTS]?: Map<string | number, string> };

/** An object without a prototype, holding `entries` in their order. */
export function object(entries: Iterable<readonly [string, Json]> = []): JsonObject {
  const made: JsonObject = Object.create(null);
  for (const [key, value] of entries) made[key] = value;
  return made;
}

/** An object without a prototype, from literal members. */
export function objectOf(members: Readonly<Record<string, Json>>): JsonObject {
  return object(Object.entries(members));
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The own member `key`; undefined when `value` is not an object or lacks it. */
export function member(value: Json | undefined, key: string): Json | undefined {
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

/** The member `key` where it is an object, otherwise an empty object. */
export function section(value: Json | undefined, key: string): JsonObject {
  const found = member(value, key);
  return isObject(found) ? found : object();
}

/** The only key of an object with exactly one, which is what a function such as `{ Ref: ... }` looks like. */
export function onlyKey(value: Json | undefined): string | undefined {
  if (!isObject(value)) return undefined;
  const keys = Object.keys(value);
  return keys.length === 1 ? keys[0] : undefined;
}

/** A deep copy. */
export function copy<Value extends Json>(value: Value): Value {
  return map(value, (scalar) => scalar) as Value;
}

/** A deep copy with each scalar replaced by what `change` returns for it. */
export function map(value: Json, change: (scalar: null | boolean | number | string) => Json): Json {
  if (value === null || typeof value !== 'object') return change(value);
  const made = Array.isArray(value)
    ? value.map((item) => map(item, change))
    : object(Object.entries(value).map(([key, item]) => [key, map(item, change)] as const));
  return keepNumberTexts(value, made);
}

/** Whether two trees hold the same values. The order of keys does not matter. */
export function isEqual(one: Json | undefined, other: Json | undefined): boolean {
  if (one === other) return true;
  if (Array.isArray(one) && Array.isArray(other)) {
    return one.length === other.length && one.every((item, index) => isEqual(item, other[index]));
  }
  if (!isObject(one) || !isObject(other)) return false;
  const keys = Object.keys(one);
  return (
    keys.length === Object.keys(other).length &&
    keys.every((key) => Object.hasOwn(other, key) && isEqual(one[key], other[key]))
  );
}

/** A tree from a value that `JSON.parse` returned. */
export function fromParsed(value: unknown): Json {
  return copy(value as Json);
}

/** Notes that the number at `key` was written as `text`. */
export function setNumberText(holder: JsonObject | Json[], key: string | number, text: string): void {
  const noted = holder as WithNumberTexts;
  noted[NUMBER_TEXTS] ??= new Map();
  noted[NUMBER_TEXTS].set(key, text);
}

/** The number at `key` as the template writes it: `2.0`, not `2`. Undefined where there is no number. */
export function numberText(holder: JsonObject | Json[], key: string | number): string | undefined {
  const value = (holder as Record<string | number, Json>)[key];
  if (typeof value !== 'number') return undefined;
  const text = (holder as WithNumberTexts)[NUMBER_TEXTS]?.get(key);
  return text !== undefined && Number(text) === value ? text : String(value);
}

/** Gives a changed copy of `from` the texts of its numbers. Returns the copy. */
export function keepNumberTexts<Holder extends JsonObject | Json[]>(from: JsonObject | Json[], to: Holder): Holder {
  const texts = (from as WithNumberTexts)[NUMBER_TEXTS];
  if (texts) for (const [key, text] of texts) setNumberText(to, key, text);
  return to;
}

/** JSON text with every number as the template writes it. `indent` is the number of spaces a level; 0 for one line. */
export function renderJson(value: Json, indent = 2): string {
  const lines = (node: Json, pad: string): string => {
    if (node === null || typeof node !== 'object') return JSON.stringify(node);
    const inner = pad + ' '.repeat(indent);
    const items = Array.isArray(node)
      ? node.map((item, index) => numberText(node, index) ?? lines(item, inner))
      : Object.entries(node).map(
          ([key, item]) => `${JSON.stringify(key)}:${indent ? ' ' : ''}${numberText(node, key) ?? lines(item, inner)}`,
        );
    const [open, close] = Array.isArray(node) ? '[]' : '{}';
    if (items.length === 0) return `${open}${close}`;
    return indent
      ? `${open}\n${inner}${items.join(`,\n${inner}`)}\n${pad}${close}`
      : `${open}${items.join(',')}${close}`;
  };
  return lines(value, '');
}
