/**
 * Sends one HTTP request and returns the whole response as bytes. No retries, no redirects, and no timeout, because an
 * invocation may take 15 minutes: pass a signal to wait less.
 */
import type { IncomingHttpHeaders, RequestOptions } from 'node:http';
import { request as requestPlain } from 'node:http';
import { request as requestSecure } from 'node:https';
import type { Socket } from 'node:net';
import { ByteCollector } from './byte-collector.ts';

export type ClientRequest = {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly signal?: AbortSignal;
  /** Opens the connection, for an `http:` server that cannot be reached by its address. */
  readonly connect?: () => Promise<Socket>;
  /** Maximum size of the response body. A longer one is an error. Defaults to no limit. */
  readonly maxResponseBytes?: number;
};

export type ClientResponse = {
  readonly status: number;
  /** Names are in lower case. */
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
};

/** Sends a request. Resolves with the complete response, or rejects. */
export function send(given: ClientRequest): Promise<ClientResponse> {
  const { method, url, headers, body, signal, connect, maxResponseBytes } = given;
  const open = url.protocol === 'https:' ? requestSecure : requestPlain;
  return new Promise((resolve, reject) => {
    const request = open(url, {
      method,
      headers: { ...headers, 'content-length': String(body.length) },
      // Node's default agent would keep the connection, and with it the process, alive.
      ...(connect ? { createConnection: createConnectionBy(connect) } : { agent: false as const }),
      ...(signal && { signal }),
    });
    request.on('error', reject);
    request.on('response', (response) => {
      const collector = new ByteCollector();
      response.on('data', (chunk: Buffer) => {
        if (maxResponseBytes === undefined || collector.length + chunk.length <= maxResponseBytes) collector.add(chunk);
        else request.destroy(new Error(`the response exceeds ${maxResponseBytes} bytes`));
      });
      response.on('error', reject);
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: collector.bytes() });
      });
    });
    request.end(body);
  });
}

/** Adapts `connect` to Node's callback. */
function createConnectionBy(connect: () => Promise<Socket>): NonNullable<RequestOptions['createConnection']> {
  return (_, done) => {
    connect().then(
      (socket) => done(null, socket),
      (failure: Error) => done(failure, undefined as never),
    );
    return undefined;
  };
}
