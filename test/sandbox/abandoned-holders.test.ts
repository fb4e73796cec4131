/** A service that is killed while bubblewrap is opening leaves a process behind. The next service kills it. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { killAbandonedHolders, MARK_VARIABLE } from '../../src/sandbox/holder/abandoned-holders.ts';
import { serviceMark } from '../../src/sandbox/process/service-mark.ts';

/** Starts a process that waits forever under bubblewrap's name, like the child that bubblewrap left behind. */
async function waiting(bwrap: string, mark: string | undefined) {
  const child = spawn(bwrap, ['-c', 'read -r word'], {
    argv0: 'bwrap',
    stdio: ['pipe', 'ignore', 'inherit'],
    env: mark === undefined ? {} : { [MARK_VARIABLE]: mark },
  });
  const ended = new Promise<string | null>((resolve) => child.once('exit', (_, signal) => resolve(signal)));
  await expect.poll(() => readFileSync(`/proc/${child.pid}/comm`, 'latin1')).toBe('bwrap\n');
  return { child, ended };
}

it('kills bubblewrap processes of dead services, not those of running services or of other programs', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'lamella-bwrap-'));
  const bwrap = join(directory, 'bwrap');
  await symlink('/bin/sh', bwrap);
  const mark = serviceMark();
  const abandoned = await waiting(bwrap, mark.replace(/\d+-\d+$/, '4194305-1'));
  const spared = [
    await waiting(bwrap, mark),
    await waiting(bwrap, undefined),
    await waiting(bwrap, '1-4194305-1'), // in another pid namespace
  ];
  killAbandonedHolders(bwrap);
  expect(await abandoned.ended).toBe('SIGKILL');
  for (const { child, ended } of spared) {
    child.stdin?.end('go on\n');
    expect(await ended).toBeNull();
  }
  await rm(directory, { recursive: true });
});
