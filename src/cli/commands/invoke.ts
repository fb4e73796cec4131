/**
 * `lamella invoke`: prints only the payload to standard output, and the log to standard error. The error of a function is
 * shown below the log in a readable form; a terminal does not get it as JSON, too. Several events, and each several times,
 * are sent one after the other. Exits with code 1 if the function fails.
 */
import { systemClock } from '../../clock.ts';
import { OperatorError } from '../../operator-error.ts';
import type { Given } from '../../options.ts';
import { type ApiTarget, type InvokeResponse, invoke } from '../api-client.ts';
import type { Run } from '../command.ts';
import type { FunctionError } from '../error-remedies.ts';
import { readEvents } from '../event-input.ts';
import { parseErrorPayload, renderFunctionError, separateError } from '../function-error.ts';
import { printStatus, writeResult } from '../output.ts';
import { targetOf } from '../service-client.ts';

export const run: Run = async ({ args, given }) => {
  const target = await targetOf(given, 'invoke');
  const events = await readEvents(given);
  const repeat = repeatOf(given.repeat);
  const isSingle = events.length === 1 && repeat === 1;
  const durationsMs: number[] = [];
  let failures = 0;
  for (const payload of events) {
    for (let count = 0; count < repeat; count += 1) {
      const startedAt = systemClock.monotonicMs();
      const response = await invoke(target, { ...requestOf(given, args[0] ?? ''), payload });
      durationsMs.push(systemClock.monotonicMs() - startedAt);
      const hasFailed = given.json ? await printJson(response, target) : await print(response, isSingle);
      if (hasFailed) failures += 1;
    }
  }
  if (!isSingle && !given.json) printStatus(summarize(durationsMs, failures));
  return failures > 0 ? 1 : 0;
};

function requestOf(given: Given, functionName: string) {
  return {
    functionName,
    qualifier: given.qualifier === undefined ? undefined : String(given.qualifier),
    logType: given.logType === 'None' ? 'None' : 'Tail',
  } as const;
}

function repeatOf(value: unknown): number {
  const text = String(value ?? 1);
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new OperatorError('usage', {
    reason: `--repeat must be a whole number from 1, not "${text}".`,
    command: 'invoke',
  });
}

/** Prints the log and the payload. Returns whether the function failed. */
async function print(response: InvokeResponse, isSingle: boolean): Promise<boolean> {
  if (response.isLogCut) printStatus('[The log is longer than 4 KB. Only its end could be read.]');
  const error = response.functionError === undefined ? undefined : parseErrorPayload(response.payload);
  const shown = printLog(response.log, error);
  const isTerminal = process.stdout.isTTY === true;
  if (shown === undefined || !isTerminal) await writeResult(response.payload);
  // In a terminal, the prompt must start on a new line, and several responses each on one. A pipe gets only the payload.
  if ((shown === undefined && isTerminal) || (!isTerminal && !isSingle)) await writeResult('\n');
  if (response.functionError === undefined) return false;
  printStatus(`The function failed (${response.functionError}).`);
  if (shown !== undefined) process.stderr.write(renderFunctionError(shown));
  if (response.explanation !== undefined) printStatus(response.explanation);
  return true;
}

/** Prints one line of JSON with the payload, the error and the log. Returns whether the function failed. */
async function printJson(response: InvokeResponse, { region }: ApiTarget): Promise<boolean> {
  const { functionError, executedVersion, explanation } = response;
  const text = response.payload.toString();
  const log = response.log?.toString();
  const line = { executedVersion, region, functionError, explanation, payload: parsed(text), log };
  await writeResult(`${JSON.stringify(line)}\n`);
  return functionError !== undefined;
}

/** JSON if it is JSON: a custom runtime can respond with any text. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function summarize(durationsMs: readonly number[], failures: number): string {
  const sorted = [...durationsMs].sort((a, b) => a - b);
  const at = (share: number) => `${(sorted[Math.round((sorted.length - 1) * share)] ?? 0).toFixed(1)} ms`;
  return `${sorted.length} invocations, ${failures} failed; fastest ${at(0)}, median ${at(0.5)}, slowest ${at(1)}`;
}

/** Prints the log without the lines that repeat the error. Returns the error with what these lines contain. */
function printLog(log: Buffer | undefined, error: FunctionError | undefined): FunctionError | undefined {
  if (log === undefined || error === undefined) {
    if (log) process.stderr.write(forTerminal(log.toString()));
    return error;
  }
  const separated = separateError(log.toString(), error);
  process.stderr.write(forTerminal(separated.log));
  return separated.error;
}

/** Runtimes separate the lines of one log event by carriage returns, which would overwrite each other in a terminal. */
function forTerminal(log: string): string {
  return process.stderr.isTTY ? log.replace(/\r(?!\n)/g, '\n') : log;
}
