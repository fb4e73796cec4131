/**
 * Durable queues: the one mechanism under asynchronous invocations and SQS. Adds to the store what needs time: who waits
 * for a message wakes when one comes or becomes visible, and changes that come in the same moment are written together.
 *
 * A promise of `write` resolves after the commit: what was promised survives `kill -9`. Hundreds of messages that arrive
 * at once cost one commit.
 */
import type { Cancel, Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Database } from '../storage/database.ts';
import { createQueueStore, type Message, type QueueStore, type TakeRequest } from './queue-store.ts';

export type ReceiveRequest = {
  readonly count: number;
  readonly visibilityMs: number;
  /** How long to wait for the first message; 0 looks once. */
  readonly waitMs: number;
  /** Ends the waiting. */
  readonly signal?: AbortSignal | undefined;
  /** Asked anew at each look, for a queue whose settings change while someone waits. */
  readonly limits?: (() => Pick<TakeRequest, 'oldestSentMs' | 'redrive'>) | undefined;
};

export type Queues = {
  /** Runs `change` with others in one transaction, soon; resolves once it is durable. `change` is synchronous. */
  write<Result>(change: (store: QueueStore) => Result): Promise<Result>;
  /** Reads what was written. */
  readonly store: QueueStore;
  /** Takes what is visible, waiting for it if asked to. Resolves with nothing once waiting ended. */
  receive(queue: string, request: ReceiveRequest): Promise<Message[]>;
  /** Calls `listener` when something came into a queue or was given back to it. */
  onArrival(queue: string, listener: () => void): () => void;
  /** Tells those who wait that a queue changed by other means than `receive`. */
  wake(queue: string): void;
  /** Ends all waiting, and writes what was to be written. */
  close(): void;
};

export type QueuesOptions = { readonly database: Database; readonly clock: Clock; readonly log: Log };

/** Opens the queues. Changes that were not written yet when it closes are written then. */
export function createQueues({ database, clock, log }: QueuesOptions): Queues {
  const store = createQueueStore(database);
  const listeners = new Map<string, Set<() => void>>();
  const ended = new AbortController();
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
      // One of them must not take the others with it: all is undone, so each can be tried by itself.
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
    write: (change) =>
      new Promise((resolve, reject) => {
        if (ended.signal.aborted) return reject(new Error('the queues are closed'));
        if (pending.length === 0) setImmediate(commit);
        pending.push({ run: change, settle: (result) => resolve(result as never), fail: reject });
      }),
    async receive(queue, { count, visibilityMs, waitMs, signal, limits }) {
      const endMs = clock.monotonicMs() + waitMs;
      for (;;) {
        // Noticed before looking, so that nothing arrives unseen in between.
        const arrival = waitMs > 0 ? nextArrival(queues, queue) : undefined;
        try {
          const { messages, redriven, lookedMs } = await queues.write(() => {
            const nowMs = clock.epochMs();
            const { redrive, oldestSentMs } = limits?.() ?? {};
            const taken = store.take(queue, { count, nowMs, visibleMs: nowMs + visibilityMs, redrive, oldestSentMs });
            return { messages: taken.messages, redriven: taken.moved > 0 ? redrive?.to : undefined, lookedMs: nowMs };
          });
          if (redriven !== undefined) queues.wake(redriven);
          const leftMs = endMs - clock.monotonicMs();
          if (messages.length > 0 || arrival === undefined || leftMs <= 0) return messages;
          const nextMs = (store.nextVisibleMs(queue, lookedMs) ?? Number.POSITIVE_INFINITY) - clock.epochMs();
          await waitFor(arrival.promise, Math.min(leftMs, Math.max(nextMs, 1)), clock, [ended.signal, signal]);
          if (ended.signal.aborted || signal?.aborted) return [];
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
      ended.abort();
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

/** Resolves with the arrival, the time or the first signal. */
function waitFor(
  arrival: Promise<void>,
  ms: number,
  clock: Clock,
  signals: readonly (AbortSignal | undefined)[],
): Promise<void> {
  return new Promise((resolve) => {
    let cancel: Cancel = () => undefined;
    const finish = () => {
      cancel();
      for (const signal of signals) signal?.removeEventListener('abort', finish);
      resolve();
    };
    if (signals.some((signal) => signal?.aborted)) return resolve();
    cancel = clock.after(ms, finish);
    for (const signal of signals) signal?.addEventListener('abort', finish, { once: true });
    void arrival.then(finish);
  });
}

/**
 * A clock that was moved on for a test, or set back by hand, would leave messages in a future that nobody waits for.
 */
function adjustToClock(database: Database, store: QueueStore, clock: Clock, log: Log): void {
  database.transaction(() => {
    const aheadMs = (store.latestSentMs() ?? 0) - clock.epochMs();
    if (aheadMs <= 1000) return;
    log.info({ aheadMs }, 'the clock went back: messages in queues go back with it');
    store.shift(-aheadMs);
  });
}
