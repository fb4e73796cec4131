/**
 * A proxy between a runtime and its Runtime API. It passes on every call unchanged and reports what the runtime did: it is ready,
 * it responded, it failed. So a runtime can be observed behind a server that reports nothing. `observed-bootstrap.mjs` starts the
 * runtime and reports where the server is, and how the runtime ended.
 */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { RUNTIME_API } from '../../src/protocol/endpoints.ts';
import type { RuntimeResponse } from '../../src/runtime-api/session.ts';
import type { Ended } from './runtime-harness.ts';

export type Observation =
  | { readonly kind: 'started'; readonly pid: number }
  | { readonly kind: 'ready' }
  | { readonly kind: 'answered'; readonly requestId: string; readonly answer: RuntimeResponse }
  | { readonly kind: 'init-failed'; readonly errorType: string; readonly body: string }
  | Ended;

export type RuntimeObserver = {
  /** `host:port`, for the bootstrap. */
  readonly address: string;
  /** Breaks the runtime's connections. */
  cutConnections(): void;
  close(): Promise<void>;
};

const [BEFORE_ID = '', AFTER_ID = ''] = RUNTIME_API.response.path.split('{id}');
const ANSWER = new RegExp(`^${BEFORE_ID}([^/]+)/(${AFTER_ID.slice(1)}|error)$`);

export async function startObserver(onObservation: (observation: Observation) => void): Promise<RuntimeObserver> {
  let api: { host: string; port: string } | undefined;
  const ofRuntime = new Set<Socket>();

  const hear = (what: string, body: string): void => {
    const told = JSON.parse(body) as { api: string; pid: number; code: number | null; signal: NodeJS.Signals | null };
    if (what === 'begins') {
      const { hostname, port } = new URL(`http://${told.api}`);
      api = { host: hostname, port };
    } else if (what === 'started') onObservation({ kind: 'started', pid: told.pid });
    else onObservation({ kind: 'ended', code: told.code, signal: told.signal });
  };
  const relay = async (call: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = call.url ?? '/';
    const body = await read(call);
    const [, what] = /^\/observer\/(\w+)$/.exec(path) ?? [];
    if (what !== undefined) {
      hear(what, body.toString());
      response.end();
      return;
    }
    ofRuntime.add(call.socket);
    if (path === RUNTIME_API.next.path) onObservation({ kind: 'ready' });
    if (path === RUNTIME_API.initError.path) {
      onObservation({ kind: 'init-failed', errorType: errorTypeOf(call), body: body.toString() });
    }
    const { 'transfer-encoding': _, ...headers } = call.headers;
    const upstream = request({
      ...api,
      method: call.method,
      path,
      agent: false,
      headers: { ...headers, 'content-length': body.length, connection: 'close' },
    });
    response.once('close', () => upstream.destroy());
    upstream.on('error', () => response.destroy());
    upstream.once('response', async (answer) => {
      const { connection: _, 'transfer-encoding': __, ...given } = answer.headers;
      const text = await read(answer);
      const [, requestId, as] = ANSWER.exec(path) ?? [];
      if (requestId !== undefined) {
        onObservation({ kind: 'answered', requestId, answer: judge(as, answer.statusCode ?? 0, body, call) });
      }
      response.writeHead(answer.statusCode ?? 502, { ...given, 'content-length': text.length }).end(text);
    });
    upstream.end(body);
  };
  const server = createServer((call, response) => {
    relay(call, response).catch(() => response.destroy());
  });
  server.requestTimeout = 0;
  server.on('connection', (socket) => socket.once('close', () => ofRuntime.delete(socket)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    cutConnections() {
      for (const socket of ofRuntime) socket.destroy();
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** The outcome of a response, by the server's status. */
function judge(as: string | undefined, status: number, payload: Buffer, call: IncomingMessage): RuntimeResponse {
  if (status === 413) return { kind: 'response-too-large' };
  if (as === 'error') return { kind: 'error', payload, errorType: errorTypeOf(call) };
  return { kind: 'response', payload, contentType: call.headers['content-type'] };
}

function errorTypeOf(call: IncomingMessage): string {
  return String(call.headers['lambda-runtime-function-error-type'] ?? '');
}

async function read(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
