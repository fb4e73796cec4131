/**
 * Environment variables that a developer gives functions on this machine: `.env`, and a file for `--env-vars` as SAM has
 * it. They win over the template's. AWS's own variables are left out: real keys must not reach a function.
 * https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-using-invoke.html
 */
import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { OperatorError } from '../operator-error.ts';
import { parseJson } from '../protocol/json.ts';

export type FunctionVariables = {
  /** For all functions. */
  readonly all: Readonly<Record<string, string>>;
  /** By logical ID or name of the function. They win over those for all. */
  readonly byFunction: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Names that were left out. */
  readonly leftOut: readonly string[];
};

/** Names that Lambda does not accept, or that belong to the environment of the function. */
const RESERVED = /^(AWS_.*|_HANDLER|_X_AMZN_TRACE_ID|LAMBDA_TASK_ROOT|LAMBDA_RUNTIME_DIR)$/;
const VALID = /^[A-Za-z][A-Za-z0-9_]+$/;

/**
 * Reads the files. `envFile` may be absent unless it is required.
 * @throws OperatorError 'file-unreadable', 'env-vars-invalid'
 */
export function readVariables(envFiles: readonly EnvFile[], envVars: string | undefined): FunctionVariables {
  const all: Record<string, string> = {};
  for (const { file, isRequired } of envFiles) Object.assign(all, readEnvFile(file, isRequired));
  const { Parameters = {}, ...byFunction } = envVars === undefined ? {} : readEnvVars(envVars);
  Object.assign(all, Parameters);
  const leftOut = new Set<string>();
  const clean = (variables: Readonly<Record<string, string>>) =>
    Object.fromEntries(
      Object.entries(variables).filter(([name]) => {
        const isUsable = VALID.test(name) && !RESERVED.test(name);
        if (!isUsable) leftOut.add(name);
        return isUsable;
      }),
    );
  return {
    all: clean(all),
    byFunction: Object.fromEntries(Object.entries(byFunction).map(([name, variables]) => [name, clean(variables)])),
    leftOut: [...leftOut],
  };
}

export type EnvFile = { readonly file: string; readonly isRequired: boolean };

function readEnvFile(file: string, isRequired: boolean): Record<string, string> {
  try {
    return parseEnv(readFileSync(file, 'utf8')) as Record<string, string>;
  } catch (failure) {
    if (!isRequired && (failure as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new OperatorError('file-unreadable', { file, reason: (failure as Error).message }, failure);
  }
}

/** `{"Hello": {"NAME": "value"}, "Parameters": {"NAME": "for all"}}` */
function readEnvVars(file: string): Record<string, Record<string, string>> {
  const invalid = (reason: string, cause?: unknown) => new OperatorError('env-vars-invalid', { file, reason }, cause);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (failure) {
    throw new OperatorError('file-unreadable', { file, reason: (failure as Error).message }, failure);
  }
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (failure) {
    throw invalid((failure as Error).message, failure);
  }
  if (!isMap(value)) throw invalid('it must be an object');
  const entries = Object.entries(value);
  // Without an object among the values it is one map for all functions.
  if (entries.length > 0 && entries.every(([, member]) => typeof member !== 'object'))
    return { Parameters: textsOf(value) };
  const wrong = entries.find(([, member]) => !isMap(member));
  if (wrong !== undefined) throw invalid(`"${wrong[0]}" must be an object with the variables of a function`);
  return Object.fromEntries(entries.map(([name, member]) => [name, textsOf(member as Record<string, unknown>)]));
}

function textsOf(variables: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, String(value)]));
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
