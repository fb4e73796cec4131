import { describe, expect, it } from 'vitest';
import { uidRange } from './uid-range.ts';

describe('uidRange', () => {
  it('is high, and different for each service, if all uids exist', () => {
    const map = '         0          0 4294967295\n';
    const [first, second] = [uidRange(map, 100), uidRange(map, 101)];
    expect(first.firstUid).toBeGreaterThan(1_800_000_000);
    expect(second.firstUid).toBe(first.firstUid + first.count);
    expect(uidRange(map, 4_194_304).firstUid + 1024).toBeLessThan(2 ** 31);
  });

  it('stays within the uids of a container, and excludes root and nobody', () => {
    const { firstUid, count } = uidRange('0 100000 65536\n', 100);
    expect(firstUid + count).toBe(65_534);
    expect(firstUid).toBeGreaterThan(60_000);
    expect(uidRange('0 1000 1\n1 100000 1000\n', 100)).toEqual({ firstUid: 1, count: 1000 });
  });
});
