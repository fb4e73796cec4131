import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hostPrograms, prepareHostRoot } from './host-root.ts';

describe('prepareHostRoot', () => {
  let directory: string;
  let umask: number;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'lamella-root-'));
    umask = process.umask(0o077);
  });
  afterEach(() => {
    process.umask(umask);
    rmSync(directory, { recursive: true });
  });

  it('makes everything world-readable, whatever the umask is', () => {
    const { etc } = prepareHostRoot(join(directory, 'etc'));
    for (const entry of readdirSync(etc, { recursive: true, withFileTypes: true })) {
      if (entry.isSymbolicLink()) continue;
      const mode = statSync(join(entry.parentPath, entry.name)).mode & 0o007;
      expect(mode, join(entry.parentPath, entry.name)).toBe(entry.isDirectory() ? 5 : 4);
    }
  });

  it('contains no secrets', () => {
    const { etc } = prepareHostRoot(join(directory, 'etc'));
    const names = readdirSync(etc, { recursive: true, encoding: 'utf8' });
    expect(names.filter((name) => /shadow|private|ssh|sudoers/.test(name))).toEqual([]);
  });

  it('has the host’s name servers, and its certificates at Amazon Linux’s path', () => {
    const { etc } = prepareHostRoot(join(directory, 'etc'));
    expect(readFileSync(join(etc, 'resolv.conf'))).toEqual(readFileSync('/etc/resolv.conf'));
    expect(lstatSync(join(etc, 'resolv.conf')).isFile()).toBe(true);
    expect(readFileSync(join(etc, 'pki/tls/certs/ca-bundle.crt'), 'utf8')).toContain('BEGIN CERTIFICATE');
  });

  it('copies a file again only if the host has changed it', () => {
    const root = prepareHostRoot(join(directory, 'etc'));
    const file = join(root.etc, 'resolv.conf');
    const before = statSync(file).ino;
    root.refresh();
    expect(statSync(file).ino).toBe(before);
  });
});

describe('hostPrograms', () => {
  it('has /usr and the other program directories of this host', () => {
    const programs = hostPrograms();
    expect(programs[0]).toEqual({ path: '/usr', kind: 'directory' });
    expect(programs.map(({ path }) => path)).toContain('/bin');
    for (const { path } of programs) expect(existsSync(path)).toBe(true);
  });
});
