/** An invocation, a look-up and a page cost the same with ten functions and with ten thousand of five versions each. */
import assert from 'node:assert/strict';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  functionDraft,
  type OpenedFunctions,
  openFunctionsIn,
  SCOPE,
  temporaryDirectory,
} from '../../test/support/opened-functions.ts';
import { renderFunctionArn } from '../protocol/arn.ts';
import type { FunctionName, Version } from '../protocol/names.ts';
import { createFunctionStore } from './function-store.ts';

type Figures = { resolve: number; first: number; get: number; list: number; heapMb: number };

const allOpened: { opened: OpenedFunctions; remove: () => Promise<void>; count: number }[] = [];

beforeAll(async () => {
  for (const count of [10, 10_000]) {
    const { directory, remove } = await temporaryDirectory();
    const opened = openFunctionsIn(directory);
    allOpened.push({ opened, remove, count });
    await opened.functions.create(SCOPE, functionDraft('template', { publish: true }));
    const template = opened.functions.get(SCOPE, 'template' as FunctionName, '1');
    const store = createFunctionStore(opened.database);
    opened.database.transaction(() => {
      for (let i = 0; i < count; i += 1) {
        const name = nameOf(i);
        store.insertFunction(SCOPE, name, {});
        for (let number = 0; number <= 5; number += 1) {
          const version: Version = number === 0 ? '$LATEST' : `${number}`;
          const arn = renderFunctionArn(SCOPE, name, number === 0 ? undefined : version);
          store.put({ ...template, name, version, arn, revisionId: `${i}-${number}` }, `${i}`);
        }
      }
    });
  }
}, 120_000);

afterAll(async () => {
  for (const { opened, remove } of allOpened) {
    await opened.close();
    await remove();
  }
});

function nameOf(index: number): FunctionName {
  return `function-${String(index).padStart(5, '0')}` as FunctionName;
}

/** The median duration of a call, in microseconds. */
function median(times: number, action: (round: number) => unknown): number {
  const samples = Array.from({ length: times }, (_, round) => {
    const start = performance.now();
    action(round);
    return (performance.now() - start) * 1000;
  });
  return Number((samples.sort((a, b) => a - b)[times >> 1] ?? 0).toFixed(2));
}

it('does not grow from ten functions to ten thousand', () => {
  const figures = allOpened.map(({ opened: { functions }, count }): Figures => {
    const before = process.memoryUsage().heapUsed;
    // Use every function once: the cache is bounded.
    const first = median(count, (round) => functions.resolve(SCOPE, nameOf(round), '5'));
    const heapMb = Math.round((process.memoryUsage().heapUsed - before) / 1e6);
    const some = (round: number) => nameOf(count - 1 - (round % Math.min(count, 300)));
    return {
      first,
      resolve: median(20_000, (round) => functions.resolve(SCOPE, some(round), round % 2 ? '3' : undefined)),
      get: median(20_000, (round) => functions.get(SCOPE, some(round))),
      list: median(50, (round) => functions.list(SCOPE, { marker: undefined, all: round % 2 === 0 })),
      heapMb,
    };
  });
  console.info('median µs with 10 and with 10,000 functions of 5 versions:', JSON.stringify(figures));
  const [few, many] = figures;
  assert(few && many);
  // There are 1000 times as many functions. A page has 50 of them instead of 10.
  expect(many.resolve / few.resolve).toBeLessThan(20);
  expect(many.get / few.get).toBeLessThan(20);
  expect(many.first / few.first).toBeLessThan(20);
  expect(many.list / few.list).toBeLessThan(50);
});
