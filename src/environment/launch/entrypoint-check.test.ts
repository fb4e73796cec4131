import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkEntrypoint, checkExecutable, parseShebang } from './entrypoint-check.ts';

describe('checkEntrypoint', () => {
  let directory: string;
  let taskRoot: string;
  let optRoot: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'lamella-entrypoint-'));
    chmodSync(directory, 0o755);
    taskRoot = join(directory, 'task');
    optRoot = join(directory, 'opt');
    for (const root of [taskRoot, optRoot]) mkdirSync(root, { mode: 0o755 });
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const put = (path: string, content: string | Buffer, mode = 0o755): void => {
    const file = join(directory, path);
    writeFileSync(file, content);
    chmodSync(file, mode);
  };
  const verdict = () => checkEntrypoint({ taskRoot, optRoot });
  const reason = () => {
    const found = verdict();
    return found.kind === 'unstartable' ? found.reason : found.kind;
  };
  const detail = () => {
    const found = verdict();
    return found.kind === 'unstartable' ? found.detail : '';
  };

  it('reports a missing bootstrap', () => {
    expect(verdict()).toEqual({ kind: 'missing' });
    expect(checkEntrypoint({ taskRoot: undefined, optRoot: undefined })).toEqual({ kind: 'missing' });
  });

  it('prefers the function’s own bootstrap to a layer’s', () => {
    put('opt/bootstrap', '#!/bin/sh\n');
    expect(verdict()).toEqual({ kind: 'ok', path: '/opt/bootstrap' });
    put('task/bootstrap', '#!/bin/sh\n');
    expect(verdict()).toEqual({ kind: 'ok', path: '/var/task/bootstrap' });
  });

  it('skips a directory and a dangling link', () => {
    mkdirSync(join(taskRoot, 'bootstrap'));
    put('opt/bootstrap', '#!/bin/sh\n');
    expect(verdict()).toEqual({ kind: 'ok', path: '/opt/bootstrap' });
    rmSync(join(taskRoot, 'bootstrap'), { recursive: true });
    symlinkSync('nowhere', join(taskRoot, 'bootstrap'));
    expect(verdict()).toEqual({ kind: 'ok', path: '/opt/bootstrap' });
  });

  it('uses the first that exists even if it cannot be started', () => {
    put('task/bootstrap', '#!/bin/sh\n', 0o644);
    put('opt/bootstrap', '#!/bin/sh\n');
    expect(verdict()).toMatchObject({ kind: 'unstartable', path: '/var/task/bootstrap', reason: 'permission denied' });
    expect(detail()).toContain('mode 644');
  });

  it('checks permissions for the function’s user, who does not own root’s files', () => {
    put('task/bootstrap', '#!/bin/sh\n', 0o744);
    expect(reason()).toBe(process.getuid?.() === 0 ? 'permission denied' : 'ok');
    put('task/bootstrap', '#!/bin/sh\n', 0o711);
    expect(reason()).toBe('ok');
  });

  it('requires every directory on the path to be searchable', () => {
    mkdirSync(join(taskRoot, 'bin'));
    put('task/bin/run', '#!/bin/sh\n');
    symlinkSync('bin/run', join(taskRoot, 'bootstrap'));
    expect(reason()).toBe('ok');
    chmodSync(join(taskRoot, 'bin'), 0o600);
    expect(reason()).toBe('permission denied');
    // An ordinary user could not delete it otherwise.
    chmodSync(join(taskRoot, 'bin'), 0o700);
  });

  it.each([
    ['text without a shebang', 'echo hello\n'],
    ['an empty file', ''],
    ['a shebang without an interpreter', '#!\necho\n'],
    ['a shebang of blanks', '#!   \t\necho\n'],
    ['a blank before the shebang', ' #!/bin/sh\n'],
    ['a byte order mark before the shebang', '\ufeff#!/bin/sh\n'],
    ['UTF-16 text', Buffer.from('#!/bin/sh\n', 'utf16le')],
    ['a zip', 'PK\u0003\u0004'],
    ['an ELF magic number alone', '\u007fELF'],
    ['an interpreter longer than the kernel reads', `#!/${'x'.repeat(300)}\n`],
  ])('%s is not a program', (_, content) => {
    put('task/bootstrap', content);
    expect(reason()).toBe('exec format error');
  });

  it.each([
    ['an interpreter that does not exist', '#!/opt/bin/php\n'],
    ['Windows line ends', '#!/bin/sh\r\necho hello\r\n'],
    ['an interpreter of the host that functions cannot see', '#!/etc/init.d/cron\n'],
    ['an interpreter below a file', '#!/bin/sh/x\n'],
    ['an interpreter in the user’s home', '#!/root/bin/php\n'],
  ])('%s is missing', (_, content) => {
    put('task/bootstrap', content);
    expect(reason()).toBe('no such file or directory');
  });

  it('names a carriage return as the problem', () => {
    put('task/bootstrap', '#!/bin/sh\r\n');
    expect(detail()).toContain('/bin/sh\\r does not exist');
    expect(detail()).toContain('CR LF');
  });

  it.each([
    '#!/bin/sh',
    '#! /bin/sh',
    '#!\t/bin/sh -e\n',
    '#!/usr/bin/env php\n',
    '#!/bin/sh\0rest',
    `#!/bin/sh ${'x'.repeat(400)}\n`,
  ])('accepts %j', (content) => {
    put('task/bootstrap', content);
    expect(reason()).toBe('ok');
  });

  it('follows interpreters in layers, links between the trees, and interpreters that are scripts', () => {
    mkdirSync(join(optRoot, 'bin'));
    put('opt/bin/real', '#!/bin/sh\n');
    symlinkSync('/opt/bin/real', join(optRoot, 'bin', 'php'));
    put('task/bootstrap', '#!/opt/bin/php\n');
    expect(reason()).toBe('ok');
    put('opt/bin/real', '#!/opt/bin/gone\n');
    expect(reason()).toBe('no such file or directory');
    put('opt/bin/real', '#!/bin/sh\n', 0o644);
    expect(reason()).toBe('permission denied');
    put('opt/bin/real', 'text');
    expect(reason()).toBe('exec format error');
  });

  it('resolves a relative interpreter from the working directory', () => {
    put('task/bootstrap', '#!bin/run\n');
    expect(reason()).toBe('no such file or directory');
    mkdirSync(join(taskRoot, 'bin'));
    put('task/bin/run', '#!/bin/sh\n');
    expect(reason()).toBe('ok');
  });

  it('rejects scripts that interpret themselves and circular links', () => {
    put('task/bootstrap', '#!/var/task/bootstrap\n');
    expect(reason()).toBe('too many levels of symbolic links');
    rmSync(join(taskRoot, 'bootstrap'));
    symlinkSync('bootstrap', join(taskRoot, 'bootstrap'));
    expect(reason()).toBe('missing');
  });

  it('accepts a program of this machine', () => {
    copyFileSync('/bin/sh', join(taskRoot, 'bootstrap'));
    chmodSync(join(taskRoot, 'bootstrap'), 0o755);
    expect(reason()).toBe('ok');
  });

  it('rejects a program of another machine', () => {
    put('task/bootstrap', elf({ machine: process.arch === 'arm64' ? 62 : 183 }));
    expect(reason()).toBe('exec format error');
    expect(detail()).toContain('was not built for this processor');
  });

  it('rejects an object file', () => {
    put('task/bootstrap', elf({ type: 1 }));
    expect(reason()).toBe('exec format error');
  });

  it('accepts a static program and one whose loader is in a layer, but not one whose loader is missing', () => {
    put('task/bootstrap', elf({}));
    expect(reason()).toBe('ok');
    put('task/bootstrap', elf({ loader: '/opt/lib/ld.so' }));
    expect(reason()).toBe('no such file or directory');
    expect(detail()).toContain('/opt/lib/ld.so');
    mkdirSync(join(optRoot, 'lib'));
    put('opt/lib/ld.so', elf({}));
    expect(reason()).toBe('ok');
  });

  it('checks any program of a layer, such as an extension', () => {
    mkdirSync(join(optRoot, 'extensions'));
    put('opt/extensions/watcher', '#!/bin/sh\n', 0o600);
    expect(checkExecutable('/opt/extensions/watcher', { taskRoot, optRoot })).toMatchObject({
      kind: 'unstartable',
      reason: 'permission denied',
    });
  });
});

describe('parseShebang', () => {
  it.each([
    ['#!/bin/sh -x\n', '/bin/sh'],
    ['#! \t /bin/sh\n', '/bin/sh'],
    ['#!/bin/sh', '/bin/sh'],
    ['#!\n', undefined],
    ['echo', undefined],
  ])('reads %j as %j', (text, interpreter) => {
    expect(parseShebang(Buffer.from(text))).toBe(interpreter);
  });
});

/** A 64-bit ELF file that consists of its headers only. */
function elf({ machine = process.arch === 'arm64' ? 183 : 62, type = 2, loader = '' }): Buffer {
  const file = Buffer.alloc(64 + 56 + 64);
  file.write('\x7fELF\x02\x01\x01', 'latin1');
  file.writeUInt16LE(type, 16);
  file.writeUInt16LE(machine, 18);
  file.writeBigUInt64LE(64n, 32); // program headers follow
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(loader === '' ? 0 : 1, 56);
  file.writeUInt32LE(3, 64); // PT_INTERP
  file.writeBigUInt64LE(120n, 64 + 8);
  file.writeBigUInt64LE(BigInt(loader.length + 1), 64 + 32);
  file.write(`${loader}\0`, 120, 'latin1');
  return file;
}
