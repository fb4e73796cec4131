/** Writes responses: complete ones, and streamed ones at the pace of the client. */
import type { HttpResponse } from '../../http/exchange.ts';
import type { Header } from './gateway-request.ts';
import type { GatewayResponse } from './proxy-integration.ts';

/** Sends a complete response. */
export function writeResponse(http: HttpResponse, method: string, response: GatewayResponse): void {
  const { status, statusText, body } = response;
  const isHead = method === 'HEAD';
  const hasNoBody = status === 204 || status === 304;
  const headers = response.headers.filter(([name]) => name.toLowerCase() !== 'content-length');
  // The function's Content-Length counts only for HEAD, where there is no body to measure.
  const given = isHead && body.length === 0 ? lengthOf(response.headers) : undefined;
  if (!hasNoBody) headers.push(['Content-Length', given ?? String(body.length)]);
  const flat = flatten(headers);
  if (statusText === undefined) http.writeHead(status, flat);
  else http.writeHead(status, statusText, flat);
  http.end(isHead || hasNoBody ? undefined : body);
}

/** The function's Content-Length, if it is valid. */
function lengthOf(headers: readonly Header[]): string | undefined {
  const values = headers.filter(([name]) => name.toLowerCase() === 'content-length').map(([, value]) => value);
  return values.length === 1 && /^\d{1,15}$/.test(values[0] ?? '') ? values[0] : undefined;
}

/** Sends the status and headers of a streamed response, whose length is not known yet. */
export function writeHead(response: HttpResponse, status: number, headers: readonly Header[]): void {
  if (response.destroyed) return;
  response.writeHead(status, flatten(headers.filter(([name]) => name.toLowerCase() !== 'content-length')));
  response.flushHeaders();
}

/** Sends a chunk. Resolves when the client can take more or is gone: the function continues in both cases. */
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

/** Cuts a response that cannot be completed: the client receives the bytes written so far, but not the end. */
export function breakOff(response: HttpResponse): void {
  if (response.socket) response.socket.destroySoon();
  else response.destroy();
}

/** Node writes headers as Latin-1. Other text is sent as the bytes of its UTF-8. */
function flatten(headers: readonly Header[]): string[] {
  return headers.flatMap(([name, value]) => [name, Buffer.from(value, 'utf8').toString('latin1')]);
}
