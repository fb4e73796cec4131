/**
 * The configuration file, as SAM has it: `samconfig.toml`, `samconfig.yaml` or `samconfig.yml`, in which
 * `[ENVIRONMENT.COMMAND.parameters]` sets options by their names. Lamella reads `[ENVIRONMENT.lamella.parameters]` for all
 * of its commands and `[ENVIRONMENT.lamella_COMMAND.parameters]` for one. With less weight, every command takes what it has
 * from SAM's section `global`, and commands that SAM has too read SAM's section for them. A flag and an environment variable win over the file.
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
/** SAM's sections, by the commands that read them, the weightiest last. `diff` and `destroy` take of `deploy` what they have. */
const SAM_SECTIONS: Readonly<Record<string, readonly string[]>> = {
  build: ['build'],
  deploy: ['deploy'],
  diff: ['deploy'],
  destroy: ['deploy', 'delete'],
};
/** Options of SAM that have no effect on the result, or none that Lamella could get wrong. */
const WITHOUT_EFFECT = new Set([
  ...[
    'beta-features',
    'debug',
    'no-progressbar',
    'save-params',
    'save-image-repository',
    'parallel',
    'cached',
    'use-json',
  ],
  ...['force-upload', 'max-wait-duration', 'resolve-image-repos', 'image-repository', 'image-repositories', 'metadata'],
]);
/** Options of SAM that would change the result. */
const REFUSED: Readonly<Record<string, string>> = {
  'use-container': 'builds run without Docker',
  'build-in-source': 'builds run in a copy',
  'signing-profiles': 'Lamella does not sign code',
  'kms-key-id': 'the bucket decides how its objects are encrypted',
};

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
    ...samParametersOf(environment, name, command, file, own),
    ...parametersOf(environment, name, SECTION, file, all),
    ...parametersOf(environment, name, section, file, own),
  ]);
  return { file, values: new Map([...values].filter(([key]) => own.has(key))) };
}

/**
 * What SAM's sections set. `global` is for all commands of SAM: options that this command does not have are not meant for
 * it. In the command's own section, an option that would have an effect is refused.
 */
function samParametersOf(
  environment: Json,
  name: string,
  command: string,
  file: string,
  own: ReadonlySet<string>,
): [string, unknown][] {
  const sections = Object.hasOwn(SAM_SECTIONS, command) ? (SAM_SECTIONS[command] ?? []) : [];
  const entriesOf = (section: string) =>
    tableOf(environment, section, name, file).map(([key, value]) => [key.replaceAll('_', '-'), value] as const);
  for (const [option, value] of sections.includes(command) ? entriesOf(command) : []) {
    const isKnown = [option, `no-${option}`, option.replace(/^no-/, '')].some((each) => own.has(each));
    if (isKnown || WITHOUT_EFFECT.has(option) || value === false) continue;
    const reason = Object.hasOwn(REFUSED, option) ? `: ${REFUSED[option]}` : '';
    const key = option.replaceAll('-', '_');
    throw invalid(
      file,
      `[${name}.${command}.parameters] sets ${key}, which \`lamella ${command}\` does not have${reason}`,
    );
  }
  return ['global', ...sections].flatMap(entriesOf).flatMap(([option, value]): [string, unknown][] => {
    if (own.has(option)) return [[option, value]];
    // `confirm_changeset = false` for --no-confirm-changeset.
    return own.has(`no-${option}`) && typeof value === 'boolean' ? [[`no-${option}`, !value]] : [];
  });
}

/** The entries of one section's parameters. */
function tableOf(environment: Json, section: string, name: string, file: string): [string, unknown][] {
  const key = Object.keys(environment).find((candidate) => candidate.replaceAll('-', '_') === section);
  const table = key === undefined ? undefined : environment[key];
  const parameters = isTable(table) ? (table.parameters ?? {}) : {};
  if (!isTable(parameters)) throw invalid(file, `[${name}.${key}.parameters] is not a table`);
  return Object.entries(parameters);
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
