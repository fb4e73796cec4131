/**
 * A small Runtime API for testing runtimes without Lamella's: it offers one invocation at a time and resolves with the
 * runtime's response. It is strict where AWS is: it refuses a response to another request ID.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export type RuntimeResponse = {
  readonly kind: 'response' | 'error';
  readonly body: string;
  readonly errorType: string | undefined;
  /** Set if the response was streamed. An error that ended it is in the trailers. */
  readonly streamed?: { readonly contentType: string | undefined; readonly errorType: string; readonly error: string };
};

export type FakeRuntimeApi = {
  /** The value of AWS_LAMBDA_RUNTIME_API. */
  readonly address: string;
  /** Gives `payload` to the runtime's next poll and waits for its response, also a chunked one. */
  invoke(payload: string, headers?: Readonly<Record<string, string>>): Promise<RuntimeResponse>;
  /** Resolves with the first POST init/error. */
  readonly initError: Promise<RuntimeResponse>;
  /** Resolves when the runtime requests its first invocation. */
  readonly firstNext: Promise<void>;
  /** Connections accepted so far. */
  readonly connections: () => number;
  /** Closes every open connection of the runtime. */
  cutConnections(): void;
  close(): Promise<void>;
};

type Offer = {
  id: string;
  payload: string;
  headers: Readonly<Record<string, string>>;
  settle: (a: RuntimeResponse) => void;
};

/** Listens on a free loopback port. */
export async function startFakeRuntimeApi(): Promise<FakeRuntimeApi> {
  const offers: Offer[] = [];
  const polls: ServerResponse[] = [];
  const sockets = new Set<Socket>();
  let current: Offer | undefined;
  let accepted = 0;
  let count = 0;
  const initError = deferred<RuntimeResponse>();
  const firstNext = deferred<void>();

  const hand = () => {
    while (offers.length > 0 && polls.length > 0) {
      const poll = polls.shift();
      if (poll === undefined || poll.destroyed) continue;
      current = offers.shift();
      if (current === undefined) return;
      poll.writeHead(200, {
        'Content-Type': 'application/json',
        'Lambda-Runtime-Aws-Request-Id': current.id,
        'Lambda-Runtime-Deadline-Ms': String(Date.now() + 3000),
        'Lambda-Runtime-Invoked-Function-Arn': 'arn:aws:lambda:us-east-1:123456789012:function:fake',
        ...('Transfer-Encoding' in current.headers ? {} : { 'Content-Length': Buffer.byteLength(current.payload) }),
        ...current.headers,
      });
      poll.end(current.payload);
    }
  };

  const server = createServer({ keepAlive: true, noDelay: true, requestTimeout: 0 }, async (request, response) => {
    const path = request.url?.replace('/2018-06-01/runtime', '') ?? '';
    if (request.method === 'GET' && path === '/invocation/next') {
      firstNext.resolve();
      polls.push(response);
      return hand();
    }
    const body = await readAll(request);
    const errorType = request.headers['lambda-runtime-function-error-type']?.toString();
    const [, id, kind] = /^\/invocation\/([^/]+)\/(response|error)$/.exec(path) ?? [];
    if (path === '/init/error') initError.resolve({ kind: 'error', body, errorType });
    else if (current === undefined || id !== current.id) {
      response.writeHead(400, { 'Content-Type': 'application/json' });
      return response.end('{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}\n');
    } else {
      const result = { kind: kind === 'error' ? 'error' : 'response', body, errorType } as const;
      current.settle({ ...result, ...streamedPart(request) });
      current = undefined;
    }
    response.writeHead(202, { 'Content-Type': 'application/json' });
    return response.end('{"status":"OK"}\n');
  });
  server.keepAliveTimeout = 0;
  server.on('connection', (socket) => {
    accepted++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cutConnections = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    invoke: (payload, headers = {}) =>
      new Promise((settle) => {
        offers.push({ id: `00000000-0000-4000-8000-${String(count++).padStart(12, '0')}`, payload, headers, settle });
        hand();
      }),
    initError: initError.promise,
    firstNext: firstNext.promise,
    connections: () => accepted,
    cutConnections,
    close: () =>
      new Promise((resolve) => {
        cutConnections();
        server.close(() => resolve());
      }),
  };
}

function streamedPart(request: IncomingMessage): Pick<RuntimeResponse, 'streamed'> {
  if (request.headers['lambda-runtime-function-response-mode'] !== 'streaming') return {};
  const trailer = (name: string) => request.trailers[`lambda-runtime-function-error-${name}`] ?? '';
  const error = Buffer.from(trailer('body'), 'base64').toString();
  return { streamed: { contentType: request.headers['content-type'], errorType: trailer('type'), error } };
}

async function readAll(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
