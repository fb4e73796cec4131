import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { entriesOfDirectory, writeDirectory } from './directory-entries.ts';

let workspace: string;
beforeEach(() => {
  workspace = mkdtempSync(join(tmpdir(), 'lamella-entries-'));
  mkdirSync(join(workspace, 'source/bin'), { recursive: true });
  mkdirSync(join(workspace, 'source/empty'));
  writeFileSync(join(workspace, 'source/bin/run'), '#!/bin/sh\n', { mode: 0o755 });
  writeFileSync(join(workspace, 'source/data.txt'), 'data', { mode: 0o640 });
  symlinkSync('bin/run', join(workspace, 'source/link'));
});
afterEach(() => rmSync(workspace, { recursive: true, force: true }));

describe('entriesOfDirectory', () => {
  it('prepends the prefix and leaves out files and directories that are not admitted', async () => {
    const entries = await entriesOfDirectory(join(workspace, 'source'), {
      prefix: 'vendor/',
      admits: (path) => path !== 'bin',
    });
    expect(entries.map(({ path }) => path).sort()).toEqual(['vendor/data.txt', 'vendor/empty/', 'vendor/link']);
  });
});

describe('entriesOfDirectory with followsOutside', () => {
  const pack = async () => {
    const entries = await entriesOfDirectory(join(workspace, 'source'), { followsOutside: true });
    return Object.fromEntries(
      entries.map(({ path, content }) => [path, content.kind === 'link' ? `-> ${content.target}` : content.kind]),
    );
  };
  const link = (target: string, path: string) => symlinkSync(target, join(workspace, 'source', path));
  const own = { 'bin/run': 'file', 'data.txt': 'file', 'empty/': 'directory', link: '-> bin/run' };

  it('packs the files and directories to which links lead, and keeps links inside', async () => {
    mkdirSync(join(workspace, 'lib/nested'), { recursive: true });
    writeFileSync(join(workspace, 'lib/index.js'), '');
    writeFileSync(join(workspace, 'lib/nested/a.js'), '');
    symlinkSync('../index.js', join(workspace, 'lib/nested/inside'));
    symlinkSync('../../other.js', join(workspace, 'lib/nested/outside'));
    writeFileSync(join(workspace, 'other.js'), '');
    link('../lib', 'library');
    link(join(workspace, 'other.js'), 'bin/absolute');
    link('library/index.js', 'through');
    expect(await pack()).toEqual({
      ...own,
      'library/index.js': 'file',
      'library/nested/a.js': 'file',
      'library/nested/inside': '-> ../index.js',
      'library/nested/outside': 'file',
      'bin/absolute': 'file',
      through: '-> library/index.js',
    });
  });

  it('keeps links to the execution environment and to nothing, and shortens those that lead back', async () => {
    link('/opt/lib/x', 'layer');
    link('/tmp', 'bin/tmp');
    link('../../nowhere', 'bin/dangling');
    link('../source/data.txt', 'bin-data');
    link(join(workspace, 'source/data.txt'), 'bin/data');
    expect(await pack()).toEqual({
      ...own,
      layer: '-> /opt/lib/x',
      'bin/tmp': '-> /tmp',
      'bin/dangling': '-> ../../nowhere',
      'bin-data': '-> data.txt',
      'bin/data': '-> ../data.txt',
    });
  });

  it('packs no directory into itself', async () => {
    for (const name of ['one', 'two']) mkdirSync(join(workspace, name));
    symlinkSync('../two', join(workspace, 'one/two'));
    symlinkSync('../one', join(workspace, 'two/one'));
    link('../one', 'one');
    link('..', 'up');
    link('/', 'root');
    const packed = await pack();
    expect(packed).toMatchObject({ ...own, up: '-> ..', root: '-> /', 'one/two/one': '-> ../one' });
  });
});

describe('writeDirectory', () => {
  it('writes a directory that lists the same entries', async () => {
    const entries = await entriesOfDirectory(join(workspace, 'source'));
    await writeDirectory(join(workspace, 'copy'), entries);
    const summary = (list: typeof entries) =>
      list
        .map(({ path, mode, content }) => ({ path, mode, kind: content.kind }))
        .sort((a, b) => (a.path < b.path ? -1 : 1));
    expect(summary(await entriesOfDirectory(join(workspace, 'copy')))).toEqual(summary(entries));
  });

  it('replaces links that are in its way, and writes nothing through them', async () => {
    const copy = join(workspace, 'copy');
    mkdirSync(copy);
    mkdirSync(join(workspace, 'outside'));
    writeFileSync(join(workspace, 'outside/data.txt'), 'kept');
    symlinkSync(join(workspace, 'outside'), join(copy, 'bin'));
    symlinkSync(join(workspace, 'outside/data.txt'), join(copy, 'data.txt'));
    await writeDirectory(copy, await entriesOfDirectory(join(workspace, 'source')));
    expect(readdirSync(join(workspace, 'outside'))).toEqual(['data.txt']);
    expect(readFileSync(join(workspace, 'outside/data.txt'), 'utf8')).toBe('kept');
    expect(readFileSync(join(copy, 'bin/run'), 'utf8')).toBe('#!/bin/sh\n');
    expect(readFileSync(join(copy, 'data.txt'), 'utf8')).toBe('data');
  });
});
