/**
 * A proxy that records the calls of AWS's APIs that go through it, and lets a test act at one of them. It keeps the Host
 * header, so that signatures stay valid.
 */
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type RecordedCall = {
  /** `cloudformation:CreateChangeSet`, `s3:PUT /bucket/key`. */
  readonly name: string;
  readonly method: string;
  readonly path: string;
  /** Of the query protocol; empty otherwise. */
  readonly form: URLSearchParams;
  readonly authorization: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
};

/** Instead of the service's response. */
export type Answer = { readonly status: number; readonly body: string };

export type RecordingProxy = {
  readonly url: string;
  readonly calls: RecordedCall[];
  /** Called before a call is passed on. A promise holds it back; an answer replaces the service's. */
  onCall: ((call: RecordedCall) => Promise<Answer | undefined> | Answer | undefined) | undefined;
  /** The recorded names since the last call of this method. */
  takeNames(): string[];
  close(): Promise<void>;
};

export async function startRecordingProxy(target: string): Promise<RecordingProxy> {
  const calls: RecordedCall[] = [];
  let taken = 0;
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      void handle(incoming, Buffer.concat(chunks), outgoing);
    });
  });
  const handle = async (incoming: IncomingMessage, body: Buffer, outgoing: ServerResponse): Promise<void> => {
    const call = recorded(incoming, body);
    calls.push(call);
    const answer = await proxy.onCall?.(call);
    if (answer !== undefined) {
      outgoing.writeHead(answer.status, { 'content-type': 'text/xml' }).end(answer.body);
      return;
    }
    const { method, url, headers } = incoming;
    const onward = request(`${target}${url}`, { method, headers, agent: false }, (response) => {
      outgoing.writeHead(response.statusCode ?? 500, response.headers);
      response.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    onward.end(body);
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy: RecordingProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    onCall: undefined,
    takeNames() {
      const names = calls.slice(taken).map(({ name }) => name);
      taken = calls.length;
      return names;
    },
    close: () => closed(server),
  };
  return proxy;
}

function recorded({ method = '', url = '', headers }: IncomingMessage, body: Buffer): RecordedCall {
  const authorization = headers.authorization ?? '';
  const service = /\/([a-z0-9-]+)\/aws4_request/.exec(authorization)?.[1] ?? '';
  const isForm = String(headers['content-type']).startsWith('application/x-www-form-urlencoded');
  const form = new URLSearchParams(isForm ? body.toString() : '');
  const path = url.split('?')[0] ?? '';
  const name = `${service}:${form.get('Action') ?? `${method} ${path}`}`;
  return { name, method, path, form, authorization, headers };
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
