import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Connection, createOwnerLookup } from './connection-owner.ts';

let server: Server;
let client: Socket;

beforeEach(async () => {
  server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  client.destroy();
  server.close();
  await once(server, 'close');
});

/** Connects to this form of the server's address, and returns the connection as the server sees it. */
async function connectTo(host: string): Promise<Connection> {
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  client = connect((server.address() as AddressInfo).port, host);
  const [socket] = await accepted;
  socket.on('error', () => {});
  return {
    peer: { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 },
    own: { address: socket.localAddress ?? '', port: socket.localPort ?? 0 },
  };
}

/** The inode of a socket of this process. */
function socketOf(socket: Socket): number {
  const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
  return Number(/\d+/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[0]);
}

const findOwner = createOwnerLookup();

describe('the owner of a connection', () => {
  it.each(['127.0.0.1', '::ffff:127.0.0.1'])('is the user whose process connected to %s', async (host) => {
    expect(await findOwner(await connectTo(host))).toEqual({ uid: process.getuid?.(), inode: socketOf(client) });
  });

  it('is unlisted when there is no such connection', async () => {
    const { peer, own } = await connectTo('127.0.0.1');
    expect(await findOwner({ peer: { ...peer, address: '127.9.9.9' }, own })).toBe('unlisted');
  });
});
