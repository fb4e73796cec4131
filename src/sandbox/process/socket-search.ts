/**
 * Finds out whether a process of a sandbox holds a socket, by the inode of the socket (`/proc/net/tcp`). Needed where
 * the user of a socket does not tell sandboxes apart. Descriptors are read in slices, because a hostile function can
 * have very many of them: other work goes on meanwhile, and at most a fifth of the time is spent on one sandbox.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import { type Clock, sleep } from '../../clock.ts';
import { threadsOf } from './process-tree.ts';

/** Descriptors that one search reads. A socket behind them counts as not held. */
const MAX_DESCRIPTORS = 16_384;
/** Descriptors that are read without a pause, in about a millisecond. */
const SLICE = 256;
const PAUSES_PER_SEARCH = 4;

/** `unknown`: no process could be inspected. */
export type SocketVerdict = 'held' | 'not-held' | 'unknown';

export type FindSocket = (inode: number) => Promise<SocketVerdict>;

/** Creates a search. Searches that are made while another one runs share the next one. */
export function createSocketSearch(processIds: () => readonly number[], clock: Clock): FindSocket {
  type Search = { readonly wanted: Set<string>; readonly done: Promise<Found> };
  let current: Promise<unknown> = Promise.resolve();
  let next: Search | undefined;
  return async (inode) => {
    const link = `socket:[${inode}]`;
    if (next === undefined) {
      const wanted = new Set<string>();
      const done = current.then(() => {
        next = undefined;
        return search(processIds(), wanted);
      });
      next = { wanted, done };
      current = done.then(
        ({ elapsedMs }) => (elapsedMs > 1 ? sleep(clock, PAUSES_PER_SEARCH * elapsedMs) : undefined),
        () => undefined,
      );
    }
    next.wanted.add(link);
    const { held, wasReadable } = await next.done;
    if (held.has(link)) return 'held';
    return wasReadable ? 'not-held' : 'unknown';
  };

  async function search(pids: readonly number[], wanted: ReadonlySet<string>): Promise<Found> {
    const held = new Set<string>();
    let wasReadable = false;
    let count = 0;
    let elapsedMs = 0;
    let startedAt = clock.monotonicMs();
    for (const task of tasksOf(pids)) {
      // The highest descriptors first: they probably belong to the newest connections.
      const names = descriptorsOf(task)?.sort((a, b) => b - a);
      if (names === undefined) continue;
      wasReadable = true;
      for (const name of names) {
        const link = linkOf(`/proc/${task}/fd/${name}`);
        if (link !== undefined && wanted.has(link)) held.add(link);
        count += 1;
        if (held.size === wanted.size || count >= MAX_DESCRIPTORS) return result();
        if (count % SLICE === 0) {
          elapsedMs += clock.monotonicMs() - startedAt;
          await new Promise(setImmediate);
          startedAt = clock.monotonicMs();
        }
      }
    }
    return result();

    function result(): Found {
      return { held, wasReadable, elapsedMs: elapsedMs + clock.monotonicMs() - startedAt };
    }
  }
}

type Found = { readonly held: ReadonlySet<string>; readonly wasReadable: boolean; readonly elapsedMs: number };

/** The processes, and then their other threads, which can have descriptors of their own. */
function* tasksOf(pids: readonly number[]): Iterable<string> {
  for (const pid of pids) yield `${pid}`;
  for (const pid of pids) for (const thread of threadsOf(pid)) if (thread !== pid) yield `${pid}/task/${thread}`;
}

/** Undefined if the task has exited or may not be inspected. */
function descriptorsOf(task: string): number[] | undefined {
  try {
    return readdirSync(`/proc/${task}/fd`).map(Number);
  } catch {
    return undefined;
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
