/** Memory and CPU limits, the reported memory use, and freezing. */

import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HostCapabilities } from '../../src/sandbox/host/host-capabilities.ts';
import type { SandboxSpec } from '../../src/sandbox/sandbox.ts';
import type { SandboxService } from './sandbox-service.ts';
import { accounts, forgetBundle, startSandboxService } from './sandbox-service.ts';

const MB = 1024 * 1024;

afterAll(forgetBundle);

describe.each(accounts())('a sandbox of a service that is $name', (account) => {
  let service: SandboxService;
  let hasCgroups: boolean;

  beforeAll(async () => {
    service = await startSandboxService(account);
    const { host } = (await service.capabilities()) as HostCapabilities;
    hasCgroups = host !== undefined && host.cgroups.kind !== 'none';
  });
  afterAll(async () => service.end());

  const withSandbox = async (test: (sandbox: number, spec: SandboxSpec) => Promise<void>): Promise<void> => {
    const spec = await service.spec();
    const sandbox = await service.open(spec);
    await test(sandbox, spec);
    await service.close(sandbox);
  };
  const peakMb = async (sandbox: number): Promise<number> => (await service.peakMemoryBytes(sandbox)) / MB;

  it('reports the 50 MB that a running process has touched', async () => {
    await withSandbox(async (sandbox) => {
      const calm = await service.startSh(sandbox, 'echo ready; exec sleep 1000');
      await service.outputHas(calm, 'ready');
      const before = await peakMb(sandbox);
      expect(before).toBeLessThan(10);
      const hungry = await service.startSh(
        sandbox,
        'dd if=/dev/zero bs=50M count=1 status=none | { head -c 1 >/dev/null; echo touched; exec sleep 1000; }',
      );
      await service.outputHas(hungry, 'touched');
      const after = await peakMb(sandbox);
      expect(after - before).toBeGreaterThan(45);
      expect(after - before).toBeLessThan(56);
    });
  });

  it('reports memory that a process has touched and freed before it was measured', async (context) => {
    if (!hasCgroups) context.skip('without cgroups, memory of processes that have ended is not counted');
    await withSandbox(async (sandbox) => {
      await service.sh(sandbox, ':');
      const before = await peakMb(sandbox);
      await service.sh(sandbox, 'dd if=/dev/zero of=/dev/null bs=50M count=1 status=none');
      const after = await peakMb(sandbox);
      expect(after - before).toBeGreaterThan(45);
      expect(after - before).toBeLessThan(56);
    });
  });

  it('does not count files that a process has read', async () => {
    await withSandbox(async (sandbox) => {
      const process = await service.startSh(
        sandbox,
        'dd if=/dev/zero of=/tmp/big bs=1M count=100 status=none; echo written; cat /tmp/big >/dev/null; echo read; exec sleep 1000',
      );
      await service.outputHas(process, 'read');
      expect(await peakMb(sandbox)).toBeLessThan(10);
    });
  });

  it('does not count files that a process has written and deleted', async () => {
    await withSandbox(async (sandbox) => {
      const process = await service.startSh(
        sandbox,
        'dd if=/dev/zero of=/tmp/big bs=1M count=100 status=none; rm /tmp/big; echo deleted; exec sleep 1000',
      );
      await service.outputHas(process, 'deleted');
      expect(await peakMb(sandbox)).toBeLessThan(10);
    });
  });

  it('never reports a lower peak, and the same peak if nothing has happened', async () => {
    await withSandbox(async (sandbox) => {
      await service.sh(sandbox, 'dd if=/dev/zero of=/dev/null bs=20M count=1 status=none');
      const first = await peakMb(sandbox);
      await service.killAll(sandbox);
      expect(await peakMb(sandbox)).toBe(first);
    });
  });

  it('kills a process that exceeds the memory limit, and reports it once', async () => {
    const sandbox = await service.openOne({ memoryLimitBytes: 64 * MB });
    expect(await service.takeOutOfMemory(sandbox)).toBe(false);
    // tail keeps the last line in memory, and this input is a single line.
    const { output } = await service.sh(sandbox, 'head -c 400M /dev/zero | tail >/dev/null & wait $!; echo "ended $?"');
    expect(output).toContain('ended 137');
    expect(await service.takeOutOfMemory(sandbox)).toBe(true);
    expect(await service.takeOutOfMemory(sandbox)).toBe(false);
    expect(await peakMb(sandbox)).toBeGreaterThan(55);
    expect(await peakMb(sandbox)).toBeLessThanOrEqual(64);
    await service.close(sandbox);
  });

  it('kills a process that holds three times the limit in memfds, which it has not mapped', async () => {
    const sandbox = await service.openOne({ memoryLimitBytes: 64 * MB });
    const holds = `import os, time
for _ in range(4):
    fd = os.memfd_create('held')
    for _ in range(48): os.write(fd, bytes(1 << 20))
time.sleep(1000)`;
    const { output } = await service.sh(sandbox, `python3 -c "${holds}" & wait $!; echo "ended $?"`);
    expect(output).toContain('ended 137');
    expect(await service.takeOutOfMemory(sandbox)).toBe(true);
    await service.close(sandbox);
  });

  it('still reports memory use after it was closed', async () => {
    const sandbox = await service.openOne();
    await service.sh(sandbox, 'dd if=/dev/zero of=/dev/null bs=20M count=1 status=none');
    const peak = await peakMb(sandbox);
    await service.close(sandbox);
    expect(await peakMb(sandbox)).toBeGreaterThanOrEqual(peak);
    expect(await service.takeOutOfMemory(sandbox)).toBe(false);
    await service.close(sandbox);
  });

  it('does not report a process killed by a signal as out of memory', async () => {
    await withSandbox(async (sandbox) => {
      await service.sh(sandbox, 'kill -KILL $$');
      expect(await service.takeOutOfMemory(sandbox)).toBe(false);
    });
  });

  it('cannot use more CPU time than its quota', async (context) => {
    if (!hasCgroups) context.skip('without cgroups, there is no quota');
    await withSandbox(async (sandbox) => {
      await service.setCpuQuota(sandbox, 0.2);
      const { output } = await service.sh(sandbox, 'timeout 1 sh -c "while :; do :; done"; times');
      const [, minutes = '', seconds = ''] = /\n(\d+)m([\d.]+)s/.exec(output) ?? [];
      const used = Number(minutes) * 60 + Number(seconds);
      expect(used).toBeGreaterThan(0.05);
      expect(used).toBeLessThan(0.35);
    });
  });

  it('stops every process between freeze and thaw, and continues them afterwards', async () => {
    const counting = 'i=0; while :; do i=$((i+1)); echo $i >>/tmp/count; done';
    const spec = await service.spec();
    const frozen = await service.open(spec);
    const running = await service.openOne();
    const file = join(spec.mounts[2]?.source ?? '', 'count');
    // One process has left its parent and its group, like a daemon.
    const process = await service.startSh(frozen, `setsid sh -c '${counting}' & echo ready; ${counting}`);
    await service.outputHas(process, 'ready');
    await service.sh(frozen, 'until [ -s /tmp/count ]; do :; done');

    await service.freeze(frozen);
    const size = (await stat(file)).size;
    // The same work in another sandbox shows that enough time has passed.
    await service.sh(running, 'i=0; while [ $i -lt 5000 ]; do i=$((i+1)); echo $i >>/tmp/count; done');
    expect((await stat(file)).size).toBe(size);

    await service.thaw(frozen);
    await waitUntil(async () => (await stat(file)).size > size);
    await service.signal(process, 'SIGKILL');
    expect(await service.exited(process)).toEqual({ kind: 'signaled', signal: 'SIGKILL' });
    await service.close(frozen);
    await service.close(running);
  });

  it('is unaffected by many quick freezes', async () => {
    await withSandbox(async (sandbox) => {
      const process = await service.startSh(sandbox, 'mkfifo /tmp/never; echo ready; read -r x </tmp/never');
      await service.outputHas(process, 'ready');
      for (let round = 0; round < 20; round++) {
        await service.freeze(sandbox);
        await service.thaw(sandbox);
      }
      await service.signal(process, 'SIGTERM');
      expect(await service.exited(process)).toEqual({ kind: 'signaled', signal: 'SIGTERM' });
    });
  });

  it('can be frozen while a process waits in the kernel for another to start a program', async () => {
    await withSandbox(async (sandbox) => {
      // dash waits in vfork until its child has called exec, which a stopped child never does.
      const starts = 'while :; do /bin/true; done';
      const process = await service.startSh(sandbox, `${starts} & ${starts} & ${starts} & echo ready; ${starts}`);
      await service.outputHas(process, 'ready');
      for (let round = 0; round < 25; round++) {
        await service.freeze(sandbox);
        await service.thaw(sandbox);
      }
      await service.signal(process, 'SIGKILL');
      expect(await service.exited(process)).toEqual({ kind: 'signaled', signal: 'SIGKILL' });
    });
  });

  it('can be killed and closed while it is frozen', async () => {
    const sandbox = await service.openOne();
    const process = await service.startSh(sandbox, 'echo ready; exec sleep 1000');
    await service.outputHas(process, 'ready');
    await service.freeze(sandbox);
    await service.killAll(sandbox);
    expect(await service.exited(process)).toEqual({ kind: 'signaled', signal: 'SIGKILL' });
    expect((await service.sh(sandbox, 'echo usable')).output).toBe('usable\n');
    const other = await service.startSh(sandbox, 'echo ready; exec sleep 1000');
    await service.outputHas(other, 'ready');
    await service.freeze(sandbox);
    await service.close(sandbox);
    expect(await service.exited(other)).toEqual({ kind: 'signaled', signal: 'SIGKILL' });
  });

  it('has its own host uid, which is not 0, if the service is root', async () => {
    await withSandbox(async (sandbox) => {
      const uid = (await service.hostUid(sandbox)) as number | undefined;
      if (account.uid !== 0) return expect(uid).toBeUndefined();
      const process = await service.startSh(sandbox, 'echo $$; exec sleep 1000');
      await service.outputHas(process, '\n');
      const { output } = await service.sh(sandbox, 'id -u');
      expect(Number(output)).toBe(uid);
      expect(uid).toBeGreaterThan(1000);
      expect(await readFile('/etc/passwd', 'utf8')).not.toContain(`:${uid}:`);
    });
  });
});

/** Polls without a pause. The timeout of the test ends it. */
async function waitUntil(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise(setImmediate);
}
