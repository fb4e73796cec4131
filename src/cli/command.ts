/**
 * A command is a row of texts and options, and a module that is loaded only when the command runs, so that
 * `lamella --help` is fast. Builds commander's commands from such rows; knows no single command.
 */
import { type Command, type Help, Option } from 'commander';
import { OperatorError } from '../operator-error.ts';
import { FileValue, type Given, type OptionRow } from '../options.ts';
import type { FileOptions } from './config-file.ts';

/** A parsed command line: arguments in order, options by their name in the table. */
export type ParsedCommandLine = { readonly args: readonly string[]; readonly given: Given };

/** Runs the command and resolves to the exit code. */
export type Run = (commandLine: ParsedCommandLine) => Promise<number>;

/** An option of a single command, without an environment variable. All others are in `options.ts`. */
type OwnOption = {
  readonly flag: string;
  readonly help: string;
  readonly choices?: readonly string[];
  /** Whether it can be given several times; the value is then a list. */
  readonly isRepeatable?: true;
  /** Shown in the help. The command itself applies it. */
  readonly default?: string;
};

/** Headings of `lamella --help`, in their order. */
export const HELP_GROUPS = [
  'Run functions',
  'Use the service',
  'Build and deploy',
  'Build packages and layers',
  'Work with templates',
  'Check this machine',
] as const;

export type CommandRow = {
  /** As typed after `lamella`: `layer build php`. */
  readonly name: string;
  readonly group: (typeof HELP_GROUPS)[number];
  readonly summary: string;
  /** `<name>` or `[name]`, with its help. */
  readonly args?: Readonly<Record<string, string>>;
  readonly options: readonly (Readonly<Record<string, OptionRow>> | readonly OwnOption[])[];
  readonly examples: readonly (readonly [effect: string, commandLine: string])[];
  /** Everything from the first argument on belongs to another program, options included. */
  readonly passesThrough?: true;
  readonly load: () => Promise<{ readonly run: Run }>;
};

/** The commands that only have subcommands (`layer`, `layer build`), with their summaries. */
export type ParentCommands = Readonly<Record<string, string>>;

export type AddedCommand = {
  readonly parents: ParentCommands;
  /** The option names of all commands, without `--`. */
  readonly allOptions: ReadonlySet<string>;
  /** Called with the exit code when the command has run. */
  readonly done: (exitCode: number) => void;
};

/** The names of a command's options, without `--`. */
export function optionNamesOf({ options }: Pick<CommandRow, 'options'>): string[] {
  return options
    .flatMap((group) => Object.values(group) as (OptionRow | OwnOption)[])
    .flatMap(({ flag }) => (flag === undefined ? [] : nameOfOption(new Option(flag))));
}

/** Adds a command to `program`. */
export function addCommand(program: Command, row: CommandRow, { parents, allOptions, done }: AddedCommand): void {
  const words = row.name.split(' ');
  const parent = words.slice(0, -1).reduce((above, word, depth) => {
    const known = above.commands.find((command) => command.name() === word);
    return (
      known ??
      above
        .command(word)
        .helpCommand(false)
        .usage('<command> [options]')
        .description(parents[words.slice(0, depth + 1).join(' ')] ?? '')
    );
  }, program);
  const command = parent
    .command(words.at(-1) ?? '')
    .description(row.summary)
    .helpGroup(`${row.group}:`)
    .showHelpAfterError(`Run \`lamella ${row.name} --help\` to see how to use it.`);
  for (const [name, help] of Object.entries(row.args ?? {})) command.argument(name, help);
  if (row.passesThrough) command.passThroughOptions().allowUnknownOption();
  /** By the name without `--`. */
  const known = new Map<string, KnownOption>();
  for (const group of row.options) {
    const entries: [string | undefined, OptionRow | OwnOption][] = Array.isArray(group)
      ? group.map((own: OwnOption) => [undefined, own])
      : Object.entries(group as Record<string, OptionRow>);
    for (const [name, option] of entries) {
      if (option.flag === undefined) continue;
      const made = toOption(option.flag, option);
      const key = name ?? made.attributeName();
      known.set(nameOfOption(made), { key, option: made, isOwn: name === undefined });
      command.addOption(made);
    }
  }
  command.addHelpText('after', `\nExamples:\n${renderExamples(row.examples)}`);
  const readsFile = known.size > 0;
  if (readsFile) for (const option of configurationOptions()) command.addOption(option);
  command.action(async () => {
    const { configFile, configEnv, ...flags } = command.opts() as Given;
    const given: Record<string, unknown> = {};
    for (const { key, option } of known.values()) {
      if (flags[option.attributeName()] !== undefined) given[key] = flags[option.attributeName()];
    }
    if (readsFile) {
      const { readFileOptions } = await import('./config-file.ts');
      const found = await readFileOptions(row.name, { configFile, configEnv }, new Set(known.keys()), allOptions);
      if (found !== undefined) addFileOptions(command, given, known, found);
    }
    const { run } = await row.load();
    done(await run({ args: command.args, given }));
  });
}

type KnownOption = {
  /** Its name in the given options. */
  readonly key: string;
  readonly option: Option;
  /** Whether only this command has it, so that no environment variable can come between flag and file. */
  readonly isOwn: boolean;
};

/** In every command, so not in every help. `lamella --help` names them. */
function configurationOptions(): Option[] {
  return [
    new Option('--config-file <file>', 'Configuration file.').hideHelp(),
    new Option('--config-env <name>', 'Environment in the configuration file.').hideHelp(),
  ];
}

/** Adds the values of a configuration file where no flag is given. Those of tables still yield to a variable. */
function addFileOptions(
  command: Command,
  given: Record<string, unknown>,
  known: ReadonlyMap<string, KnownOption>,
  { file, values }: FileOptions,
): void {
  for (const [name, raw] of values) {
    const { key, option, isOwn } = known.get(name) ?? {};
    if (key === undefined || option === undefined) continue;
    if (command.getOptionValueSource(option.attributeName()) === 'cli') continue;
    const value = Array.isArray(raw) ? raw.map(String) : typeof raw === 'boolean' ? raw : String(raw);
    const source = `The option "${name.replaceAll('-', '_')}" in ${file}`;
    given[key] = isOwn ? checkOwn(option, value, source) : new FileValue(value, source);
  }
}

/** A value as commander would make it from a flag. */
function checkOwn(option: Option, value: unknown, source: string): unknown {
  const isSwitch = !option.required && !option.optional;
  const choices = option.argChoices;
  const problem = isSwitch
    ? typeof value !== 'boolean' && 'must be true or false'
    : choices !== undefined && !choices.includes(String(value)) && `must be one of ${choices.join(', ')}`;
  if (problem) throw new OperatorError('config-value', { source, problem });
  if (isSwitch) return option.negate ? !value : value;
  if (option.variadic) return Array.isArray(value) ? value.map(String) : [String(value)];
  return Array.isArray(value) ? value.join(',') : String(value);
}

function nameOfOption(option: Option): string {
  return (option.long ?? option.short ?? '').replace(/^--?/, '');
}

/** The help of a parent command lists every command below it by its full name, at any depth. */
export const HELP_CONFIGURATION: Partial<Help> = {
  visibleCommands: leavesOf,
  subcommandTerm: nameOf,
  // `describe` has added choices and default.
  optionDescription: (option) => option.description,
};

/** Renders examples, each below the comment that explains it. */
export function renderExamples(examples: CommandRow['examples']): string {
  return examples.map(([effect, line]) => `  # ${effect}\n  $ ${line}`).join('\n\n');
}

function leavesOf(command: Command): Command[] {
  return command.commands.flatMap((child) => (child.commands.length === 0 ? [child] : leavesOf(child)));
}

/** The name as typed after `lamella`. */
function nameOf(command: Command): string {
  const { parent } = command;
  return parent === null || parent.parent === null ? command.name() : `${nameOf(parent)} ${command.name()}`;
}

function toOption(flag: string, row: OptionRow | OwnOption): Option {
  const option = new Option(flag, describe(row));
  if ('choices' in row && row.choices) option.choices(row.choices);
  const repeats = 'isRepeatable' in row && row.isRepeatable === true;
  if (
    repeats ||
    ('type' in row &&
      (row.type === 'names' || row.type === 'lines' || row.type === 'paths' || row.type === 'strictness'))
  ) {
    option.argParser((value, previous) => [...(Array.isArray(previous) ? previous : []), value]);
  }
  return option;
}

/** The help of an option with its choices, default and variables. */
function describe(row: OptionRow | OwnOption): string {
  const ownDefault = typeof row.default === 'string' ? row.default : undefined;
  const fallback = ('type' in row ? row.defaultText : undefined) ?? ownDefault;
  const choices = 'choices' in row ? (row.choices ?? []) : [];
  const variables = 'type' in row ? row.variables : [];
  const facts = [
    ...(choices.length > 0 ? [`choices: ${choices.join(', ')}`] : []),
    ...(fallback !== undefined && fallback !== 'false' ? [`default: ${fallback}`] : []),
    ...(variables.length > 0 ? [`variable: ${variables.join(', ')}`] : []),
  ];
  return facts.length > 0 ? `${row.help} (${facts.join('; ')})` : row.help;
}
