/**
 * The messages of all queues in one table: their content, when they become visible and how often they were received.
 * The caller decides on transactions and passes the time. Independent of Lambda's events and of SQS.
 *
 * A received message is leased: no other receiver sees it until its `visible_ms`. If it is not removed by then, it
 * becomes visible again without any further action, so that leases survive every crash.
 */
import type { Database } from '../storage/database.ts';

export type NewMessage = {
  readonly body: Buffer;
  /** JSON text that belongs to the queue's user. */
  readonly details: string;
  readonly sentMs: number;
  readonly visibleMs: number;
  /** Only in FIFO queues. */
  readonly group?: string | undefined;
};

export type Message = {
  /** Never reused, in any queue. */
  readonly id: number;
  readonly body: Buffer;
  readonly details: string;
  readonly sentMs: number;
  readonly visibleMs: number;
  /** How often it was received, including this time. */
  readonly receives: number;
  readonly firstReceivedMs: number;
  /** For a message in a dead-letter queue: the queue it came from. */
  readonly source: string | undefined;
};

/** A message that was received `maxReceives` times moves to the queue `to`. */
export type Redrive = { readonly maxReceives: number; readonly to: string };

export type TakeRequest = {
  readonly count: number;
  readonly nowMs: number;
  readonly visibleMs: number;
  /** Messages that were sent before are expired and not returned. */
  readonly oldestSentMs?: number | undefined;
  readonly redrive?: Redrive | undefined;
  /** Takes messages in the order of their groups. */
  readonly isFifo?: boolean | undefined;
};

export type Lease = { readonly visibleMs: number; readonly receives: number };

export type Counts = {
  /** Can be received now. */
  readonly visible: number;
  /** Received, and neither removed nor visible again. */
  readonly leased: number;
  /** Not visible yet, because of an initial or a requested delay. */
  readonly delayed: number;
};

export type QueueStore = {
  insert(queue: string, message: NewMessage): number;
  /**
   * Leases visible messages, the longest visible first. Moves those that were received too often. In a FIFO queue, a
   * message that is not visible blocks the later messages of its group.
   */
  take(queue: string, request: TakeRequest): { readonly messages: Message[]; readonly moved: number };
  /** A message that was received. */
  find(queue: string, id: number): Message | undefined;
  /** The lease of a message, current or expired. Undefined if there is no such message. */
  findLease(queue: string, id: number): Lease | undefined;
  /** False if there is no such message. */
  remove(queue: string, id: number): boolean;
  /**
   * Sets when a message that was received before becomes visible again, even if its lease has expired. False if there
   * is no such message.
   */
  extendLease(queue: string, id: number, visibleMs: number): boolean;
  /** Ends the lease of a message, which becomes visible at `visibleMs`, with other details. */
  giveBack(queue: string, id: number, visibleMs: number, details: string): void;
  /** Makes the messages that were not received yet visible `delayMs` after they were sent. */
  delayUnreceived(queue: string, delayMs: number): void;
  /** Ends all leases in the queues with this name prefix, whose receivers no longer exist. */
  endLeases(prefix: string, nowMs: number): void;
  /** When the next message becomes visible that was not visible at `afterMs`. Undefined if there is none. */
  nextVisibleMs(queue: string, afterMs: number): number | undefined;
  counts(queue: string, nowMs: number): Counts;
  /** Names of the queues with this prefix that have messages. */
  queues(prefix: string): string[];
  clear(queue: string): void;
  removeSentBefore(queue: string, sentMs: number): void;
  /**
   * Moves visible messages to another queue, or each to the queue it came from. Returns their number. Messages of FIFO
   * queues get new ids, which put them behind the messages of their group in the other queue.
   */
  move(queue: string, to: string | undefined, count: number, nowMs: number): number;
  /** When the latest message was sent, to detect that the clock was set back. */
  latestSentMs(): number | undefined;
  /** Shifts all times of all messages. */
  shift(byMs: number): void;
};

type Row = {
  id: number;
  body: Buffer;
  details: string;
  sent_ms: number;
  receives: number;
  first_received_ms: number | null;
  source: string | null;
  message_group: string | null;
};

export function createQueueStore(database: Database): QueueStore {
  const sql = {
    insert: database.prepare(
      'INSERT INTO queue_message (queue, body, details, sent_ms, visible_ms, message_group) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    visible: database.prepare<Row>(
      `SELECT id, body, details, sent_ms, receives, first_received_ms, source, message_group FROM queue_message
       WHERE queue = :queue AND visible_ms <= :nowMs AND sent_ms >= :oldestSentMs
       ORDER BY visible_ms, id LIMIT :count`,
    ),
    // The groups whose first message is visible. The group that has waited longest comes first.
    groups: database.prepare<{ name: string }>(
      `SELECT message_group AS name FROM queue_message AS head
       WHERE queue = :queue AND visible_ms <= :nowMs AND sent_ms >= :oldestSentMs AND NOT EXISTS (
         SELECT 1 FROM queue_message AS earlier
         WHERE earlier.queue = :queue AND earlier.message_group = head.message_group AND earlier.id < head.id
           AND earlier.sent_ms >= :oldestSentMs
       ) ORDER BY visible_ms, id LIMIT :count`,
    ),
    ofGroup: database.prepare<Row & { visible_ms: number }>(
      `SELECT id, body, details, sent_ms, receives, first_received_ms, source, message_group, visible_ms
       FROM queue_message WHERE queue = :queue AND message_group = :group AND sent_ms >= :oldestSentMs AND id > :after
       ORDER BY id LIMIT :count`,
    ),
    find: database.prepare<Row & { visible_ms: number }>(
      `SELECT id, body, details, sent_ms, receives, first_received_ms, source, message_group, visible_ms
       FROM queue_message WHERE queue = ? AND id = ? AND receives > 0`,
    ),
    findLease: database.prepare<{ visibleMs: number; receives: number }>(
      'SELECT visible_ms AS visibleMs, receives FROM queue_message WHERE queue = ? AND id = ?',
    ),
    copy: database.prepare(
      `INSERT INTO queue_message (queue, body, details, sent_ms, visible_ms, receives, first_received_ms, source, message_group)
       SELECT :to, body, details, :nowMs, :nowMs, :receives, CASE WHEN :receives > 0 THEN first_received_ms END, :source,
         message_group
       FROM queue_message WHERE id = :id`,
    ),
    movable: database.prepare<{ id: number; source: string | null }>(
      `SELECT id, source FROM queue_message
       WHERE queue = :queue AND visible_ms <= :nowMs AND message_group IS NOT NULL
         AND coalesce(:to, source) IS NOT NULL ORDER BY id LIMIT :count`,
    ),
    lease: database.prepare(
      `UPDATE queue_message SET visible_ms = :visibleMs, is_leased = 1, receives = receives + 1,
         first_received_ms = coalesce(first_received_ms, :nowMs) WHERE id = :id`,
    ),
    bury: database.prepare(
      `UPDATE queue_message SET queue = :to, source = :queue, visible_ms = :nowMs, is_leased = 0 WHERE id = :id`,
    ),
    remove: database.prepare('DELETE FROM queue_message WHERE queue = ? AND id = ?'),
    extendLease: database.prepare(
      `UPDATE queue_message SET visible_ms = :visibleMs, is_leased = 1
       WHERE queue = :queue AND id = :id AND receives > 0`,
    ),
    giveBack: database.prepare(
      `UPDATE queue_message SET visible_ms = :visibleMs, details = :details, is_leased = 0
       WHERE queue = :queue AND id = :id`,
    ),
    delayUnreceived: database.prepare(
      'UPDATE queue_message SET visible_ms = sent_ms + :delayMs WHERE queue = :queue AND receives = 0 AND is_leased = 0',
    ),
    endLeases: database.prepare(
      `UPDATE queue_message SET visible_ms = min(visible_ms, :nowMs), is_leased = 0
       WHERE queue >= :from AND queue < :below AND is_leased = 1`,
    ),
    nextVisible: database.prepare<{ ms: number | null }>(
      'SELECT min(visible_ms) AS ms FROM queue_message WHERE queue = ? AND visible_ms > ?',
    ),
    counts: database.prepare<{ visible: number; leased: number; delayed: number }>(
      `SELECT count(*) FILTER (WHERE visible_ms <= :nowMs) AS visible,
         count(*) FILTER (WHERE visible_ms > :nowMs AND is_leased = 1) AS leased,
         count(*) FILTER (WHERE visible_ms > :nowMs AND is_leased = 0) AS delayed
       FROM queue_message WHERE queue = :queue`,
    ),
    queues: database.prepare<{ queue: string }>(
      'SELECT DISTINCT queue FROM queue_message WHERE queue >= :from AND queue < :below',
    ),
    clear: database.prepare('DELETE FROM queue_message WHERE queue = ?'),
    removeSentBefore: database.prepare('DELETE FROM queue_message WHERE queue = ? AND sent_ms < ?'),
    move: database.prepare(
      `UPDATE queue_message SET queue = coalesce(:to, source), source = NULL, visible_ms = :nowMs, is_leased = 0,
         sent_ms = :nowMs, receives = 0, first_received_ms = NULL
       WHERE id IN (
         SELECT id FROM queue_message
         WHERE queue = :queue AND visible_ms <= :nowMs AND message_group IS NULL
           AND coalesce(:to, source) IS NOT NULL
         ORDER BY visible_ms, id LIMIT :count
       )`,
    ),
    latestSent: database.prepare<{ ms: number | null }>(
      `SELECT max(ms) AS ms FROM (
         SELECT max(sent_ms) AS ms FROM queue_message UNION ALL SELECT max(sent_ms) FROM deduplication)`,
    ),
    shift: database.prepare(
      `UPDATE queue_message SET sent_ms = sent_ms + :byMs, visible_ms = visible_ms + :byMs,
         first_received_ms = first_received_ms + :byMs`,
    ),
    shiftDeduplication: database.prepare('UPDATE deduplication SET sent_ms = sent_ms + :byMs'),
  };

  const isUsedUp = (row: Row, redrive: Redrive | undefined): redrive is Redrive =>
    redrive !== undefined && row.receives >= redrive.maxReceives;
  const lease = (row: Row, nowMs: number, visibleMs: number): Message => {
    sql.lease.run({ id: row.id, nowMs, visibleMs });
    return messageOf({ ...row, receives: row.receives + 1 }, nowMs, visibleMs);
  };
  /** Gives a message of a FIFO queue a new id in another queue. */
  const reinsert = (queue: string, id: number, to: string, nowMs: number, receives: number, source: string | null) => {
    sql.copy.run({ id, to, nowMs, receives, source });
    sql.remove.run(queue, id);
  };

  /** As many messages of a group as possible, then those of other groups, as SQS does. */
  function takeByGroup(
    queue: string,
    { count, redrive, ...request }: TakeRequest,
  ): { messages: Message[]; moved: number } {
    const nowMs = whole(request.nowMs);
    const visibleMs = whole(request.visibleMs);
    const oldestSentMs = whole(request.oldestSentMs ?? 0);
    const messages: Message[] = [];
    let moved = 0;
    for (;;) {
      const groups = sql.groups.all({ queue, nowMs, oldestSentMs, count: count - messages.length });
      for (const { name: group } of groups) {
        for (let after = 0; messages.length < count; ) {
          const [row] = sql.ofGroup.all({ queue, group, oldestSentMs, after, count: 1 });
          if (row === undefined || row.visible_ms > nowMs) break;
          after = row.id;
          if (isUsedUp(row, redrive)) {
            reinsert(queue, row.id, redrive.to, nowMs, row.receives, queue);
            moved += 1;
          } else messages.push(lease(row, nowMs, visibleMs));
        }
      }
      // After a lease of zero duration the same messages are still visible.
      if (groups.length === 0 || messages.length >= count || visibleMs <= nowMs) return { messages, moved };
    }
  }

  return {
    insert: (queue, { body, details, sentMs, visibleMs, group }) =>
      sql.insert.run(queue, body, details, whole(sentMs), whole(visibleMs), group ?? null).lastInsertRowid,
    take(queue, { count, redrive, ...request }) {
      if (request.isFifo) return takeByGroup(queue, { count, redrive, ...request });
      const nowMs = whole(request.nowMs);
      const visibleMs = whole(request.visibleMs);
      const oldestSentMs = whole(request.oldestSentMs ?? 0);
      const messages: Message[] = [];
      let moved = 0;
      // Messages that were moved do not count, so look for others.
      while (messages.length < count) {
        const rows = sql.visible.all({ queue, nowMs, oldestSentMs, count: count - messages.length });
        if (rows.length === 0) break;
        for (const row of rows) {
          if (isUsedUp(row, redrive)) {
            sql.bury.run({ queue, to: redrive.to, nowMs, id: row.id });
            moved += 1;
            continue;
          }
          messages.push(lease(row, nowMs, visibleMs));
        }
        // After a lease of zero duration the same messages are still visible.
        if (visibleMs <= nowMs) break;
      }
      return { messages, moved };
    },
    find(queue, id) {
      const row = sql.find.get(queue, id);
      return row && messageOf(row, row.sent_ms, row.visible_ms);
    },
    delayUnreceived: (queue, delayMs) => void sql.delayUnreceived.run({ queue, delayMs: whole(delayMs) }),
    findLease: (queue, id) => sql.findLease.get(queue, id),
    remove: (queue, id) => sql.remove.run(queue, id).changes > 0,
    extendLease: (queue, id, visibleMs) => sql.extendLease.run({ queue, id, visibleMs: whole(visibleMs) }).changes > 0,
    giveBack: (queue, id, visibleMs, details) =>
      void sql.giveBack.run({ queue, id, visibleMs: whole(visibleMs), details }),
    endLeases: (prefix, nowMs) => void sql.endLeases.run({ ...rangeOf(prefix), nowMs: whole(nowMs) }),
    nextVisibleMs: (queue, afterMs) => sql.nextVisible.get(queue, whole(afterMs))?.ms ?? undefined,
    counts: (queue, nowMs) => sql.counts.get({ queue, nowMs: whole(nowMs) }) ?? { visible: 0, leased: 0, delayed: 0 },
    queues: (prefix) => sql.queues.all(rangeOf(prefix)).map(({ queue }) => queue),
    clear: (queue) => void sql.clear.run(queue),
    removeSentBefore: (queue, sentMs) => void sql.removeSentBefore.run(queue, whole(sentMs)),
    move(queue, to, count, atMs) {
      const nowMs = whole(atMs);
      const ordered = sql.movable.all({ queue, to: to ?? null, count, nowMs });
      for (const { id, source } of ordered) reinsert(queue, id, to ?? source ?? queue, nowMs, 0, null);
      return ordered.length + sql.move.run({ queue, to: to ?? null, count, nowMs }).changes;
    },
    latestSentMs: () => sql.latestSent.get()?.ms ?? undefined,
    shift(byMs) {
      sql.shift.run({ byMs: whole(byMs) });
      sql.shiftDeduplication.run({ byMs: whole(byMs) });
    },
  };
}

function messageOf(row: Row, firstReceivedMs: number, visibleMs: number): Message {
  return {
    id: row.id,
    body: row.body,
    details: row.details,
    sentMs: row.sent_ms,
    visibleMs,
    receives: row.receives,
    firstReceivedMs: row.first_received_ms ?? firstReceivedMs,
    source: row.source ?? undefined,
  };
}

/** Names with `prefix`, which must end in an ASCII character, as a range for the index. */
function rangeOf(prefix: string): { readonly from: string; readonly below: string } {
  const last = prefix.charCodeAt(prefix.length - 1);
  return { from: prefix, below: prefix.slice(0, -1) + String.fromCharCode(last + 1) };
}

/** The columns are integers, but clocks return fractions. */
function whole(ms: number): number {
  return Math.trunc(ms);
}
