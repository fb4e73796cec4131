/**
 * Shows what functions do while they do it. The path of an invocation only adds a reference to a list; rendering and
 * writing come later, for many facts at once. A reader that does not read (a terminal that was stopped, a pipe that is
 * full) never stops the service: what cannot be written in time is counted and dropped.
 */
import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { type Cancel, type Clock, systemClock } from '../../clock.ts';
import type { Fact } from '../../environment/facts.ts';

/** How long facts are collected, in milliseconds: short for the eye, long for a busy service. */
const COLLECT_MS = 40;
/** Maximum number of facts that wait to be written. */
const MAX_WAITING = 5_000;

export type Activity = {
  /** Takes a fact: keeps it, and nothing else. */
  readonly observe: (fact: Fact) => void;
  /** Starts to write. Facts that came before wait for it. */
  readonly show: () => void;
  /** Number of invocations so far. */
  readonly invocations: () => number;
  /** Writes as much of what waits as the reader takes at once. */
  readonly end: () => void;
};

export type ActivityOptions = {
  /** The descriptor to write to. */
  readonly descriptor: number;
  readonly render: (facts: readonly Fact[]) => string;
  /** Renders the number of facts that were dropped. */
  readonly renderDropped: (count: number) => string;
  readonly clock?: Clock;
};

export function showActivity({ descriptor, render, renderDropped, clock = systemClock }: ActivityOptions): Activity {
  const output = openOutput(descriptor);
  let waiting: Fact[] = [];
  let dropped = 0;
  let invocations = 0;
  let isShown = false;
  let cancel: Cancel | undefined;
  /** Rendered and not written yet, from `at`. */
  let text = Buffer.alloc(0);
  let at = 0;
  const flush = () => {
    cancel = undefined;
    if (at === text.length && waiting.length > 0) {
      text = Buffer.from(render(waiting) + (dropped > 0 ? renderDropped(dropped) : ''));
      at = 0;
      waiting = [];
      dropped = 0;
    }
    at += output.write(text, at);
    if (at < text.length || waiting.length > 0) schedule();
  };
  const schedule = () => {
    if (isShown) cancel ??= clock.after(COLLECT_MS, flush);
  };
  return {
    observe(fact) {
      if (fact.kind === 'invocation') invocations += 1;
      if (waiting.length < MAX_WAITING) waiting.push(fact);
      else dropped += 1;
      if (cancel === undefined) schedule();
    },
    show() {
      isShown = true;
      schedule();
    },
    invocations: () => invocations,
    end() {
      cancel?.();
      flush();
      if (at === text.length) flush();
      cancel?.();
      output.close();
    },
  };
}

type Output = {
  /** Writes from an offset on, as much as the reader takes without waiting. Returns the number of bytes. */
  readonly write: (content: Buffer, at: number) => number;
  readonly close: () => void;
};

/**
 * Opens a terminal or pipe once more, without waiting for its reader: the mode of the descriptor itself is shared with
 * other processes, such as the shell. A file and a socket are used as they are.
 */
function openOutput(descriptor: number): Output {
  const own = reopen(descriptor);
  const target = own ?? descriptor;
  let isBroken = false;
  return {
    write(content, at) {
      if (isBroken || at === content.length) return content.length - at;
      try {
        return writeSync(target, content, at);
      } catch (failure) {
        const { code } = failure as NodeJS.ErrnoException;
        if (code === 'EAGAIN') return 0;
        // The reader has gone, or the disk is full. The service goes on.
        isBroken = true;
        return content.length - at;
      }
    },
    close() {
      if (own !== undefined) closeSync(own);
    },
  };
}

function reopen(descriptor: number): number | undefined {
  try {
    const found = fstatSync(descriptor);
    if (!found.isFIFO() && !found.isCharacterDevice()) return undefined;
    return openSync(`/proc/self/fd/${descriptor}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return undefined;
  }
}
