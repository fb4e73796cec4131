import { expect, it } from 'vitest';
import { createEventPattern } from './event-pattern.ts';
import { MAX_JSON_DEPTH, parseJson } from './json.ts';

const lists = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
const objects = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;

it('takes JSON of the maximum depth, with which everything else copes', () => {
  for (const text of [lists(MAX_JSON_DEPTH), objects(MAX_JSON_DEPTH)]) {
    expect(JSON.stringify(parseJson(text))).toBe(text);
  }
  const pattern = createEventPattern(parseJson('{"a":["x"]}'));
  expect(pattern.matches({ a: parseJson(lists(MAX_JSON_DEPTH)) })).toBe(false);
});

it('refuses deeper JSON, whatever its size', () => {
  for (const depth of [MAX_JSON_DEPTH + 1, 5000, 1_000_000]) {
    expect(() => parseJson(lists(depth))).toThrow(/nested too deeply/);
    expect(() => parseJson(objects(depth))).toThrow(/nested too deeply/);
  }
});

it('counts no brackets in strings', () => {
  const strings = ['['.repeat(2000), `"${'{'.repeat(2000)}`, `\\"${'['.repeat(2000)}\\`, '\\\\'.repeat(50)];
  expect(parseJson(JSON.stringify(strings))).toEqual(strings);
  const wide = Array.from({ length: 5000 }, () => [{}]);
  expect(parseJson(JSON.stringify(wide))).toEqual(wide);
});

it('leaves other faults to the parser', () => {
  for (const text of ['', '{', ']]', '"\\', '"', '[1,]']) expect(() => parseJson(text)).toThrow(SyntaxError);
});
