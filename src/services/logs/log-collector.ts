/**
 * Deletes old events: those of deleted groups, those beyond their group's retention, and the oldest ones when the logs
 * exceed their maximum size. Works in small steps, each a short transaction, so that invocations never wait for it.
 */
import type { Cancel, Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { Database } from '../../storage/database.ts';

export type LogCollectorOptions = {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Log;
  /** Maximum size of the events in all groups combined. */
  readonly maxBytes?: number | undefined;
  readonly everyMs?: number;
};

const MAX_BYTES = 512 * 1024 * 1024;
const EVERY_MS = 10 * 60 * 1000;
const STEP_CHUNKS = 200;
const STEP_STREAMS = 200;
const PAUSE_MS = 20;
const DAY_MS = 24 * 3600 * 1000;

/** Starts the collector: runs soon, then every ten minutes. The caller closes it. */
export function startLogCollector(options: LogCollectorOptions): { close(): void } {
  const { clock, log, everyMs = EVERY_MS } = options;
  const step = createCollectorStep(options);
  let cancel: Cancel;
  const run = () => {
    let delayMs = everyMs;
    try {
      if (step()) delayMs = PAUSE_MS;
    } catch (failure) {
      log.error({ err: failure }, 'cannot delete old logs');
    }
    cancel = clock.after(delayMs, run);
  };
  cancel = clock.after(PAUSE_MS, run);
  return { close: () => cancel() };
}

/** Creates the function for one step, which deletes a little and returns whether there is more to delete. */
export function createCollectorStep({ database, clock, maxBytes = MAX_BYTES }: LogCollectorOptions): () => boolean {
  const sql = {
    deleted: database.prepare<{ id: number }>("SELECT id FROM log_group WHERE region = '' LIMIT 1"),
    retained: database.prepare<{ id: number; days: number }>(
      'SELECT id, retention_days AS days FROM log_group WHERE retention_days IS NOT NULL',
    ),
    totalBytes: database.prepare<{ bytes: number | null }>('SELECT sum(stored_bytes) AS bytes FROM log_group'),
    chunksOfGroup: database.prepare<ChunkSize>(
      'SELECT id, group_id, stored_bytes FROM log_chunk WHERE group_id = ? AND first_ms <= ? AND last_ms < ? LIMIT ?',
    ),
    oldestChunks: database.prepare<ChunkSize>('SELECT id, group_id, stored_bytes FROM log_chunk ORDER BY id LIMIT ?'),
    deleteChunk: database.prepare('DELETE FROM log_chunk WHERE id = ?'),
    shrinkGroup: database.prepare('UPDATE log_group SET stored_bytes = max(0, stored_bytes - ?) WHERE id = ?'),
    deleteStreams: database.prepare(`
      DELETE FROM log_stream WHERE id IN (
        SELECT id FROM log_stream AS s WHERE group_id = ? AND last_event_ms < ?
          AND NOT EXISTS (SELECT 1 FROM log_chunk WHERE stream_id = s.id)
        LIMIT ?)`),
    deleteGroup: database.prepare('DELETE FROM log_group WHERE id = ?'),
  };

  const deleteChunks = (chunks: readonly ChunkSize[]): void => {
    for (const { id, group_id, stored_bytes } of chunks) {
      sql.deleteChunk.run(id);
      sql.shrinkGroup.run(stored_bytes, group_id);
    }
  };

  const collectDeletedGroup = (): boolean => {
    const group = sql.deleted.get();
    if (group === undefined) return false;
    const chunks = sql.chunksOfGroup.all(group.id, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, STEP_CHUNKS);
    deleteChunks(chunks);
    if (chunks.length > 0) return true;
    if (sql.deleteStreams.run(group.id, Number.MAX_SAFE_INTEGER, STEP_STREAMS).changes === 0)
      sql.deleteGroup.run(group.id);
    return true;
  };

  const collectExpired = (): boolean => {
    let isMore = false;
    for (const { id, days } of sql.retained.all()) {
      const cutoffMs = Math.trunc(clock.epochMs()) - days * DAY_MS;
      const chunks = sql.chunksOfGroup.all(id, cutoffMs, cutoffMs, STEP_CHUNKS);
      deleteChunks(chunks);
      const streams = sql.deleteStreams.run(id, cutoffMs, STEP_STREAMS).changes;
      isMore ||= chunks.length === STEP_CHUNKS || streams === STEP_STREAMS;
    }
    return isMore;
  };

  const collectBeyondCap = (): boolean => {
    let excess = (sql.totalBytes.get()?.bytes ?? 0) - maxBytes;
    if (excess <= 0) return false;
    const chunks = sql.oldestChunks.all(STEP_CHUNKS);
    const taken = chunks.filter(({ stored_bytes }) => {
      const isTaken = excess > 0;
      excess -= stored_bytes;
      return isTaken;
    });
    deleteChunks(taken);
    // Each environment has its own stream, so empty streams would accumulate.
    for (const groupId of new Set(taken.map(({ group_id }) => group_id))) {
      sql.deleteStreams.run(groupId, Math.trunc(clock.epochMs()) - DAY_MS, STEP_STREAMS);
    }
    return excess > 0 && chunks.length > 0;
  };

  return () => database.transaction(() => collectDeletedGroup() || collectExpired() || collectBeyondCap());
}

type ChunkSize = { readonly id: number; readonly group_id: number; readonly stored_bytes: number };
