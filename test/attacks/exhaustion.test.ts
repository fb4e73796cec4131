/** A service that runs out of descriptors or of disk space: requests fail with an error, and the service goes on. */
import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { shellRuntime, zipOf } from '../support/function-zip.ts';
import { connectTo } from '../support/raw-http.ts';
import { startTarget, type Target } from './target.ts';

let target: Target | undefined;
afterEach(() => target?.close());

describe('a service that runs out of', () => {
  it('descriptors refuses what needs one, and recovers', { timeout: 120_000 }, async () => {
    target = await startTarget({ runner: ['prlimit', '--nofile=400:400'] });
    await target.createFunction('f', { bootstrap: shellRuntime('sleep 0.2; respond 1') }, { Timeout: 30 });
    await target.invoke('f');
    await target.measure();
    const held = await Promise.all(Array.from({ length: 250 }, () => connectTo(target?.port ?? 0)));
    await Promise.allSettled(Array.from({ length: 40 }, () => target?.invoke('f')));
    for (const socket of held) socket.destroy();
    await expect
      .poll(async () => (await target?.invoke('f').catch(() => undefined))?.payload, { timeout: 60_000 })
      .toBe('1');
    await target.expectUnharmed();
  });

  it.skipIf(process.getuid?.() !== 0)('disk space says so, and recovers', { timeout: 120_000 }, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'lamella-small-disk-'));
    const isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', directory]).status === 0;
    try {
      // Containers without the capability cannot mount.
      if (!isMounted) return;
      target = await startTarget({ dataDirectory: join(directory, 'data') });
      await target.createFunction('f', { bootstrap: shellRuntime('respond 1') }, { Timeout: 30 });
      await target.measure();
      const filler = join(directory, 'filler');
      fillDisk(filler);
      const zip = await zipOf({
        bootstrap: shellRuntime('respond 2'),
        data: Buffer.alloc(200_000, Math.random().toString()),
      });
      const refused = await fetch(`${target.url}/2015-03-31/functions/`, {
        method: 'POST',
        body: JSON.stringify({
          FunctionName: 'g',
          Runtime: 'provided.al2023',
          Handler: 'h',
          Role: 'arn:aws:iam::123456789012:role/any',
          Code: { ZipFile: zip.toString('base64') },
        }),
      });
      if (refused.status >= 500) expect(await refused.text()).toMatch(/No space left/i);
      await target.invoke('f').catch(() => undefined);
      await target.expectResponsive();
      rmSync(filler);
      await expect
        .poll(async () => (await target?.invoke('f').catch(() => undefined))?.payload, { timeout: 60_000 })
        .toBe('1');
      await target.expectResponsive();
    } finally {
      await target?.close();
      target = undefined;
      if (isMounted) spawnSync('umount', ['-l', directory]);
      rmSync(directory, { recursive: true, force: true });
    }
  });
});

/** Fills the disk of a file except for two pages. The service may write at the same time. */
function fillDisk(file: string): void {
  const descriptor = openSync(file, 'w');
  let size = 0;
  try {
    for (;;) size += writeSync(descriptor, Buffer.alloc(4096));
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code !== 'ENOSPC') throw failure;
    ftruncateSync(descriptor, size - 8192);
  } finally {
    closeSync(descriptor);
  }
}
