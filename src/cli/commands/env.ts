/**
 * `lamella env`: prints the variables with which AWS's tools and SDKs use the service, as commands of a shell. Unset
 * variables belong to it: a profile in the environment would win over the keys.
 */
import type { Environment } from '../../options.ts';
import { resolveToolOptions, variable } from '../../options.ts';
import type { Run } from '../command.ts';
import { writeJson, writeResult } from '../output.ts';
import { locateService } from '../running-service.ts';
import { toolEnvironment } from '../tool-environment.ts';

export const SHELLS = ['sh', 'fish', 'csh', 'powershell', 'dotenv'] as const;
type Shell = (typeof SHELLS)[number];

export const run: Run = async ({ given }) => {
  const options = locateService(resolveToolOptions(given, 'env'), given);
  const variables = toolEnvironment(options);
  const changes = given.unset ? Object.fromEntries(Object.keys(variables).map((name) => [name, undefined])) : variables;
  if (given.json) await writeJson(namesToJson(changes));
  else await writeResult(renderChanges(changes, shellOf(given.shell)));
  return 0;
};

/** Variables to remove are null: JSON has no undefined. */
function namesToJson(changes: Environment): Record<string, string | null> {
  return Object.fromEntries(Object.entries(changes).map(([name, value]) => [name, value ?? null]));
}

/** The shell that was asked for, else the user's own as far as it is known. */
function shellOf(given: unknown): Shell {
  const wanted = SHELLS.find((shell) => shell === given);
  if (wanted !== undefined) return wanted;
  const own = variable('SHELL')?.split('/').at(-1);
  if (own === 'fish') return 'fish';
  return own === 'csh' || own === 'tcsh' ? 'csh' : 'sh';
}

/** Renders changes of the environment in the syntax of a shell; an undefined value removes the variable. */
export function renderChanges(changes: Environment, shell: Shell): string {
  return Object.entries(changes)
    .flatMap(([name, value]) => (value === undefined ? (UNSET[shell](name) ?? []) : SET[shell](name, value)))
    .map((line) => `${line}\n`)
    .join('');
}

const SET: Readonly<Record<Shell, (name: string, value: string) => string>> = {
  sh: (name, value) => `export ${name}=${quoteForSh(value)}`,
  fish: (name, value) => `set -gx ${name} '${value.replace(/[\\']/g, '\\$&')}';`,
  csh: (name, value) => `setenv ${name} ${quoteForSh(value).replaceAll('!', '\\!')};`,
  powershell: (name, value) => `$env:${name} = '${value.replaceAll("'", "''")}'`,
  dotenv: (name, value) => `${name}=${/^[\w:/.@+-]*$/.test(value) ? value : JSON.stringify(value)}`,
};

/** Undefined where the format cannot remove a variable. */
const UNSET: Readonly<Record<Shell, (name: string) => string | undefined>> = {
  sh: (name) => `unset ${name}`,
  fish: (name) => `set -e ${name};`,
  csh: (name) => `unsetenv ${name};`,
  powershell: (name) => `Remove-Item Env:${name} -ErrorAction SilentlyContinue`,
  dotenv: () => undefined,
};

function quoteForSh(value: string): string {
  return /^[\w:/.@+-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
}
