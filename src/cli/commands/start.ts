/**
 * `lamella start`: runs the service until a signal ends it. Announces it (text, JSON, ready file) only once it accepts
 * connections. The first SIGINT, SIGTERM or SIGHUP drains for at most five seconds; the second ends at once.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { sleep, systemClock } from '../../clock.ts';
import { OperatorError } from '../../operator-error.ts';
import type { Options } from '../../options.ts';
import { resolveOptions } from '../../options.ts';
import type { Run } from '../command.ts';
import { printStatus, writeResult } from '../output.ts';
import { packageVersion } from '../package-version.ts';

const DRAIN_MS = 5_000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** What the ready file and `--json` say. */
type Ready = { readonly lambda: string; readonly http: string; readonly pid: number };

export const run: Run = async ({ given }) => {
  const options = resolveOptions(given);
  // From here on a signal is kept until there is a service to close.
  const stopped = firstSignal();
  const { start } = await import('../../lamella.ts');
  const service = await start(options);
  const ready: Ready = { lambda: service.url, http: service.http.url, pid: process.pid };
  let exitCode = 0;
  try {
    if (options.readyFile !== undefined) writeReadyFile(options.readyFile, ready);
    await writeResult(options.json ? `${JSON.stringify(ready)}\n` : banner(options, ready));
    await stopped;
  } finally {
    if (options.readyFile !== undefined) removeReadyFile(options.readyFile);
    const done = new AbortController();
    const drained = service.close().then(() => 'drained' as const);
    const outcome = await Promise.race([drained, sleepAwake(DRAIN_MS, done.signal)]).finally(() => done.abort());
    if (outcome !== 'drained') {
      printStatus(`The service did not end within ${DRAIN_MS / 1000} seconds; ending it now.`);
      exitCode = 1;
    }
  }
  // Whatever is still open must not keep a stopped service alive.
  process.exit(exitCode);
};

/** Resolves at the first signal; a second one ends the process with the code that a shell expects. */
function firstSignal(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of SIGNALS) {
      process.on(signal, () => {
        if (asked) process.exit(128 + constants.signals[signal]);
        asked = true;
        resolve();
      });
    }
  });
}

/** A sleep that counts even when nothing else keeps the process alive. */
async function sleepAwake(ms: number, signal: AbortSignal): Promise<void> {
  const awake = new MessageChannel();
  awake.port1.ref();
  await sleep(systemClock, ms, signal);
  awake.port1.close();
}

/** By rename, so that whoever waits for the file never reads half of it. */
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

/** Removes the file, unless another service has announced itself there meanwhile. */
function removeReadyFile(file: string): void {
  try {
    const ready: Partial<Ready> = JSON.parse(readFileSync(file, 'utf8'));
    if (ready.pid === process.pid) rmSync(file, { force: true });
  } catch {
    // Somebody else has removed or replaced it: nothing of ours is left there.
  }
}

function banner(options: Options, { lambda, http }: Ready): string {
  const kept = options.ephemeral ? 'in a temporary folder, removed at the end' : options.dataDir;
  return [
    `Lamella ${packageVersion()} is ready.`,
    '',
    `  Lambda API  ${lambda}`,
    `  HTTP        ${http}   function URLs, HTTP and REST APIs, load balancers`,
    `  Region      ${options.region}, account ${options.accountId}`,
    `  Data        ${kept}`,
    '',
    'For the AWS CLI and SDKs (older versions of the CLI need --endpoint-url instead):',
    '',
    `  export AWS_ENDPOINT_URL_LAMBDA=${lambda} AWS_ENDPOINT_URL_IAM=${lambda} \\`,
    `    AWS_ENDPOINT_URL_STS=${lambda} AWS_ENDPOINT_URL_CLOUDWATCH_LOGS=${lambda} \\`,
    `    AWS_REGION=${options.region} AWS_DEFAULT_REGION=${options.region} \\`,
    '    AWS_ACCESS_KEY_ID=lamella AWS_SECRET_ACCESS_KEY=lamella',
    '',
    'Ctrl+C stops it.',
    '',
  ].join('\n');
}
