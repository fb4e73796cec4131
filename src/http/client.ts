/**
 * One HTTP request from Lamella to a server, with the whole answer as bytes. No retries, no redirects, no time-out: an
 * invocation may take fifteen minutes, and who wants less passes a signal.
 */
import type { IncomingHttpHeaders, RequestOptions } from 'node:http';
import { request as requestPlain } from 'node:http';
import { request as requestSecure } from 'node:https';
import type { Socket } from 'node:net';

export type ClientRequest = {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly signal?: AbortSignal;
  /** How to reach a plain server otherwise than by its address. */
  readonly connect?: () => Promise<Socket>;
  /** An answer with a longer body is an error. Without it, the body is read to its end. */
  readonly maxAnswerBytes?: number;
};

export type ClientAnswer = {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
};

/** Sends a request and reads the answer to its end. Rejects when there is no complete answer. */
export function send(given: ClientRequest): Promise<ClientAnswer> {
  const { method, url, headers, body, signal, connect, maxAnswerBytes } = given;
  const open = url.protocol === 'https:' ? requestSecure : requestPlain;
  return new Promise((resolve, reject) => {
    const request = open(url, {
      method,
      headers: { ...headers, 'content-length': String(body.length) },
      // A pool of one's own connection, or none at all: nothing keeps the process alive afterwards.
      ...(connect ? { createConnection: by(connect) } : { agent: false as const }),
      ...(signal && { signal }),
    });
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on('data', (chunk: Buffer) => {
        length += chunk.length;
        if (maxAnswerBytes === undefined || length <= maxAnswerBytes) chunks.push(chunk);
        else request.destroy(new Error(`the answer exceeds ${maxAnswerBytes} bytes`));
      });
      response.on('error', reject);
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
      });
    });
    request.end(body);
  });
}

/** In the form in which Node asks for it. */
function by(connect: () => Promise<Socket>): NonNullable<RequestOptions['createConnection']> {
  return (_, done) => {
    connect().then(
      (socket) => done(null, socket),
      (failure: Error) => done(failure, undefined as never),
    );
    return undefined;
  };
}
