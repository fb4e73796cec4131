/**
 * `lamella invoke`: prints only the payload to standard output, and the log to standard error. Exits with code 1 if the
 * function fails.
 */
import { readFile } from 'node:fs/promises';
import { OperatorError } from '../../operator-error.ts';
import { resolveClientOptions } from '../../options.ts';
import { invoke } from '../api-client.ts';
import type { Run } from '../command.ts';
import { printStatus, writeResult } from '../output.ts';

export const run: Run = async ({ args, given }) => {
  const options = resolveClientOptions(given, 'invoke');
  const response = await invoke(options, {
    functionName: args[0] ?? '',
    qualifier: given.qualifier === undefined ? undefined : String(given.qualifier),
    logType: given.logType === 'None' ? 'None' : 'Tail',
    payload: await readEvent(given.data, given.event),
  });
  if (response.logTail) process.stderr.write(response.logTail);
  await writeResult(response.payload);
  // In a terminal, the prompt must start on a new line. A pipe gets only the payload.
  if (process.stdout.isTTY) await writeResult('\n');
  if (response.functionError === undefined) return 0;
  printStatus(`The function failed (${response.functionError}).`);
  return 1;
};

async function readEvent(data: unknown, file: unknown): Promise<Buffer> {
  if (data !== undefined && file !== undefined) {
    throw new OperatorError('usage', {
      reason: 'Give the event with --data or --event, not with both.',
      command: 'invoke',
    });
  }
  if (data !== undefined) return Buffer.from(String(data));
  if (file === undefined) return Buffer.alloc(0);
  if (file === '-') return readStandardInput();
  return readFile(String(file)).catch((failure: Error) => {
    throw new OperatorError('file-unreadable', { file: String(file), reason: failure.message }, failure);
  });
}

async function readStandardInput(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  return Buffer.concat(chunks);
}
