/**
 * Who owns the other end of a TCP connection on this machine, as the kernel tells it in /proc/net/tcp. Linux walks its
 * whole table for that (a millisecond or two), so it is asked once per connection and off the event loop.
 */
import { readFile } from 'node:fs/promises';

/** The uid of the process that opened the socket bound to `peer`; undefined when the kernel does not list it. */
export async function ownerOfConnection(peer: {
  readonly address: string;
  readonly port: number;
}): Promise<number | undefined> {
  const local = renderProcAddress(peer.address, peer.port);
  if (local === undefined) return undefined;
  const table = await readFile('/proc/net/tcp', 'latin1');
  for (const line of table.split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (fields[1] === local) return Number(fields[7]);
  }
  return undefined;
}

/** `0100007F:2329`: the address in the kernel's own byte order (little-endian on every machine Lambda runs on). */
function renderProcAddress(address: string, port: number): string | undefined {
  const octets = address.replace(/^::ffff:/, '').split('.');
  if (octets.length !== 4) return undefined;
  const hex = (value: number, digits: number) => value.toString(16).toUpperCase().padStart(digits, '0');
  return `${octets
    .reverse()
    .map((octet) => hex(Number(octet), 2))
    .join('')}:${hex(port, 4)}`;
}
