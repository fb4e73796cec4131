/**
 * Log groups, streams and events in the database. Appended events are buffered and written in the background, many at a
 * time, so that no invocation waits for the disk. Reading flushes the buffer first, so that readers see all appended
 * events. `log-collector.ts` deletes old events.
 */
import type { Cancel, Clock } from '../../clock.ts';
import type { Closeable } from '../../lifetime.ts';
import type { Log } from '../../log.ts';
import type { Scope } from '../../protocol/names.ts';
import type { Database } from '../../storage/database.ts';
import { startLogCollector } from './log-collector.ts';
import type { LogGroup, LogGroupRow, LogStream, LogStreamRow } from './log-groups.ts';
import { groupOf, streamOf } from './log-groups.ts';
import type { EventRange, LogPosition, PackedEvent, StoredEvent } from './log-reader.ts';
import { CHUNK_SPAN_MS, readEvents } from './log-reader.ts';

/** One event of a function or client. Its group and stream are created with their first event. */
export type LogEvent = {
  readonly scope: Scope;
  readonly logGroup: string;
  readonly logStream: string;
  readonly epochMs: number;
  readonly message: string;
};

export type ReadRange = Omit<EventRange, 'groupId'> & { readonly limit: number; readonly maxBytes: number };

export type LogPage = {
  /** In the direction of the range. */
  readonly events: readonly (StoredEvent & { readonly streamName: string })[];
  /** Where to continue. Undefined if the range was read to its end. */
  readonly next: LogPosition | undefined;
};

export interface LogStore extends Closeable {
  /** Buffers an event. Does not access the disk and does not throw. */
  append(event: LogEvent): void;
  /** Writes the buffered events. Throws if the database cannot be written; the events then stay in the buffer. */
  flush(): void;
  /** Writes the buffered events and stops. Later events are dropped. */
  close(): void;
  /**
   * Calls `listener` with each event as it is appended, and with its sequence number, until the result is closed. The listener
   * must return at once.
   */
  subscribe(listener: (event: LogEvent, sequence: number) => void): { close(): void };

  group(scope: Scope, name: string): LogGroup | undefined;
  /** Groups by name, after the name `after`. */
  groups(
    scope: Scope,
    query: {
      readonly prefix?: string | undefined;
      readonly contains?: string | undefined;
      readonly class?: string | undefined;
      readonly after?: string | undefined;
      readonly limit: number;
    },
  ): readonly LogGroup[];
  /** False if the group exists. */
  createGroup(
    scope: Scope,
    name: string,
    settings?: {
      readonly class?: string | undefined;
      readonly kmsKeyId?: string | undefined;
      readonly isProtected?: boolean | undefined;
      readonly tags?: Readonly<Record<string, string>> | undefined;
    },
  ): boolean;
  deleteGroup(group: LogGroup): void;
  setRetention(group: LogGroup, days: number | undefined): void;
  setTags(group: LogGroup, tags: Readonly<Record<string, string>>): void;
  setProtection(group: LogGroup, isProtected: boolean): void;

  stream(group: LogGroup, name: string): LogStream | undefined;
  /** Streams by name or by the time of their last event, after the stream `after`. */
  streams(
    group: LogGroup,
    query: {
      readonly prefix?: string | undefined;
      readonly orderBy: 'name' | 'last-event';
      readonly descending: boolean;
      readonly after?: LogStream | undefined;
      readonly limit: number;
    },
  ): readonly LogStream[];
  /** False if the stream exists. */
  createStream(group: LogGroup, name: string): boolean;
  deleteStream(group: LogGroup, stream: LogStream): void;

  /** Up to `limit` events for which `matches` is true. A page can end early if many events do not match. */
  read(group: LogGroup, range: ReadRange, matches?: (message: string) => boolean): LogPage;
}

export type LogStoreOptions = {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Log;
  /** Maximum time in the buffer. */
  readonly flushAfterMs?: number;
  /** Maximum size of the buffer while the database cannot be written. Beyond it, the oldest events are dropped. */
  readonly maxWaitingBytes?: number;
  /** Maximum size of the events in all groups combined. Beyond it, the oldest are deleted. */
  readonly maxStoredBytes?: number;
};

const FLUSH_AFTER_MS = 100;
/** A buffer of this size is written immediately, which takes a few milliseconds. */
const FLUSH_AT_BYTES = 1024 * 1024;
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
const RETRY_AFTER_MS = 1_000;
const CHUNK_BYTES = 256 * 1024;
/** AWS counts these bytes for an event in addition to its message. */
const EVENT_OVERHEAD_BYTES = 26;
/** A page ends after this many bytes were scanned, so that a search without matches does not block the service. */
const SCAN_BYTES = 8 * 1024 * 1024;

type WaitingEvent = {
  readonly epochMs: number;
  readonly ingestionMs: number;
  readonly sequence: number;
  readonly message: string;
};
type WaitingStream = {
  readonly scope: Scope;
  readonly logGroup: string;
  readonly logStream: string;
  readonly events: WaitingEvent[];
};

/**
 * Opens the log store on a migrated database and starts the collector. The caller closes the store, then the database.
 */
export function createLogStore(options: LogStoreOptions): LogStore {
  return new SqliteLogStore(options);
}

function isSameScope(a: Scope, b: Scope): boolean {
  return a.region === b.region && a.account === b.account;
}

class SqliteLogStore implements LogStore {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #flushAfterMs: number;
  readonly #maxWaitingBytes: number;
  readonly #listeners = new Set<(event: LogEvent, sequence: number) => void>();
  readonly #sql: ReturnType<typeof prepareStatements>;
  readonly #collector: { close(): void };

  #waiting = new Map<string, WaitingStream>();
  /** Of the waiting streams, by the name of the stream alone. */
  #recentStreams = new Map<string, WaitingStream>();
  #waitingBytes = 0;
  #droppedEvents = 0;
  #nextSequence: number;
  #cancelFlush: Cancel | undefined;
  #isFlushUrgent = false;
  #isFailing = false;
  #isClosed = false;

  constructor(options: LogStoreOptions) {
    this.#database = options.database;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#flushAfterMs = options.flushAfterMs ?? FLUSH_AFTER_MS;
    this.#maxWaitingBytes = options.maxWaitingBytes ?? MAX_WAITING_BYTES;
    this.#sql = prepareStatements(options.database);
    // Sequences continue after a restart, even if the clock was set back in between.
    const last = this.#sql.lastSequence.get()?.last ?? 0;
    this.#nextSequence = Math.max(Math.trunc(options.clock.epochMs()) * 1000, last + 1);
    this.#collector = startLogCollector({ ...options, maxBytes: options.maxStoredBytes });
  }

  append(event: LogEvent): void {
    if (this.#isClosed) return;
    const stream = this.#waitingStreamOf(event);
    const sequence = this.#nextSequence++;
    stream.events.push({
      epochMs: Math.max(0, Math.trunc(event.epochMs)),
      ingestionMs: Math.trunc(this.#clock.epochMs()),
      sequence,
      message: event.message,
    });
    // An estimate: UTF-8 needs up to three bytes per UTF-16 unit, but counting them exactly would take too long here.
    this.#waitingBytes += event.message.length + EVENT_OVERHEAD_BYTES;
    if (this.#waitingBytes > this.#maxWaitingBytes) this.#dropOldest();
    this.#scheduleFlush(this.#waitingBytes > FLUSH_AT_BYTES && !this.#isFailing);
    for (const listener of this.#listeners) listener(event, sequence);
  }

  /** An environment's events come one after the other, and its stream is the same string for all of them. */
  #waitingStreamOf({ scope, logGroup, logStream }: LogEvent): WaitingStream {
    const recent = this.#recentStreams.get(logStream);
    if (recent !== undefined && recent.logGroup === logGroup && isSameScope(recent.scope, scope)) return recent;
    const key = `${scope.account}\n${scope.region}\n${logGroup}\n${logStream}`;
    let stream = this.#waiting.get(key);
    if (stream === undefined) {
      stream = { scope, logGroup, logStream, events: [] };
      this.#waiting.set(key, stream);
    }
    this.#recentStreams.set(logStream, stream);
    return stream;
  }

  #scheduleFlush(isUrgent: boolean): void {
    if (this.#cancelFlush !== undefined && (!isUrgent || this.#isFlushUrgent)) return;
    this.#cancelFlush?.();
    this.#isFlushUrgent = isUrgent;
    const delayMs = isUrgent ? 0 : this.#isFailing ? RETRY_AFTER_MS : this.#flushAfterMs;
    this.#cancelFlush = this.#clock.after(delayMs, () => {
      this.#cancelFlush = undefined;
      try {
        this.flush();
      } catch {
        // Already logged. The events stay in the buffer for the next attempt.
        this.#scheduleFlush(false);
      }
    });
  }

  /** Only called while the database cannot be written. */
  #dropOldest(): void {
    this.#recentStreams = new Map();
    for (const [key, stream] of this.#waiting) {
      this.#waiting.delete(key);
      this.#droppedEvents += stream.events.length;
      this.#waitingBytes -= bytesOf(stream.events);
      if (this.#waitingBytes <= this.#maxWaitingBytes / 2) return;
    }
  }

  flush(): void {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    if (this.#waiting.size === 0) return;
    try {
      this.#database.transaction(() => {
        for (const stream of this.#waiting.values()) this.#write(stream);
      });
    } catch (failure) {
      if (!this.#isFailing) this.#log.error({ err: failure }, 'cannot write logs; they are kept in memory');
      this.#isFailing = true;
      if (!this.#isClosed) this.#scheduleFlush(false);
      throw failure;
    }
    this.#waiting = new Map();
    this.#recentStreams = new Map();
    this.#waitingBytes = 0;
    if (this.#isFailing) this.#log.warn({ droppedEvents: this.#droppedEvents }, 'logs can be written again');
    this.#isFailing = false;
    this.#droppedEvents = 0;
  }

  #write({ scope, logGroup, logStream, events }: WaitingStream): void {
    const groupId = this.#groupIdOf(scope, logGroup);
    const streamId = this.#streamIdOf(groupId, logStream);
    events.sort((a, b) => a.epochMs - b.epochMs || a.sequence - b.sequence);
    let storedBytes = 0;
    for (const chunk of chunksOf(events)) {
      const bytes = chunk.reduce((sum, { message }) => sum + Buffer.byteLength(message) + EVENT_OVERHEAD_BYTES, 0);
      const firstMs = chunk[0]?.epochMs ?? 0;
      const lastMs = chunk.at(-1)?.epochMs ?? 0;
      const lastSequence = chunk.reduce((last, { sequence }) => Math.max(last, sequence), 0);
      const packed = chunk.map(
        ({ epochMs, ingestionMs, sequence, message }): PackedEvent => [
          lastSequence - sequence,
          epochMs - firstMs,
          ingestionMs - epochMs,
          message,
        ],
      );
      this.#sql.insertChunk.run(groupId, streamId, firstMs, lastMs, lastSequence, bytes, JSON.stringify(packed));
      storedBytes += bytes;
    }
    const ingestionMs = events.reduce((last, event) => Math.max(last, event.ingestionMs), 0);
    this.#sql.touchStream.run(events[0]?.epochMs ?? 0, events.at(-1)?.epochMs ?? 0, ingestionMs, streamId);
    this.#sql.growGroup.run(storedBytes, groupId);
  }

  #groupIdOf(scope: Scope, name: string): number {
    const found = this.#sql.group.get(scope.region, scope.account, name);
    return found?.id ?? this.#insertGroup(scope, name, {});
  }

  #insertGroup(scope: Scope, name: string, settings: Parameters<LogStore['createGroup']>[2] & object): number {
    return this.#sql.insertGroup.run(
      scope.region,
      scope.account,
      name,
      Math.trunc(this.#clock.epochMs()),
      settings.class ?? 'STANDARD',
      settings.kmsKeyId ?? null,
      settings.isProtected ? 1 : 0,
      JSON.stringify(settings.tags ?? {}),
    ).lastInsertRowid;
  }

  #streamIdOf(groupId: number, name: string): number {
    const found = this.#sql.stream.get(groupId, name);
    return found?.id ?? this.#sql.insertStream.run(groupId, name, Math.trunc(this.#clock.epochMs())).lastInsertRowid;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#collector.close();
    this.flush();
  }

  subscribe(listener: (event: LogEvent, sequence: number) => void): { close(): void } {
    this.#listeners.add(listener);
    return { close: () => void this.#listeners.delete(listener) };
  }

  group(scope: Scope, name: string): LogGroup | undefined {
    this.flush();
    const row = this.#sql.group.get(scope.region, scope.account, name);
    return row && groupOf(row);
  }

  groups(scope: Scope, query: Parameters<LogStore['groups']>[1]): readonly LogGroup[] {
    this.flush();
    const rows = this.#sql.groups.all({
      region: scope.region,
      account: scope.account,
      after: query.after ?? '',
      from: query.prefix ?? '',
      until: `${query.prefix ?? ''}\u{10FFFF}`,
      contains: query.contains ?? '',
      class: query.class ?? '',
      limit: query.limit,
    });
    return rows.map(groupOf);
  }

  createGroup(scope: Scope, name: string, settings: Parameters<LogStore['createGroup']>[2] = {}): boolean {
    if (this.group(scope, name) !== undefined) return false;
    this.#insertGroup(scope, name, settings);
    return true;
  }

  deleteGroup(group: LogGroup): void {
    this.flush();
    // Hides the group immediately. The collector deletes its events, possibly hundreds of megabytes, bit by bit.
    this.#sql.hideGroup.run(`deleted/${group.id}`, group.id);
  }

  setRetention(group: LogGroup, days: number | undefined): void {
    this.#sql.setRetention.run(days ?? null, group.id);
  }

  setTags(group: LogGroup, tags: Readonly<Record<string, string>>): void {
    this.#sql.setTags.run(JSON.stringify(tags), group.id);
  }

  setProtection(group: LogGroup, isProtected: boolean): void {
    this.#sql.setProtection.run(isProtected ? 1 : 0, group.id);
  }

  stream(group: LogGroup, name: string): LogStream | undefined {
    this.flush();
    const row = this.#sql.stream.get(group.id, name);
    return row && streamOf(row);
  }

  streams(group: LogGroup, query: Parameters<LogStore['streams']>[1]): readonly LogStream[] {
    this.flush();
    const order = query.descending ? 'DESC' : 'ASC';
    // A stream without events sorts as older than all others.
    const key = query.orderBy === 'name' ? 'name' : 'ifnull(last_event_ms, -1)';
    const statement = this.#database.prepare<LogStreamRow>(`
      SELECT * FROM log_stream
      WHERE group_id = :group AND name >= :from AND name < :until
        ${query.after === undefined ? '' : `AND (${key}, name) ${query.descending ? '<' : '>'} (:afterKey, :afterName)`}
      ORDER BY ${key} ${order}, name ${order} LIMIT :limit`);
    const { after } = query;
    const rows = statement.all({
      group: group.id,
      from: query.prefix ?? '',
      until: `${query.prefix ?? ''}\u{10FFFF}`,
      limit: query.limit,
      ...(after && {
        afterKey: query.orderBy === 'name' ? after.name : (after.lastEventMs ?? -1),
        afterName: after.name,
      }),
    });
    return rows.map(streamOf);
  }

  createStream(group: LogGroup, name: string): boolean {
    if (this.stream(group, name) !== undefined) return false;
    this.#streamIdOf(group.id, name);
    return true;
  }

  deleteStream(group: LogGroup, stream: LogStream): void {
    this.flush();
    this.#database.transaction(() => {
      this.#sql.growGroup.run(-(this.#sql.streamBytes.get(stream.id)?.bytes ?? 0), group.id);
      this.#sql.deleteStream.run(stream.id);
    });
  }

  read(group: LogGroup, range: ReadRange, matches: (message: string) => boolean = () => true): LogPage {
    this.flush();
    const events: (StoredEvent & { readonly streamName: string })[] = [];
    const streamNames = new Map<number, string>();
    let pageBytes = 0;
    let scannedBytes = 0;
    let last: LogPosition | undefined;
    for (const event of readEvents(this.#database, { ...range, groupId: group.id })) {
      const bytes = event.message.length + EVENT_OVERHEAD_BYTES;
      const isMatch = matches(event.message);
      const isFull = events.length >= range.limit || (pageBytes + bytes > range.maxBytes && events.length > 0);
      if ((isMatch && isFull) || scannedBytes > SCAN_BYTES) return { events, next: last };
      scannedBytes += bytes;
      last = { epochMs: event.epochMs, sequence: event.sequence };
      if (!isMatch) continue;
      pageBytes += bytes;
      let streamName = streamNames.get(event.streamId);
      if (streamName === undefined) {
        streamName = this.#sql.streamName.get(event.streamId)?.name ?? '';
        streamNames.set(event.streamId, streamName);
      }
      events.push({ ...event, streamName });
    }
    return { events, next: undefined };
  }
}

function bytesOf(events: readonly WaitingEvent[]): number {
  return events.reduce((sum, { message }) => sum + message.length + EVENT_OVERHEAD_BYTES, 0);
}

/** Splits events, sorted by time, into chunks of limited time span and size. */
function* chunksOf(events: readonly WaitingEvent[]): Generator<readonly WaitingEvent[]> {
  let start = 0;
  let size = 0;
  for (let index = 0; index < events.length; index += 1) {
    const event = events[index];
    const first = events[start];
    if (event === undefined || first === undefined) return;
    if (index > start && (size > CHUNK_BYTES || event.epochMs - first.epochMs > CHUNK_SPAN_MS)) {
      yield events.slice(start, index);
      start = index;
      size = 0;
    }
    size += event.message.length + EVENT_OVERHEAD_BYTES;
  }
  if (start < events.length) yield events.slice(start);
}

function prepareStatements(database: Database) {
  return {
    lastSequence: database.prepare<{ readonly last: number | null }>(
      'SELECT max(last_sequence) AS last FROM (SELECT last_sequence FROM log_chunk ORDER BY id DESC LIMIT 1000)',
    ),
    group: database.prepare<LogGroupRow>('SELECT * FROM log_group WHERE region = ? AND account = ? AND name = ?'),
    groups: database.prepare<LogGroupRow>(`
      SELECT * FROM log_group
      WHERE region = :region AND account = :account AND name > :after AND name >= :from AND name < :until
        AND (:contains = '' OR instr(name, :contains) > 0) AND (:class = '' OR class = :class)
      ORDER BY name LIMIT :limit`),
    insertGroup: database.prepare(`
      INSERT INTO log_group (region, account, name, created_ms, class, kms_key_id, is_protected, tags, stored_bytes)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)`),
    hideGroup: database.prepare("UPDATE log_group SET region = '', account = '', name = ? WHERE id = ?"),
    setRetention: database.prepare('UPDATE log_group SET retention_days = ? WHERE id = ?'),
    setTags: database.prepare('UPDATE log_group SET tags = ? WHERE id = ?'),
    setProtection: database.prepare('UPDATE log_group SET is_protected = ? WHERE id = ?'),
    growGroup: database.prepare('UPDATE log_group SET stored_bytes = max(0, stored_bytes + ?) WHERE id = ?'),
    stream: database.prepare<LogStreamRow>('SELECT * FROM log_stream WHERE group_id = ? AND name = ?'),
    streamName: database.prepare<{ readonly name: string }>('SELECT name FROM log_stream WHERE id = ?'),
    streamBytes: database.prepare<{ readonly bytes: number | null }>(
      'SELECT sum(stored_bytes) AS bytes FROM log_chunk WHERE stream_id = ?',
    ),
    insertStream: database.prepare('INSERT INTO log_stream (group_id, name, created_ms) VALUES (?, ?, ?)'),
    touchStream: database.prepare(`
      UPDATE log_stream SET
        first_event_ms = min(ifnull(first_event_ms, ?1), ?1),
        last_event_ms = max(ifnull(last_event_ms, ?2), ?2),
        last_ingestion_ms = ?3
      WHERE id = ?4`),
    deleteStream: database.prepare('DELETE FROM log_stream WHERE id = ?'),
    insertChunk: database.prepare(`
      INSERT INTO log_chunk (group_id, stream_id, first_ms, last_ms, last_sequence, stored_bytes, events)
      VALUES (?, ?, ?, ?, ?, ?, ?)`),
  };
}
