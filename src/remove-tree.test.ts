import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { removeTree } from './remove-tree.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lamella-remove-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('removeTree', () => {
  it('removes locked directories, and does not follow links', async () => {
    const outside = join(directory, 'outside');
    const tree = join(directory, 'tree');
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

  it('does nothing if the directory does not exist', async () => {
    await expect(removeTree(join(directory, 'nowhere'))).resolves.toBeUndefined();
  });
});
