/**
 * What clients of the API port and the HTTP port can make the service hold: bodies of unfinished uploads, unfinished heads
 * and connections. However many there are, the service's memory stays bounded, and well-behaved requests succeed.
 */
import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { shellRuntime, zipOf } from '../support/function-zip.ts';
import { connectTo } from '../support/raw-http.ts';
import { ROLE } from '../support/running-service.ts';
import { cases, startTarget, type Target } from './target.ts';

const MIB = 1024 * 1024;

let target: Target | undefined;
let sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets = [];
  await target?.close();
});

/** Sends the head of a request, and of its body whatever the service reads. */
async function upload(port: number, head: string, bytes: number): Promise<Socket> {
  const socket = await connectTo(port);
  sockets.push(socket);
  socket.write(`${head}\r\nHost: localhost\r\nContent-Length: ${bytes + 1}\r\n\r\n`);
  const piece = Buffer.alloc(256 * 1024, 'x');
  let sent = 0;
  const more = () => {
    while (sent < bytes) {
      sent += piece.length;
      if (!socket.write(piece.subarray(0, piece.length + Math.min(0, bytes - sent)))) return;
    }
  };
  socket.on('drain', more).on('error', () => undefined);
  more();
  return socket;
}

async function create(service: Target, name: string, zip: Buffer): Promise<number> {
  const body = {
    FunctionName: name,
    Runtime: 'provided.al2023',
    Handler: 'h',
    Role: ROLE,
    Code: { ZipFile: zip.toString('base64') },
  };
  const response = await fetch(`${service.url}/2015-03-31/functions`, { method: 'POST', body: JSON.stringify(body) });
  await response.arrayBuffer();
  return response.status;
}

describe('clients that do not finish', () => {
  it('their uploads use neither the memory nor the room of other requests', { timeout: 300_000 }, async () => {
    target = await startTarget({ args: ['--route', 'rest ANY /{proxy+} -> f'] });
    const bootstrap = shellRuntime('respond 1');
    await target.createFunction('f', { bootstrap }, { Timeout: 30 });
    await target.invoke('f');
    await target.measure();
    const zip = await zipOf({
      bootstrap,
      data: Buffer.from(Array.from({ length: 3 * MIB }, () => Math.random() * 256)),
    });
    const before = target.rssBytes();
    // 840 MB, and 180 MB at the HTTP port.
    for (let count = 0; count < cases(12); count += 1)
      await upload(target.port, 'POST /2015-03-31/functions HTTP/1.1', 70e6);
    for (let count = 0; count < cases(20); count += 1) await upload(target.httpPort, 'POST /x HTTP/1.1', 9e6);
    // More small bodies than have room.
    for (let count = 0; count < cases(80); count += 1)
      await upload(target.port, 'POST /2015-03-31/functions/f/invocations HTTP/1.1', MIB - 2);
    let most = 0;
    for (let count = 0; count < 4; count += 1) {
      expect((await target.invoke('f', { text: 'x'.repeat(100_000) })).payload).toBe('1');
      expect(await create(target, `g${count}`, zip)).toBe(201);
      most = Math.max(most, target.rssBytes());
    }
    // The bodies have 256 MB. Without a limit these would take more than 1,100 MB.
    expect(most - before).toBeLessThan(500 * MIB);
    for (const socket of sockets) socket.destroy();
    await target.expectUnharmed();
  });
});
