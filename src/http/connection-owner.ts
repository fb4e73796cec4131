/**
 * Who owns the other end of a TCP connection on this machine, as the kernel tells it in /proc/net/tcp. Linux walks its
 * whole table for that (a millisecond or two), so it is asked once per connection and off the event loop.
 */
import { readFile } from 'node:fs/promises';

/** One end of a TCP connection. */
export type Endpoint = { readonly address: string; readonly port: number };

/** A connection as this process sees it: the other end, and its own. */
export type Connection = { readonly peer: Endpoint; readonly own: Endpoint };

/** The uid of the process that holds the other end; undefined when the kernel does not list it. */
export async function ownerOfConnection({ peer, own }: Connection): Promise<number | undefined> {
  // Both ends must match: a connection of the past may linger with the peer's port, and is listed as root's.
  const local = renderProcAddress(peer);
  const remote = renderProcAddress(own);
  if (local === undefined || remote === undefined) return undefined;
  const table = await readFile('/proc/net/tcp', 'latin1');
  for (const line of table.split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (fields[1] === local && fields[2] === remote) return Number(fields[7]);
  }
  return undefined;
}

/** `0100007F:2329`: the address in the kernel's own byte order (little-endian on every machine Lambda runs on). */
function renderProcAddress({ address, port }: Endpoint): string | undefined {
  const octets = address.replace(/^::ffff:/, '').split('.');
  if (octets.length !== 4) return undefined;
  const hex = (value: number, digits: number) => value.toString(16).toUpperCase().padStart(digits, '0');
  return `${octets
    .reverse()
    .map((octet) => hex(Number(octet), 2))
    .join('')}:${hex(port, 4)}`;
}
