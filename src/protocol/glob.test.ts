import { describe, expect, it } from 'vitest';
import { createGlob, globTokens } from './glob.ts';

const matches = (glob: string, text: string): boolean => createGlob(globTokens(glob, { hasOne: true }))(text);

describe('a glob', () => {
  it.each([
    ['', '', true],
    ['', 'a', false],
    ['*', '', true],
    ['*', 'any\ntext', true],
    ['abc', 'abc', true],
    ['abc', 'abcd', false],
    ['a*', 'a', true],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['*ab*ab', 'ab-ab', true],
    ['*ab*ab', 'aba', false],
    ['*aab*', 'aaab', true],
    ['*abab*c', 'ababababc', true],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['?*?', 'a', false],
    ['?*?', 'ab', true],
    ['*a?c*', 'aab abc', true],
    ['**', 'x', true],
    ['.+', 'x', false],
  ])('%j matches %j: %s', (glob, text, expected) => {
    expect(matches(glob, text)).toBe(expected);
  });

  it('agrees with a regular expression on random globs and texts', () => {
    let seed = 12345;
    const random = (below: number): number => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return Math.floor((seed / 2147483648) * below);
    };
    const word = (alphabet: string, longest: number): string =>
      Array.from({ length: random(longest + 1) }, () => alphabet[random(alphabet.length)]).join('');
    for (let round = 0; round < 20_000; round++) {
      const glob = word('ab*?', 8);
      const text = word('ab', 10);
      const source = glob.replaceAll('*', '[^]*').replaceAll('?', '[^]');
      expect(`${glob} ${text} ${matches(glob, text)}`).toBe(`${glob} ${text} ${new RegExp(`^${source}$`).test(text)}`);
    }
  });

  it.each([
    ['*a*a*a*a*a*a*a*a*b', 'a'],
    [`*${'a'.repeat(500)}b*`, 'a'],
    ['/*/*/*/*/*/*/end', '/'],
  ])('takes time that grows with the text, not with its square: %.20s', (glob, unit) => {
    const match = createGlob(globTokens(glob));
    // Counting the reads of characters is exact where a clock is not.
    const readsOf = (length: number): number => {
      let reads = 0;
      const text = new Proxy(Object(unit.repeat(length)), {
        get(target, name) {
          if (name === 'length') return length;
          reads++;
          return target[name];
        },
      });
      expect(match(text as unknown as string)).toBe(false);
      return reads;
    };
    expect(readsOf(8000) / readsOf(4000)).toBeLessThan(2.5);
    expect(readsOf(8000)).toBeLessThan(8000 * 40);
  });
});
