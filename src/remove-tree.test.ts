import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bundleForChild } from '../test/support/bundle-for-child.ts';
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

  // The tests may run as root, whom permissions do not stop.
  const asOrdinaryUser = async (source: string) => {
    chmodSync(directory, 0o777);
    const script = await bundleForChild(
      directory,
      `import { chmodSync, mkdirSync, symlinkSync, writeFileSync, existsSync, readdirSync } from 'node:fs';
       import { removeTree } from './remove-tree.ts';
       const deep = (depth, name) => {
         for (let level = 0; level < depth; level += 1) {
           mkdirSync(name);
           process.chdir(name);
           writeFileSync('file', '');
         }
       };
       process.chdir(process.argv[2]);
       mkdirSync('tree');
       process.chdir('tree');
       ${source}
       process.chdir('/');
       await removeTree(process.argv[2] + '/tree');
       process.stdout.write(String(existsSync(process.argv[2] + '/tree')));`,
      import.meta.dirname,
    );
    const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
    return execFileSync(process.execPath, [script, directory], { ...user, encoding: 'utf8' });
  };

  it.each([
    ['paths that the kernel does not accept', "deep(30, 'x'.repeat(200));"],
    ['thousands of levels', "deep(3000, 'd');"],
    [
      'names that are not UTF-8',
      "mkdirSync(Buffer.from('646972ff', 'hex')); writeFileSync(Buffer.from('ff', 'hex'), '');",
    ],
    [
      'locked directories at every level',
      "deep(50, 'x'.repeat(200)); for (let at = 0; at < 50; at += 1) { chmodSync('.', 0o700); process.chdir('..'); chmodSync('x'.repeat(200), 0); }",
    ],
    ['many files', "for (let i = 0; i < 500; i += 1) writeFileSync('f' + i, '');"],
  ])('removes %s as an ordinary user', async (_, source) => {
    expect(await asOrdinaryUser(source)).toBe('false');
  });

  it('removes what it can, and throws the first error', async () => {
    const tree = join(directory, 'tree');
    mkdirSync(join(tree, 'a'), { recursive: true });
    mkdirSync(join(tree, 'z'));
    for (const name of ['a/file', 'm', 'z/file']) writeFileSync(join(tree, name), '');
    const script = `mount -t tmpfs none "$1/a" && exec "$2" "$3" "$1"`;
    const remove = await bundleForChild(
      directory,
      `import { removeTree } from './remove-tree.ts';
       await removeTree(process.argv[2]).catch((failure) => process.stdout.write(failure.code));`,
      import.meta.dirname,
    );
    const output = execFileSync('unshare', ['-rm', 'sh', '-c', script, 'sh', tree, process.execPath, remove]);
    expect([String(output), readdirSync(tree)]).toEqual(['EBUSY', ['a']]);
  });

  it('removes a file', async () => {
    writeFileSync(join(directory, 'file'), '');
    await removeTree(join(directory, 'file'));
    expect(existsSync(join(directory, 'file'))).toBe(false);
  });

  it('does nothing if the directory does not exist', async () => {
    await expect(removeTree(join(directory, 'nowhere'))).resolves.toBeUndefined();
  });
});
