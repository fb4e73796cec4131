import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bundleForChild } from '../../test/support/bundle-for-child.ts';
import { type Log, silentLog } from '../log.ts';
import { createBlobs } from './blobs.ts';
import { openDataDirectory } from './data-directory.ts';
import { openDatabase } from './database.ts';

let workspace: string;
let children: ChildProcess[];
beforeEach(async () => {
  workspace = await mkdtemp(join(tmpdir(), 'lamella-data-'));
  children = [];
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await rm(workspace, { recursive: true });
});

const directory = () => join(workspace, 'data');

/** A second process that opens a data directory, prints its path and keeps running. */
async function holder(location: { directory: string } | 'ephemeral' = { directory: directory() }) {
  const script = await bundleForChild(
    workspace,
    `import { openDataDirectory } from './data-directory.ts';
     const { root } = openDataDirectory(JSON.parse(process.argv[2]));
     process.stdout.write(root);
     process.stdin.resume();`,
    import.meta.dirname,
  );
  const child = spawn(process.execPath, [script, JSON.stringify(location)], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  const [root] = await once(child.stdout, 'data');
  return { child, root: String(root) };
}

describe('openDataDirectory', () => {
  it('can be read only by its owner', async () => {
    const data = openDataDirectory({ directory: directory() });
    expect(statSync(data.root).mode & 0o777).toBe(0o700);
    await data.close();
  });

  it('closes an existing directory and its database to other users, with a warning', async () => {
    await openDataDirectory({ directory: directory() }).close();
    openDatabase(join(directory(), 'lamella.db')).close();
    chmodSync(directory(), 0o755);
    for (const name of ['lamella.db', 'lamella.db-wal']) {
      writeFileSync(join(directory(), name), '', { flag: 'a' });
      chmodSync(join(directory(), name), 0o644);
    }
    const warnings: unknown[] = [];
    const log = { ...silentLog, warn: (line: object) => warnings.push(line) } as unknown as Log;
    const data = openDataDirectory({ directory: directory() }, log);
    const modeOf = (name: string) => statSync(join(directory(), name)).mode & 0o777;
    expect(['.', 'lamella.db', 'lamella.db-wal', 'lock.db'].map(modeOf)).toEqual([0o700, 0o600, 0o600, 0o600]);
    expect(warnings).toEqual([
      { path: directory(), was: '0755', now: '0700' },
      { path: join(directory(), 'lamella.db'), was: '0644', now: '0600' },
      { path: join(directory(), 'lamella.db-wal'), was: '0644', now: '0600' },
    ]);
    await data.close();
  });

  it('makes the files of a new database private', async () => {
    const data = openDataDirectory({ directory: directory() });
    const database = openDatabase(data.database);
    const files = readdirSync(directory()).filter((name) => name.startsWith('lamella.db'));
    expect(files.length).toBeGreaterThan(1);
    for (const name of files) expect(statSync(join(directory(), name)).mode & 0o777).toBe(0o600);
    database.close();
    await data.close();
  });

  it('does not change the mode of a directory that all users share', async () => {
    mkdirSync(directory());
    chmodSync(directory(), 0o1777);
    await openDataDirectory({ directory: directory() }).close();
    expect(statSync(directory()).mode & 0o7777).toBe(0o1777);
  });

  describe('with archives', () => {
    const reopen = () => openDataDirectory({ directory: directory() });
    beforeEach(async () => {
      const data = reopen();
      await createBlobs(data).put(Buffer.from('abc'));
      const database = openDatabase(data.database);
      database.close();
      await data.close();
    });

    it.each<[string, (file: string) => void]>([
      ['empty', (file) => truncateSync(file)],
      ['cut in its header', (file) => truncateSync(file, 50)],
      ['cut after its first page', (file) => truncateSync(file, 4096)],
      ['cut by one byte', (file) => truncateSync(file, statSync(file).size - 1)],
    ])('refuses a database that is %s', async (_, spoil) => {
      spoil(join(directory(), 'lamella.db'));
      expect(reopen).toThrow(expect.objectContaining({ code: 'database-corrupt' }));
      expect(readdirSync(join(directory(), 'blobs'))).toHaveLength(1);
      // The lock is free again.
      rmSync(join(directory(), 'lamella.db'));
      await reopen().close();
    });
  });

  it('refuses a directory that another process uses, and names its pid', async () => {
    const { child } = await holder();
    expect(() => openDataDirectory({ directory: directory() })).toThrow(
      expect.objectContaining({ code: 'data-dir-in-use', message: expect.stringContaining(`(pid ${child.pid})`) }),
    );
  });

  it('refuses a directory that this process uses already', async () => {
    const data = openDataDirectory({ directory: directory() });
    expect(() => openDataDirectory({ directory: directory() })).toThrow(
      expect.objectContaining({ code: 'data-dir-in-use', message: expect.stringContaining(`(pid ${process.pid})`) }),
    );
    await data.close();
    await openDataDirectory({ directory: directory() }).close();
  });

  it('opens a directory whose service was killed', async () => {
    const { child } = await holder();
    child.kill('SIGKILL');
    await once(child, 'exit');
    await openDataDirectory({ directory: directory() }).close();
  });

  it('removes the unfinished files of a killed service', async () => {
    mkdirSync(join(directory(), 'staging', 'half', 'a'), { recursive: true });
    writeFileSync(join(directory(), 'staging', 'half', 'a', 'b'), 'x');
    const data = openDataDirectory({ directory: directory() });
    expect(readdirSync(data.staging)).toEqual([]);
    await data.close();
  });

  it('reports a directory that cannot be used', () => {
    writeFileSync(directory(), 'a file');
    expect(() => openDataDirectory({ directory: directory() })).toThrow(
      expect.objectContaining({ code: 'data-dir-unusable', message: expect.stringContaining(directory()) }),
    );
  });

  it.each(['/proc/lamella', '/proc/lamella/a/b'])(
    'reports a path where the kernel creates no directories: %s',
    (path) => {
      expect(() => openDataDirectory({ directory: path })).toThrow(
        expect.objectContaining({ code: 'data-dir-unusable', message: expect.stringContaining('/proc/lamella') }),
      );
    },
  );

  it('removes the ephemeral directories of killed services, but not those of running ones', async () => {
    const [killed, running] = [await holder('ephemeral'), await holder('ephemeral')];
    killed.child.kill('SIGKILL');
    await once(killed.child, 'exit');
    const data = openDataDirectory('ephemeral');
    await data.close();
    expect([existsSync(killed.root), existsSync(running.root)]).toEqual([false, true]);
    rmSync(running.root, { recursive: true });
  });

  it('removes an ephemeral directory when it is closed', async () => {
    const data = openDataDirectory('ephemeral');
    mkdirSync(join(data.trees, 'x'));
    chmodSync(join(data.trees, 'x'), 0o700);
    await data.close();
    expect(existsSync(data.root)).toBe(false);
  });
});

describe('a full disk', () => {
  it('is reported as such and leaves nothing behind', async () => {
    // The disk is a tmpfs of 1 MB, mounted in a mount namespace of the child.
    const script = await bundleForChild(
      workspace,
      `import { readdirSync } from 'node:fs';
       import { deflateRawSync } from 'node:zlib';
       import { rawZip } from '../../test/support/raw-zip.ts';
       import { createArchives } from './archives.ts';
       import { type Log, silentLog } from '../log.ts';
import { createBlobs } from './blobs.ts';
       import { openDataDirectory } from './data-directory.ts';
       const data = openDataDirectory({ directory: process.argv[2] });
       const blobs = createBlobs(data);
       const archives = createArchives(data);
       const limits = { unpackedBytes: 1e8, entries: 1e5 };
       const zeros = Array.from({ length: 20 }, (_, i) => ({ name: 'd/' + i, content: Buffer.alloc(200_000) }));
       const failures = [
         await archives.add(rawZip(zeros), limits).catch((failure) => failure.code),
         await blobs.put(Buffer.alloc(2_000_000)).catch((failure) => failure.code),
       ];
       const left = ['blobs', 'trees', 'staging'].flatMap((name) => readdirSync(data[name]));
       const small = await archives.add(rawZip([{ name: 'a', content: 'x' }]), limits);
       process.stdout.write(JSON.stringify({ failures, left, small: small.unpackedSize }));`,
      import.meta.dirname,
    );
    mkdirSync(directory());
    const output = execFileSync(
      'unshare',
      [
        '-rm',
        'sh',
        '-c',
        `mount -t tmpfs -o size=1m none "$1" && exec "$0" "$2" "$1"`,
        process.execPath,
        directory(),
        script,
      ],
      { encoding: 'utf8' },
    );
    expect(JSON.parse(output)).toEqual({ failures: ['disk-full', 'disk-full'], left: [], small: 1 });
  });
});

describe('blobs', () => {
  it('are stored once and listed by digest', async () => {
    const data = openDataDirectory({ directory: directory() });
    const blobs = createBlobs(data);
    const first = await blobs.put(Buffer.from('abc'));
    expect(await blobs.put(Buffer.from('abc'))).toEqual(first);
    expect(first.digest).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    expect(await blobs.list()).toEqual([first.digest]);
    blobs.remove(first.digest);
    blobs.remove(first.digest);
    expect(await blobs.list()).toEqual([]);
    await data.close();
  });
});
