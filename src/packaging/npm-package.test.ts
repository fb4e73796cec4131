/** Runs npm against a local registry. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fetchNpmPackage } from './npm-package.ts';

let workspace: string;
let registry: Server;
let integrity: string;
const NAME = '@acme/tiny';
const LONG_PATH = `${'deep/'.repeat(24)}file.txt`;

beforeEach(async () => {
  workspace = mkdtempSync(join(tmpdir(), 'lamella-npm-'));
  const source = join(workspace, 'source');
  execFileSync('mkdir', ['-p', join(source, LONG_PATH, '..')]);
  writeFileSync(join(source, 'package.json'), JSON.stringify({ name: NAME, version: '1.2.3' }));
  writeFileSync(join(source, 'run'), '#!/bin/sh\n', { mode: 0o755 });
  writeFileSync(join(source, LONG_PATH), 'deep');
  execFileSync('npm', ['pack', '--silent'], { cwd: source, stdio: 'pipe' });
  const tgz = readFileSync(join(source, 'acme-tiny-1.2.3.tgz'));
  integrity = `sha512-${createHash('sha512').update(tgz).digest('base64')}`;
  registry = createServer((request, response) => {
    if (request.url?.endsWith('.tgz')) return response.end(tgz);
    if (!decodeURIComponent(request.url ?? '').startsWith(`/${NAME}`)) return response.writeHead(404).end('{}');
    const tarball = `${url()}/tiny.tgz`;
    const version = { name: NAME, version: '1.2.3', dist: { tarball, integrity } };
    return response.end(
      JSON.stringify({ name: NAME, 'dist-tags': { latest: '1.2.3' }, versions: { '1.2.3': version } }),
    );
  });
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
  process.env.npm_config_registry = url();
  process.env.npm_config_cache = join(workspace, 'npm-cache');
});
afterEach(() => {
  registry.close();
  delete process.env.npm_config_registry;
  delete process.env.npm_config_cache;
  rmSync(workspace, { recursive: true, force: true });
});

describe('fetchNpmPackage', () => {
  it('unpacks the package once, with modes and long names, and then needs no network', async () => {
    const messages: string[] = [];
    const unpacked = await fetch({}, (message) => messages.push(message));
    expect(readFileSync(join(unpacked, LONG_PATH), 'utf8')).toBe('deep');
    expect(statSync(join(unpacked, 'run')).mode & 0o111).not.toBe(0);
    expect(messages).toEqual([`Fetching ${NAME}@1.2.3`, `Unpacking ${NAME}@1.2.3`]);
    registry.close();
    expect(await fetch({}, (message) => messages.push(message))).toBe(unpacked);
    expect(messages).toHaveLength(2);
  });

  it('unpacks nothing if the integrity is not the pinned one', async () => {
    const pinned = `sha512-${Buffer.alloc(64).toString('base64')}`;
    await expect(fetch({ integrity: pinned })).rejects.toMatchObject({ code: 'package-damaged' });
    expect(readdirSync(join(workspace, 'cache/npm'))).toEqual([]);
  });

  it('reports a version that does not exist', async () => {
    const failure = { code: 'package-unavailable', message: expect.stringContaining(`${NAME}@9.9.9`) };
    await expect(fetch({ version: '9.9.9' })).rejects.toMatchObject(failure);
  });

  it('reports that the registry is unreachable', async () => {
    await new Promise((resolve) => registry.close(resolve));
    const failure = { code: 'package-unavailable', message: expect.stringContaining('ECONNREFUSED') };
    await expect(fetch({})).rejects.toMatchObject(failure);
    expect(readdirSync(join(workspace, 'cache/npm'))).toEqual([]);
  });

  it('asks a registry that does not answer only twice', async () => {
    let connections = 0;
    registry.on('connection', (socket) => {
      connections += 1;
      socket.destroy();
    });
    await expect(fetch({})).rejects.toMatchObject({ code: 'package-unavailable' });
    expect(connections).toBe(2);
  });
});

function url(): string {
  return `http://127.0.0.1:${(registry.address() as AddressInfo).port}`;
}

function fetch(
  change: { version?: string; integrity?: string },
  onProgress?: (message: string) => void,
): Promise<string> {
  return fetchNpmPackage({ name: NAME, version: '1.2.3', integrity, ...change }, join(workspace, 'cache'), onProgress);
}
