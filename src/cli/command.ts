/**
 * What a command is: a row of text and options, and a module that is loaded only when the command runs, so that
 * `lamella --help` answers at once. Builds commander's commands from it; knows none of them by name.
 */
import { type Command, Option } from 'commander';
import type { Given, OptionRow } from '../options.ts';

/** What was typed: arguments in order, options by their name in the table. */
export type Typed = { readonly args: readonly string[]; readonly given: Given };

/** Does the command's work and says with which code the process ends. */
export type Run = (typed: Typed) => Promise<number>;

/** An option that belongs to one command and has no variable; `options.ts` holds the others. */
type OwnOption = { readonly flag: string; readonly help: string; readonly choices?: readonly string[] };

export type CommandRow = {
  /** Words that call it: `layer build php`. */
  readonly words: string;
  readonly summary: string;
  /** `<name>` or `[name]`, with its help. */
  readonly args?: Readonly<Record<string, string>>;
  readonly options: readonly (Readonly<Record<string, OptionRow>> | readonly OwnOption[])[];
  /** Command line and what it does. */
  readonly examples: readonly (readonly [commandLine: string, effect: string])[];
  readonly load: () => Promise<{ readonly run: Run }>;
};

/** Words that only group commands, with their summary. */
export type Groups = Readonly<Record<string, string>>;

/** Adds a command to `program`; `done` receives the exit code. */
export function addCommand(program: Command, row: CommandRow, groups: Groups, done: (exitCode: number) => void): void {
  const words = row.words.split(' ');
  const parent = words.slice(0, -1).reduce((above, word, depth) => {
    const known = above.commands.find((command) => command.name() === word);
    return (
      known ??
      above
        .command(word)
        .helpCommand(false)
        .description(groups[words.slice(0, depth + 1).join(' ')] ?? '')
    );
  }, program);
  const command = parent.command(words.at(-1) ?? '').description(row.summary);
  for (const [name, help] of Object.entries(row.args ?? {})) command.argument(name, help);
  /** commander's own attribute names back to the names of the option tables. */
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
  command.addHelpText('after', `\nExamples:\n${examples(row)}`);
  command.action(async () => {
    const typed = Object.entries(command.opts()).map(([name, value]) => [names.get(name) ?? name, value]);
    const { run } = await row.load();
    done(await run({ args: command.args, given: Object.fromEntries(typed) }));
  });
}

function toOption(flag: string, row: OptionRow | OwnOption): Option {
  const option = new Option(flag, 'type' in row ? describe(row) : row.help);
  if ('choices' in row && row.choices) option.choices(row.choices);
  if ('type' in row && (row.type === 'names' || row.type === 'lines' || row.type === 'strictness')) {
    option.argParser((value, previous) => [...(Array.isArray(previous) ? previous : []), value]);
  }
  return option;
}

/** The help of a row with its default and variables, which commander does not know. */
function describe(row: OptionRow): string {
  const fallback = row.defaultInWords ?? (typeof row.default === 'string' ? row.default : undefined);
  const facts = [
    ...(fallback !== undefined && fallback !== 'false' ? [`default: ${fallback}`] : []),
    ...(row.variables.length > 0 ? [`variable: ${row.variables.join(', ')}`] : []),
  ];
  return facts.length > 0 ? `${row.help} (${facts.join('; ')})` : row.help;
}

function examples(row: CommandRow): string {
  const width = Math.max(...row.examples.map(([line]) => line.length));
  return row.examples.map(([line, effect]) => `  $ ${line.padEnd(width)}   ${effect}`).join('\n');
}
