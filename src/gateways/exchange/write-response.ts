/** Writes answers to the socket: whole ones, and those that come bit by bit at the pace of whoever reads them. */
import type { HttpResponse } from '../../http/exchange.ts';
import type { Header } from './gateway-request.ts';
import type { GatewayResponse } from './proxy-integration.ts';

/** Sends a whole answer. A client that has left is none of our business. */
export function writeResponse(response: HttpResponse, method: string, answer: GatewayResponse): void {
  const { status, statusText, body } = answer;
  const isHead = method === 'HEAD';
  const hasNoBody = status === 204 || status === 304;
  const headers = answer.headers.filter(([name]) => name.toLowerCase() !== 'content-length');
  // What a function says of the length is right only where there is no body to measure.
  const given = isHead && body.length === 0 ? lengthOf(answer.headers) : undefined;
  if (!hasNoBody) headers.push(['Content-Length', given ?? String(body.length)]);
  const flat = flatten(headers);
  if (statusText === undefined) response.writeHead(status, flat);
  else response.writeHead(status, statusText, flat);
  response.end(isHead || hasNoBody ? undefined : body);
}

/** The length that a function claims, if it is one. */
function lengthOf(headers: readonly Header[]): string | undefined {
  const claims = headers.filter(([name]) => name.toLowerCase() === 'content-length').map(([, value]) => value);
  return claims.length === 1 && /^\d{1,15}$/.test(claims[0] ?? '') ? claims[0] : undefined;
}

/** Sends status and headers of an answer whose length nobody knows yet. */
export function writeHead(response: HttpResponse, status: number, headers: readonly Header[]): void {
  if (response.destroyed) return;
  response.writeHead(status, flatten(headers.filter(([name]) => name.toLowerCase() !== 'content-length')));
  response.flushHeaders();
}

/** Resolves when the client can take more, or is gone: the function goes on either way. */
export function writeChunk(response: HttpResponse, chunk: Buffer): Promise<void> | undefined {
  if (response.destroyed || response.write(chunk)) return undefined;
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

/** Ends an answer that cannot be finished: what was written arrives, the end of the body does not. */
export function breakOff(response: HttpResponse): void {
  if (response.socket) response.socket.destroySoon();
  else response.destroy();
}

/** Text that is not Latin-1 goes out as the bytes of its UTF-8. */
function flatten(headers: readonly Header[]): string[] {
  return headers.flatMap(([name, value]) => [name, Buffer.from(value, 'utf8').toString('latin1')]);
}
