/** Sandboxes leave nothing behind: not when there are many, not when the service is killed, not while they start. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { HostCapabilities } from '../../src/sandbox/host/host-capabilities.ts';
import type { SandboxService } from './sandbox-service.ts';
import { accounts, descendants, forgetBundle, startSandboxService } from './sandbox-service.ts';

/** Number of sandboxes at once. Without cgroups little is different, so fewer are enough. */
const MANY = { root: 200, 'root without cgroups': 50, 'an ordinary user': 200 };

afterAll(forgetBundle);

describe.each(accounts())('a service that is $name', (account) => {
  it('runs many sandboxes at once, and leaves nothing behind', async () => {
    const many = MANY[account.name];
    const service = await startSandboxService(account);
    await service.close(await service.openOne());
    const mounts = mountsBelow(service.directory);
    const descriptors = (await service.descriptors()) as number;
    const own = new Set(await descendants(service.pid));

    const opened = await Promise.all(
      Array.from({ length: many }, async () => {
        const sandbox = await service.openOne();
        const process = await service.startSh(sandbox, 'echo $$ >/tmp/me; echo up; exec sleep 1000');
        await service.outputHas(process, 'up');
        return { sandbox, process };
      }),
    );
    expect((await descendants(service.pid)).length).toBeGreaterThan(many * 3);
    await Promise.all(opened.map(({ sandbox }) => service.close(sandbox)));
    for (const { process } of opened) {
      expect((await service.finished(process)).exit).toEqual({ kind: 'signaled', signal: 'SIGKILL' });
    }

    const left = (await descendants(service.pid)).filter((pid) => !own.has(pid));
    // Two spare sandboxes remain, each with a holder and a launcher.
    expect(left.length).toBeLessThanOrEqual(8);
    expect((await service.descriptors()) as number).toBeLessThanOrEqual(descriptors + 20);
    expect(mountsBelow(service.directory)).toEqual(mounts);
    expect((await groupsOf(service)).length).toBeLessThanOrEqual(3);
    const groups = await groupDirectories(service);

    const { directory, pid } = service;
    await service.closeAll();
    expect(await descendants(pid)).toEqual([]);
    expect(groups.filter((group) => existsSync(group))).toEqual([]);
    expect(await readdir(directory)).not.toContain('run');
    await service.end();
  }, 120_000);

  it('takes all processes with it when it is killed, and the next service removes its groups', async () => {
    const runDirectory = await mkdtemp(join(tmpdir(), 'lamella-run-'));
    if (process.getuid?.() === 0) execFileSync('chown', [`${account.uid}`, runDirectory]);
    const run = join(runDirectory, 'run');
    const killed = await startSandboxService(account, run);
    const sandbox = await killed.openOne();
    const process1 = await killed.startSh(
      sandbox,
      'setsid sleep 1000 & setsid sh -c "trap : TERM HUP; sleep 1000" & echo up; wait',
    );
    await killed.outputHas(process1, 'up');
    // One process that has only just started.
    await killed.start(await killed.openOne(), { argv: ['/bin/sleep', '1000'], environment: {} });
    const frozen = await killed.openOne();
    await killed.outputHas(await killed.startSh(frozen, 'echo up; exec sleep 1000'), 'up');
    await killed.freeze(frozen);
    const pids = await descendants(killed.pid);
    const groups = await groupDirectories(killed);
    await killed.kill();
    await waitUntil(() => pids.every(isGone));
    const next = await startSandboxService(account, run);
    await waitUntil(() => groups.every((group) => !existsSync(group)));
    expect((await next.sh(await next.openOne(), 'echo works')).output).toBe('works\n');
    await next.end();
    await killed.end();
    await rm(runDirectory, { recursive: true, force: true });
  });

  it('does not touch the groups and files of another running service', async () => {
    const first = await startSandboxService(account);
    const sandbox = await first.openOne();
    const second = await startSandboxService(account);
    await second.end();
    expect((await first.sh(sandbox, 'echo still here')).output).toBe('still here\n');
    await first.end();
  });

  it('can be closed while a sandbox is opening', async () => {
    const service = await startSandboxService(account);
    const { pid } = service;
    await service.closeWhileOpening(await service.spec());
    expect(await descendants(pid)).toEqual([]);
    await service.end();
  });

  it('refuses a sandbox with a missing directory, and names it', async () => {
    const service = await startSandboxService(account);
    const mounts = [{ source: '/nowhere/at/all', target: '/var/task', access: 'read-only' }] as const;
    await expect(service.openOne({ mounts })).rejects.toThrow('/nowhere/at/all');
    expect((await service.sh(await service.openOne(), 'echo works')).output).toBe('works\n');
    await service.end();
  });

  it('kills daemons that have left their parents, and stays usable', async () => {
    const service = await startSandboxService(account);
    const sandbox = await service.openOne();
    const daemon = '(setsid sh -c "trap : TERM HUP INT; while :; do sleep 1; done" >/dev/null 2>&1 &)';
    await service.sh(sandbox, `${daemon}; echo kept >/tmp/kept`);
    await service.killAll(sandbox);
    const { output } = await service.sh(
      sandbox,
      'cat /proc/[0-9]*/cmdline | tr "\\0" " " | grep -c "trap :" ; cat /tmp/kept',
    );
    // grep finds itself once.
    expect(output).toBe('1\nkept\n');
    await service.end();
  });
});

/** What this mount namespace has mounted from or below `directory`. Other tests mount meanwhile. */
function mountsBelow(directory: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((mount) => mount.includes(directory));
}

function isGone(pid: number): boolean {
  return !existsSync(`/proc/${pid}`);
}

/** The directories of the service in the cgroup tree. */
async function groupDirectories(service: SandboxService): Promise<string[]> {
  const { host } = (await service.capabilities()) as HostCapabilities;
  if (host === undefined || host.cgroups.kind === 'none') return [];
  const { cgroups } = host;
  const parents = cgroups.kind === 'v2' ? [cgroups.directory] : [cgroups.memory, cgroups.cpu];
  const found = parents.flatMap(async (parent) =>
    parent === undefined
      ? []
      : (await readdir(parent))
          .filter((name) => new RegExp(`^lamella-\\d+-${service.pid}-`).test(name))
          .map((name) => join(parent, name)),
  );
  return (await Promise.all(found)).flat();
}

/** The sandboxes' groups in the first of these directories. */
async function groupsOf(service: SandboxService): Promise<string[]> {
  const [directory] = await groupDirectories(service);
  if (directory === undefined) return [];
  return (await readdir(directory, { withFileTypes: true })).filter((it) => it.isDirectory()).map((it) => it.name);
}

async function waitUntil(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}
