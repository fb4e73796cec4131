import { describe, expect, it } from 'vitest';
import { admit } from './concurrency.ts';

describe('admission', () => {
  it.each([
    ['below the account limit', { account: 9, function: 9 }, {}, undefined],
    ['at the account limit', { account: 10, function: 0 }, {}, 'ConcurrentInvocationLimitExceeded'],
    [
      'into what others reserved',
      { account: 6, function: 0 },
      { reservedByOthers: 4 },
      'ConcurrentInvocationLimitExceeded',
    ],
    ['below its own reserve, with the account full', { account: 10, function: 1 }, { reserved: 2 }, undefined],
    [
      'at its own reserve',
      { account: 2, function: 2 },
      { reserved: 2 },
      'ReservedFunctionConcurrentInvocationLimitExceeded',
    ],
    [
      'with nothing reserved at all',
      { account: 0, function: 0 },
      { reserved: 0 },
      'ReservedFunctionConcurrentInvocationLimitExceeded',
    ],
  ])('%s', (_case, counts, limits, expected) => {
    expect(admit(counts, { account: 10, reservedByOthers: 0, reserved: undefined, ...limits })).toBe(expected);
  });
});
