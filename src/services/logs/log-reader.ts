/**
 * Reads stored events in order of time, then of arrival, across any number of streams, forward or backward from any
 * position, without loading many more than it yields. Chunks of different streams overlap in time. None spans more than
 * `CHUNK_SPAN_MS`, which makes both directions possible with one index.
 */
import type { Database, SqlValue } from '../../storage/database.ts';

/** Maximum time between the first and the last event of one chunk. */
export const CHUNK_SPAN_MS = 5_000;

/** The position of an event, unique in its group. */
export type LogPosition = { readonly epochMs: number; readonly sequence: number };

export type StoredEvent = LogPosition & {
  readonly streamId: number;
  readonly ingestionMs: number;
  readonly message: string;
};

/** One event in a chunk: arrivals before the chunk's last, ms after its first event, ms until ingestion, text. */
export type PackedEvent = readonly [sequence: number, epochMs: number, ingestionMs: number, message: string];

export type EventRange = {
  readonly groupId: number;
  /** Undefined reads the whole group. */
  readonly streamIds: readonly number[] | undefined;
  /** Both bounds are inclusive. */
  readonly startMs: number;
  readonly endMs: number;
  readonly direction: 'forward' | 'backward';
  /** Only events beyond this position, in the direction of reading. */
  readonly beyond: LogPosition | undefined;
};

type ChunkRow = {
  readonly id: number;
  readonly stream_id: number;
  readonly first_ms: number;
  readonly last_ms: number;
  readonly last_sequence: number;
  readonly events: string;
};

const CHUNKS_AT_A_TIME = 16;

/** The events of the range, in the order of its direction. The database must not change during the iteration. */
export function* readEvents(database: Database, range: EventRange): Generator<StoredEvent> {
  const isForward = range.direction === 'forward';
  const waiting: StoredEvent[] = [];
  for (const { chunk, boundMs } of readChunks(database, range)) {
    // All further chunks are beyond this bound, so the waiting events before it are in their final order.
    const isFinal = isForward
      ? (event: StoredEvent) => event.epochMs < boundMs
      : (event: StoredEvent) => event.epochMs > boundMs;
    const held = waiting.findIndex((event) => !isFinal(event));
    yield* waiting.splice(0, held < 0 ? waiting.length : held);
    for (const event of unpack(chunk)) if (isInRange(event, range)) waiting.push(event);
    waiting.sort(isForward ? comparePositions : (a, b) => comparePositions(b, a));
  }
  yield* waiting;
}

/** Negative when `a` comes before `b`. */
export function comparePositions(a: LogPosition, b: LogPosition): number {
  return a.epochMs - b.epochMs || a.sequence - b.sequence;
}

function isInRange(event: StoredEvent, { startMs, endMs, beyond, direction }: EventRange): boolean {
  if (event.epochMs < startMs || event.epochMs > endMs) return false;
  if (beyond === undefined) return true;
  const distance = comparePositions(event, beyond);
  return direction === 'forward' ? distance > 0 : distance < 0;
}

/** A chunk with the earliest (forward) or latest (backward) time of its events and those of all further chunks. */
type BoundedChunk = { readonly chunk: ChunkRow; readonly boundMs: number };

function* readChunks(database: Database, range: EventRange): Generator<BoundedChunk> {
  const isForward = range.direction === 'forward';
  const startMs = isForward ? Math.max(range.startMs, range.beyond?.epochMs ?? range.startMs) : range.startMs;
  const endMs = isForward ? range.endMs : Math.min(range.endMs, range.beyond?.epochMs ?? range.endMs);
  if (range.streamIds?.length === 0) return;
  const single = range.streamIds?.length === 1 ? range.streamIds[0] : undefined;
  const several = range.streamIds !== undefined && single === undefined ? JSON.stringify(range.streamIds) : undefined;
  const source = `
    FROM log_chunk
    WHERE ${single === undefined ? 'group_id' : 'stream_id'} = :owner
      AND first_ms BETWEEN :from AND :to AND last_ms >= :start
      AND (first_ms, id) ${isForward ? '>' : '<'} (:lastFirstMs, :lastId)
      ${several === undefined ? '' : 'AND stream_id IN (SELECT value FROM json_each(:streams))'}`;
  const page = database.prepare<ChunkRow>(`
    SELECT id, stream_id, first_ms, last_ms, last_sequence, events ${source}
    ORDER BY first_ms ${isForward ? 'ASC' : 'DESC'}, id ${isForward ? 'ASC' : 'DESC'} LIMIT ${CHUNKS_AT_A_TIME}`);
  const latest = database.prepare<{ readonly ms: number | null }>(`SELECT max(last_ms) AS ms ${source}`);
  const parameters: Record<string, SqlValue> = {
    owner: single ?? range.groupId,
    from: startMs - CHUNK_SPAN_MS,
    to: endMs,
    start: startMs,
    lastFirstMs: isForward ? -1 : endMs + 1,
    lastId: 0,
    ...(several !== undefined && { streams: several }),
  };
  for (;;) {
    const chunks = page.all(parameters);
    const end = chunks.at(-1);
    if (end === undefined) return;
    parameters.lastFirstMs = end.first_ms;
    parameters.lastId = end.id;
    if (isForward) {
      for (const chunk of chunks) yield { chunk, boundMs: chunk.first_ms };
    } else {
      // After the page, only chunks that start at most one span earlier can reach the time of its last chunk.
      const from = Math.max(startMs, end.first_ms) - CHUNK_SPAN_MS;
      let boundMs = latest.get({ ...parameters, from: Math.max(Number(parameters.from), from) })?.ms ?? 0;
      const bounds = chunks.toReversed().map((chunk) => {
        boundMs = Math.max(boundMs, chunk.last_ms);
        return boundMs;
      });
      for (const [index, chunk] of chunks.entries())
        yield { chunk, boundMs: bounds[chunks.length - 1 - index] ?? boundMs };
    }
    if (chunks.length < CHUNKS_AT_A_TIME) return;
  }
}

function unpack(chunk: ChunkRow): StoredEvent[] {
  return (JSON.parse(chunk.events) as PackedEvent[]).map(([sequence, epochMs, ingestionMs, message]) => ({
    streamId: chunk.stream_id,
    epochMs: chunk.first_ms + epochMs,
    ingestionMs: chunk.first_ms + epochMs + ingestionMs,
    sequence: chunk.last_sequence - sequence,
    message,
  }));
}
