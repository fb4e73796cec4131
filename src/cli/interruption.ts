/** Lets a command that runs for minutes end cleanly on a signal: it stops what it has started and cleans up first. */
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** A signal interrupted a command. */
export class Interrupted extends Error {
  /** The exit code that a shell expects. */
  readonly exitCode: number;

  constructor(signal: (typeof SIGNALS)[number]) {
    super(`ended by ${signal}`);
    this.name = 'Interrupted';
    this.exitCode = 128 + constants.signals[signal];
  }
}

/**
 * Runs `work` with a signal that is aborted on the first SIGINT, SIGTERM or SIGHUP, with an `Interrupted` as the reason.
 * The second one exits immediately.
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
