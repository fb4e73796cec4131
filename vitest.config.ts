import { defineConfig } from 'vitest/config';

/** A separate job, run by `node scripts/run.mjs JOB`: tests that take minutes or need the network. */
const job = process.env.LAMELLA_TEST_JOB;

export default defineConfig({
  test: {
    include: job ? [`test/${job}/**/*.job.ts`] : ['src/**/*.test.ts', 'test/**/*.test.ts'],
    globalSetup: ['./test/support/build-before-tests.ts'],
    setupFiles: ['./test/support/operation-calls.ts', './test/support/process-warnings.ts'],
    reporters: ['default', './scripts/count-reporter.ts'],
    sequence: { shuffle: { tests: false, files: true } },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
