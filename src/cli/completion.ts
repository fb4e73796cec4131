/**
 * Completion scripts for bash, zsh and fish, made from the commands' own tables. A script holds all words, so that
 * completing starts no process. Files are completed wherever neither a command nor an option is expected.
 */
import { Option } from 'commander';
import type { OptionRow } from '../options.ts';
import type { CommandRow } from './command.ts';

export const COMPLETION_SHELLS = ['bash', 'zsh', 'fish'] as const;
export type CompletionShell = (typeof COMPLETION_SHELLS)[number];

/** What can follow a command: `` for `lamella` itself, `layer build` and so on. */
type Level = {
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly summary: string }[];
  readonly options: readonly CompletedOption[];
};

type CompletedOption = {
  readonly long: string;
  readonly short: string | undefined;
  readonly help: string;
  readonly takesValue: boolean;
  readonly choices: readonly string[];
};

type Rows = readonly Pick<CommandRow, 'name' | 'summary' | 'options'>[];

/** The script that a shell evaluates. */
export function renderCompletion(
  shell: CompletionShell,
  rows: Rows,
  parents: Readonly<Record<string, string>>,
): string {
  const levels = levelsOf(rows, parents);
  return { bash: renderBash, zsh: renderZsh, fish: renderFish }[shell](levels);
}

function levelsOf(rows: Rows, parents: Readonly<Record<string, string>>): Level[] {
  const all = [...rows, ...Object.entries(parents).map(([name, summary]) => ({ name, summary, options: [] }))];
  const paths = ['', ...all.map(({ name }) => name)];
  return paths.map((path) => ({
    path,
    commands: all
      .filter(({ name }) => parentOf(name) === path)
      .map(({ name, summary }) => ({ name: name.split(' ').at(-1) ?? '', summary })),
    options: optionsOf(all.find(({ name }) => name === path)?.options ?? []),
  }));
}

function parentOf(name: string): string {
  return name.split(' ').slice(0, -1).join(' ');
}

function optionsOf(groups: CommandRow['options']): CompletedOption[] {
  type Row = { readonly flag: string | undefined; readonly help: string; readonly choices?: readonly string[] };
  const rows = groups.flatMap((group) => Object.values(group) as readonly (OptionRow & Row)[]);
  const help = { long: '--help', short: '-h', help: 'Print the help', takesValue: false, choices: [] };
  const own = rows.flatMap((row) => {
    if (row.flag === undefined) return [];
    const { long, short, required, optional } = new Option(row.flag);
    const takesValue = required || optional;
    return long == null
      ? []
      : { long, short: short ?? undefined, help: row.help, takesValue, choices: row.choices ?? [] };
  });
  return [...own, help];
}

/** The first sentence, on one line. */
function brief(help: string): string {
  return (/^.*?[.](?= |$)/s.exec(help)?.[0] ?? help).replace(/\.$/, '').replace(/\s+/g, ' ');
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function renderBash(levels: readonly Level[]): string {
  const rows = levels.flatMap(({ path, commands, options }) => [
    `    ${quote(`c:${path}`)}) REPLY=${quote(commands.map(({ name }) => name).join(' '))} ;;`,
    `    ${quote(`o:${path}`)}) REPLY=${quote(options.map(({ long }) => long).join(' '))} ;;`,
    ...options
      .filter(({ takesValue }) => takesValue)
      .map(({ long, short, choices }) => {
        const names = [long, ...(short === undefined ? [] : [short])].map((name) => quote(`v:${path}:${name}`));
        return `    ${names.join('|')}) REPLY=${quote(choices.join(' ') || '-')} ;;`;
      }),
  ]);
  return `# Completion of lamella for bash: eval "$(lamella completion bash)"
_lamella_words() {
  REPLY=
  case "$1" in
${rows.join('\n')}
  esac
}
_lamella() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" path="" word i REPLY
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    _lamella_words "c:$path"
    case " $REPLY " in
      *" $word "*) path="\${path:+$path }$word" ;;
      *) break ;;
    esac
  done
  _lamella_words "v:$path:$prev"
  if [[ "$REPLY" == - ]]; then
    COMPREPLY=($(compgen -f -- "$cur"))
  elif [[ -n "$REPLY" ]]; then
    COMPREPLY=($(compgen -W "$REPLY" -- "$cur"))
  elif [[ "$cur" == -* ]]; then
    _lamella_words "o:$path"
    COMPREPLY=($(compgen -W "$REPLY" -- "$cur"))
  else
    _lamella_words "c:$path"
    if [[ -n "$REPLY" ]]; then COMPREPLY=($(compgen -W "$REPLY" -- "$cur")); else COMPREPLY=($(compgen -f -- "$cur")); fi
  fi
}
complete -o filenames -F _lamella lamella
`;
}

function renderZsh(levels: readonly Level[]): string {
  const describe = (name: string, help: string) => quote(`${name.replaceAll(':', '\\:')}:${brief(help)}`);
  const rows = levels.flatMap(({ path, commands, options }) => [
    `    ${quote(`c:${path}`)}) reply=(${commands.map(({ name, summary }) => describe(name, summary)).join(' ')}) ;;`,
    `    ${quote(`o:${path}`)}) reply=(${options.map(({ long, help }) => describe(long, help)).join(' ')}) ;;`,
    ...options
      .filter(({ takesValue }) => takesValue)
      .map(({ long, short, choices }) => {
        const names = [long, ...(short === undefined ? [] : [short])].map((name) => quote(`v:${path}:${name}`));
        return `    ${names.join('|')}) reply=(${choices.length > 0 ? choices.map(quote).join(' ') : '-'}) ;;`;
      }),
  ]);
  return `#compdef lamella
# Completion of lamella for zsh: eval "$(lamella completion zsh)"
_lamella_words() {
  reply=()
  case "$1" in
${rows.join('\n')}
  esac
}
_lamella() {
  local at="" word
  local -a reply
  for word in "\${(@)words[2,CURRENT-1]}"; do
    _lamella_words "c:$at"
    (( \${reply[(I)\${(b)word}:*]} )) || break
    at="\${at:+$at }$word"
  done
  _lamella_words "v:$at:\${words[CURRENT-1]}"
  if [[ "$reply[1]" == - ]]; then _files; return; fi
  if (( \${#reply} )); then compadd -- "\${reply[@]}"; return; fi
  if [[ "\${words[CURRENT]}" == -* ]]; then
    _lamella_words "o:$at"
    _describe -o option reply
    return
  fi
  _lamella_words "c:$at"
  if (( \${#reply} )); then _describe command reply; else _files; fi
}
compdef _lamella lamella
`;
}

function renderFish(levels: readonly Level[]): string {
  const quoted = (text: string) => `'${text.replace(/[\\']/g, '\\$&')}'`;
  const lines = levels.flatMap(({ path, commands, options }) => {
    const at = `-n ${quoted(`__lamella_at ${quoted(path)}`)}`;
    return [
      ...commands.map(
        ({ name, summary }) => `complete -c lamella -f ${at} -a ${quoted(name)} -d ${quoted(brief(summary))}`,
      ),
      ...options.map(({ long, short, help, takesValue, choices }) => {
        const letter = short === undefined ? '' : ` -s ${short.slice(1)}`;
        const value = !takesValue ? '' : choices.length === 0 ? ' -r' : ` -x -a ${quoted(choices.join(' '))}`;
        return `complete -c lamella ${at} -l ${long.slice(2)}${letter}${value} -d ${quoted(brief(help))}`;
      }),
    ];
  });
  const parents = levels.filter(({ commands }) => commands.length > 0);
  const cases = parents.map(
    ({ path, commands }) => `            case ${commands.map(({ name }) => quoted(`${path}:${name}`)).join(' ')}`,
  );
  return `# Completion of lamella for fish: lamella completion fish | source
function __lamella_at
    set -l tokens (commandline -opc)
    set -l at ''
    for word in $tokens[2..]
        switch "$at:$word"
${cases.map((line) => `${line}\n                set at (string trim -- "$at $word")`).join('\n')}
            case '*'
                break
        end
    end
    test "$at" = "$argv[1]"
end
${lines.join('\n')}
`;
}
