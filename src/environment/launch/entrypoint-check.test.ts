import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkEntrypoint, checkExecutable, parseShebang } from './entrypoint-check.ts';

describe('checkEntrypoint', () => {
  let folder: string;
  let taskRoot: string;
  let optRoot: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lamella-entrypoint-'));
    chmodSync(folder, 0o755);
    taskRoot = join(folder, 'task');
    optRoot = join(folder, 'opt');
    for (const root of [taskRoot, optRoot]) mkdirSync(root, { mode: 0o755 });
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const put = (path: string, content: string | Buffer, mode = 0o755): void => {
    const file = join(folder, path);
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

  it('finds nothing where there is nothing', () => {
    expect(verdict()).toEqual({ kind: 'missing' });
    expect(checkEntrypoint({ taskRoot: undefined, optRoot: undefined })).toEqual({ kind: 'missing' });
  });

  it('prefers the function’s own bootstrap to a layer’s', () => {
    put('opt/bootstrap', '#!/bin/sh\n');
    expect(verdict()).toEqual({ kind: 'ok', path: '/opt/bootstrap' });
    put('task/bootstrap', '#!/bin/sh\n');
    expect(verdict()).toEqual({ kind: 'ok', path: '/var/task/bootstrap' });
  });

  it('passes over a folder and over a link that leads nowhere', () => {
    mkdirSync(join(taskRoot, 'bootstrap'));
    put('opt/bootstrap', '#!/bin/sh\n');
    expect(verdict()).toEqual({ kind: 'ok', path: '/opt/bootstrap' });
    rmSync(join(taskRoot, 'bootstrap'), { recursive: true });
    symlinkSync('nowhere', join(taskRoot, 'bootstrap'));
    expect(verdict()).toEqual({ kind: 'ok', path: '/opt/bootstrap' });
  });

  it('takes the first that exists even if it cannot be started', () => {
    put('task/bootstrap', '#!/bin/sh\n', 0o644);
    put('opt/bootstrap', '#!/bin/sh\n');
    expect(verdict()).toMatchObject({ kind: 'unstartable', path: '/var/task/bootstrap', reason: 'permission denied' });
    expect(detail()).toContain('mode 644');
  });

  it('judges permissions for the function’s user, to whom root’s own files are strange', () => {
    put('task/bootstrap', '#!/bin/sh\n', 0o744);
    expect(reason()).toBe(process.getuid?.() === 0 ? 'permission denied' : 'ok');
    put('task/bootstrap', '#!/bin/sh\n', 0o711);
    expect(reason()).toBe('ok');
  });

  it('needs every folder on the way to be searchable', () => {
    mkdirSync(join(taskRoot, 'bin'));
    put('task/bin/run', '#!/bin/sh\n');
    symlinkSync('bin/run', join(taskRoot, 'bootstrap'));
    expect(reason()).toBe('ok');
    chmodSync(join(taskRoot, 'bin'), 0o600);
    expect(reason()).toBe('permission denied');
  });

  it.each([
    ['text without a shebang', 'echo hello\n'],
    ['an empty file', ''],
    ['a shebang that names nothing', '#!\necho\n'],
    ['a shebang of blanks', '#!   \t\necho\n'],
    ['a blank before the shebang', ' #!/bin/sh\n'],
    ['a byte order mark before the shebang', '\ufeff#!/bin/sh\n'],
    ['a text in UTF-16', Buffer.from('#!/bin/sh\n', 'utf16le')],
    ['a zip', 'PK\u0003\u0004'],
    ['ELF’s mark and nothing else', '\u007fELF'],
    ['an interpreter longer than the kernel reads', `#!/${'x'.repeat(300)}\n`],
  ])('%s is no program', (_, content) => {
    put('task/bootstrap', content);
    expect(reason()).toBe('exec format error');
  });

  it.each([
    ['an interpreter that is not there', '#!/opt/bin/php\n'],
    ['Windows line ends', '#!/bin/sh\r\necho hello\r\n'],
    ['an interpreter of the host that functions do not see', '#!/etc/init.d/cron\n'],
    ['an interpreter in a file', '#!/bin/sh/x\n'],
    ['an interpreter in the user’s home', '#!/root/bin/php\n'],
  ])('%s is missing', (_, content) => {
    put('task/bootstrap', content);
    expect(reason()).toBe('no such file or directory');
  });

  it('says that a carriage return is the trouble', () => {
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
  ])('starts %j', (content) => {
    put('task/bootstrap', content);
    expect(reason()).toBe('ok');
  });

  it('follows interpreters in layers, links out of one tree into the other, and interpreters that are scripts', () => {
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

  it('looks for a relative interpreter from the working directory', () => {
    put('task/bootstrap', '#!bin/run\n');
    expect(reason()).toBe('no such file or directory');
    mkdirSync(join(taskRoot, 'bin'));
    put('task/bin/run', '#!/bin/sh\n');
    expect(reason()).toBe('ok');
  });

  it('gives up on scripts that interpret themselves and links that go round', () => {
    put('task/bootstrap', '#!/var/task/bootstrap\n');
    expect(reason()).toBe('too many levels of symbolic links');
    rmSync(join(taskRoot, 'bootstrap'));
    symlinkSync('bootstrap', join(taskRoot, 'bootstrap'));
    expect(reason()).toBe('missing');
  });

  it('starts a program of this machine', () => {
    copyFileSync('/bin/sh', join(taskRoot, 'bootstrap'));
    chmodSync(join(taskRoot, 'bootstrap'), 0o755);
    expect(reason()).toBe('ok');
  });

  it('does not start a program of another machine', () => {
    put('task/bootstrap', elf({ machine: process.arch === 'arm64' ? 62 : 183 }));
    expect(reason()).toBe('exec format error');
    expect(detail()).toContain('another processor');
  });

  it('does not start an object file', () => {
    put('task/bootstrap', elf({ type: 1 }));
    expect(reason()).toBe('exec format error');
  });

  it('starts a static program, and one whose loader is in a layer, but not one whose loader is missing', () => {
    put('task/bootstrap', elf({}));
    expect(reason()).toBe('ok');
    put('task/bootstrap', elf({ loader: '/opt/lib/ld.so' }));
    expect(reason()).toBe('no such file or directory');
    expect(detail()).toContain('/opt/lib/ld.so');
    mkdirSync(join(optRoot, 'lib'));
    put('opt/lib/ld.so', elf({}));
    expect(reason()).toBe('ok');
  });

  it('checks any program of a layer, an extension for example', () => {
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

/** A 64-bit ELF file that is nothing but its headers. */
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
