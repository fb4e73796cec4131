/**
 * Durable queues, the mechanism behind asynchronous invocations and SQS. Adds waiting and batching to the store:
 * receivers are woken when a message arrives or becomes visible, and concurrent changes are written in one transaction.
 *
 * The promise of `write` resolves after the commit, so the change survives `kill -9`. Hundreds of messages that arrive
 * at the same time cost one commit.
 */
import type { Cancel, Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Database } from '../storage/database.ts';
import { createDeduplication, type Deduplication } from './deduplication.ts';
import { createQueueStore, type Message, type QueueStore, type TakeRequest } from './queue-store.ts';

export type ReceiveRequest = {
  readonly count: number;
  readonly visibilityMs: number;
  /** How long to wait for the first message. 0 does not wait. */
  readonly waitMs: number;
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
  /** Called in the transaction that leases the messages, for what must be stored with them. */
  readonly onTaken?: ((messages: readonly Message[]) => void) | undefined;
  /** Called before each attempt, because the queue's settings can change during the wait. */
  readonly limits?: (() => Pick<TakeRequest, 'oldestSentMs' | 'redrive' | 'isFifo'>) | undefined;
};

export type Queues = {
  /** Runs the synchronous `change` soon, in one transaction with others. Resolves once it is durable. */
  write<Result>(change: (store: QueueStore) => Result): Promise<Result>;
  /** For reading. */
  readonly store: QueueStore;
  /** Changed only within `write`. */
  readonly deduplication: Deduplication;
  /** Receives visible messages, waiting for them if requested. Resolves with an empty array when the wait ends. */
  receive(queue: string, request: ReceiveRequest): Promise<Message[]>;
  /** Calls `listener` when a message arrives in the queue or is returned to it. Returns the function that stops it. */
  onArrival(queue: string, listener: () => void): () => void;
  /** Wakes the receivers of a queue that was changed. */
  wake(queue: string): void;
  /** Writes the pending changes and ends all waits. */
  close(): void;
};

export type QueuesOptions = { readonly database: Database; readonly clock: Clock; readonly log: Log };

/** Opens the queues. The caller closes them, before the database. */
export function createQueues({ database, clock, log }: QueuesOptions): Queues {
  const store = createQueueStore(database);
  const listeners = new Map<string, Set<() => void>>();
  let isClosed = false;
  adjustToClock(database, store, clock, log);

  type Change = {
    readonly run: (store: QueueStore) => unknown;
    settle(result: unknown): void;
    fail(cause: unknown): void;
  };
  let pending: Change[] = [];
  const commit = () => {
    const changes = pending;
    pending = [];
    if (changes.length === 0) return;
    let results: unknown[];
    try {
      results = database.transaction(() => changes.map(({ run }) => run(store)));
    } catch (failure) {
      if (changes.length === 1) return changes[0]?.fail(failure);
      // One failed change must not fail the others. All were rolled back, so try each on its own.
      for (const { run, settle, fail } of changes) {
        try {
          settle(database.transaction(() => run(store)));
        } catch (ownFailure) {
          fail(ownFailure);
        }
      }
      return;
    }
    for (const [index, { settle }] of changes.entries()) settle(results[index]);
  };

  const queues: Queues = {
    store,
    deduplication: createDeduplication(database),
    write: (change) =>
      new Promise((resolve, reject) => {
        if (isClosed) return reject(new Error('the queues are closed'));
        if (pending.length === 0) setImmediate(commit);
        pending.push({ run: change, settle: (result) => resolve(result as never), fail: reject });
      }),
    async receive(queue, { count, visibilityMs, waitMs, signal, limits, onTaken }) {
      const endMs = clock.monotonicMs() + waitMs;
      for (;;) {
        // Subscribe before looking, so that no arrival in between is missed.
        const arrival = waitMs > 0 ? nextArrival(queues, queue) : undefined;
        try {
          const { messages, redriven, receivedMs } = await queues.write(() => {
            const nowMs = clock.epochMs();
            const { redrive, ...more } = limits?.() ?? {};
            const taken = store.take(queue, { ...more, count, nowMs, visibleMs: nowMs + visibilityMs, redrive });
            onTaken?.(taken.messages);
            return { messages: taken.messages, redriven: taken.moved > 0 ? redrive?.to : undefined, receivedMs: nowMs };
          });
          if (redriven !== undefined) queues.wake(redriven);
          const leftMs = endMs - clock.monotonicMs();
          if (messages.length > 0 || arrival === undefined || leftMs <= 0) return messages;
          const nextMs = (store.nextVisibleMs(queue, receivedMs) ?? Number.POSITIVE_INFINITY) - clock.epochMs();
          await waitFor(arrival.promise, Math.min(leftMs, Math.max(nextMs, 1)), clock, signal);
          if (isClosed || signal?.aborted) return [];
        } finally {
          arrival?.forget();
        }
      }
    },
    onArrival(queue, listener) {
      const ofQueue = listeners.get(queue) ?? new Set();
      listeners.set(queue, ofQueue.add(listener));
      return () => {
        ofQueue.delete(listener);
        if (ofQueue.size === 0 && listeners.get(queue) === ofQueue) listeners.delete(queue);
      };
    },
    wake(queue) {
      for (const listener of [...(listeners.get(queue) ?? [])]) listener();
    },
    close() {
      commit();
      isClosed = true;
      // One signal for all receivers would collect a listener for each of them, and Node warns at the eleventh.
      for (const queue of [...listeners.keys()]) queues.wake(queue);
    },
  };
  return queues;
}

function nextArrival(queues: Queues, queue: string): { readonly promise: Promise<void>; forget(): void } {
  let forget = () => {};
  const promise = new Promise<void>((resolve) => {
    forget = queues.onArrival(queue, resolve);
  });
  return { promise, forget: () => forget() };
}

/** Resolves on arrival, on timeout or on the first aborted signal. */
function waitFor(arrival: Promise<void>, ms: number, clock: Clock, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    let cancel: Cancel = () => undefined;
    const finish = () => {
      cancel();
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    if (signal?.aborted) return resolve();
    cancel = clock.after(ms, finish);
    signal?.addEventListener('abort', finish, { once: true });
    void arrival.then(finish);
  });
}

/**
 * Shifts messages back if the clock was set back, by hand or after a test that had moved it forward. Otherwise they
 * would become visible only in a distant future.
 */
function adjustToClock(database: Database, store: QueueStore, clock: Clock, log: Log): void {
  database.transaction(() => {
    const aheadMs = (store.latestSentMs() ?? 0) - clock.epochMs();
    if (aheadMs <= 1000) return;
    log.info({ aheadMs }, 'the clock was set back; queued messages are shifted by the same time');
    store.shift(-aheadMs);
  });
}
