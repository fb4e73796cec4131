/**
 * Fails a test file during which Node warned about its process, for example of listeners that are added and never removed. A
 * service of a test is in the same process.
 */
import { afterAll, expect } from 'vitest';
import { isExpectedWarning } from './expected-warnings.ts';

const warnings: string[] = [];
const listener = ({ name, message, stack }: Error) => {
  if (!isExpectedWarning(`${name}: ${message}`)) warnings.push(stack ?? message);
};
process.on('warning', listener);

afterAll(() => {
  // The process may run another file next.
  process.off('warning', listener);
  expect(warnings).toEqual([]);
});
