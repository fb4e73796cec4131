import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { removeTree } from './remove-tree.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lamella-remove-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('removeTree', () => {
  it('removes folders that were locked, and follows no link out of them', async () => {
    const outside = join(folder, 'outside');
    const tree = join(folder, 'tree');
    mkdirSync(outside);
    writeFileSync(join(outside, 'file'), '');
    mkdirSync(join(tree, 'locked/inner'), { recursive: true });
    writeFileSync(join(tree, 'locked/inner/file'), '');
    symlinkSync(outside, join(tree, 'locked/link'));
    chmodSync(join(tree, 'locked/inner'), 0);
    chmodSync(join(tree, 'locked'), 0);
    await removeTree(tree);
    expect(existsSync(tree)).toBe(false);
    expect(existsSync(join(outside, 'file'))).toBe(true);
  });

  it('does nothing where nothing is', async () => {
    await expect(removeTree(join(folder, 'nowhere'))).resolves.toBeUndefined();
  });
});
