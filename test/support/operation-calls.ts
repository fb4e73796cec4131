/**
 * For each operation of the Lambda API docs/fidelity.md names a test. This setup file proves that the test calls it: it watches
 * the HTTP servers of the test process, and fails a file whose test passes without a successful call of the operation, or
 * without a response of 501 for a refused operation.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { relative, resolve } from 'node:path';
import { afterAll, beforeEach, expect } from 'vitest';
import { FILES_WITH_CALLS, refusalTestOf, testOf } from '../../scripts/operation-tests.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const FINISHED = 'http.server.response.finish';
const file = relative(ROOT, expect.getState().testPath ?? '');

if (FILES_WITH_CALLS.includes(file)) {
  // Only here: the generated tables take time to load.
  const { matchOperation } = await import('../../src/lambda-api/operation-routes.ts');
  const { OPERATION_SUPPORT } = await import('../../src/lambda-api/operations/operation-support.ts');

  /** Titles of tests that ran, each with `OPERATION STATUS` of its calls. */
  const calls = new Map<string, Set<string>>();
  let current = new Set<string>();
  let hasFailed = false;

  beforeEach(({ task, onTestFailed }) => {
    current = calls.get(task.name) ?? new Set();
    calls.set(task.name, current);
    onTestFailed(() => {
      hasFailed = true;
    });
  });

  const onResponse = (message: unknown) => {
    const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    const match = matchOperation(request.method ?? '', pathname, searchParams);
    if (match === undefined) return;
    current.add(`${match.operation} ${response.statusCode < 400 ? 'succeeds' : response.statusCode}`);
  };
  subscribe(FINISHED, onResponse);

  afterAll(() => {
    // The process may run another file next.
    unsubscribe(FINISHED, onResponse);
    // A failed test has been reported, and may have stopped before its calls.
    if (hasFailed) return;
    const missing = Object.entries(OPERATION_SUPPORT).flatMap(([operation, { kind }]) => {
      const test = kind === 'refused' ? refusalTestOf(operation) : testOf(operation);
      const made = test.file === file ? calls.get(test.title) : undefined;
      if (made === undefined || made.has(`${operation} ${kind === 'refused' ? 501 : 'succeeds'}`)) return [];
      return [`"${test.title}" does not call ${operation}, which docs/fidelity.md says it does`];
    });
    expect(missing).toEqual([]);
  });
}
