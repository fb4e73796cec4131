/**
 * The memory limit without control groups: a whole service that finds none, because they are hidden (as root) or belong to another
 * user (as an ordinary user).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Lamella } from '../../src/lamella.ts';
import { detectCgroups, hostCgroupSources } from '../../src/sandbox/cgroup/cgroup-detection.ts';
import { type InstalledLamella, installLamella, type RunAs } from '../support/installed-lamella.ts';
import { RunningService } from '../support/running-service.ts';
import { until } from '../support/until.ts';

const HOLDS_MEMORY = readFileSync(join(import.meta.dirname, '../fixtures/functions/holds-memory/bootstrap'), 'utf8');

const isRoot = process.getuid?.() === 0;
const hasOwnGroups = !isRoot && detectCgroups(hostCgroupSources()).kind !== 'none';

describe.skipIf(hasOwnGroups)('a service without control groups', () => {
  const as: RunAs = isRoot ? { hidden: ['/sys/fs/cgroup'] } : {};
  let lamella: InstalledLamella;
  let service: RunningService<Pick<Lamella, 'url' | 'close'>>;

  beforeAll(async () => {
    lamella = await installLamella();
    const { url, stop } = await lamella.start(['--ephemeral'], as);
    service = new RunningService({ url, close: async () => void (await stop()) });
    await service.createFunction('holds-memory', { bootstrap: HOLDS_MEMORY }, { MemorySize: 256, Timeout: 30 });
  });
  afterAll(async () => {
    await service.close();
    lamella.remove();
  });

  it('has a line in doctor: memory is limited by polling, and why', async () => {
    const { code, stdout } = await lamella.run(['doctor'], as);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^limited {2}memory and CPU limits: no cgroups: .+\n.*enforced by polling.* CPU time is not limited\.$/m,
    );
    expect(stdout).toContain('private memory, shared mappings and memfds are counted');
  });

  it('reports the memory of all processes of the function, without the files that they wrote', async () => {
    const { log, payload } = await service.invoke('holds-memory', { own: 50, child: 60, file: 120 });
    expect(payload).toBe('"held"');
    expect(usedMb(log)).toBeGreaterThanOrEqual(110);
    expect(usedMb(log)).toBeLessThan(160);
  });

  it('reports memory in a memfd that is not mapped', async () => {
    await service.invoke('holds-memory', { memfd: 130 });
    // A sample is taken while the function runs, at the latest in one of the next invocations.
    await until(async () => usedMb((await service.invoke('holds-memory', { keep: true })).log) >= 130);
  });

  it.each([
    ['its memory', { own: 400 }],
    ['its memory in memfds', { memfd: 768 }],
  ])('kills a function beyond %s like AWS, and the next invocation has new processes', async (_, event) => {
    const before = await service.invoke('holds-memory', { own: 1 });
    const beyond = await service.invoke('holds-memory', event);
    expect(JSON.parse(beyond.payload)).toEqual({
      errorType: 'Runtime.OutOfMemory',
      errorMessage: expect.stringMatching(/^RequestId: \S+ Error: Runtime exited with error: signal: killed$/),
    });
    expect(beyond.functionError).toBe('Unhandled');
    expect(beyond.log).toMatch(
      /\tMemory Size: 256 MB\tMax Memory Used: 256 MB\tStatus: error\tError Type: Runtime\.OutOfMemory\n$/,
    );
    const after = await service.invoke('holds-memory', { own: 1 });
    expect([after.payload, after.functionError]).toEqual(['"held"', undefined]);
    expect(startOf(after.log)).not.toBe(startOf(before.log));
    expect(after.log).not.toContain('Init Duration');
  });
});

function usedMb(log: string): number {
  return Number(/\tMemory Size: 256 MB\tMax Memory Used: (\d+) MB\t/.exec(log)?.[1]);
}

/** The start of the environment's processes, as printed by the function. */
function startOf(log: string): string | undefined {
  return /^started (.+)$/m.exec(log)?.[1];
}
