/**
 * The configuration file, as SAM has it: `samconfig.toml`, `samconfig.yaml` or `samconfig.yml`, in which
 * `[ENVIRONMENT.COMMAND.parameters]` sets options by their names. Lamella reads `[ENVIRONMENT.lamella.parameters]` for all
 * of its commands and `[ENVIRONMENT.lamella_COMMAND.parameters]` for one. A flag and an environment variable win over it.
 * https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-config.html
 */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { OperatorError } from '../operator-error.ts';
import { nearestOf, variable } from '../options.ts';

/** As SAM looks for them. */
const FILE_NAMES = ['samconfig.toml', 'samconfig.yaml', 'samconfig.yml'] as const;
const DEFAULT_ENVIRONMENT = 'default';
const SECTION = 'lamella';

type Json = Readonly<Record<string, unknown>>;

/** What a file sets for one command. */
export type FileOptions = {
  /** As given or found, for messages. */
  readonly file: string;
  /** Values by option name in kebab-case, without `--`. */
  readonly values: ReadonlyMap<string, unknown>;
};

export type FileChoice = { readonly configFile?: unknown; readonly configEnv?: unknown };

/**
 * Reads the options of a command. Undefined if there is no file. `own` are the option names of the command, `all` those of
 * every command: the section that is for all commands can have any of them.
 * @throws OperatorError 'file-unreadable', 'config-invalid'
 */
export async function readFileOptions(
  command: string,
  choice: FileChoice,
  own: ReadonlySet<string>,
  all: ReadonlySet<string>,
): Promise<FileOptions | undefined> {
  const named = textOf(choice.configFile) ?? variable('LAMELLA_CONFIG_FILE') ?? variable('SAM_CONFIG_FILE');
  const file = named ?? FILE_NAMES.find((name) => existsSync(name));
  if (file === undefined) return undefined;
  const root = await parseFile(file);
  const wanted = textOf(choice.configEnv) ?? variable('LAMELLA_CONFIG_ENV') ?? variable('SAM_CONFIG_ENV');
  const name = wanted ?? DEFAULT_ENVIRONMENT;
  const environments = Object.keys(root).filter((key) => isTable(root[key]));
  const environment = root[name];
  if (!isTable(environment)) {
    if (wanted === undefined) return { file, values: new Map() };
    const known = environments.length > 0 ? `It has ${environments.join(', ')}.` : 'It has no environment.';
    throw invalid(file, `there is no environment "${name}". ${known}`);
  }
  const section = `${SECTION}_${command.replaceAll(' ', '_').replaceAll('-', '_')}`;
  const values = new Map([
    ...parametersOf(environment, name, SECTION, file, all),
    ...parametersOf(environment, name, section, file, own),
  ]);
  return { file, values: new Map([...values].filter(([key]) => own.has(key))) };
}

/** The parameters of one section, with the names of options; a name that no option has is an error. */
function parametersOf(
  environment: Json,
  name: string,
  section: string,
  file: string,
  known: ReadonlySet<string>,
): [string, unknown][] {
  // SAM accepts `-` and `_` in names alike.
  const key = Object.keys(environment).find((candidate) => candidate.replaceAll('-', '_') === section);
  if (key === undefined) return [];
  const place = `[${name}.${key}.parameters]`;
  const parameters = isTable(environment[key]) ? (environment[key].parameters ?? {}) : undefined;
  if (!isTable(parameters)) throw invalid(file, `${place} is not a table`);
  return Object.entries(parameters).map(([given, value]) => {
    const option = given.replaceAll('_', '-');
    if (!known.has(option)) {
      const nearest = nearestOf(option, [...known]);
      const hint = nearest === undefined ? '' : ` Did you mean ${nearest.replaceAll('-', '_')}?`;
      throw invalid(file, `unknown option "${given}" in ${place}.${hint}`);
    }
    if (isTable(value)) throw invalid(file, `"${given}" in ${place} must be a value or a list, not a table`);
    return [option, value];
  });
}

async function parseFile(file: string): Promise<Json> {
  let text: string;
  try {
    text = readFileSync(resolve(file), 'utf8');
  } catch (failure) {
    throw new OperatorError('file-unreadable', { file, reason: (failure as Error).message }, failure);
  }
  try {
    const value = /\.ya?ml$/.test(file) ? (await import('yaml')).parse(text) : (await import('smol-toml')).parse(text);
    if (value === null || value === undefined) return {};
    if (isTable(value)) return value;
  } catch (failure) {
    throw invalid(file, (failure as Error).message.trim(), failure);
  }
  throw invalid(file, 'it must contain tables, one for each environment');
}

function isTable(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function invalid(file: string, reason: string, cause?: unknown): OperatorError {
  return new OperatorError('config-invalid', { file, reason: /[.?]$/.test(reason) ? reason : `${reason}.` }, cause);
}
