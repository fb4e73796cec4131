import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { untarNpmPackage } from './untar.ts';

let directory: string;
let source: string;
let target: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lamella-untar-'));
  source = join(directory, 'source');
  target = join(directory, 'target');
  write('package/package.json', '{}');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('untarNpmPackage', () => {
  const longName = `${'deep/'.repeat(40)}${'x'.repeat(120)}.txt`;

  it.each(['ustar', 'gnu', 'pax'])(
    'unpacks a %s archive without its root, with modes and long names',
    async (format) => {
      write('package/bin/run', '#!/bin/sh\n');
      chmodSync(join(source, 'package/bin/run'), 0o4755);
      const name = format === 'ustar' ? `${'deep/'.repeat(20)}${'x'.repeat(90)}.txt` : longName;
      write(`package/${name}`, 'deep');
      await untarNpmPackage(tgz([`--format=${format}`, 'package']), target);
      expect(readdirSync(target).sort()).toEqual(['bin', 'deep', 'package.json']);
      expect(readFileSync(join(target, name), 'utf8')).toBe('deep');
      expect(statSync(join(target, 'bin/run')).mode & 0o7777).toBe(0o755);
    },
  );

  it('refuses links and other special files, and writes nothing', async () => {
    symlinkSync('../../outside', join(source, 'package/link'));
    await expect(untarNpmPackage(tgz(['package']), target)).rejects.toThrow('SymbolicLink: package/link');
    rmSync(join(source, 'package/link'));
    linkSync(join(source, 'package/package.json'), join(source, 'package/same'));
    await expect(untarNpmPackage(tgz(['package']), target)).rejects.toThrow('unsupported type Link');
    rmSync(join(source, 'package/same'));
    execFileSync('mkfifo', [join(source, 'package/pipe')]);
    await expect(untarNpmPackage(tgz(['package']), target)).rejects.toThrow('FIFO: package/pipe');
    expect(existsSync(target)).toBe(false);
  });

  it.each([
    ['absolute', '/absolute/file'],
    ['that leads out', 'package/../../file'],
    ['without a root', 'file'],
  ])('refuses a name %s, and writes nothing', async (_what, name) => {
    write('package/file', '');
    const archive = tgz(['-P', `--transform=s,^package/file$,${name},`, 'package/package.json', 'package/file']);
    await expect(untarNpmPackage(archive, target)).rejects.toThrow(`invalid name: ${name}`);
    expect(readdirSync(directory)).toEqual(['source']);
  });

  it('refuses an archive that is larger than the limit, damaged or cut short', async () => {
    write('package/large', 'x'.repeat(100_000));
    const archive = tgz(['package']);
    await expect(untarNpmPackage(archive, target, 50_000)).rejects.toThrow();
    await expect(untarNpmPackage(gzipSync('no tar at all'.repeat(100)), target)).rejects.toThrow();
    await expect(untarNpmPackage(archive.subarray(0, archive.length / 2), target)).rejects.toThrow();
    expect(existsSync(target)).toBe(false);
  });
});

function write(path: string, content: string): void {
  mkdirSync(dirname(join(source, path)), { recursive: true });
  writeFileSync(join(source, path), content);
}

function tgz(options: readonly string[]): Buffer {
  return execFileSync('tar', ['-czf', '-', ...options], { cwd: source });
}
