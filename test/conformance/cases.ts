/** Rules for runtimes in every language. A case gets a started runtime and throws if the runtime breaks the rule. */
import { expect } from 'vitest';
import type { RuntimeUnderTest } from '../support/runtime-harness.ts';
import type { Feature } from './runtimes.ts';

export type Case = {
  readonly rule: string;
  readonly needs?: Feature;
  /** Starts the runtime with a handler that does not exist. */
  readonly handler?: 'missing.handler';
  readonly run: (runtime: RuntimeUnderTest) => Promise<void>;
};

const LARGE = 6 * 1024 * 1024;

export const CASES: readonly Case[] = [
  {
    rule: 'asks for an event when it is ready',
    run: async (runtime) => expect(await runtime.initialized).toEqual({ kind: 'ready' }),
  },
  {
    rule: 'passes the event to the handler and returns its result',
    run: (runtime) =>
      echoes(runtime, { name: 'Wörld 🌍', nested: { list: [1, 'two', null, true], text: 'a"b\\c\n\t' } }),
  },
  {
    rule: 'accepts any JSON value as an event',
    run: async (runtime) => {
      for (const event of [null, true, 1.5, -7, '', 'text', [1, [2]], { a: { b: [] } }]) await echoes(runtime, event);
    },
  },
  {
    rule: 'distinguishes an empty object from an empty list',
    needs: 'empty-objects',
    run: (runtime) => echoes(runtime, {}),
  },
  {
    rule: 'handles one event after another',
    run: async (runtime) => {
      for (let number = 0; number < 50; number++) await echoes(runtime, { number });
    },
  },
  {
    rule: 'keeps its process between events',
    needs: 'state',
    run: async (runtime) => {
      for (const count of [1, 2, 3]) expect(await returned(runtime, { do: 'count' })).toBe(count);
    },
  },
  {
    rule: 'accepts an event of 6 MB',
    run: async (runtime) => {
      const text = 'x'.repeat(LARGE - 20);
      expect((await returned(runtime, { text })) as object).toEqual({ text });
    },
  },
  {
    rule: 'returns a result of 6 MB',
    run: async (runtime) => {
      expect(((await returned(runtime, { do: 'size', size: LARGE })) as string).length).toBe(LARGE);
    },
  },
  {
    rule: 'continues after a response that was too large',
    run: async (runtime) => {
      const answer = await runtime.invoke({ do: 'size', size: LARGE + 1024 * 1024 });
      expect(['response-too-large', 'error']).toContain(answer.kind);
      await echoes(runtime, { after: 1 });
    },
  },
  {
    rule: 'reports the failure of a handler with message and type, and continues',
    run: async (runtime) => {
      for (const message of ['first', 'second']) {
        const failure = await failed(runtime, { do: 'fail', message });
        expect(failure.errorMessage).toBe(message);
        expect(failure.errorType).toMatch(/^\S+$/);
      }
      await echoes(runtime, { after: 2 });
    },
  },
  {
    rule: 'reports an error message with any characters',
    needs: 'error-lines',
    run: async (runtime) => {
      const message = 'quotes "", backslash \\, tab \t,\nline, ü';
      expect((await failed(runtime, { do: 'fail', message })).errorMessage).toBe(message);
    },
  },
  {
    rule: 'sets _X_AMZN_TRACE_ID for each event',
    run: async (runtime) => {
      for (const traceId of ['Root=1-a;Parent=b;Sampled=1', 'Root=1-c;Parent=d;Sampled=0']) {
        expect(await returned(runtime, { do: 'trace' }, { traceId })).toBe(traceId);
      }
    },
  },
  {
    rule: 'leaves the output of the handler in the log',
    run: async (runtime) => {
      await returned(runtime, { do: 'log' });
      await runtime.ready();
      // The output arrives through a pipe, which may be slower than the next call.
      await expect.poll(() => runtime.output()).toMatch(/(?=.*to standard output).*to standard error/s);
    },
  },
  {
    rule: 'reports that initialization failed, and exits',
    needs: 'handler',
    handler: 'missing.handler',
    run: async (runtime) => {
      const said = await runtime.initialized;
      expect(said, runtime.output()).toMatchObject({ kind: 'failed' });
      const { errorMessage, errorType } = JSON.parse(said.kind === 'failed' ? said.body : '{}');
      expect([typeof errorMessage, typeof errorType]).toEqual(['string', 'string']);
      expect((await runtime.ended).code).not.toBe(0);
    },
  },
  {
    rule: 'reconnects when its connection breaks while it waits',
    needs: 'reconnects',
    run: async (runtime) => {
      await echoes(runtime, { before: 1 });
      await runtime.ready();
      await runtime.cutConnections();
      await echoes(runtime, { after: 3 });
    },
  },
];

async function returned(runtime: RuntimeUnderTest, event: unknown, offer = {}): Promise<unknown> {
  const answer = await runtime.invoke(event, offer);
  expect(answer.kind, runtime.output().slice(-2000)).toBe('response');
  return answer.kind === 'response' ? JSON.parse(answer.payload.toString()) : undefined;
}

async function echoes(runtime: RuntimeUnderTest, event: unknown): Promise<void> {
  expect(await returned(runtime, event)).toEqual(event);
}

async function failed(runtime: RuntimeUnderTest, event: unknown): Promise<{ errorMessage: string; errorType: string }> {
  const answer = await runtime.invoke(event);
  expect(answer.kind, runtime.output().slice(-2000)).toBe('error');
  return JSON.parse(answer.kind === 'error' ? answer.payload.toString() : '{}');
}
