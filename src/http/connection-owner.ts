/**
 * Finds the user and the socket of the other end of a local TCP connection, from /proc/net/tcp. The kernel walks its whole
 * table for each read (1-2 ms), so read it once per connection and off the event loop.
 */
import { readFile } from 'node:fs/promises';

/** One end of a TCP connection. */
export type Endpoint = { readonly address: string; readonly port: number };

/** A connection as this process sees it: the other end, and its own. */
export type Connection = { readonly peer: Endpoint; readonly own: Endpoint };

/** `unlisted`: the connection is not in the table, so it is gone. `unavailable`: this kernel has no such table. */
export type ConnectionOwner = { readonly uid: number; readonly inode: number } | 'unlisted' | 'unavailable';

/** Rows can be missed when the table changes while it is read. */
const MAX_READS = 3;

/** Finds the owner of the peer's end. */
export type FindOwner = (connection: Connection) => Promise<ConnectionOwner>;

/** Creates a lookup. Lookups that are made meanwhile share one read, so many connections cost no more than one. */
export function createOwnerLookup(): FindOwner {
  let current: Promise<unknown> = Promise.resolve();
  /** A read that has not started yet, and so will see every connection that exists now. */
  let next: Promise<readonly Table[]> | undefined;
  const readAfterNow = (): Promise<readonly Table[]> => {
    next ??= current.then(() => {
      next = undefined;
      const reading = Promise.all(TABLES.map(readTable));
      current = reading;
      return reading;
    });
    return next;
  };
  return async ({ peer, own }) => {
    // Both ends must match: an old connection with the peer's port can linger, and is listed as owned by root.
    const local = renderProcAddress(peer);
    const remote = renderProcAddress(own);
    if (local === undefined || remote === undefined) return 'unlisted';
    for (let read = 0; read < MAX_READS; read++) {
      const tables = await readAfterNow();
      if (tables.every(({ text }) => text === undefined)) return 'unavailable';
      for (const { text = '', prefix } of tables) {
        const at = text.indexOf(` ${prefix}${local} ${prefix}${remote} `);
        if (at === -1) continue;
        // After the two ends: state, queues, timer, retransmissions, uid, timeout, inode.
        const fields = text.slice(at + 1, text.indexOf('\n', at)).split(/\s+/);
        return { uid: Number(fields[6]), inode: Number(fields[8]) };
      }
    }
    return 'unlisted';
  };
}

type Table = { readonly text: string | undefined; readonly prefix: string };

/** The text is undefined if the kernel has no such table, and empty if it cannot be read now, for lack of descriptors. */
async function readTable({ file, prefix }: { readonly file: string; readonly prefix: string }): Promise<Table> {
  try {
    return { text: await readFile(file, 'latin1'), prefix };
  } catch (failure) {
    return { text: (failure as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : '', prefix };
  }
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
