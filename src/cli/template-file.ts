/** The template and the parameters that the commands about templates get. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { OperatorError } from '../operator-error.ts';
import type { Given } from '../options.ts';
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

/** The template of the current directory; undefined if it has none. */
export function presentTemplate(): string | undefined {
  return DEFAULT_NAMES.find((name) => existsSync(name));
}

/** The template of the current directory. @throws OperatorError 'usage' if it has no template */
export function findTemplateFile(command: string): string {
  const found = presentTemplate();
  if (found !== undefined) return found;
  const reason = `This directory has no ${DEFAULT_NAMES.join(', ')}. Name the template.`;
  throw new OperatorError('usage', { reason, command });
}

/** The template that an argument or `--template-file` names, or that of the current directory. */
export function namedTemplate(argument: string | undefined, given: Given, command: string): string {
  const named = argument ?? given.templateFile;
  return named === undefined ? findTemplateFile(command) : String(named);
}

/**
 * `--parameter-overrides`, in the forms that SAM and the AWS CLI take: `A=1 B="x y"`, several of them, or
 * `ParameterKey=A,ParameterValue=1`. @throws OperatorError 'usage'
 */
export function parameterOverrides(given: unknown, command: string): Map<string, string> {
  const texts = given === undefined ? [] : Array.isArray(given) ? given.map(String) : [String(given)];
  const values = new Map<string, string>();
  // Without quotes, which a shell has removed, a value ends where the next name begins.
  const words = texts.flatMap((text) =>
    /["']/.test(text) ? splitWords(text) : text.trim().split(/\s+(?=[A-Za-z0-9]+=)/),
  );
  for (const word of words.filter((each) => each !== '')) {
    const [, longKey, longValue] = /^ParameterKey=([^,]+),ParameterValue=(.*)$/s.exec(word) ?? [];
    const [, shortKey, shortValue] = /^([A-Za-z0-9]+)=(.*)$/s.exec(word) ?? [];
    const key = longKey ?? shortKey;
    if (key === undefined) {
      throw new OperatorError('usage', { reason: `--parameter-overrides must be NAME=VALUE, not "${word}".`, command });
    }
    values.set(key, longValue ?? shortValue ?? '');
  }
  return values;
}

/** Splits at spaces that are not in quotes, and removes the quotes. A value may contain `=` and escaped quotes. */
export function splitWords(text: string): string[] {
  const words = text.match(/(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s"'])+/gs) ?? [];
  return words.map((word) =>
    word.replace(/"((?:[^"\\]|\\.)*)"|'([^']*)'/gs, (_, double?: string, single?: string) =>
      double === undefined ? (single ?? '') : double.replace(/\\(["\\])/g, '$1'),
    ),
  );
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
