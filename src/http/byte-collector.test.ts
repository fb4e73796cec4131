import { expect, it } from 'vitest';
import { ByteCollector } from './byte-collector.ts';

it('has all bytes in their order, whatever the sizes of their pieces', () => {
  const all = Buffer.from(Array.from({ length: 200_000 }, (_, index) => (index * 7) % 251));
  for (const sizes of [[1], [1, 5000, 3], [4095, 4096], [16_384], [0, 17_000, 1], [200_000]]) {
    const collector = new ByteCollector();
    for (let at = 0, turn = 0; at < all.length; turn += 1) {
      const size = sizes[turn % sizes.length] ?? 1;
      collector.add(all.subarray(at, at + size));
      at += size;
    }
    expect(collector.length).toBe(all.length);
    expect(collector.bytes().equals(all)).toBe(true);
    collector.add(Buffer.from('more'));
    expect(collector.bytes().subarray(-4).toString()).toBe('more');
    collector.clear();
    expect([collector.length, collector.bytes().length]).toEqual([0, 0]);
  }
});
