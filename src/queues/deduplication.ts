/**
 * Deduplication of FIFO queues and topics: a message with a deduplication id that was sent within the last 5 minutes is
 * accepted but not delivered again. The caller decides on transactions and passes the time.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html
 */
import { createHash } from 'node:crypto';
import type { Database } from '../storage/database.ts';

export const DEDUPLICATION_INTERVAL_MS = 300_000;

export type Deduplication = {
  /** The result of the message that was sent with this key within the interval. */
  find(owner: string, key: string, nowMs: number): string | undefined;
  /** Returns an id that is never reused and larger than all before it. Replaces an expired message. */
  remember(owner: string, key: string, result: string, sentMs: number): number;
  /** Forgets the expired messages of a queue or topic. */
  sweep(owner: string, nowMs: number): void;
  clear(owner: string): void;
};

export function createDeduplication(database: Database): Deduplication {
  const sql = {
    find: database.prepare<{ result: string }>(
      'SELECT result FROM deduplication WHERE owner = ? AND key = ? AND sent_ms > ?',
    ),
    remember: database.prepare(
      'INSERT OR REPLACE INTO deduplication (owner, key, result, sent_ms) VALUES (?, ?, ?, ?)',
    ),
    sweep: database.prepare('DELETE FROM deduplication WHERE owner = ? AND sent_ms <= ?'),
    clear: database.prepare('DELETE FROM deduplication WHERE owner = ?'),
  };
  const expiredMs = (nowMs: number) => Math.trunc(nowMs) - DEDUPLICATION_INTERVAL_MS;
  return {
    find: (owner, key, nowMs) => sql.find.get(owner, key, expiredMs(nowMs))?.result,
    remember: (owner, key, result, sentMs) => sql.remember.run(owner, key, result, Math.trunc(sentMs)).lastInsertRowid,
    sweep: (owner, nowMs) => void sql.sweep.run(owner, expiredMs(nowMs)),
    clear: (owner) => void sql.clear.run(owner),
  };
}

/** The key of a deduplication id, which counts for all groups or for one. Neither text contains a space. */
export function deduplicationKey(id: string, group: string | undefined): string {
  return group === undefined ? id : `${group} ${id}`;
}

/** The deduplication id of a message without one (ContentBasedDeduplication): the digest of its body. */
export function contentDeduplicationId(body: string): string {
  return createHash('sha256').update(body).digest('hex');
}

/** What AWS allows in message group ids and deduplication ids. */
export const FIFO_ID = /^[A-Za-z0-9!-/:-@[-`{-~]{1,128}$/;
