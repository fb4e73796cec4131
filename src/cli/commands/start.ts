/**
 * `lamella start`: runs the service until it receives a signal. Prints its URLs and writes the ready file when it accepts
 * connections, then a line for each invocation and the functions' logs. The first SIGINT, SIGTERM or SIGHUP drains for at
 * most five seconds; the second exits immediately.
 */
import { constants } from 'node:os';
import { sleep, systemClock } from '../../clock.ts';
import { OperatorError } from '../../operator-error.ts';
import type { Options } from '../../options.ts';
import { resolveOptions, variable } from '../../options.ts';
import { type Activity, showActivity } from '../activity/show-activity.ts';
import type { Run } from '../command.ts';
import { printStatus, warnOfOpenHost, writeResult } from '../output.ts';
import { packageVersion } from '../package-version.ts';
import { checkReadyFile, type Ready, removeReadyFile, writeReadyFile } from '../ready-file.ts';
import { askService, findRecord, recordService } from '../running-service.ts';
import { DETACHED_VARIABLE, detach, reportReady } from '../start-detached.ts';
import { keysOf } from '../tool-environment.ts';

/** Calls get four seconds to end (`assembly/open-service.ts`); the rest is for environments and files, also on a busy machine. */
const STOP_MS = 9_000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export const run: Run = async ({ given }) => {
  const options = resolveOptions(given);
  if (options.readyFile !== undefined) checkReadyFile(options.readyFile);
  const logFile = variable(DETACHED_VARIABLE);
  if (options.detach && logFile === undefined) return startInBackground(options);
  warnOfOpenHost(options);
  // A signal that arrives before the service has started must still close it.
  const stopped = firstSignal();
  const { startQuietly } = await import('../../lamella.ts');
  const activity = options.quiet ? undefined : await openActivity(options);
  const service = await startQuietly(options, { observe: activity?.observe }).catch(async (failure: unknown) => {
    throw (await explainPort(failure, options)) ?? failure;
  });
  const ready: Ready = { lambda: service.url, http: service.http.url, pid: process.pid };
  let exitCode = 0;
  const { dataDir, ephemeral, region, accountId } = options;
  const { lambda, http } = ready;
  const forget = recordService({
    ...{ lambda, http, dataDir, ephemeral, region, accountId },
    ...(logFile !== undefined && { logFile }),
  });
  try {
    if (options.readyFile !== undefined) writeReadyFile(options.readyFile, ready);
    await writeResult(options.json ? `${JSON.stringify(ready)}\n` : banner(options, ready, service.http.list()));
    if (logFile !== undefined) reportReady(ready);
    activity?.show();
    await stopped;
  } finally {
    if (options.readyFile !== undefined) removeReadyFile(options.readyFile);
    const done = new AbortController();
    const drained = service.close().then(() => 'drained' as const);
    const outcome = await Promise.race([drained, sleepAwake(STOP_MS, done.signal)]).finally(() => done.abort());
    activity?.end();
    forget();
    if (outcome !== 'drained') {
      printStatus(`The service did not stop within ${STOP_MS / 1000} seconds. Exiting now.`);
      exitCode = 1;
    } else if (!options.json && !options.quiet) {
      await writeResult(farewell(options, ready, activity));
    }
  }
  // Resources that are still open must not keep the process running.
  process.exit(exitCode);
};

/** Prints what functions do, to standard output. The renderer is loaded now, not while a function waits. */
async function openActivity({ json }: Options): Promise<Activity> {
  const { renderActivity, renderActivityJson } = await import('../activity/render-activity.ts');
  const isColored = process.stdout.isTTY === true && process.stdout.hasColors();
  return showActivity({
    descriptor: 1,
    render: json ? renderActivityJson : (facts) => renderActivity(facts, isColored),
    renderDropped: (count) =>
      json ? `${JSON.stringify({ type: 'dropped', count })}\n` : `... ${count} lines were too many to show ...\n`,
  });
}

async function startInBackground(options: Options): Promise<number> {
  const result = await detach();
  if ('code' in result) return result.code;
  const ready = result.ready as Ready;
  if (options.json) await writeResult(`${JSON.stringify({ ...ready, logFile: result.logFile })}\n`);
  else {
    const text = `Runs in the background (pid ${ready.pid}) with its output in ${result.logFile}.\nStop it with \`lamella stop\`.\n`;
    await writeResult(banner(options, ready).replace(FAREWELL, text));
  }
  return 0;
}

/** The error for a port on which another Lamella runs; undefined for any other failure. */
async function explainPort(failure: unknown, { host, port, region, accessKeys }: Options) {
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
function firstSignal(): Promise<void> {
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

const FAREWELL = 'Press Ctrl+C to stop.\n';

function banner(options: Options, { lambda, http }: Ready, gateways: Readonly<Record<string, object>> = {}): string {
  const data = options.ephemeral ? 'a temporary directory, which is removed when the service stops' : options.dataDir;
  const isFound = lambda === DEFAULT_URL || (!options.ephemeral && options.dataDir === resolveOptions().dataDir);
  const where = isFound ? '' : ` --endpoint-url ${lambda}`;
  return [
    `Lamella ${packageVersion()} is ready.`,
    '',
    `  Lambda API    ${lambda}`,
    `  HTTP          ${http}   function URLs, HTTP and REST APIs, load balancers`,
    ...gatewayLines(http, gateways),
    `  Region        ${options.region}, account ${options.accountId}`,
    `  Data          ${data}`,
    '',
    'In another terminal:',
    '',
    `  lamella aws${where} lambda list-functions`,
    `  lamella run${where} -- COMMAND`,
    `  eval "$(lamella env${where})"`,
    '',
    FAREWELL,
  ].join('\n');
}

/** The most APIs and load balancers that the banner lists. */
const LISTED_GATEWAYS = 10;

/** The URLs of the APIs and load balancers that AWS's operations have created. */
function gatewayLines(http: string, gateways: Readonly<Record<string, object>>): readonly string[] {
  const urls = Object.values(gateways).flatMap((gateway) => {
    const address = 'address' in gateway ? String(gateway.address) : undefined;
    return address === undefined ? [] : [`http://${address.replace('/', `:${new URL(http).port}/`)}`];
  });
  const lines = urls.slice(0, LISTED_GATEWAYS).map((url) => `                ${url}`);
  const more = urls.length - lines.length;
  return more > 0 ? [...lines, `                and ${more} more`] : lines;
}

const DEFAULT_URL = 'http://127.0.0.1:3001';

function farewell({ ephemeral, dataDir }: Options, { lambda }: Ready, activity: Activity | undefined): string {
  const count = activity?.invocations() ?? 0;
  const invocations = `${count} ${count === 1 ? 'invocation' : 'invocations'}`;
  const data = ephemeral ? 'Its temporary data was removed.' : `Its data is in ${dataDir}.`;
  return `Stopped the service at ${lambda} after ${invocations}. ${data}\n`;
}
