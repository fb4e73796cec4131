import { describe, expect, it } from 'vitest';
import { admit } from './concurrency.ts';

const IDLE = { account: 0, function: 0, version: 0 };
const LIMITS = { account: 10, reserved: undefined, provisioned: 0 };

describe('admission', () => {
  it.each([
    ['below the account limit', { account: 9, function: 9 }, {}, { share: 'unreserved' }],
    ['at the account limit', { account: 10 }, {}, { refusal: 'ConcurrentInvocationLimitExceeded' }],
    [
      'below its own reserve, with the account full',
      { account: 10, function: 1 },
      { reserved: 2 },
      { share: 'reserved' },
    ],
    [
      'at its own reserve',
      { function: 2 },
      { reserved: 2 },
      { refusal: 'ReservedFunctionConcurrentInvocationLimitExceeded' },
    ],
    ['with a reserve of zero', {}, { reserved: 0 }, { refusal: 'ReservedFunctionConcurrentInvocationLimitExceeded' }],
    [
      'as provisioned, with the reserve and the account full',
      { account: 10, version: 1 },
      { reserved: 0, provisioned: 2 },
      { share: 'provisioned' },
    ],
    [
      'beyond the provisioned concurrency, from the reserve',
      { version: 2 },
      { reserved: 1, provisioned: 2 },
      { share: 'reserved' },
    ],
    [
      'beyond the provisioned concurrency, from the account',
      { version: 2 },
      { provisioned: 2 },
      { share: 'unreserved' },
    ],
    [
      'beyond the provisioned concurrency, with no reserve left',
      { version: 2 },
      { reserved: 0, provisioned: 2 },
      { refusal: 'ReservedFunctionConcurrentInvocationLimitExceeded' },
    ],
  ])('%s', (_case, counts, limits, expected) => {
    expect(admit({ ...IDLE, ...counts }, { ...LIMITS, ...limits })).toEqual(expected);
  });
});
