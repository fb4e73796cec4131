import { describe, expect, it } from 'vitest';
import { cpuGrowth, LINEAR } from '../../test/support/cpu-growth.ts';
import { findJsonError, renderJsonError } from './json-syntax.ts';

const errorIn = (text: string | Buffer) => findJsonError(Buffer.from(text as string));

describe('JSON syntax', () => {
  it.each([
    ['{}'],
    ['null'],
    ['""'],
    ['0'],
    ['-0.5e+10'],
    [' \t\r\n{"a": [1, 2, {"b": "c\\u00e9\\n"}], "": true, "d": false} \n'],
    ['"grüße 😀"'],
    ['[[[[[]]]],{}]'],
  ])('accepts %s', (text) => {
    expect(errorIn(text)).toBeUndefined();
  });

  it('agrees with JSON.parse about mutations of real events', () => {
    const seed = '{"name":"W\\u00f6rld","n":[1,-2.5e3,0,true,false,null,{"":[]}],"t":"\\"x\\\\"}';
    const alphabet = [
      '"',
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '0',
      '1',
      '-',
      '.',
      'e',
      't',
      'n',
      '\\',
      ' ',
      '\n',
      'ü',
      '\u0001',
    ];
    for (let at = 0; at <= seed.length; at++) {
      for (const inserted of alphabet) {
        for (const text of [
          seed.slice(0, at) + inserted + seed.slice(at),
          seed.slice(0, at) + inserted + seed.slice(at + 1),
        ]) {
          expect(errorIn(text) === undefined, text).toBe(parses(text));
        }
      }
      expect(errorIn(seed.slice(0, at)) === undefined, seed.slice(0, at)).toBe(parses(seed.slice(0, at)));
    }
  });

  it('handles deep nesting', () => {
    const depth = 100_000;
    expect(errorIn('['.repeat(depth) + ']'.repeat(depth))).toBeUndefined();
    expect(errorIn('['.repeat(depth))).toMatchObject({ column: depth + 1 });
  });

  // Both recorded on AWS (Invoke, 2025-11).
  it('words errors as AWS does', () => {
    const first = errorIn(Buffer.from('n\x87r\x9e\xe9\xb5\xd7I\xee\x9bmt', 'latin1'));
    expect(first && renderJsonError(first)).toBe(
      'Invalid UTF-8 start byte 0x87\n at [Source: REDACTED ' +
        '(`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 3]',
    );
    const second = errorIn(Buffer.from('\x99\xeb,j\x07\xa1zYh', 'latin1'));
    expect(second && renderJsonError(second)).toBe(
      "Unexpected character ((CTRL-CHAR, code 153)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')" +
        '\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 1]',
    );
  });

  it.each([
    [
      'foo',
      "Unrecognized token 'foo': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
      1,
      4,
    ],
    ["{'a':1}", "Unexpected character (''' (code 39)): was expecting double-quote to start field name", 1, 2],
    ['{"a" 1}', "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value", 1, 6],
    ['{"a":1\n "b":2}', "Unexpected character ('\"' (code 34)): was expecting comma to separate Object entries", 2, 2],
    ['[1,]', "Unexpected character (']' (code 93)): expected a value", 1, 4],
    [
      '[1}',
      "Unexpected close marker '}': expected ']' (for Array starting at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 1])",
      1,
      4,
    ],
    ['{"a":', 'Unexpected end-of-input within/between Object entries', 1, 6],
    ['"abc', 'Unexpected end-of-input: was expecting closing quote for a string value', 1, 5],
    ['01', 'Invalid numeric value: Leading zeroes not allowed', 1, 3],
    ['1x', "Unexpected character ('x' (code 120)): Expected space separating root-level values", 1, 2],
    ['"\\x"', "Unrecognized character escape 'x' (code 120)", 1, 4],
  ])('%s: %s', (text, message, line, column) => {
    expect(errorIn(text)).toMatchObject({ message, line, column });
  });

  it('takes time in proportion to the length, up to 6 MB', async () => {
    const find = (items: number) => {
      const list = Array.from({ length: items }, (_, n) => ({ n, text: 'x'.repeat(80) }));
      const event = Buffer.from(JSON.stringify({ list }));
      return () => expect(findJsonError(event)).toBeUndefined();
    };
    expect(await cpuGrowth(find, 7500)).toBeLessThan(LINEAR);
  });
});

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
