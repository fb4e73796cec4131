/**
 * Who owns the other end of a TCP connection on this machine, as the kernel tells it in /proc/net/tcp. Linux walks its
 * whole table for that (a millisecond or two), so it is asked once per connection and off the event loop.
 */
import { readFile } from 'node:fs/promises';

/** One end of a TCP connection. */
export type Endpoint = { readonly address: string; readonly port: number };

/** A connection as this process sees it: the other end, and its own. */
export type Connection = { readonly peer: Endpoint; readonly own: Endpoint };

/** `unlisted`: the kernel lists no such connection, it is gone. `untold`: this kernel lists none at all. */
export type ConnectionOwner = { readonly uid: number } | 'unlisted' | 'untold';

/** A row can be passed over when the table changes while it is read. */
const READINGS = 3;

/** Who holds the other end. */
export async function ownerOfConnection({ peer, own }: Connection): Promise<ConnectionOwner> {
  // Both ends must match: a connection of the past may linger with the peer's port, and is listed as root's.
  const local = renderProcAddress(peer);
  const remote = renderProcAddress(own);
  if (local === undefined || remote === undefined) return 'unlisted';
  for (let reading = 0; reading < READINGS; reading++) {
    let isTold = false;
    for (const { file, prefix } of TABLES) {
      const table = await readFile(file, 'latin1').catch(() => undefined);
      if (table === undefined) continue;
      isTold = true;
      const at = table.indexOf(` ${prefix}${local} ${prefix}${remote} `);
      // Behind the two ends: state, queues, timer, retransmissions, uid.
      if (at !== -1) return { uid: Number(table.slice(at + 1, table.indexOf('\n', at)).split(/\s+/)[6]) };
    }
    if (!isTold) return 'untold';
  }
  return 'unlisted';
}

/** A socket of the other family reaches IPv4 addresses too, in their mapped form (`::ffff:127.0.0.1`). */
const TABLES = [
  { file: '/proc/net/tcp', prefix: '' },
  { file: '/proc/net/tcp6', prefix: '0000000000000000FFFF0000' },
];

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
