import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listInside, lookUpInside } from './inside-path.ts';

let directory: string;
let trees: { readonly taskRoot: string; readonly optRoot: string };
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lamella-inside-'));
  trees = { taskRoot: join(directory, 'task'), optRoot: join(directory, 'opt') };
  for (const root of Object.values(trees)) mkdirSync(root, { mode: 0o755 });
});
afterEach(() => rmSync(directory, { recursive: true }));

const link = (destination: string, path: string) => symlinkSync(destination, join(directory, path));
const hostPathOf = (path: string) => {
  const found = lookUpInside(path, trees);
  return found.kind === 'found' ? found.hostPath : found.kind;
};

describe('lookUpInside', () => {
  it.each([
    ['/opt', 'opt/file'],
    ['../../../opt', 'opt/file'],
    ['..', 'absent'],
    ['/var/task', 'task/file'],
    ['/etc', 'absent'],
    ['/tmp', 'absent'],
    ['/proc/self/root/etc', 'absent'],
  ])('follows a link to %s inside the root of the function', (destination, expected) => {
    for (const root of ['opt', 'task']) writeFileSync(join(directory, root, 'file'), '');
    link(destination, 'opt/link');
    expect(hostPathOf('/opt/link/file')).toBe(expected === 'absent' ? 'absent' : join(directory, expected));
  });

  it('gives up a walk that is longer than any path', () => {
    const steps = (parts: number) => {
      let count = 0;
      const counted = {
        optRoot: trees.optRoot,
        get taskRoot() {
          count += 1;
          return trees.taskRoot;
        },
      };
      rmSync(join(trees.taskRoot, 'l0'), { force: true });
      link('.', 'task/l0');
      for (let level = 1; level < 10; level += 1) {
        rmSync(join(trees.taskRoot, `l${level}`), { force: true });
        link(`l${level - 1}/`.repeat(parts), `task/l${level}`);
      }
      expect(lookUpInside('/var/task/l9', counted).kind).toBe('absent');
      return count;
    };
    expect([steps(20), steps(200), steps(400), steps(800)].map((count) => count < 600)).toEqual([
      true,
      true,
      true,
      true,
    ]);
  });
});

describe('listInside', () => {
  it('lists a directory as the function sees it', () => {
    mkdirSync(join(trees.optRoot, 'real/sub'), { recursive: true });
    for (const name of ['b', 'a']) writeFileSync(join(trees.optRoot, 'real', name), '');
    link('real', 'opt/extensions');
    expect(listInside('/opt/extensions', trees)).toEqual(['a', 'b']);
  });

  it.each(['/etc', '/tmp', '..', '/', '/proc/1', 'nowhere', 'extensions'])(
    'lists nothing of this machine through a link to %s',
    (destination) => {
      link(destination, 'opt/extensions');
      expect(listInside('/opt/extensions', trees)).toEqual([]);
    },
  );

  it('lists the root of the layers, not the /opt of this machine, through a link to it', () => {
    link('/opt', 'opt/extensions');
    expect(listInside('/opt/extensions', trees)).toEqual(['extensions']);
  });
});
