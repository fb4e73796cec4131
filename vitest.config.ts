import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** A separate job, run by `node scripts/run.mjs JOB`: tests that take minutes or need the network. */
const job = process.env.LAMELLA_TEST_JOB;

/**
 * A test file that starts processes or whole services, or attacks, has a process of its own. All others share one per
 * worker: starting it and loading the modules takes longer than most of them run.
 */
const OWN_PROCESS = [
  /child_process|process\.(on|umask)\b|from '\.\/(running|target|service)/,
  /(attacks|sandbox|conformance|php|flows)\//,
  /support\/(running|built|installed|crash|process(es|-tree)|runtime-|typescript-|system-|aws-|chromium|client-program)/,
  /support\/(foreign|gate|stack-client|bundle-for-child|cpu-growth|observed)/,
];

const files = ['src', 'test'].flatMap((directory) =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(directory, name)),
);
const sharing = files.filter((file) => {
  const text = readFileSync(file, 'utf8');
  return file.startsWith('src/') && !OWN_PROCESS.some((pattern) => pattern.test(text));
});

/** In random order. Those that share a process come last: they are short, so that the workers end together. */
class SharingLast extends BaseSequencer {
  override async sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
    const { seed } = this.ctx.config.sequence;
    const rank = ({ moduleId, project }: TestSpecification) => {
      const random = createHash('sha1').update(`${seed} ${moduleId}`).digest('hex');
      return `${project.config.isolate ? 0 : 1}${random}`;
    };
    return [...specifications].sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
  }
}

export default defineConfig({
  test: {
    globalSetup: ['./test/support/build-before-tests.ts'],
    reporters: ['default', './scripts/count-reporter.ts'],
    sequence: { sequencer: SharingLast },
    projects: [
      {
        extends: true,
        test: {
          name: 'own process',
          include: job ? [`test/${job}/**/*.job.ts`] : ['src/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: sharing,
        },
      },
      { extends: true, test: { name: 'shared process', include: job ? [] : sharing, isolate: false } },
    ],
    setupFiles: ['./test/support/operation-calls.ts', './test/support/process-warnings.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // Tests wait about a quarter of the time, for timers of Lambda's rules and for processes to end.
    maxWorkers: 3,
  },
});
