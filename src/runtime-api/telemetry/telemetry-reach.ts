/**
 * Connects to the ports of an environment, to deliver telemetry: on an address of this machine, or in an isolated network
 * through a function that the sandbox provides.
 */
import { connect, type Socket } from 'node:net';

/** Connects to a port of the environment. Rejects when nothing listens there. */
export type Reach = (port: number) => Promise<Socket>;

/** Creates the function for an environment with an address on this machine. */
export function reachAt(host: string): Reach {
  return (port) =>
    new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(socket);
      });
    });
}
