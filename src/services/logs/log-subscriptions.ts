/**
 * Subscription filters of log groups: stores them, and sends matching events to functions, a batch for each filter and stream.
 * Events are collected for a moment, as in `log-store.ts`, so that no invocation waits for them; `kill -9` loses these. A
 * function never gets the events of its own log group, which would have no end.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
 */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Cancel, Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { parseArn } from '../../protocol/arn.ts';
import type { Scope } from '../../protocol/names.ts';
import type { Database } from '../../storage/database.ts';
import { type MessageFilter, parseFilterPattern } from './filter-pattern.ts';
import { renderEventId } from './log-cursors.ts';
import type { LogEvent, LogStore } from './log-store.ts';

export type SubscriptionFilter = {
  readonly name: string;
  readonly pattern: string;
  readonly destinationArn: string;
  readonly roleArn?: string | undefined;
  readonly distribution: string;
  readonly applyOnTransformedLogs: boolean;
  readonly createdMs: number;
};

export type LogSubscriptions = {
  /** Ordered by name. */
  list(scope: Scope, logGroup: string): readonly SubscriptionFilter[];
  put(scope: Scope, logGroup: string, filter: SubscriptionFilter): void;
  /** False if there is no such filter. */
  remove(scope: Scope, logGroup: string, name: string): boolean;
  removeAll(scope: Scope, logGroup: string): void;
};

export type LogSubscriptionsOptions = {
  readonly database: Database;
  readonly logStore: Pick<LogStore, 'subscribe'>;
  /** Invokes a function asynchronously. Rejects if it does not exist. */
  readonly invoke: (functionArn: string, event: string, traceId: string | undefined) => Promise<void>;
  readonly logGroupOf: (functionArn: string) => string | undefined;
  readonly clock: Clock;
  /** Sends what was collected when the service begins to close. */
  readonly closing: AbortSignal;
  readonly log: Log;
};

const COLLECT_MS = 100;
/** An event of a function is at most 1 MiB, and compressed events become a third longer by base64. */
const BATCH_BYTES = 512 * 1024;
const BATCH_EVENTS = 10_000;
/** Of all batches that are being collected. Beyond it, events are not sent. */
const WAITING_BYTES = 32 * 1024 * 1024;
const EVENT_OVERHEAD_BYTES = 100;

type Batch = {
  readonly scope: Scope;
  readonly logGroup: string;
  readonly logStream: string;
  readonly filter: SubscriptionFilter;
  readonly events: { readonly id: string; readonly timestamp: number; readonly message: string }[];
  bytes: number;
};

type ActiveFilter = { readonly filter: SubscriptionFilter; readonly matches: MessageFilter };

const compress = promisify(gzip);

export function createLogSubscriptions(options: LogSubscriptionsOptions): LogSubscriptions {
  const { database, logStore, clock, closing, log } = options;
  type Row = { region: string; account: string; log_group: string; document: string };
  const ofGroup = 'region = :region AND account = :account AND log_group = :logGroup';
  const sql = {
    all: database.prepare<Row>('SELECT * FROM log_subscription ORDER BY name'),
    put: database.prepare(
      'INSERT OR REPLACE INTO log_subscription VALUES (:region, :account, :logGroup, :name, :document)',
    ),
    remove: database.prepare(`DELETE FROM log_subscription WHERE ${ofGroup} AND name = :name`),
    removeAll: database.prepare(`DELETE FROM log_subscription WHERE ${ofGroup}`),
  };
  const keyOf = ({ region, account }: Scope, logGroup: string) => `${account}/${region}/${logGroup}`;
  const columns = ({ region, account }: Scope, logGroup: string) => ({ region, account, logGroup });

  let active = new Map<string, readonly ActiveFilter[]>();
  const load = () => {
    active = new Map();
    for (const { region, account, log_group, document } of sql.all.all()) {
      const key = keyOf({ region, account }, log_group);
      const filter = JSON.parse(document) as SubscriptionFilter;
      active.set(key, [...(active.get(key) ?? []), { filter, matches: parseFilterPattern(filter.pattern) }]);
    }
  };
  load();

  let batches = new Map<string, Batch>();
  let waitingBytes = 0;
  let dropped = 0;
  let cancel: Cancel | undefined;

  const sendAll = () => {
    cancel = undefined;
    const full = batches;
    batches = new Map();
    waitingBytes = 0;
    if (dropped > 0) log.warn({ events: dropped }, 'log events came faster than they can be sent to subscribers');
    dropped = 0;
    for (const batch of full.values()) void send(options, batch);
  };

  const collect = (event: LogEvent, sequence: number, filter: SubscriptionFilter) => {
    const bytes = Buffer.byteLength(event.message) + EVENT_OVERHEAD_BYTES;
    if (waitingBytes + bytes > WAITING_BYTES) {
      dropped += 1;
      return;
    }
    const { scope, logGroup, logStream } = event;
    const key = `${keyOf(scope, logGroup)}\n${logStream}\n${filter.name}`;
    const known = batches.get(key);
    const isFull = known && (known.bytes + bytes > BATCH_BYTES || known.events.length >= BATCH_EVENTS);
    if (known && isFull) {
      waitingBytes -= known.bytes;
      void send(options, known);
    }
    const batch: Batch = known && !isFull ? known : { scope, logGroup, logStream, filter, events: [], bytes: 0 };
    const epochMs = Math.max(0, Math.trunc(event.epochMs));
    batch.events.push({ id: renderEventId({ epochMs, sequence }), timestamp: epochMs, message: event.message });
    batch.bytes += bytes;
    waitingBytes += bytes;
    batches.set(key, batch);
    cancel ??= clock.after(COLLECT_MS, sendAll);
  };

  logStore.subscribe((event, sequence) => {
    if (active.size === 0) return;
    for (const { filter, matches } of active.get(keyOf(event.scope, event.logGroup)) ?? []) {
      if (isFunction(filter.destinationArn) && matches(event.message)) collect(event, sequence, filter);
    }
  });
  closing.addEventListener('abort', () => {
    cancel?.();
    sendAll();
  });

  return {
    list: (scope, logGroup) => (active.get(keyOf(scope, logGroup)) ?? []).map(({ filter }) => filter),
    put(scope, logGroup, filter) {
      sql.put.run({ ...columns(scope, logGroup), name: filter.name, document: JSON.stringify(filter) });
      load();
    },
    remove(scope, logGroup, name) {
      const isGone = sql.remove.run({ ...columns(scope, logGroup), name }).changes > 0;
      load();
      return isGone;
    },
    removeAll(scope, logGroup) {
      if (sql.removeAll.run(columns(scope, logGroup)).changes > 0) load();
    },
  };
}

export function isFunction(arn: string): boolean {
  return parseArn(arn)?.service === 'lambda';
}

async function send(
  { invoke, logGroupOf, log }: LogSubscriptionsOptions,
  { scope, logGroup, logStream, filter, events }: Batch,
): Promise<void> {
  const context = { logGroup, filter: filter.name, destination: filter.destinationArn };
  try {
    // Its log group may have changed since the filter was made.
    if (logGroupOf(filter.destinationArn) === logGroup) {
      log.warn(context, 'a function does not get the events of its own log group');
      return;
    }
    const text = JSON.stringify({
      messageType: 'DATA_MESSAGE',
      owner: scope.account,
      logGroup,
      logStream,
      subscriptionFilters: [filter.name],
      logEvents: events,
    });
    const data = (await compress(Buffer.from(text))).toString('base64');
    await invoke(filter.destinationArn, JSON.stringify({ awslogs: { data } }), undefined);
  } catch (failure) {
    log.warn({ err: failure, ...context }, 'cannot send log events to a subscriber');
  }
}
