/**
 * The service log: structured lines on stderr about Lamella itself. The output of functions goes to `services/logs/`.
 */
import type { Logger } from 'pino';
import { destination, pino, stdTimeFunctions } from 'pino';

/** The part of a pino logger that Lamella uses. */
export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;

/** Creates a log that writes JSON lines to stderr, synchronously, so that no line is lost in a crash. */
export function createLog(level: 'debug' | 'info' | 'warn' | 'error' | 'silent'): Log {
  return pino({ level, base: null, timestamp: stdTimeFunctions.isoTime }, destination({ fd: 2, sync: true }));
}

/** A log that drops all lines. */
export const silentLog: Log = pino({ level: 'silent' });
