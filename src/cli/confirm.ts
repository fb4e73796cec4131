/** Questions to the person at the terminal. Without a terminal there is no answer: the command must say so before it begins. */
import { createInterface } from 'node:readline/promises';
import { OperatorError } from '../operator-error.ts';

/** @throws OperatorError 'usage' if there is no terminal and --yes is not given */
export function requireAnswer(isYes: boolean, command: string): void {
  if (isYes || (process.stdin.isTTY && process.stderr.isTTY)) return;
  const reason = `\`lamella ${command}\` asks before it changes anything, and there is no terminal to ask. Give --yes.`;
  throw new OperatorError('usage', { reason, command });
}

/** Asks a question that is answered with y or n. The default is no. */
export async function confirm(question: string, signal?: AbortSignal): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  // In raw mode Ctrl+C does not become a signal by itself.
  terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  try {
    const answer = await terminal.question(`${question} [y/N] `, signal ? { signal } : {});
    return /^y(es)?$/i.test(answer.trim());
  } catch (failure) {
    signal?.throwIfAborted();
    throw failure;
  } finally {
    terminal.close();
  }
}
