/**
 * How an environment's own ports are reached, for the delivery of telemetry: at an address of this machine, or in a
 * network that only a way given from outside leads into.
 */
import { connect, type Socket } from 'node:net';

/** Connects to a port of the environment. Rejects when nobody listens there. */
export type Reach = (port: number) => Promise<Socket>;

/** For an environment that has an address here. */
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
