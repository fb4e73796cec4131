/**
 * A subscriber's TCP connection: one JSON text per line. It is kept open between batches and reopened after it breaks.
 * Data from the subscriber is discarded.
 */
import type { Socket } from 'node:net';

export interface TelemetryConnection {
  /** Resolves when the operating system has accepted the lines. Rejects when the connection fails or breaks. */
  send(lines: string, signal: AbortSignal): Promise<void>;
  close(): void;
}

/** Creates a connection that opens with the first batch. The caller closes it. */
export function createTelemetryConnection(connect: () => Promise<Socket>): TelemetryConnection {
  let connection: Promise<Socket> | undefined;
  let isClosed = false;

  const open = (): Promise<Socket> => {
    const forget = () => {
      if (connection === opening) connection = undefined;
    };
    const opening = connect().then((opened) => {
      // The failure rejects the write in progress. Without a listener, the event would end the service.
      opened.on('error', forget);
      opened.once('close', forget);
      opened.once('end', () => opened.destroy());
      opened.resume();
      if (isClosed) opened.destroy();
      return opened;
    });
    opening.catch(forget);
    return opening;
  };

  return {
    send(lines, signal) {
      connection ??= open();
      const current = connection;
      return new Promise((resolve, reject) => {
        let socket: Socket | undefined;
        const settle = (failure?: Error | null) => {
          signal.removeEventListener('abort', abort);
          socket?.off('close', closed);
          if (failure) reject(failure);
          else resolve();
        };
        const closed = () => settle(new Error('the connection was closed'));
        const abort = () => {
          destroy(current);
          settle(new Error('the connection was aborted'));
        };
        signal.addEventListener('abort', abort, { once: true });
        current.then((opened) => {
          if (signal.aborted) return;
          socket = opened;
          if (opened.destroyed) return closed();
          opened.once('close', closed);
          opened.write(lines, settle);
        }, settle);
      });
    },
    close() {
      isClosed = true;
      if (connection) destroy(connection);
      connection = undefined;
    },
  };
}

function destroy(connection: Promise<Socket>): void {
  connection.then(
    (socket) => socket.destroy(),
    () => undefined,
  );
}
