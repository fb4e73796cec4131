import { describe, expect, it } from 'vitest';
import { setNumberText } from '../tree.ts';
import { compareText, hashOf, isTruthy, pythonJson, pythonRepr } from './python.ts';

describe('how Python writes values', () => {
  it('sorts the keys of JSON by code point and escapes all but ASCII', () => {
    expect(pythonJson({ b: [1, null, true], a: 'é🐘\u007f', '\u{1f418}': 0, '\uffff': 1 })).toBe(
      String.raw`{"a":"\u00e9\ud83d\udc18\u007f","b":[1,null,true],"\uffff":1,"\ud83d\udc18":0}`,
    );
  });

  it('writes numbers as Python does, also those that JavaScript would write otherwise', () => {
    const numbers = [2, 1.5, 100, 0.00001, 1e16, 1e22];
    for (const [at, text] of ['2.0', '1.50', '100', '0.00001', '10000000000000000.0', '1e+22'].entries()) {
      setNumberText(numbers, at, text);
    }
    expect(pythonJson(numbers)).toBe('[2.0,1.5,100,1e-05,1e+16,1e+22]');
    expect(pythonRepr({ numbers })).toBe("{'numbers': [2.0, 1.5, 100, 1e-05, 1e+16, 1e+22]}");
  });

  it('hashes text as it is, other values as JSON, and nothing as nothing', () => {
    expect(hashOf('abc')).toBe('a9993e3647');
    expect(hashOf({ a: 1 })).toBe(hashOf('{"a":1}'));
    expect(hashOf({})).toBe('');
    expect(hashOf('')).toBe('');
  });

  it('quotes text with the mark that it does not hold', () => {
    expect(pythonRepr(["it's", 'a "b"', `it's "b"`, 'line\n'])).toBe(
      String.raw`["it's", 'a "b"', 'it\'s "b"', 'line\n']`,
    );
    expect(pythonRepr({ a: null, b: false })).toBe("{'a': None, 'b': False}");
  });

  it('takes empty values for false', () => {
    expect([0, '', [], {}, null, undefined, false].map(isTruthy)).toEqual(new Array(7).fill(false));
    expect(['0', [0], { a: null }, -1].map(isTruthy)).toEqual(new Array(4).fill(true));
  });

  it('orders text by code point', () => {
    expect(['\u{1f418}', 'b', '\uffff', 'a', 'ab'].sort(compareText)).toEqual(['a', 'ab', 'b', '\uffff', '\u{1f418}']);
  });
});
