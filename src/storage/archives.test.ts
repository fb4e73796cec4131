import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rawZip } from '../../test/support/raw-zip.ts';
import { type Log, silentLog } from '../log.ts';
import { type Archives, createArchives } from './archives.ts';
import { type DataDirectory, openDataDirectory } from './data-directory.ts';

const LIMITS = { unpackedBytes: 1000, entries: 100 };

let workspace: string;
let data: DataDirectory;
let archives: Archives;
beforeEach(async () => {
  workspace = await mkdtemp(join(tmpdir(), 'lamella-archives-'));
  data = openDataDirectory({ directory: workspace });
  archives = createArchives(data);
});
afterEach(async () => {
  await data.close();
  await rm(workspace, { recursive: true });
});

describe('archives', () => {
  it('are stored as uploaded and unpacked, under their digest', async () => {
    const zip = rawZip([{ name: 'a', content: 'hello' }]);
    const stored = await archives.add(zip, LIMITS);
    expect(stored).toMatchObject({ size: zip.length, unpackedSize: 5 });
    expect(Buffer.from(stored.sha256, 'base64').toString('hex')).toBe(stored.digest);
    expect(readFileSync(archives.path(stored.digest))).toEqual(zip);
    expect(readFileSync(join(archives.tree(stored.digest), 'a'), 'utf8')).toBe('hello');
    expect(readdirSync(data.staging)).toEqual([]);
  });

  it('are unpacked once when the same zip is added concurrently', async () => {
    const zip = rawZip([{ name: 'a', content: 'hello' }]);
    const stored = await Promise.all(Array.from({ length: 10 }, () => archives.add(zip, LIMITS)));
    expect(new Set(stored.map(({ digest }) => digest)).size).toBe(1);
    expect(readdirSync(data.trees)).toHaveLength(1);
    expect(readdirSync(data.blobs)).toHaveLength(1);
  });

  it('are refused under a lower limit although they are stored', async () => {
    const zip = rawZip([{ name: 'a', content: 'hello' }]);
    await archives.add(zip, LIMITS);
    await expect(archives.add(zip, { ...LIMITS, unpackedBytes: 4 })).rejects.toMatchObject({ problem: 'too-large' });
  });

  it('are refused with the reason in the log', async () => {
    const lines: unknown[][] = [];
    const log = { ...silentLog, warn: (...line: unknown[]) => lines.push(line) } as unknown as Log;
    const zip = rawZip([{ name: 'a/../b' }]);
    await expect(createArchives(data, log).add(zip, LIMITS)).rejects.toThrow();
    const reason = 'the name "a/../b" leads out of the archive';
    expect(lines).toEqual([[{ sha256: expect.any(String), problem: 'unsafe-name', reason }, 'archive refused']]);
  });

  it('leave nothing behind of a zip that cannot be unpacked', async () => {
    const zip = rawZip([{ name: 'a', content: 'x', claims: { crc32: 0 } }]);
    await expect(archives.add(zip, LIMITS)).rejects.toMatchObject({ problem: 'damaged' });
    expect([data.blobs, data.trees, data.staging].flatMap((path) => readdirSync(path))).toEqual([]);
  });

  it('are collected unless they are kept or being recorded', async () => {
    const [kept, held, unused] = await Promise.all(
      ['kept', 'held', 'unused'].map((content) => archives.add(rawZip([{ name: 'a', content }]), LIMITS)),
    );
    if (!kept || !held || !unused) throw new Error('unreachable');
    kept.release();
    unused.release();

    expect(await archives.collect(() => new Set([kept.digest]))).toBe(1);

    expect(existsSync(archives.path(unused.digest)) || existsSync(archives.tree(unused.digest))).toBe(false);
    expect(readdirSync(data.blobs).sort()).toEqual([kept.digest, held.digest].sort());
    expect(readdirSync(data.trees).sort()).toEqual([kept.digest, held.digest].sort());
    held.release();
    expect(await archives.collect(() => new Set([kept.digest]))).toBe(1);
    expect(readdirSync(data.staging)).toEqual([]);
  });

  it('survive a collection while they are added again', async () => {
    const zip = rawZip([{ name: 'a', content: 'again' }]);
    for (let round = 0; round < 20; round += 1) {
      (await archives.add(zip, LIMITS)).release();
      const [stored] = await Promise.all([archives.add(zip, LIMITS), archives.collect(() => new Set())]);
      expect(readFileSync(archives.path(stored.digest))).toEqual(zip);
      expect(readFileSync(join(archives.tree(stored.digest), 'a'), 'utf8')).toBe('again');
      stored.release();
    }
  });
});
