/**
 * Which test makes a call of an operation of Lambda's API, found in the sources of the tests: nobody keeps a list. The
 * files are looked through in this order, the widest first.
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

/** Where every operation that is refused is tried, from the table of what is supported. */
const REFUSALS = { file: 'src/lambda-api/every-operation.test.ts', title: '%s is refused by name' };

const SOURCES = FILES.map((file) => ({ file, source: readFileSync(join(ROOT, file), 'utf8') }));

export type TestPlace = { readonly file: string; readonly title: string };

/** The first test that names the operation in a call. @throws Error when there is none: an operation without a test */
export function testOf(operation: string): TestPlace {
  const call = new RegExp(`\\b${operation}Command\\(|[(\\[]\\s*'${operation}',`, 'g');
  for (const { file, source } of SOURCES) {
    for (const { index } of source.matchAll(call)) {
      const title = titleAround(source, index);
      if (title !== undefined) return { file, title };
    }
  }
  throw new Error(`no test makes a call of ${operation}: see FILES in scripts/operation-tests.ts`);
}

/** The test that sees an operation refused. @throws Error when it is not there any more */
export function refusalTestOf(operation: string): TestPlace {
  const { file, title } = REFUSALS;
  if (!readFileSync(join(ROOT, file), 'utf8').includes(title)) throw new Error(`${file} has no test "${title}"`);
  return { file, title: title.replace('%s', operation) };
}

/** The title of the test that the place is in; undefined in a hook or a helper. */
function titleAround(source: string, index: number): string | undefined {
  const before = source.slice(0, index);
  const opened = [...before.matchAll(/^( *)it(?:\.\w+(?:\([\s\S]*?\))?)?\(\s*(['"`])(.*?)\2,/gm)].at(-1);
  if (opened === undefined) return undefined;
  // Behind the end of that test, which is closed with its own indentation.
  const isClosed = new RegExp(`^${opened[1]}\\}`, 'm').test(before.slice(opened.index));
  return isClosed ? undefined : opened[3];
}
