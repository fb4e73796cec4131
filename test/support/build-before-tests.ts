/**
 * Compiles once before the first test file runs, if one of them runs the built command line and dist/ is stale. In a fresh
 * clone that takes longer than a hook may.
 */
import { readFileSync } from 'node:fs';
import type { TestProject } from 'vitest/node';
import { buildIfStale } from './built-cli.ts';

/** A test file that imports a module of `test/support` or `test/attacks` which runs the built command line. */
const RUNS_BUILT = /from '.*\/(built-cli|crash-run|target)\.ts'/;

export function setup({ vitest }: TestProject): void {
  if (vitest.state.getPaths().some((path) => RUNS_BUILT.test(readFileSync(path, 'utf8')))) buildIfStale();
}
