/** HTTP as bytes on a socket, for requests that no client would send. */
import { createConnection, type Socket } from 'node:net';

/** Connects to a loopback port. */
export async function connectTo(port: number): Promise<Socket> {
  const socket = createConnection({ host: '127.0.0.1', port });
  await new Promise<void>((settle, fail) => socket.once('connect', settle).once('error', fail));
  socket.on('error', () => undefined);
  return socket;
}

/** Sends bytes. Resolves with everything received until the server closes the connection. */
export async function exchangeRaw(port: number, bytes: string | Buffer): Promise<string> {
  const socket = await connectTo(port);
  const pieces: Buffer[] = [];
  socket.on('data', (piece: Buffer) => pieces.push(piece));
  socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  await new Promise((settle) => socket.once('close', settle));
  return Buffer.concat(pieces).toString('latin1');
}

/** The statuses of all responses in the bytes of a server. */
export function statusesOf(responses: string): number[] {
  return [...responses.matchAll(/HTTP\/1\.1 (\d{3}) \w/g)].map(([, status]) => Number(status));
}
