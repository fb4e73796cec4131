/** Finds out whether a debugger is connected at a port of this machine, and which ports are free for one. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

/** `ESTABLISHED` in /proc/net/tcp. */
const ESTABLISHED = '01';

/** Whether a connection at a local port is open. Reads the tables of the kernel. */
export function hasConnection(port: number): boolean {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return ['/proc/net/tcp', '/proc/net/tcp6'].some((table) =>
    linesOf(table).some((line) => {
      const [, address = '', , state] = line.trim().split(/\s+/);
      return state === ESTABLISHED && address.endsWith(local);
    }),
  );
}

/** Whether a program can listen at this port of 127.0.0.1 now. */
export function isFreePort(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

function linesOf(table: string): string[] {
  try {
    return readFileSync(table, 'utf8').split('\n');
  } catch {
    return [];
  }
}
