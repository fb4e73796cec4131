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

/** The files that git ignores. */
function gitIgnored(text: string): string[] {
  const workspace = mkdtempSync(join(tmpdir(), 'lamella-ignore-'));
  try {
    for (const file of FILES) {
      mkdirSync(dirname(join(workspace, file)), { recursive: true });
      writeFileSync(join(workspace, file), '');
    }
    writeFileSync(join(workspace, '.gitignore'), text);
    const git = (...args: string[]) => execFileSync('git', args, { cwd: workspace, encoding: 'utf8' });
    git('init', '-q');
    const kept = git('ls-files', '-z', '--others', '--exclude-standard').split('\0');
    return FILES.filter((file) => !kept.includes(file));
  } finally {
    rmSync(workspace, { recursive: true });
  }
}

/** The files that `parseIgnore` ignores. */
function ignored(text: string): string[] {
  const rules = parseIgnore(text);
  return FILES.filter((file) => rules.ignores(file, false));
}

describe('.lamellaignore', () => {
  it.each([
    ['a name anywhere', '*.log'],
    ['a name included again', '*.log\n!keep.log'],
    ['a name at the root', '/a.log'],
    ['directories anywhere', 'build/'],
    ['a directory at the root', '/build/'],
    ['a path', 'docs/readme.md'],
    ['any depth at the beginning', '**/er/index.ts'],
    ['any depth in the middle', 'src/**/index.ts'],
    ['everything below', 'src/**'],
    ['one character', 'file?.txt'],
    ['a set', 'file[0-9].txt'],
    ['a negated set', 'a[!-]b.txt'],
    ['a set with a hyphen', 'a[-_]b.txt'],
    ['an escaped bracket', 'file\\[1\\].txt'],
    ['escaped # and !', '\\#comment\n\\!bang'],
    ['an escaped space at the end', 'with space\\ '],
    ['comments and empty lines', '# *.ts\n\n   \n*.json'],
    ['a star in a path', 'x/*/z'],
    ['a file below an ignored directory', 'src/\n!src/index.ts'],
    ['everything but one directory', '/*\n!/src/'],
    ['characters of regular expressions', 'a.log\n(a+b)'],
    ['a character class', 'file[[:digit:]].txt'],
    ['upper and lower case as different', 'SRC/\n*.LOG'],
  ])('understands %s as git does', (_what, text) => {
    expect(ignored(text)).toEqual(gitIgnored(text));
  });

  it('ignores version control directories and itself by default', () => {
    const { ignores } = parseIgnore('');
    expect([ignores('.git', true), ignores('.lamellaignore', false), ignores('src', true)]).toEqual([
      true,
      true,
      false,
    ]);
    expect(parseIgnore('!.git/').ignores('.git', true)).toBe(false);
  });

  it('can include a directory, and still ignores files in it', () => {
    const rules = parseIgnore('node_modules/\n*.map').including(['node_modules/@acme/tiny', 'node_modules/a[b]']);
    expect(rules.ignores('node_modules/@acme/tiny/index.js', false)).toBe(false);
    expect(rules.ignores('node_modules/a[b]/index.js', false)).toBe(false);
    expect(rules.ignores('node_modules/@acme/tiny/index.js.map', false)).toBe(true);
    expect(rules.ignores('src/node_modules/other/index.js', false)).toBe(true);
  });
});
