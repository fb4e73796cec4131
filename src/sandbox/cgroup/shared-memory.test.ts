import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { cpuGrowth, LINEAR } from '../../../test/support/cpu-growth.ts';
import { createDescriptorSweep, distinctObjects, parseMaps, readMaps } from './shared-memory.ts';

const MB = 1024 * 1024;
const children = new Set<ChildProcess>();
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
});

/** A process with this many memfds of 1 MB, each open `copies` times. */
async function withMemfds(count: number, copies = 1): Promise<number> {
  const code = `import os, time
for _ in range(${count}):
    fd = os.memfd_create('a')
    os.write(fd, bytes(1 << 20))
    for _ in range(${copies - 1}): os.dup(fd)
print('ready', flush=True)
time.sleep(1000)`;
  const child = spawn('python3', ['-c', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.add(child);
  await once(child.stdout, 'data');
  return child.pid ?? 0;
}

const total = (objects: ReadonlyMap<string, number>) => [...objects.values()].reduce((sum, bytes) => sum + bytes, 0);

describe('the descriptor sweep', () => {
  it('counts each memfd once, however many descriptors it has', async () => {
    const pid = await withMemfds(3, 5);
    const found = createDescriptorSweep().look([pid]);
    expect(total(distinctObjects(found))).toBe(3 * MB);
  });

  it('looks at one process after the other when there are too many descriptors for one call', async () => {
    const pids = await Promise.all(Array.from({ length: 4 }, () => withMemfds(20)));
    const sweep = createDescriptorSweep(30);
    const seen: number[] = [];
    for (let call = 0; call < 3; call++) seen.push(total(distinctObjects(sweep.look(pids))) / MB);
    // Two processes for each call: the second uses up what the first has left.
    expect(seen).toEqual([40, 80, 80]);
    expect(total(distinctObjects(sweep.look(pids.slice(1)))) / MB).toBe(60);
  });
});

describe('memory maps', () => {
  const MAPS = `7f0000000000-7f0000400000 rw-s 00000000 00:01 1029 /memfd:a (deleted)
Size:               4096 kB
Rss:                4096 kB
Pss:                2048 kB
7f0000400000-7f0000500000 rw-s 00000000 00:01 1029 /memfd:a (deleted)
Rss:                1024 kB
Pss:                 512 kB
7f0000500000-7f0000600000 rw-s 00000000 103:05 88 /var/task/memfd:b
Rss:                1024 kB
Pss:                1024 kB
7f0000600000-7f0000700000 rw-s 00000000 00:1a2 7 /SYSV00000000 (deleted)
Rss:                 100 kB
Pss:                 100 kB
`;

  it('give the share of each shared object, by device and inode', () => {
    const { objects, residentBytes } = parseMaps(MAPS);
    expect([...objects]).toEqual([
      ['1:1029', 2560 * 1024],
      // The numbers of `stat`: the upper bits of a minor number are above the major number.
      [`${0xa2 + 0x100 * 4096}:7`, 100 * 1024],
    ]);
    expect(residentBytes).toBe(5220 * 1024);
  });

  it('are read in time that grows in proportion to their length', async () => {
    const parse = (times: number) => {
      const text = MAPS.repeat(times);
      return () => parseMaps(text);
    };
    expect(await cpuGrowth(parse, 250)).toBeLessThan(LINEAR);
  });

  it('that are too long count as the counters of their process', () => {
    const self = { pid: process.pid, anonymous: 3 * MB, shared: 2 * MB };
    const { own, objects } = readMaps([self], 1);
    expect(own).toBe(5 * MB);
    expect([...objects]).toEqual([]);
  });
});
