/**
 * `lamella start`: runs the service until it receives a signal. Prints its URLs and writes the ready file when it accepts
 * connections, then a line for each invocation and the functions' logs. The first SIGINT, SIGTERM or SIGHUP drains for at
 * most five seconds; the second exits immediately.
 */
import type { Options } from '../../options.ts';
import { resolveOptions, variable } from '../../options.ts';
import type { Activity } from '../activity/show-activity.ts';
import type { Run } from '../command.ts';
import { closeInTime, explainPort, firstSignal, openActivity, STOP_MS } from '../foreground-service.ts';
import { printStatus, warnOfOpenHost, writeResult } from '../output.ts';
import { packageVersion } from '../package-version.ts';
import { checkReadyFile, type Ready, removeReadyFile, writeReadyFile } from '../ready-file.ts';
import { recordService } from '../running-service.ts';
import { DETACHED_VARIABLE, detach, reportReady } from '../start-detached.ts';

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
    const isClosed = await closeInTime(service);
    activity?.end();
    forget();
    if (!isClosed) {
      printStatus(`The service did not stop within ${STOP_MS / 1000} seconds. Exiting now.`);
      exitCode = 1;
    } else if (!options.json && !options.quiet) {
      await writeResult(farewell(options, ready, activity));
    }
  }
  // Resources that are still open must not keep the process running.
  process.exit(exitCode);
};

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
