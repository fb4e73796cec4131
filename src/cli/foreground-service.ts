/**
 * A service that runs in this process until it gets a signal, for `lamella start` and `lamella dev`: what it shows of
 * functions, how it stops, and what it says about a port that is taken. The first SIGINT, SIGTERM or SIGHUP drains for
 * some seconds; the second exits immediately.
 */
import { constants } from 'node:os';
import { sleep, systemClock } from '../clock.ts';
import { OperatorError } from '../operator-error.ts';
import type { Options } from '../options.ts';
import { type Activity, showActivity } from './activity/show-activity.ts';
import { askService, findRecord } from './running-service.ts';
import { keysOf } from './tool-environment.ts';

/** Calls get four seconds to end (`assembly/open-service.ts`); the rest is for environments and files, also on a busy machine. */
export const STOP_MS = 9_000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Prints what functions do, to standard output. The renderer is loaded now, not while a function waits. `sourceOf` is the
 * directory of a function's code, which people see in place of /var/task.
 */
export async function openActivity(
  { json }: Pick<Options, 'json'>,
  sourceOf?: (functionName: string) => string | undefined,
): Promise<Activity> {
  const { createActivityRenderer, renderActivityJson } = await import('./activity/render-activity.ts');
  const isColored = process.stdout.isTTY === true && process.stdout.hasColors();
  return showActivity({
    descriptor: 1,
    render: json ? renderActivityJson : createActivityRenderer(isColored, sourceOf),
    renderDropped: (count) =>
      json ? `${JSON.stringify({ type: 'dropped', count })}\n` : `... ${count} lines were too many to show ...\n`,
  });
}

/** Closes a service in the time that it has. Returns whether it has closed. */
export async function closeInTime(service: { close(): Promise<void> }): Promise<boolean> {
  const done = new AbortController();
  const drained = service.close().then(() => true);
  return Promise.race([drained, sleepAwake(STOP_MS, done.signal).then(() => false)]).finally(() => done.abort());
}

/** The error for a port on which another Lamella runs; undefined for any other failure. */
export async function explainPort(failure: unknown, { host, port, region, accessKeys }: Options) {
  if (!(failure instanceof OperatorError) || failure.code !== 'port-in-use') return undefined;
  const taken = /:(\d+): /.exec(failure.message)?.[1] ?? String(port);
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${taken}`;
  const urls = await askService(url, keysOf({ accessKeys, region }));
  if (urls === undefined) return undefined;
  const record = findRecord({ url });
  const data = record?.ephemeral ? 'temporary data' : `data directory ${record?.dataDir}`;
  const detail = record === undefined ? '' : ` (pid ${record.pid}, ${data})`;
  return new OperatorError('already-running', { host, port: taken, url: urls.lambda, detail }, failure);
}

/** Resolves at the first signal. The second exits with the code that a shell expects. */
export function firstSignal(): Promise<void> {
  return new Promise((resolve) => {
    let isStopping = false;
    for (const signal of SIGNALS) {
      process.on(signal, () => {
        if (isStopping) process.exit(128 + constants.signals[signal]);
        isStopping = true;
        resolve();
      });
    }
  });
}

/** Sleeps, and keeps the process running meanwhile. */
async function sleepAwake(ms: number, signal: AbortSignal): Promise<void> {
  const awake = new MessageChannel();
  awake.port1.ref();
  await sleep(systemClock, ms, signal);
  awake.port1.close();
}
