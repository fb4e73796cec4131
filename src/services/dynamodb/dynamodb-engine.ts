/**
 * DynamoDB's engine: the npm package `dynalite`, in a thread of its own for each region, with its tables below the data
 * directory. A thread starts with the first request and shares nothing with the service: an exception in it, or memory
 * without bounds, ends the thread and the requests in it, and the next request starts another one.
 * docs/decisions/0019-dynamodb-by-dynalite.md
 */
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Log } from '../../log.ts';
import type { Scope } from '../../protocol/names.ts';

export type EngineResponse = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
};

export type DynamoEngine = {
  /** Performs an operation on the tables of a region. Rejects if the engine is not installed or has failed. */
  request(scope: Scope, operation: string, body: Buffer): Promise<EngineResponse>;
  /**
   * Runs `action` while no other request is in progress in the region; others wait until it is done. `action` gets a `request` of
   * its own.
   */
  exclusively<Result>(scope: Scope, action: (request: DynamoEngine['request']) => Promise<Result>): Promise<Result>;
  /** Waits for the requests in progress. */
  close(): Promise<void>;
};

/** The package `dynalite` is not installed. The message is for the client. */
export class EngineMissing extends Error {}

export type DynamoEngineOptions = {
  /** Each region has a directory below it. */
  readonly directory: string;
  readonly log: Log;
};

const MAX_HEAP_MIB = 1024;

/** What the thread runs. Requests are those of dynalite's HTTP server, without HTTP. */
const PROGRAM = `
const { Readable } = require('node:stream');
const { parentPort, workerData } = require('node:worker_threads');
const server = require(workerData.module)(workerData.options);
parentPort.on('message', ({ id, headers, body }) => {
  const request = Object.assign(Readable.from([Buffer.from(body)]), { method: 'POST', url: '/', headers });
  const given = {};
  const response = {
    statusCode: 200,
    setHeader: (name, value) => { given[name.toLowerCase()] = String(value); },
    end: (content = '') => parentPort.postMessage({ id, status: response.statusCode, headers: given, body: String(content) }),
  };
  server.emit('request', request, response);
});
`;

type Answer = {
  readonly id: number;
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string;
};
type Waiting = { readonly resolve: (response: EngineResponse) => void; readonly reject: (failure: Error) => void };
type Thread = { readonly worker: Worker; readonly waiting: Map<number, Waiting>; readonly emptied: (() => void)[] };

export function createDynamoEngine({ directory, log }: DynamoEngineOptions): DynamoEngine {
  const threads = new Map<string, Thread>();
  /** Threads that have failed and whose files are not closed yet. */
  const ending = new Map<string, Promise<void>>();
  /** The last action of a region that no other request may overlap. */
  const gates = new Map<string, Promise<unknown>>();
  let nextId = 1;

  const start = ({ region, account }: Scope): Thread => {
    const path = join(directory, region);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const worker = new Worker(PROGRAM, {
      eval: true,
      // It names its account and region in ARNs.
      env: { AWS_REGION: region, AWS_ACCOUNT_ID: account },
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MIB },
      workerData: {
        module: findModule(),
        options: { path, createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 },
      },
    });
    const thread: Thread = { worker, waiting: new Map(), emptied: [] };
    const settle = (id: number): Waiting | undefined => {
      const found = thread.waiting.get(id);
      thread.waiting.delete(id);
      if (thread.waiting.size === 0) for (const wake of thread.emptied.splice(0)) wake();
      return found;
    };
    const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    const end = (failure: Error) => {
      if (threads.get(region) === thread) {
        threads.delete(region);
        ending.set(region, exited);
      }
      for (const id of [...thread.waiting.keys()]) settle(id)?.reject(failure);
    };
    worker.on('message', ({ id, status, headers, body }: Answer) =>
      settle(id)?.resolve({ status, headers, body: Buffer.from(body) }),
    );
    worker.on('error', (failure) => {
      log.error({ err: failure, region }, 'the engine of DynamoDB has failed; the next request starts it again');
      end(failure instanceof Error ? failure : new Error(String(failure)));
    });
    worker.on('exit', () => end(new Error('the engine of DynamoDB has ended')));
    // A closing service waits for requests, not for the thread.
    worker.unref();
    threads.set(region, thread);
    return thread;
  };

  const post: DynamoEngine['request'] = async (scope, operation, body) => {
    await ending.get(scope.region);
    const thread = threads.get(scope.region) ?? start(scope);
    const id = nextId++;
    return new Promise((resolve, reject) => {
      thread.waiting.set(id, { resolve, reject });
      thread.worker.postMessage({ id, headers: headersOf(scope.region, operation), body });
    });
  };
  const idle = async ({ region }: Scope): Promise<void> => {
    const thread = threads.get(region);
    if (thread && thread.waiting.size > 0) await new Promise<void>((resolve) => thread.emptied.push(resolve));
  };

  return {
    async request(scope, operation, body) {
      while (gates.has(scope.region)) await gates.get(scope.region);
      return post(scope, operation, body);
    },
    async exclusively(scope, action) {
      const { region } = scope;
      const before = gates.get(region);
      const done = (async () => {
        await before;
        await idle(scope);
        return action(post);
      })();
      const gate: Promise<unknown> = done
        .catch(() => undefined)
        .then(() => {
          if (gates.get(region) === gate) gates.delete(region);
        });
      gates.set(region, gate);
      return done;
    },
    async close() {
      await Promise.all(gates.values());
      const open = [...threads.values()];
      await Promise.all(
        open.map(async (thread) => {
          if (thread.waiting.size > 0) await new Promise<void>((resolve) => thread.emptied.push(resolve));
          // Its exit closes the files of its tables.
          await thread.worker.terminate();
        }),
      );
    },
  };
}

/** The engine checks that a request has a signature, not whether it is right: the API port has done that. */
function headersOf(region: string, operation: string): Record<string, string> {
  const scope = `lamella/20260101/${region}/dynamodb/aws4_request`;
  return {
    'content-type': 'application/x-amz-json-1.0',
    'x-amz-target': `DynamoDB_20120810.${operation}`,
    'x-amz-date': '20260101T000000Z',
    authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=none`,
  };
}

function findModule(): string {
  try {
    return createRequire(import.meta.url).resolve('dynalite');
  } catch {
    throw new EngineMissing(
      'DynamoDB needs the npm package dynalite, which is not installed. Run npm install dynalite beside lamella, or name ' +
        'another DynamoDB with --dynamodb-endpoint.',
    );
  }
}
