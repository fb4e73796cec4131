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
import { checkOutput, writeZip } from './zip-writer.ts';

let workspace: string;
beforeEach(() => {
  workspace = mkdtempSync(join(tmpdir(), 'lamella-zip-'));
});
afterEach(() => rmSync(workspace, { recursive: true, force: true }));

describe('checkOutput', () => {
  it.each([
    ['a directory', () => workspace, 'it is a directory'],
    ['a file below a file', () => join(workspace, 'file/x.zip'), 'EEXIST'],
    ['a path where the kernel creates nothing', () => '/proc/x.zip', 'ENOENT'],
  ])('refuses %s', (_, output, reason) => {
    writeFileSync(join(workspace, 'file'), '');
    expect(() => checkOutput(output())).toThrow(
      expect.objectContaining({ code: 'file-unwritable', message: expect.stringContaining(reason) }),
    );
  });

  it('leaves nothing behind, and an existing archive as it is', () => {
    writeFileSync(join(workspace, 'a.zip'), 'old');
    checkOutput(join(workspace, 'a.zip'));
    checkOutput(join(workspace, 'new/b.zip'));
    expect(readdirSync(workspace, { recursive: true })).toEqual(['a.zip', 'new']);
    expect(readFileSync(join(workspace, 'a.zip'), 'utf8')).toBe('old');
  });
});

describe('writeZip', () => {
  it('writes the same bytes for any order and any times', async () => {
    const source = project('a');
    await writeZip(join(workspace, '1.zip'), await entriesOfDirectory(source));
    utimesSync(join(source, 'bin/run'), 1_000_000, 1_000_000);
    await writeZip(join(workspace, '2.zip'), (await entriesOfDirectory(source)).reverse());
    expect(readFileSync(join(workspace, '2.zip')).equals(readFileSync(join(workspace, '1.zip')))).toBe(true);
  });

  it('keeps modes, symbolic links and empty directories', async () => {
    await writeZip(join(workspace, 'x.zip'), await entriesOfDirectory(project('a')));
    execFileSync('unzip', ['-q', join(workspace, 'x.zip'), '-d', join(workspace, 'out')]);
    expect(lstatSync(join(workspace, 'out/bin/run')).mode & 0o777).toBe(0o755);
    expect(lstatSync(join(workspace, 'out/data.txt')).mode & 0o777).toBe(0o640);
    expect(readlinkSync(join(workspace, 'out/link'))).toBe('bin/run');
    expect(lstatSync(join(workspace, 'out/empty')).isDirectory()).toBe(true);
  });

  it('refuses two entries with the same name and leaves nothing behind', async () => {
    const entry = { path: 'a', mode: 0o644, content: { kind: 'bytes', bytes: Buffer.from('x') } } as const;
    await expect(writeZip(join(workspace, 'x.zip'), [entry, entry])).rejects.toThrow('Two entries with the name a');
    expect(readdirSync(workspace)).toEqual([]);
  });

  it('keeps the old archive if a file cannot be read', async () => {
    writeFileSync(join(workspace, 'x.zip'), 'old');
    const gone = { path: 'a', mode: 0o644, content: { kind: 'file', source: join(workspace, 'gone') } } as const;
    await expect(writeZip(join(workspace, 'x.zip'), [gone])).rejects.toThrow('ENOENT');
    expect(readFileSync(join(workspace, 'x.zip'), 'utf8')).toBe('old');
    expect(readdirSync(workspace)).toEqual(['x.zip']);
  });
});

function project(name: string): string {
  const root = join(workspace, name);
  mkdirSync(join(root, 'bin'), { recursive: true });
  mkdirSync(join(root, 'empty'));
  writeFileSync(join(root, 'bin/run'), '#!/bin/sh\n');
  chmodSync(join(root, 'bin/run'), 0o755);
  writeFileSync(join(root, 'data.txt'), 'data');
  chmodSync(join(root, 'data.txt'), 0o640);
  symlinkSync('bin/run', join(root, 'link'));
  return root;
}
