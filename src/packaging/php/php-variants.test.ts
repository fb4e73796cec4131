import { expect, it } from 'vitest';
import { variantOf } from './php-variants.ts';

const BUILD = { builtIn: ['json', 'ctype'] };
const MODULES = ['curl', 'iconv', 'tokenizer', 'mbstring', 'redis'];
const LEAN = ['ctype', 'curl', 'iconv', 'tokenizer'];

it.each([
  [undefined, LEAN],
  [[], []],
  [['redis'], ['redis']],
  [['+redis'], [...LEAN, 'redis']],
  [
    ['+redis', '+mbstring'],
    [...LEAN, 'redis', 'mbstring'],
  ],
  [
    ['curl', '+redis'],
    ['curl', 'redis'],
  ],
])('the extensions %j of a lean layer are %j', (extensions, expected) => {
  expect(variantOf({ ...(extensions && { extensions }) }, BUILD, MODULES).extensions).toEqual(expected);
});
