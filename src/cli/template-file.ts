/** The template and the parameters that the commands about templates get. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { OperatorError } from '../operator-error.ts';
import { parseJson } from '../protocol/json.ts';

/** Names that a template without a given name may have, as the SAM command line looks for them. */
const DEFAULT_NAMES = ['template.yaml', 'template.yml', 'template.json'];

/** Reads a file, or standard input for `-`. @throws OperatorError 'file-unreadable' */
export async function readTemplateFile(file: string): Promise<string> {
  if (file === '-') {
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  }
  return readFile(file, 'utf8').catch((failure: Error) => {
    throw new OperatorError('file-unreadable', { file, reason: failure.message }, failure);
  });
}

/** The template of the current directory. @throws OperatorError 'usage' if it has no template */
export function findTemplateFile(command: string): string {
  const found = DEFAULT_NAMES.find((name) => existsSync(name));
  if (found !== undefined) return found;
  const reason = `This directory has no ${DEFAULT_NAMES.join(', ')}. Name the template.`;
  throw new OperatorError('usage', { reason, command });
}

/**
 * Values of parameters: a JSON object with a value for each name, or the list that the AWS CLI takes
 * (`[{"ParameterKey": ..., "ParameterValue": ...}]`). @throws OperatorError 'usage'
 */
export function parseParameters(text: unknown, command: string): Map<string, string> {
  if (text === undefined) return new Map();
  try {
    const value = parseJson(String(text));
    const entries = Array.isArray(value)
      ? value.map((item) => [item?.ParameterKey, item?.ParameterValue])
      : Object.entries(value as object);
    const isTexts = entries.every(([key, item]) => typeof key === 'string' && item !== null && item !== undefined);
    if (value !== null && typeof value === 'object' && isTexts) {
      return new Map(entries.map(([key, item]) => [String(key), Array.isArray(item) ? item.join(',') : String(item)]));
    }
  } catch (failure) {
    if (!(failure instanceof SyntaxError)) throw failure;
  }
  throw new OperatorError('usage', { reason: '--parameters must be a JSON object of names and values.', command });
}
