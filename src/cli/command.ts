/**
 * A command is a row of texts and options, and a module that is loaded only when the command runs, so that
 * `lamella --help` is fast. Builds commander's commands from such rows; knows no single command.
 */
import { type Command, type Help, Option } from 'commander';
import type { Given, OptionRow } from '../options.ts';

/** A parsed command line: arguments in order, options by their name in the table. */
export type ParsedCommandLine = { readonly args: readonly string[]; readonly given: Given };

/** Runs the command and resolves to the exit code. */
export type Run = (commandLine: ParsedCommandLine) => Promise<number>;

/** An option of a single command, without an environment variable. All others are in `options.ts`. */
type OwnOption = {
  readonly flag: string;
  readonly help: string;
  readonly choices?: readonly string[];
  /** Shown in the help. The command itself applies it. */
  readonly default?: string;
};

/** Headings of `lamella --help`, in their order. */
export const HELP_GROUPS = [
  'Run functions',
  'Use the service',
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

/** Adds a command to `program`. Calls `done` with the exit code when the command has run. */
export function addCommand(
  program: Command,
  row: CommandRow,
  parents: ParentCommands,
  done: (exitCode: number) => void,
): void {
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
  /** commander's attribute names -> names in the option tables. */
  const names = new Map<string, string>();
  for (const group of row.options) {
    const entries: [string | undefined, OptionRow | OwnOption][] = Array.isArray(group)
      ? group.map((own: OwnOption) => [undefined, own])
      : Object.entries(group as Record<string, OptionRow>);
    for (const [name, option] of entries) {
      if (option.flag === undefined) continue;
      const made = toOption(option.flag, option);
      names.set(made.attributeName(), name ?? made.attributeName());
      command.addOption(made);
    }
  }
  command.addHelpText('after', `\nExamples:\n${renderExamples(row.examples)}`);
  command.action(async () => {
    const given = Object.entries(command.opts()).map(([name, value]) => [names.get(name) ?? name, value]);
    const { run } = await row.load();
    done(await run({ args: command.args, given: Object.fromEntries(given) }));
  });
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
  if ('type' in row && (row.type === 'names' || row.type === 'lines' || row.type === 'strictness')) {
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
