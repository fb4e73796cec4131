/** Complete responses on the wire: Content-Length and header bytes. */
import { afterEach, describe, expect, it } from 'vitest';
import { exchangeRaw } from '../../../test/support/raw-http.ts';
import { type Listener, listen } from '../../http/listener.ts';
import type { GatewayResponse } from './proxy-integration.ts';
import { writeResponse } from './write-response.ts';

let listener: Listener | undefined;
afterEach(() => listener?.close());

async function written(method: string, given: Partial<GatewayResponse>): Promise<string> {
  listener = await listen({
    host: '127.0.0.1',
    port: 0,
    handler: (_, response) =>
      writeResponse(response, method, { status: 200, headers: [], body: Buffer.alloc(0), ...given }),
    onFailure: () => undefined,
  });
  return exchangeRaw(listener.port, `${method} / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
}

const lengthsIn = (text: string) => [...text.matchAll(/^content-length: (.*)\r$/gim)].map(([, value]) => value);

describe('the length of a response', () => {
  it.each([
    ['GET', 'hello', [['Content-Length', '99']], '5'],
    ['GET', '', [['content-length', '99']], '0'],
    ['HEAD', 'hello', [['Content-Length', '99']], '5'],
    ['HEAD', '', [['Content-Length', '99']], '99'],
    ['HEAD', '', [['Content-Length', '-1']], '0'],
    ['HEAD', '', [['Content-Length', '1, 2']], '0'],
    [
      'HEAD',
      '',
      [
        ['Content-Length', '1'],
        ['content-length', '2'],
      ],
      '0',
    ],
  ] as const)('to %s with the body "%s" and the headers %j is %s', async (method, body, headers, length) => {
    expect(lengthsIn(await written(method, { headers, body: Buffer.from(body) }))).toEqual([length]);
  });

  it.each([204, 304])('with status %i is not sent, nor is a body', async (status) => {
    const text = await written('GET', { status, headers: [['Content-Length', '5']], body: Buffer.from('hello') });
    expect([lengthsIn(text), text.endsWith('\r\n\r\n')]).toEqual([[], true]);
  });

  it('counts bytes, and headers are sent as UTF-8', async () => {
    const text = await written('GET', { headers: [['X-Name', 'Zoë 世']], body: Buffer.from('ü') });
    expect(Buffer.from(text, 'latin1').toString()).toMatch(/X-Name: Zoë 世\r\nContent-Length: 2\r\n/);
  });
});
