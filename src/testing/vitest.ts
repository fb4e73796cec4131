/**
 * A fixture for Vitest 3.2 and newer: each worker starts one service, and each test gets it empty. Import `test` from
 * here instead of from Vitest.
 * https://vitest.dev/guide/test-context.html#extend-test-context
 */
import { type TestAPI, test as vitestTest } from 'vitest';
import { type Lamella, type StartOptions, start } from '../lamella.ts';

export type LamellaFixtures = {
  /** The service of this worker, empty but for layers and what `prepare` has put there. */
  lamella: Lamella;
};

export type LamellaTestOptions = {
  /** Options of the service, which is ephemeral and on free ports. */
  readonly options?: StartOptions;
  /** Called before each test, after everything of the test before has been removed. */
  readonly prepare?: (lamella: Lamella) => Promise<unknown> | unknown;
};

/**
 * A `test` function whose tests can use the fixture `lamella`. The service starts with the first test that uses it and
 * stops with the worker.
 * @example
 * const test = lamellaTest({ prepare: (lamella) => lamella.functions.put({ name: 'hello', directory: 'src' }) });
 * test('greets', async ({ lamella }) => {
 *   expect((await lamella.invoke('hello', { name: 'World' })).payload).toBe('Hello, World!');
 * });
 */
export function lamellaTest({ options = {}, prepare }: LamellaTestOptions = {}): TestAPI<LamellaFixtures> {
  return vitestTest.extend<LamellaFixtures & { lamellaService: Lamella }>({
    lamellaService: [
      // Vitest reads the names of the fixtures that this one uses from the pattern.
      // biome-ignore lint/correctness/noEmptyPattern: it uses none
      async ({}, use) => {
        const lamella = await start(options);
        try {
          await use(lamella);
        } finally {
          await lamella.close();
        }
      },
      { scope: 'worker' },
    ],
    lamella: async ({ lamellaService }, use) => {
      await lamellaService.reset();
      await prepare?.(lamellaService);
      await use(lamellaService);
    },
  }) as unknown as TestAPI<LamellaFixtures>;
}

/** `test` with the fixture `lamella` and the default options. */
export const test: TestAPI<LamellaFixtures> = lamellaTest();
