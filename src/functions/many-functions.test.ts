/** An invocation, a look-up and a page cost the same with ten functions and with ten thousand of five versions each. */
import assert from 'node:assert/strict';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cpuMsOf } from '../../test/support/cpu-growth.ts';
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

/** CPU time of a call, in microseconds: the mean of `times` calls in the best of `batches`. */
async function cpuMicroseconds(times: number, action: (round: number) => unknown, batches = 5): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let batch = 0; batch < batches; batch += 1) {
    let round = batch * times;
    least = Math.min(least, await cpuMsOf(() => void action(round++), times));
  }
  return Number(((least * 1000) / times).toFixed(2));
}

async function measure({ opened: { functions }, count }: (typeof allOpened)[number]): Promise<Figures> {
  const before = process.memoryUsage().heapUsed;
  // Use every function once: the cache is bounded.
  const first = await cpuMicroseconds(count, (round) => functions.resolve(SCOPE, nameOf(round), '5'), 1);
  const heapMb = Math.round((process.memoryUsage().heapUsed - before) / 1e6);
  const some = (round: number) => nameOf(count - 1 - (round % Math.min(count, 300)));
  return {
    first,
    resolve: await cpuMicroseconds(5_000, (round) =>
      functions.resolve(SCOPE, some(round), round % 2 ? '3' : undefined),
    ),
    get: await cpuMicroseconds(5_000, (round) => functions.get(SCOPE, some(round))),
    list: await cpuMicroseconds(50, (round) => functions.list(SCOPE, { marker: undefined, all: round % 2 === 0 })),
    heapMb,
  };
}

it('does not grow from ten functions to ten thousand', async () => {
  const figures = [];
  for (const each of allOpened) figures.push(await measure(each));
  console.info('CPU µs with 10 and with 10,000 functions of 5 versions:', JSON.stringify(figures));
  const [few, many] = figures;
  assert(few && many);
  // There are 1000 times as many functions. A page has 50 of them instead of 10.
  expect(many.resolve / few.resolve).toBeLessThan(20);
  expect(many.get / few.get).toBeLessThan(20);
  expect(many.first / few.first).toBeLessThan(20);
  expect(many.list / few.list).toBeLessThan(50);
});
