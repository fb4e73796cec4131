/**
 * cgroup v2 on a plain directory with files of the kernel's names, because not every machine offers a part of the real
 * tree to a test. Where one is available, test/sandbox/resources.test.ts and lifetimes.test.ts use it. On Linux 6.1
 * they pass as root and as an ordinary user with a delegated group.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../clock.ts';
import { openCgroupsV2 } from './cgroup-v2.ts';

describe('cgroup version 2', () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'lamella-cgroup-'));
    writeFileSync(join(directory, 'cgroup.procs'), '4242\n');
    writeFileSync(join(directory, 'cgroup.events'), 'populated 1\n');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const open = () => openCgroupsV2({ kind: 'v2', directory, controllers: ['cpu', 'memory', 'pids'] }, systemClock);
  const service = (): string =>
    join(directory, readdirSync(directory).find((name) => name.startsWith('lamella-')) ?? '');
  const read = (path: string): string => readFileSync(join(service(), path), 'utf8');

  it('moves the processes of its group into a leaf and enables the controllers for children', () => {
    open();
    expect(read('service/cgroup.procs')).toBe('4242');
    expect(readFileSync(join(directory, 'cgroup.subtree_control'), 'utf8')).toBe('+memory');
    expect(read('cgroup.subtree_control')).toBe('+memory');
  });

  it('moves the processes back at the end, and removes its groups', async () => {
    const cgroups = open();
    const own = service();
    await cgroups.close();
    expect(readFileSync(join(directory, 'cgroup.subtree_control'), 'utf8')).toBe('-memory');
    expect(readFileSync(join(directory, 'cgroup.procs'), 'utf8')).toBe('4242');
    // These stand for the kernel's files, which disappear with their directory.
    expect(readdirSync(join(directory, own.slice(directory.length + 1)))).toEqual([
      'cgroup.subtree_control',
      'service',
    ]);
  });

  it('keeps the controllers enabled while another service has groups there', async () => {
    const [first, second] = [open(), open()];
    await first.close();
    expect(readFileSync(join(directory, 'cgroup.subtree_control'), 'utf8')).toBe('+memory');
    await second.close();
  });

  it('moves no process at the root of the tree', () => {
    rmSync(join(directory, 'cgroup.events'));
    open();
    expect(existsSync(join(service(), 'service', 'cgroup.procs'))).toBe(false);
    expect(readFileSync(join(directory, 'cgroup.subtree_control'), 'utf8')).toBe('+memory');
  });

  it('gives each sandbox its own group with its limits', () => {
    const cgroups = open();
    const [first, second] = [cgroups.createGroup(), cgroups.createGroup()];
    expect(first.joinFiles).toEqual([join(service(), '0', 'cgroup.procs')]);
    second.setMemoryLimit(128 * 1024 * 1024);
    second.setCpuQuota(0.5);
    expect(read('1/memory.max')).toBe('134217728');
    expect(read('1/memory.swap.max')).toBe('0');
    expect(read('1/cpu.max')).toBe('10000 20000');
    second.setCpuQuota(undefined);
    expect(read('1/cpu.max')).toBe('max 20000');
  });

  it('reads peak memory, page cache, kernel memory and out-of-memory kills', () => {
    const group = open().createGroup();
    const put = (name: string, text: string) => writeFileSync(join(service(), '0', name), text);
    put('memory.peak', '90000000\n');
    put('memory.current', '1000\n');
    put('memory.stat', 'anon 5\nfile 7000\nkernel 300\nshmem 2000\npgfault 10\nthp_fault_alloc 1\n');
    put('memory.events', 'low 0\noom 3\noom_kill 2\n');
    expect(group.memoryCounters()).toMatchObject({ peak: 90_000_000, fileCache: 5000, kernel: 300 });
    expect(group.memoryCounters()?.touched).toBeGreaterThan(2 * 1024 * 1024);
    expect(group.outOfMemoryKills()).toBe(2);
  });

  it('remembers the highest memory use on kernels without memory.peak', () => {
    const group = open().createGroup();
    const current = join(service(), '0', 'memory.current');
    writeFileSync(current, '5000\n');
    expect(group.peakMemory()).toBe(5000);
    writeFileSync(current, '3000\n');
    expect(group.peakMemory()).toBe(5000);
  });

  it('removes the directory of a dead service, and keeps that of a running one', () => {
    open();
    const alive = service();
    const dead = alive.replace(/-\d+-\d+-\d+$/, '-4194305-1-0');
    mkdirSync(join(dead, '3'), { recursive: true });
    open();
    expect([existsSync(dead), existsSync(alive)]).toEqual([false, true]);
  });
});
