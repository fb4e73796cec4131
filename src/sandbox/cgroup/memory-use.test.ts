import { describe, expect, it } from 'vitest';
import type { CgroupGroup, MemoryCounters } from './cgroup.ts';
import { createMemoryMeter, estimatePeak, touchedBytes } from './memory-use.ts';

const MB = 1024 * 1024;
const process = (own: number, program = 2) => ({ own: 0, shared: 0, ownPeak: own * MB, program: program * MB });
const counters = (peak: number, fileCache: number, touched?: number): MemoryCounters => ({
  peak: peak * MB,
  fileCache: fileCache * MB,
  kernel: MB,
  touched: touched === undefined ? undefined : touched * MB,
});
const estimate = (...args: Parameters<typeof estimatePeak>): number => Math.round(estimatePeak(...args) / MB);

describe('estimatePeak', () => {
  it('adds up the peaks of running processes, and the largest program once', () => {
    expect(estimate([process(10, 3), process(5, 2)], undefined, undefined)).toBe(18);
  });

  it('counts the memory of processes that have ended', () => {
    expect(estimate([process(5)], counters(66, 5, 500), undefined)).toBe(62);
  });

  it('does not count current page cache', () => {
    expect(estimate([process(5)], counters(108, 100, 500), undefined)).toBe(9);
  });

  it('does not count freed page cache, which caused no page faults', () => {
    expect(estimate([process(5)], counters(108, 0, 6), undefined)).toBe(8);
  });

  it('counts pages that many processes share only once', () => {
    const forks = Array.from({ length: 10 }, () => process(50));
    expect(estimate(forks, counters(60, 0, 500), undefined)).toBe(62);
  });

  it('never exceeds the limit', () => {
    expect(estimate([process(127, 10)], counters(128, 0), 128 * MB)).toBe(128);
  });
});

describe('createMemoryMeter', () => {
  it('samples the processes only when the peak of the group has risen', () => {
    let mark = 10 * MB;
    let looks = 0;
    const group = {
      peakMemory: () => mark,
      memoryCounters: () => ({ peak: mark, fileCache: 0, kernel: 0, touched: undefined }),
    } as CgroupGroup;
    const meter = createMemoryMeter(
      group,
      () => {
        looks++;
        return [];
      },
      undefined,
    );
    expect(meter.peakBytes()).toBe(10 * MB);
    mark += 1000;
    expect(meter.peakBytes()).toBe(10 * MB);
    expect(looks).toBe(1);
    mark += 5 * MB;
    expect(meter.peakBytes()).toBe(15 * MB + 1000);
    expect(looks).toBe(2);
  });
});

describe('touchedBytes', () => {
  it('is page size times page faults, with huge pages counted separately', () => {
    const page = touchedBytes(1, 0) ?? 0;
    expect([4096, 16_384, 65_536]).toContain(page);
    expect(touchedBytes(10, 3)).toBe(10 * page + 3 * 2 * MB);
  });
});
