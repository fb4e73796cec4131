/** A machine that runs out of something: cold starts fail with an error that names it, the service lives and recovers. */
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { buildIfStale, type StartedService, startLamella } from '../support/built-cli.ts';
import { shellRuntime } from '../support/function-zip.ts';
import { RunningService } from '../support/running-service.ts';

beforeAll(buildIfStale, 120_000);

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function startIn(directory: string, args: readonly string[] = []) {
  const started = await startLamella(['--data-dir', directory, '--http-port', '0', ...args]);
  cleanups.push(() => started.stop());
  const running = new RunningService<StartedService & { close(): Promise<void> }>(
    Object.assign(started, { close: async () => void (await started.stop()) }),
  );
  return { started, running };
}

/** The status and the message of an invocation over HTTP, without an SDK's retries. */
async function invoke(url: string, name: string): Promise<{ status: number; message: string }> {
  const response = await fetch(`${url}/2015-03-31/functions/${name}/invocations`, { method: 'POST', body: '{}' });
  const text = await response.text();
  return { status: response.status, message: text };
}

function run(command: string, ...args: string[]): boolean {
  return spawnSync(command, args).status === 0;
}

describe('a cold start', () => {
  it('on a full disk fails with a ServiceException that names the disk, and works when there is space', async (context) => {
    const directory = await mkdtemp(join(tmpdir(), 'lamella-full-'));
    cleanups.push(() => rm(directory, { recursive: true, force: true }));
    const isMounted = run('mount', '-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', directory);
    if (!isMounted) context.skip('mounting a small file system needs root');
    cleanups.push(() => run('umount', '-l', directory));
    const { started, running } = await startIn(directory);
    for (const name of ['first', 'second', 'third', 'fourth', 'fifth', 'sixth'])
      await running.createFunction(name, { bootstrap: shellRuntime('respond 1') });
    expect((await invoke(started.url, 'first')).status).toBe(200);

    const ballast = join(directory, 'ballast');
    let size = 32 * 1024 * 1024;
    for (let written = 0; size >= 1; ) {
      try {
        writeFileSync(ballast, Buffer.alloc(size), { flag: 'a' });
        written += size;
      } catch {
        size = Math.floor(size / 2);
      }
      if (written > 64 * 1024 * 1024) break;
    }
    const statuses: number[] = [];
    // The prepared spares are used up first.
    for (const name of ['second', 'third', 'fourth', 'fifth', 'sixth']) {
      const { status, message } = await invoke(started.url, name);
      statuses.push(status);
      if (status !== 200) {
        expect(status).toBe(500);
        expect(JSON.parse(message)).toMatchObject({
          Type: 'Service',
          Message: expect.stringContaining('No space left on the disk'),
        });
      }
    }
    expect(statuses.at(-1)).toBe(500);
    rmSync(ballast);
    for (const name of ['sixth', 'fifth']) expect(await invoke(started.url, name)).toMatchObject({ status: 200 });
  }, 120_000);

  it('without descriptors fails with a ServiceException that names the limit, and works with a higher one', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'lamella-descriptors-'));
    cleanups.push(() => rm(directory, { recursive: true, force: true }));
    const { started, running } = await startIn(directory);
    await running.createFunction('slow', { bootstrap: shellRuntime('sleep 1; respond 1') }, { Timeout: 60 });
    expect((await invoke(started.url, 'slow')).status).toBe(200);
    const used = readdirSync(`/proc/${started.pid}/fd`).length;
    const limitTo = (files: number) => run('prlimit', '--pid', `${started.pid}`, `--nofile=${files}:1048576`);
    if (!limitTo(used + 60)) return;
    const all = await Promise.all(Array.from({ length: 24 }, () => invoke(started.url, 'slow')));
    const failed = all.filter(({ status }) => status !== 200);
    expect(failed.length).toBeGreaterThan(0);
    for (const { status, message } of failed) {
      expect(status).toBe(500);
      expect(message).toContain('Too many open files');
    }
    limitTo(65_536);
    expect((await invoke(started.url, 'slow')).status).toBe(200);
    expect((await fetch(`${started.url}/_lamella/health`)).status).toBe(200);
  }, 120_000);
});
