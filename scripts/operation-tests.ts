/**
 * Which test calls an operation of Lambda's API: found in the sources of the tests, so that there is no list to maintain.
 * The files are searched in this order, the broadest first. test/support/operation-calls.ts proves, while these tests run,
 * that the operation is really called.
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = process.env.LAMELLA_ROOT ?? resolve(import.meta.dirname, '..');

const FILES = [
  'test/flows/clients.test.ts',
  'test/flows/aws-sdk.test.ts',
  'src/lambda-api/server.test.ts',
  'src/lambda-api/settings.test.ts',
  'src/lambda-api/event-stream.test.ts',
  'test/flows/async.test.ts',
];

/** The test that calls every refused operation, from the table of supported operations. */
const REFUSALS = { file: 'src/lambda-api/every-operation.test.ts', title: '%s is refused by name' };

/** The files that must prove their calls, relative to the repository. */
export const FILES_WITH_CALLS: readonly string[] = [...FILES, REFUSALS.file];

export type TestReference = { readonly file: string; readonly title: string };

/** The first test whose source calls the operation. @throws Error if no test does */
export function testOf(operation: string): TestReference {
  // Not the calls that are to be refused.
  const call = new RegExp(`\\b${operation}Command\\(|(?<!refusal)[(\\[]\\s*'${operation}',`, 'g');
  for (const file of FILES) {
    const source = sourceOf(file);
    for (const { index } of source.matchAll(call)) {
      const title = titleAround(source, index);
      if (title !== undefined) return { file, title };
    }
  }
  throw new Error(`No test calls ${operation}: see FILES in scripts/operation-tests.ts`);
}

/** The test that sees an operation refused. @throws Error if it no longer exists */
export function refusalTestOf(operation: string): TestReference {
  const { file, title } = REFUSALS;
  if (!sourceOf(file).includes(title)) throw new Error(`${file} has no test "${title}"`);
  return { file, title: title.replace('%s', operation) };
}

const sources = new Map<string, string>();

function sourceOf(file: string): string {
  const source = sources.get(file) ?? readFileSync(join(ROOT, file), 'utf8');
  sources.set(file, source);
  return source;
}

/** The title of the test around a position; undefined in a hook or a helper. */
function titleAround(source: string, index: number): string | undefined {
  const before = source.slice(0, index);
  const opened = [...before.matchAll(/^( *)it(?:\.\w+(?:\([\s\S]*?\))?)?\(\s*(['"`])(.*?)\2,/gm)].at(-1);
  if (opened === undefined) return undefined;
  // After the end of that test, which is closed with its own indentation.
  const isClosed = new RegExp(`^${opened[1]}\\}`, 'm').test(before.slice(opened.index));
  return isClosed ? undefined : opened[3];
}
