import { type IncomingMessage, request } from 'node:http';
import { expect, it } from 'vitest';
import { listen } from './listener.ts';

const LARGE = 32 * 1024 * 1024;

function get(port: number): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request({ port, host: '127.0.0.1', headers: { connection: 'keep-alive' } }, resolve)
      .once('error', reject)
      .end();
  });
}

it('a draining listener lets a slow client read its response to the end, and does not wait for idle connections', async () => {
  const listener = await listen({
    host: '127.0.0.1',
    port: 0,
    handler: (_, response) => void response.end(Buffer.alloc(LARGE)),
    onFailure: (failure) => {
      throw failure;
    },
  });
  const response = await get(listener.port);
  const startedAt = performance.now();
  const drained = listener.drain(20_000);
  let received = 0;
  // The kernel holds the first chunks. Before the rest is read, the server has time to check for idle connections.
  for await (const chunk of response) {
    received += chunk.length;
    await new Promise(setImmediate);
  }
  expect(received).toBe(LARGE);
  await drained;
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});
