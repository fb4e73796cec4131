import { expect, it } from 'vitest';
import { reversed, walk } from './walk.ts';

/** `d` needs `b` and `c`, which need `a`. */
const DIAMOND = {
  ids: ['d', 'c', 'b', 'a'],
  prerequisites: (id: string) => ({ d: ['b', 'c'], b: ['a'], c: ['a'] })[id] ?? [],
};

it('begins a visit as soon as the prerequisites are done, and independent ones together', async () => {
  const log: string[] = [];
  const left = await walk(DIAMOND, async (id) => {
    log.push(`+${id}`);
    await new Promise(setImmediate);
    log.push(`-${id}`);
    return true;
  });
  expect(left).toEqual([]);
  expect(log).toEqual(['+a', '-a', '+c', '+b', '-c', '-b', '+d', '-d']);
});

it('leaves out what needs a failed node, and visits the rest', async () => {
  const visited: string[] = [];
  const left = await walk({ ids: [...DIAMOND.ids, 'e'], prerequisites: DIAMOND.prerequisites }, async (id) => {
    visited.push(id);
    return id !== 'b';
  });
  expect([...left].sort()).toEqual(['b', 'd']);
  expect(visited.sort()).toEqual(['a', 'b', 'c', 'e']);
});

it('begins nothing more once it shall stop, but waits for what runs', async () => {
  let stopped = false;
  let isDone = false;
  const left = await walk(
    { ids: ['b', 'a', 'c'], prerequisites: (id) => (id === 'c' ? ['a'] : []) },
    async (id) => {
      if (id === 'b') {
        await new Promise(setImmediate);
        isDone = true;
      } else stopped = true;
      return true;
    },
    () => stopped,
  );
  expect([isDone, left]).toEqual([true, ['c']]);
});

it('visits the opposite graph from its other end', async () => {
  const order: string[] = [];
  await walk(reversed(DIAMOND), async (id) => order.push(id) > 0);
  expect(order).toEqual(['d', 'c', 'b', 'a']);
});

it('takes a long chain', async () => {
  const ids = Array.from({ length: 5000 }, (_, index) => String(index));
  const visited: string[] = [];
  await walk(
    { ids, prerequisites: (id) => (id === '0' ? [] : [String(Number(id) - 1)]) },
    async (id) => visited.push(id) > 0,
  );
  expect(visited).toEqual(ids);
});
