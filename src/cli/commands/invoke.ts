/**
 * `lamella invoke`: prints only the payload to standard output, and the log to standard error. The error of a function is
 * shown below the log in a readable form; a terminal does not get it as JSON, too. Exits with code 1 if the function fails.
 */
import { resolveClientOptions } from '../../options.ts';
import { invoke } from '../api-client.ts';
import type { Run } from '../command.ts';
import type { FunctionError } from '../error-remedies.ts';
import { readEvent } from '../event-input.ts';
import { parseErrorPayload, renderFunctionError, separateError } from '../function-error.ts';
import { printStatus, writeResult } from '../output.ts';

export const run: Run = async ({ args, given }) => {
  const options = resolveClientOptions(given, 'invoke');
  const response = await invoke(options, {
    functionName: args[0] ?? '',
    qualifier: given.qualifier === undefined ? undefined : String(given.qualifier),
    logType: given.logType === 'None' ? 'None' : 'Tail',
    payload: await readEvent(given),
  });
  if (response.isLogCut) printStatus('[The log is longer than 4 KB. Only its end could be read.]');
  const error = response.functionError === undefined ? undefined : parseErrorPayload(response.payload);
  const shown = printLog(response.log, error);
  const isTerminal = process.stdout.isTTY === true;
  if (shown === undefined || !isTerminal) await writeResult(response.payload);
  // In a terminal, the prompt must start on a new line. A pipe gets only the payload.
  if (shown === undefined && isTerminal) await writeResult('\n');
  if (response.functionError === undefined) return 0;
  printStatus(`The function failed (${response.functionError}).`);
  if (shown !== undefined) process.stderr.write(renderFunctionError(shown));
  if (response.explanation !== undefined) printStatus(response.explanation);
  return 1;
};

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
