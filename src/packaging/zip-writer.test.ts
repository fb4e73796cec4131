import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { entriesOfDirectory } from './directory-entries.ts';
import { writeZip } from './zip-writer.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lamella-zip-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('writeZip', () => {
  it('gives the same bytes whatever the order, the times and the time zone', async () => {
    const source = project('a');
    await writeZip(join(folder, '1.zip'), await entriesOfDirectory(source));
    utimesSync(join(source, 'bin/run'), 1_000_000, 1_000_000);
    await writeZip(join(folder, '2.zip'), (await entriesOfDirectory(source)).reverse());
    expect(readFileSync(join(folder, '2.zip')).equals(readFileSync(join(folder, '1.zip')))).toBe(true);
  });

  it('keeps modes, symbolic links and empty folders', async () => {
    await writeZip(join(folder, 'x.zip'), await entriesOfDirectory(project('a')));
    execFileSync('unzip', ['-q', join(folder, 'x.zip'), '-d', join(folder, 'out')]);
    expect(lstatSync(join(folder, 'out/bin/run')).mode & 0o777).toBe(0o755);
    expect(lstatSync(join(folder, 'out/data.txt')).mode & 0o777).toBe(0o640);
    expect(readlinkSync(join(folder, 'out/link'))).toBe('bin/run');
    expect(lstatSync(join(folder, 'out/empty')).isDirectory()).toBe(true);
  });

  it('refuses two entries of one name and leaves nothing behind', async () => {
    const entry = { path: 'a', mode: 0o644, content: { kind: 'bytes', bytes: Buffer.from('x') } } as const;
    await expect(writeZip(join(folder, 'x.zip'), [entry, entry])).rejects.toThrow('two files for a');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('leaves the old archive alone when a file cannot be read', async () => {
    writeFileSync(join(folder, 'x.zip'), 'old');
    const gone = { path: 'a', mode: 0o644, content: { kind: 'file', source: join(folder, 'gone') } } as const;
    await expect(writeZip(join(folder, 'x.zip'), [gone])).rejects.toThrow('ENOENT');
    expect(readFileSync(join(folder, 'x.zip'), 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['x.zip']);
  });
});

describe('entriesOfDirectory', () => {
  it('puts the prefix in front and leaves out what is not admitted, whole folders included', async () => {
    const entries = await entriesOfDirectory(project('a'), { prefix: 'vendor/', admits: (path) => path !== 'bin' });
    expect(entries.map(({ path }) => path).sort()).toEqual(['vendor/data.txt', 'vendor/empty/', 'vendor/link']);
  });
});

function project(name: string): string {
  const root = join(folder, name);
  mkdirSync(join(root, 'bin'), { recursive: true });
  mkdirSync(join(root, 'empty'));
  writeFileSync(join(root, 'bin/run'), '#!/bin/sh\n');
  chmodSync(join(root, 'bin/run'), 0o755);
  writeFileSync(join(root, 'data.txt'), 'data');
  chmodSync(join(root, 'data.txt'), 0o640);
  symlinkSync('bin/run', join(root, 'link'));
  return root;
}
