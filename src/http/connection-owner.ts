/**
 * Finds the user that owns the other end of a local TCP connection, from /proc/net/tcp. The kernel walks its whole
 * table for each read (1-2 ms), so read it once per connection and off the event loop.
 */
import { readFile } from 'node:fs/promises';

/** One end of a TCP connection. */
export type Endpoint = { readonly address: string; readonly port: number };

/** A connection as this process sees it: the other end, and its own. */
export type Connection = { readonly peer: Endpoint; readonly own: Endpoint };

/** `unlisted`: the connection is not in the table, so it is gone. `unavailable`: this kernel has no such table. */
export type ConnectionOwner = { readonly uid: number } | 'unlisted' | 'unavailable';

/** Rows can be missed when the table changes while it is read. */
const MAX_READS = 3;

/** The owner of the peer's end. */
export async function ownerOfConnection({ peer, own }: Connection): Promise<ConnectionOwner> {
  // Both ends must match: an old connection with the peer's port can linger, and is listed as owned by root.
  const local = renderProcAddress(peer);
  const remote = renderProcAddress(own);
  if (local === undefined || remote === undefined) return 'unlisted';
  for (let read = 0; read < MAX_READS; read++) {
    let hasTable = false;
    for (const { file, prefix } of TABLES) {
      const table = await readFile(file, 'latin1').catch((failure: NodeJS.ErrnoException) => failure);
      if (table instanceof Error) {
        // Out of descriptors, for example. Another read may succeed.
        hasTable ||= table.code !== 'ENOENT';
        continue;
      }
      hasTable = true;
      const at = table.indexOf(` ${prefix}${local} ${prefix}${remote} `);
      // After the two ends: state, queues, timer, retransmissions, uid.
      if (at !== -1) return { uid: Number(table.slice(at + 1, table.indexOf('\n', at)).split(/\s+/)[6]) };
    }
    if (!hasTable) return 'unavailable';
  }
  return 'unlisted';
}

/** IPv6 sockets can connect to IPv4 addresses too, in mapped form (`::ffff:127.0.0.1`). */
const TABLES = [
  { file: '/proc/net/tcp', prefix: '' },
  { file: '/proc/net/tcp6', prefix: '0000000000000000FFFF0000' },
];

/** `0100007F:2329`: the address in the kernel's byte order, little-endian on both of Lambda's architectures. */
function renderProcAddress({ address, port }: Endpoint): string | undefined {
  const octets = address.replace(/^::ffff:/, '').split('.');
  if (octets.length !== 4) return undefined;
  const hex = (value: number, digits: number) => value.toString(16).toUpperCase().padStart(digits, '0');
  return `${octets
    .reverse()
    .map((octet) => hex(Number(octet), 2))
    .join('')}:${hex(port, 4)}`;
}
