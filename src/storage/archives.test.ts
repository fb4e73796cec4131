import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rawZip } from '../../test/support/raw-zip.ts';
import { type Log, silentLog } from '../log.ts';
import { type Archives, createArchives } from './archives.ts';
import { type DataDirectory, openDataDirectory } from './data-directory.ts';

const DAY_MS = 24 * 60 * 60_000;
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

  it('are collected a day after the last reference, unless they are kept or being recorded', async () => {
    const [kept, held, unused] = await Promise.all(
      ['kept', 'held', 'unused'].map((content) => archives.add(rawZip([{ name: 'a', content }]), LIMITS)),
    );
    if (!kept || !held || !unused) throw new Error('unreachable');
    kept.release();
    unused.release();
    const collect = (nowMs: number, ...keep: string[]) =>
      archives.collect(() => new Set([kept.digest, ...keep]), nowMs);

    expect([await collect(0), await collect(DAY_MS - 1)]).toEqual([0, 0]);
    // A reference ends the day, and the next one begins when it is gone. A restart does not change that.
    expect([await collect(DAY_MS, unused.digest), await collect(2 * DAY_MS)]).toEqual([0, 0]);
    archives = createArchives(data);
    const heldAgain = await archives.add(rawZip([{ name: 'a', content: 'held' }]), LIMITS);
    expect([await collect(3 * DAY_MS - 1), await collect(3 * DAY_MS)]).toEqual([0, 1]);

    expect(existsSync(archives.path(unused.digest)) || existsSync(archives.tree(unused.digest))).toBe(false);
    expect(readdirSync(data.blobs).sort()).toEqual([kept.digest, held.digest].sort());
    expect(readdirSync(data.trees).sort()).toEqual([kept.digest, held.digest].sort());
    heldAgain.release();
    expect([await collect(3 * DAY_MS), await collect(4 * DAY_MS), await collect(5 * DAY_MS)]).toEqual([0, 1, 0]);
    expect(readdirSync(data.staging)).toEqual([]);
    expect(readdirSync(join(workspace, 'blobs-unreferenced'))).toEqual([]);
  });

  it('that exist beside a new database are never collected before something refers to them', async () => {
    const [one, other] = await Promise.all(
      ['1', '2'].map((content) => archives.add(rawZip([{ name: 'a', content }]), LIMITS)),
    );
    if (!one || !other) throw new Error('unreachable');
    await data.close();
    rmSync(data.database);
    data = openDataDirectory({ directory: workspace });
    archives = createArchives(data);
    const collect = (days: number, ...keep: string[]) => archives.collect(() => new Set(keep), days * DAY_MS);
    expect([await collect(1), await collect(30), await collect(3000)]).toEqual([0, 0, 0]);
    expect([await collect(3001, one.digest), await collect(3002), await collect(3003)]).toEqual([0, 0, 1]);
    expect(readdirSync(data.blobs)).toEqual([other.digest]);
  });

  it('have their tree unpacked again when it is missing', async () => {
    const { digest } = await archives.add(rawZip([{ name: 'a', content: 'hello' }]), LIMITS);
    rmSync(archives.tree(digest), { recursive: true });
    expect(await Promise.all([archives.openTree(digest), archives.openTree(digest)])).toEqual([
      archives.tree(digest),
      archives.tree(digest),
    ]);
    expect(readFileSync(join(archives.tree(digest), 'a'), 'utf8')).toBe('hello');
  });

  it.each<[string, (path: string) => void]>([
    ['missing', (path) => rmSync(path)],
    ['damaged', (path) => writeFileSync(path, 'PK')],
  ])('name the file when it is %s as well', async (_, spoil) => {
    const { digest } = await archives.add(rawZip([{ name: 'a', content: 'hello' }]), LIMITS);
    rmSync(archives.tree(digest), { recursive: true });
    spoil(archives.path(digest));
    await expect(archives.openTree(digest)).rejects.toMatchObject({
      code: 'archive-missing',
      message: expect.stringContaining(archives.path(digest)),
    });
  });

  it('survive a collection while they are added again', async () => {
    const zip = rawZip([{ name: 'a', content: 'again' }]);
    for (let round = 0; round < 20; round += 1) {
      (await archives.add(zip, LIMITS)).release();
      const [stored] = await Promise.all([
        archives.add(zip, LIMITS),
        archives.collect(() => new Set(), round * DAY_MS),
      ]);
      expect(readFileSync(archives.path(stored.digest))).toEqual(zip);
      expect(readFileSync(join(archives.tree(stored.digest), 'a'), 'utf8')).toBe('again');
      stored.release();
    }
  });
});
