/** Completion scripts in the real shells. A shell that is not installed is left out. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildIfStale, lamella } from '../../test/support/built-cli.ts';
import { COMPLETION_SHELLS, renderCompletion } from './completion.ts';
import { COMMANDS, PARENT_COMMANDS } from './main.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'lamella-completion-'));
  writeFileSync(join(directory, 'event.json'), '{}');
  for (const shell of COMPLETION_SHELLS) {
    writeFileSync(join(directory, shell), renderCompletion(shell, COMMANDS, PARENT_COMMANDS));
  }
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Sets the words of the line as bash does, and prints what it would offer. */
const BASH = `source ./bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lamella; printf "%s\\n" "\${COMPREPLY[@]}"`;
/** The functions of zsh's completion system record what they are given. */
const ZSH = `compdef() { }
_describe() { print -l -- \${(P)argv[-1]} }
compadd() { shift; print -l -- "$@" }
_files() { print -l -- *(N) }
source ./zsh; words=("$@"); CURRENT=$#; _lamella`;

function complete(shell: string, ...words: string[]): string[] {
  const line = words.map((word) => (word === '' ? "''" : word)).join(' ');
  const args: readonly string[] =
    {
      bash: ['--norc', '-c', BASH, 'bash', ...words],
      zsh: ['-f', '-c', ZSH, 'zsh', ...words],
      fish: ['--no-config', '-c', `source ./fish; complete -C ${JSON.stringify(line.replace(/''$/, ''))}`],
    }[shell] ?? [];
  const { stdout, stderr } = spawnSync(shell, args, { cwd: directory, encoding: 'utf8' });
  expect(stderr).toBe('');
  const last = words.at(-1) ?? '';
  const offered = stdout.split('\n').map((text) => text.split(/[\t:]/)[0] ?? '');
  return offered.filter((text) => text !== '' && text.startsWith(last));
}

const installed = COMPLETION_SHELLS.filter((shell) => spawnSync(shell, ['-c', 'true']).error === undefined);

describe.each(installed)('completion in %s', (shell) => {
  it('offers commands, at every level', () => {
    expect(complete(shell, 'lamella', 'inv')).toEqual(['invoke']);
    expect(complete(shell, 'lamella', 'layer', '').sort()).toEqual(['build', 'diff', 'inspect']);
    expect(complete(shell, 'lamella', 'layer', 'build', 'php').sort()).toEqual(['php', 'php-extension']);
  });

  it('offers the options of the command, and their values', () => {
    expect(complete(shell, 'lamella', 'layer', 'build', 'php', '--ex')).toEqual(['--extensions']);
    expect(complete(shell, 'lamella', 'layer', 'build', 'php', '--variant', '').sort()).toEqual([
      'full',
      'http',
      'lean',
    ]);
    expect(complete(shell, 'lamella', 'start', '--det')).toEqual(['--detach']);
    expect(complete(shell, 'lamella', 'list', '--det')).toEqual([]);
  });

  it('offers files where a value can be one', () => {
    expect(complete(shell, 'lamella', 'invoke', 'hello', '-e', 'ev')).toEqual(['event.json']);
    expect(complete(shell, 'lamella', 'layer', 'inspect', 'ev')).toEqual(['event.json']);
  });
});

it('bash is installed, and the scripts come from lamella completion', { timeout: 120_000 }, async () => {
  buildIfStale();
  expect(installed).toContain('bash');
  const { stdout } = await lamella(['completion', 'bash']);
  expect(stdout.toString()).toBe(renderCompletion('bash', COMMANDS, PARENT_COMMANDS));
  const wrong = await lamella(['completion', 'zhs']);
  expect(wrong.stderr).toContain('No completion for "zhs". Did you mean zsh?');
  expect(wrong.code).toBe(2);
});

it('lamella version prints the versions, and cache clean removes only what Lamella has put there', async () => {
  const version = JSON.parse((await lamella(['version', '--json'])).stdout.toString());
  expect(version).toMatchObject({ node: process.versions.node, platform: 'linux' });
  const cache = join(directory, 'cache');
  mkdirSync(join(cache, 'npm', 'x'), { recursive: true });
  mkdirSync(join(cache, 'mine'));
  writeFileSync(join(cache, 'npm', 'x', 'file'), 'x'.repeat(2_000_000));
  const clean = (...args: string[]) => lamella(['cache', 'clean', '--cache-dir', cache, ...args]);
  expect((await clean('--dry-run')).stdout.toString()).toBe(`Would remove 2.0 MB from ${cache}.\n`);
  expect((await clean()).stdout.toString()).toBe(`Removed 2.0 MB from ${cache}.\n`);
  expect((await clean()).stdout.toString()).toBe(`Nothing in ${cache}.\n`);
  expect(spawnSync('ls', [cache], { encoding: 'utf8' }).stdout).toBe('mine\n');
});

it('a command, an option or an extension that does not exist is answered with the one that was probably meant', async () => {
  const errors = await Promise.all(
    [['inovke'], ['layer', 'biuld'], ['start', '--ephemerl'], ['layer', 'build', 'pph']].map(
      async (args) => (await lamella(args)).stderr,
    ),
  );
  for (const [at, name] of ['invoke', 'build', '--ephemeral', 'php'].entries()) {
    expect(errors[at]).toContain(`Did you mean ${name}?`);
  }
});
