/**
 * `lamella start --detach`: starts the same command in a session of its own, with its output in a file, and waits until the
 * service accepts connections. The service reports that over Node's channel between processes.
 */
import { closeSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { OperatorError } from '../operator-error.ts';
import { stateDirectory } from '../options.ts';
import { makeDirectory } from '../storage/make-directory.ts';
import { printStatus } from './output.ts';
import { startDetached } from './run-program.ts';
import { runningServices } from './running-service.ts';

/** Set for the service in the background. */
export const DETACHED_VARIABLE = 'LAMELLA_DETACHED_LOG';

export type Detached = { readonly ready: unknown; readonly logFile: string };

/**
 * Starts the service; resolves to what it reported, or to the exit code with which it ended instead. Throws `OperatorError`
 * `file-unwritable` if its log cannot be written.
 */
export async function detach(): Promise<Detached | { readonly code: number }> {
  const logFile = join(stateDirectory(), 'logs', `start-${process.pid}.log`);
  const output = openLog(logFile);
  const [, script = '', ...args] = process.argv;
  const child = startDetached(script, args, output, { [DETACHED_VARIABLE]: logFile });
  closeSync(output);
  const result = await Promise.race([child.ready, child.ended.then((code) => ({ code }))]);
  child.release();
  if (!isEnd(result)) return { ready: result, logFile };
  printStatus(readFileSync(logFile, 'utf8').trimEnd());
  rmSync(logFile, { force: true });
  return result;
}

/** Throws `OperatorError` `file-unwritable`. */
function openLog(file: string): number {
  try {
    makeDirectory(dirname(file), 0o700);
    removeOldLogs(dirname(file));
    return openSync(file, 'w', 0o600);
  } catch (failure) {
    throw new OperatorError('file-unwritable', { file, reason: (failure as Error).message }, failure);
  }
}

/** Reports to the command that started this service in the background that it accepts connections. */
export function reportReady(ready: object): void {
  process.send?.(ready, () => process.disconnect());
}

function isEnd(result: unknown): result is { readonly code: number } {
  return typeof result === 'object' && result !== null && 'code' in result;
}

/** Logs of services that have ended are kept until the next one starts. */
function removeOldLogs(directory: string): void {
  const used = new Set(runningServices().map(({ logFile }) => logFile));
  for (const name of readdirSync(directory)) {
    const file = join(directory, name);
    if (name.startsWith('start-') && !used.has(file)) rmSync(file, { force: true });
  }
}
