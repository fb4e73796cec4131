/**
 * `lamella start`: runs the service until it receives a signal. Prints its URLs and writes the ready file when it accepts
 * connections. The first SIGINT, SIGTERM or SIGHUP drains for at most five seconds; the second exits immediately.
 */
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { sleep, systemClock } from '../../clock.ts';
import { OperatorError } from '../../operator-error.ts';
import type { Options } from '../../options.ts';
import { openHostWarning, resolveOptions } from '../../options.ts';
import type { Run } from '../command.ts';
import { printStatus, printWarning, writeResult } from '../output.ts';
import { packageVersion } from '../package-version.ts';
import { recordService } from '../running-service.ts';

const DRAIN_MS = 5_000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The contents of the ready file and of `--json`. */
type Ready = { readonly lambda: string; readonly http: string; readonly pid: number };

export const run: Run = async ({ given }) => {
  const options = resolveOptions(given);
  if (options.readyFile !== undefined) checkReadyFile(options.readyFile);
  const warning = openHostWarning(options);
  if (warning !== undefined) {
    printWarning(warning.warning);
    printStatus(warning.advice);
  }
  // A signal that arrives before the service has started must still close it.
  const stopped = firstSignal();
  const { startQuietly } = await import('../../lamella.ts');
  const service = await startQuietly(options);
  const ready: Ready = { lambda: service.url, http: service.http.url, pid: process.pid };
  let exitCode = 0;
  const forget = remember(options, ready);
  try {
    if (options.readyFile !== undefined) writeReadyFile(options.readyFile, ready);
    await writeResult(options.json ? `${JSON.stringify(ready)}\n` : banner(options, ready));
    await stopped;
  } finally {
    if (options.readyFile !== undefined) removeReadyFile(options.readyFile);
    forget();
    const done = new AbortController();
    const drained = service.close().then(() => 'drained' as const);
    const outcome = await Promise.race([drained, sleepAwake(DRAIN_MS, done.signal)]).finally(() => done.abort());
    if (outcome !== 'drained') {
      printStatus(`The service did not stop within ${DRAIN_MS / 1000} seconds. Exiting now.`);
      exitCode = 1;
    }
  }
  // Resources that are still open must not keep the process running.
  process.exit(exitCode);
};

/** Records the service, so that other commands find it. Without the record it works as well. */
function remember({ dataDir, ephemeral, region, accountId }: Options, { lambda, http }: Ready): () => void {
  try {
    return recordService({ lambda, http, dataDir, ephemeral, region, accountId });
  } catch (failure) {
    printWarning(`Cannot record the service: ${(failure as Error).message}. Other commands need --endpoint-url.`);
    return () => {};
  }
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

/** Writes the file with a rename, so that a program that waits for it never reads a part of it. */
function writeReadyFile(file: string, ready: Ready): void {
  const staging = `${file}.${process.pid}.tmp`;
  try {
    writeFileSync(staging, `${JSON.stringify(ready)}\n`);
    renameSync(staging, file);
  } catch (failure) {
    rmSync(staging, { force: true });
    throw new OperatorError('file-unwritable', { file, reason: (failure as Error).message }, failure);
  }
}

/** Fails before the service starts if the ready file cannot be written then. */
function checkReadyFile(file: string): void {
  const staging = `${file}.${process.pid}.tmp`;
  try {
    if (statSync(file, { throwIfNoEntry: false })?.isDirectory()) throw new Error('it is a directory');
    writeFileSync(staging, '');
  } catch (failure) {
    throw new OperatorError('file-unwritable', { file, reason: (failure as Error).message }, failure);
  } finally {
    rmSync(staging, { force: true });
  }
}

/** Removes the file, unless another service has replaced it. */
function removeReadyFile(file: string): void {
  try {
    const ready: Partial<Ready> = JSON.parse(readFileSync(file, 'utf8'));
    if (ready.pid === process.pid) rmSync(file, { force: true });
  } catch {
    // The file was removed or replaced with something else.
  }
}

function banner(options: Options, { lambda, http }: Ready): string {
  const data = options.ephemeral ? 'a temporary directory, which is removed when the service stops' : options.dataDir;
  return [
    `Lamella ${packageVersion()} is ready.`,
    '',
    `  Lambda API    ${lambda}`,
    `  HTTP          ${http}   function URLs, HTTP and REST APIs, load balancers`,
    `  Region        ${options.region}, account ${options.accountId}`,
    `  Data          ${data}`,
    '',
    'Set these variables for the AWS CLI and SDKs. Older versions of the AWS CLI need --endpoint-url instead.',
    '',
    `  export AWS_ENDPOINT_URL_LAMBDA=${lambda} AWS_ENDPOINT_URL_IAM=${lambda} \\`,
    `    AWS_ENDPOINT_URL_STS=${lambda} AWS_ENDPOINT_URL_CLOUDWATCH_LOGS=${lambda} \\`,
    `    AWS_REGION=${options.region} AWS_DEFAULT_REGION=${options.region} \\`,
    '    AWS_ACCESS_KEY_ID=lamella AWS_SECRET_ACCESS_KEY=lamella',
    '',
    'Press Ctrl+C to stop.',
    '',
  ].join('\n');
}
