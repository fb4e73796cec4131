import { expect, it } from 'vitest';
import { createConnectionBudget, requireDescriptors } from './descriptors.ts';

it('connections of functions use at most a quarter of the descriptors, beyond 8 for each environment', () => {
  const budget = createConnectionBudget(400);
  for (let used = 0; used < 100; used++) expect(budget.take(used)).toBe(true);
  expect(budget.take(100)).toBe(false);
  for (let used = 0; used < 8; used++) expect(budget.take(used)).toBe(true);
  expect(budget.take(8)).toBe(false);
  for (let released = 0; released < 9; released++) budget.release();
  expect(budget.take(8)).toBe(true);
});

it('another environment is refused when it would use the reserve', () => {
  requireDescriptors(1024, 1024 - 128 - 24);
  expect(() => requireDescriptors(1024, 1024 - 128 - 23)).toThrow(
    'Too many open files: 873 of at most 1024 are open, and 128 are kept for the Lambda API.',
  );
  requireDescriptors();
});
