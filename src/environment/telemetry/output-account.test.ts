import { expect, it } from 'vitest';
import { OutputAccount } from './output-account.ts';

it('the account of output has totals, and the rate of the last 5 to 10 seconds', () => {
  const account = new OutputAccount(0);
  account.line();
  for (let second = 0; second < 20; second += 1) account.chunk(100, second * 1000);
  expect(account.use(20_000)).toEqual({ lines: 1, bytes: 2000, bytesPerSecond: 100 });
  expect(account.use(24_000)).toEqual({ lines: 1, bytes: 2000, bytesPerSecond: 56 });
  expect(account.use(40_000)).toEqual({ lines: 1, bytes: 2000, bytesPerSecond: 0 });
});
