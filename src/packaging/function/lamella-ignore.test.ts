import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseIgnore } from './lamella-ignore.ts';

const FILES = [
  'a.log',
  'keep.log',
  'src/a.log',
  'src/index.ts',
  'src/deep/er/index.ts',
  'src/deep/er/data.json',
  'build/out.js',
  'src/build/out.js',
  'docs/readme.md',
  'docs/a/readme.md',
  'file[1].txt',
  'file1.txt',
  'with space ',
  '#comment',
  '!bang',
  'x/y/z',
  'a-b.txt',
  'a_b.txt',
];

/** Which files git leaves out, asked of git itself. */
function gitIgnored(text: string): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'lamella-ignore-'));
  try {
    for (const file of FILES) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), '');
    }
    writeFileSync(join(folder, '.gitignore'), text);
    const git = (...args: string[]) => execFileSync('git', args, { cwd: folder, encoding: 'utf8' });
    git('init', '-q');
    const kept = git('ls-files', '-z', '--others', '--exclude-standard').split('\0');
    return FILES.filter((file) => !kept.includes(file));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The files that our rules ignore. */
function ignored(text: string): string[] {
  const rules = parseIgnore(text);
  return FILES.filter((file) => rules.ignores(file, false));
}

describe('.lamellaignore', () => {
  it.each([
    ['a name anywhere', '*.log'],
    ['a name taken back', '*.log\n!keep.log'],
    ['a name at the root', '/a.log'],
    ['folders anywhere', 'build/'],
    ['a folder at the root', '/build/'],
    ['a path', 'docs/readme.md'],
    ['any depth before', '**/er/index.ts'],
    ['any depth between', 'src/**/index.ts'],
    ['everything below', 'src/**'],
    ['one character', 'file?.txt'],
    ['a set', 'file[0-9].txt'],
    ['a set of others', 'a[!-]b.txt'],
    ['a set with a hyphen', 'a[-_]b.txt'],
    ['an escaped bracket', 'file\\[1\\].txt'],
    ['an escaped sign', '\\#comment\n\\!bang'],
    ['a space at the end that is meant', 'with space\\ '],
    ['comments and empty lines', '# *.ts\n\n   \n*.json'],
    ['a star within a path', 'x/*/z'],
    ['what cannot be taken back', 'src/\n!src/index.ts'],
    ['everything but one', '/*\n!/src/'],
    ['characters of regular expressions', 'a.log\n(a+b)'],
    ['a character class', 'file[[:digit:]].txt'],
    ['upper and lower case as different', 'SRC/\n*.LOG'],
  ])('understands %s as git does', (_what, text) => {
    expect(ignored(text)).toEqual(gitIgnored(text));
  });

  it('leaves out the traces of version control and itself, unless told otherwise', () => {
    const { ignores } = parseIgnore('');
    expect([ignores('.git', true), ignores('.lamellaignore', false), ignores('src', true)]).toEqual([
      true,
      true,
      false,
    ]);
    expect(parseIgnore('!.git/').ignores('.git', true)).toBe(false);
  });

  it('can be made to include a directory, and still ignores files in it', () => {
    const rules = parseIgnore('node_modules/\n*.map').including(['node_modules/@acme/tiny', 'node_modules/a[b]']);
    expect(rules.ignores('node_modules/@acme/tiny/index.js', false)).toBe(false);
    expect(rules.ignores('node_modules/a[b]/index.js', false)).toBe(false);
    expect(rules.ignores('node_modules/@acme/tiny/index.js.map', false)).toBe(true);
    expect(rules.ignores('src/node_modules/other/index.js', false)).toBe(true);
  });
});
