/**
 * Lamella's own log: structured lines about the service, on stderr. Never a function's output (that is `logs/`).
 */
import type { Logger } from 'pino';
import { destination, pino, stdTimeFunctions } from 'pino';

export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;

/** A log that writes JSON lines of `level` and above to stderr, synchronously, so that nothing is lost at a crash. */
export function createLog(level: 'debug' | 'info' | 'warn' | 'error' | 'silent'): Log {
  return pino({ level, base: null, timestamp: stdTimeFunctions.isoTime }, destination({ fd: 2, sync: true }));
}

/** A log that drops everything; for tests and for callers that do not care. */
export const silentLog: Log = pino({ level: 'silent' });
