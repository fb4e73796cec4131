/**
 * A subscriber's TCP connection: one JSON text per line, kept open from batch to batch and opened anew when it broke.
 * What the other side says is not read.
 */
import { connect, type Socket } from 'node:net';

export interface TelemetryConnection {
  /** Resolves once the operating system has taken the lines. Rejects when the connection cannot be had or breaks. */
  send(lines: string, signal: AbortSignal): Promise<void>;
  close(): void;
}

/** Connects to `host:port` with the first batch. Whoever creates it closes it. */
export function createTelemetryConnection(host: string, port: number): TelemetryConnection {
  let socket: Socket | undefined;

  const open = (): Socket => {
    const opened = connect({ host, port, noDelay: true });
    const forget = () => {
      if (socket === opened) socket = undefined;
    };
    // The failure itself reaches whoever is writing; without a listener it would end the service.
    opened.on('error', forget);
    opened.once('close', forget);
    opened.once('end', () => opened.destroy());
    opened.resume();
    return opened;
  };

  return {
    send(lines, signal) {
      socket ??= open();
      const current = socket;
      return new Promise((resolve, reject) => {
        const settle = (failure?: Error | null) => {
          signal.removeEventListener('abort', abort);
          current.off('close', closed);
          if (failure) reject(failure);
          else resolve();
        };
        const closed = () => settle(new Error('the connection was closed'));
        const abort = () => {
          current.destroy();
          settle(new Error('the connection was given up'));
        };
        signal.addEventListener('abort', abort, { once: true });
        current.once('close', closed);
        current.write(lines, settle);
      });
    },
    close() {
      socket?.destroy();
      socket = undefined;
    },
  };
}
