/**
 * What comes to stacks from outside while they wait: signals of SignalResource, data sent to wait handles, responses of
 * custom resources. Everything is stored first, so that nothing is lost in a crash, and then wakes the step that waits.
 */
import { parseJson } from '../protocol/json.ts';
import type { Database } from '../storage/database.ts';
import type { Json } from './providers/provider.ts';

export type Signal = {
  readonly uniqueId: string;
  readonly succeeded: boolean;
  readonly reason?: string | undefined;
  /** The whole message, for custom resources. */
  readonly message?: { readonly [name: string]: Json } | undefined;
  readonly data?: string | undefined;
};

export type SignalResource = (stackId: string, logicalId: string, signal: Signal) => void;

export type Signals = {
  /** Stores a signal. The first one with a unique id counts. */
  put(target: string, signal: Signal): void;
  all(target: string): readonly Signal[];
  clear(target: string): void;
  /** Calls `action` after each new signal for the target, until the returned function is called. */
  watch(target: string, action: () => void): () => void;
  /** Takes a message that was sent to the callback URL of a target. Returns whether it was understood. */
  receive(target: string, body: string): boolean;
};

/** Path of callback URLs on the API port. Their last part is secret and takes the place of a signature. */
export const CALLBACK_PREFIX = '/_stack-callbacks/';

/** The address that a resource's SignalResource goes to. */
export function signalTarget(stackId: string, logicalId: string): string {
  return `${stackId}|${logicalId}`;
}

export function createSignals(database: Database): Signals {
  const sql = {
    insert: database.prepare('INSERT OR IGNORE INTO stack_signal VALUES (?, ?, ?)'),
    all: database.prepare<{ document: string }>('SELECT document FROM stack_signal WHERE target = ?'),
    clear: database.prepare('DELETE FROM stack_signal WHERE target = ?'),
  };
  const watchers = new Map<string, Set<() => void>>();
  const put = (target: string, signal: Signal) => {
    sql.insert.run(target, signal.uniqueId, JSON.stringify(signal));
    for (const action of watchers.get(target) ?? []) action();
  };
  return {
    put,
    all: (target) => sql.all.all(target).map(({ document }) => JSON.parse(document) as Signal),
    clear: (target) => void sql.clear.run(target),
    watch(target, action) {
      const actions = watchers.get(target) ?? new Set();
      watchers.set(target, actions.add(action));
      return () => {
        actions.delete(action);
        if (actions.size === 0) watchers.delete(target);
      };
    },
    receive(target, body) {
      let message: unknown;
      try {
        message = parseJson(body);
      } catch {
        return false;
      }
      if (typeof message !== 'object' || message === null || Array.isArray(message)) return false;
      const { Status, UniqueId, Reason, Data } = message as Readonly<Record<string, Json>>;
      if (Status !== 'SUCCESS' && Status !== 'FAILED' && Status !== 'FAILURE') return false;
      put(target, {
        uniqueId: typeof UniqueId === 'string' ? UniqueId : 'response',
        succeeded: Status === 'SUCCESS',
        ...(typeof Reason === 'string' && { reason: Reason }),
        ...(typeof Data === 'string' && { data: Data }),
        message: message as Readonly<Record<string, Json>>,
      });
      return true;
    },
  };
}
