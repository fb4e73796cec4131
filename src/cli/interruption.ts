/** How a command that works for minutes is ended by a signal: it stops what it has started and cleans up first. */
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** A signal came while a command was at work. */
export class Interrupted extends Error {
  /** What a shell expects. */
  readonly exitCode: number;

  constructor(signal: (typeof SIGNALS)[number]) {
    super(`ended by ${signal}`);
    this.name = 'Interrupted';
    this.exitCode = 128 + constants.signals[signal];
  }
}

/**
 * Does `work`, whose signal is aborted, with `Interrupted` as its reason, by the first SIGINT, SIGTERM or SIGHUP. A second
 * one ends the process at once.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const listeners = SIGNALS.map((signal) => {
    const listener = () => {
      const reason = new Interrupted(signal);
      if (controller.signal.aborted) process.exit(reason.exitCode);
      controller.abort(reason);
    };
    process.on(signal, listener);
    return () => process.off(signal, listener);
  });
  try {
    return await work(controller.signal);
  } finally {
    for (const stopListening of listeners) stopListening();
  }
}
