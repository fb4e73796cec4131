/** What the guard keeps from the processes of a sandbox: keyrings, system calls, and the sandbox's first process. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Guard } from '../../src/sandbox/process/guard.ts';
import { installGuard } from '../../src/sandbox/process/guard.ts';
import type { SandboxService } from './sandbox-service.ts';
import { accounts, descendants, forgetBundle, startSandboxService } from './sandbox-service.ts';

afterAll(forgetBundle);

/** Python with `call(name, ...)`: a system call by its number, which returns the name of the error or `ok`. */
const CALLS = `
import ctypes, errno, mmap, os, signal, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
NUMBERS = dict(zip(
    'keyctl add_key request_key bpf userfaultfd perf_event_open unshare clone clone3 ptrace gettid process_vm_readv'.split(),
    (250, 248, 249, 321, 323, 298, 272, 56, 435, 101, 186, 310) if os.uname().machine == 'x86_64'
    else (219, 217, 218, 280, 282, 241, 97, 220, 435, 117, 178, 270)))
def call(number, *arguments):
    longs = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(NUMBERS.get(number, number)), *longs)
    return 'ok' if result >= 0 else errno.errorcode[ctypes.get_errno()]
NEWUSER = 0x10000000
`;

const python = (code: string): { argv: [string, ...string[]]; environment: Record<string, string> } => ({
  argv: ['/usr/bin/python3', '-c', CALLS + code],
  environment: {},
});

describe.each(accounts())('a process in a sandbox of a service that is $name', (account) => {
  let service: SandboxService;
  let sandbox: number;

  beforeAll(async () => {
    service = await startSandboxService(account);
    sandbox = await service.openOne();
  });
  afterAll(async () => service.end());

  const outputOf = async (code: string): Promise<string> => {
    const process = await service.start(sandbox, python(code));
    return (await service.finished(process)).output.trim();
  };

  it.each([
    ['keyctl', 0, -3, 0],
    ['add_key', 0, 0, 0, 0, -3],
    ['request_key', 0, 0, 0, 0],
    ['bpf', 0, 0, 0],
    ['userfaultfd', 1],
    ['perf_event_open', 0, 0, -1, -1, 0],
    ['unshare', 0x10000000],
    ['clone', 0x10000011, 0, 0, 0, 0],
  ])('may not call %s', async (name, ...args) => {
    expect(await outputOf(`print(call('${name}', ${args.join(', ')}))`)).toBe('EPERM');
  });

  it('gets ENOSYS for clone3, and can start threads and processes', async () => {
    const output = await outputOf(`
import subprocess, threading
thread = threading.Thread(target=lambda: print('thread', flush=True))
print(call('clone3', 0, 0), flush=True)
thread.start()
thread.join()
print(subprocess.run(['/bin/echo', 'process'], capture_output=True, text=True).stdout, end='')`);
    expect(output).toBe('ENOSYS\nthread\nprocess');
  });

  it('cannot reach virtual sockets, which no network separates, directly or through io_uring', async () => {
    const output = await outputOf(`
import socket
def opened(*arguments):
    try:
        socket.socket(*arguments).close()
        return 'ok'
    except OSError as error:
        return errno.errorcode[error.errno]
print(opened(40, 1), opened(40, 2), opened(2, 1), opened(1, 1), *[call(number, 0, 0, 0, 0) for number in (425, 426, 427)])`);
    expect(output).toBe('EPERM EPERM ok ok ENOSYS ENOSYS ENOSYS');
  });

  it('has no means to mount, to join other namespaces, or to take part in the machine', async () => {
    const output = await outputOf(`
import fcntl, stat
print(open('/proc/sysvipc/shm').read().count('\\n'), 'segment line,', len(os.listdir('/proc/self/fd')), 'descriptors')
def attempt(action):
    try: return action() or 'ok'
    except OSError as error: return errno.errorcode[error.errno]
libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
def mount(*arguments): return 'ok' if libc.mount(*arguments) == 0 else errno.errorcode[ctypes.get_errno()]
text = ctypes.c_char_p
results = {
    'mount a tmpfs': mount(b'none', b'/tmp', b'tmpfs', 0, None),
    'make the root writable': mount(None, b'/', None, 32 | 4096, None),
    'mount control groups': mount(b'none', b'/tmp', b'cgroup2', 0, None),
    'open a new file system': call(430, text(b'tmpfs'), 0),
    'clone a mount': call(428, -100, text(b'/'), 0x8001),
    'pick a file system': call(433, -100, text(b'/'), 0),
    'change a mount': call(442, -100, text(b'/'), 0x8000, text(bytes(32)), 32),
    'join by a process descriptor': call(308 if os.uname().machine == 'x86_64' else 268, os.pidfd_open(1), 0x20000),
    'take a descriptor of the first process': call(438, os.pidfd_open(1), 0, 0),
    'read the memory of the first process': call('process_vm_readv', 1, text(struct.pack('QQ', id(errno), 8)), 1, text(struct.pack('QQ', 4096, 8)), 1, 0),
    'create a disk': attempt(lambda: os.mknod('/tmp/disk', stat.S_IFBLK | 0o666, os.makedev(8, 0))),
    'create a memory device': attempt(lambda: os.mknod('/tmp/memory', stat.S_IFCHR | 0o666, os.makedev(1, 1))),
    'type into a terminal': attempt(lambda: fcntl.ioctl(0, 0x5412, b'x')),
    'open a terminal': attempt(lambda: os.open('/dev/tty', os.O_RDWR)),
    'write to its program': attempt(lambda: os.open('/proc/self/exe', os.O_WRONLY)),
    'write to the first program': attempt(lambda: os.open('/proc/1/exe', os.O_WRONLY)),
    'see the open files of the first process': attempt(lambda: os.listdir('/proc/1/fd')),
    'see the root of the first process': attempt(lambda: os.listdir('/proc/1/root')),
    'change the kernel': attempt(lambda: os.open('/proc/sys/kernel/core_pattern', os.O_WRONLY)),
    'be spared when memory is short': attempt(lambda: os.write(os.open('/proc/self/oom_score_adj', os.O_WRONLY), b'-1000') and 'ok'),
    'open raw packets': attempt(lambda: __import__('socket').socket(17, 3, 0x300) and 'ok'),
    'become root': attempt(lambda: os.setuid(0)),
    'be in control groups': attempt(lambda: os.listdir('/sys/fs/cgroup') and 'ok'),
}
print(*[what for what, result in results.items() if result not in ('EPERM', 'EACCES', 'ENOENT', 'ENOTTY', 'EINVAL', 'ENXIO')], sep='\\n')`);
    expect(output).toBe('1 segment line, 4 descriptors');
  });

  it('runs programs from memory, with no more rights', async () => {
    const output = await outputOf(`
program = os.memfd_create('program')
os.write(program, open('/bin/cat', 'rb').read())
child = os.fork()
if child == 0: os.execve(program, ['cat', '/proc/self/status'], {})
os.waitpid(child, 0)`);
    expect(output).toMatch(/NoNewPrivs:\s1\nSeccomp:\s2\n/);
    expect(output).toMatch(/CapEff:\s0+\n/);
  });

  it.runIf(process.arch === 'x64')('may not make these calls by the tables of x32 and i386 either', async () => {
    const output = await outputOf(`
print(call(0x40000000 + 250, 0, -3, 0), call(0x40000000 + 248, 0, 0, 0, 0, -3))
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
def i386(number, first):  # push rbx; mov eax, number; mov ebx, first; int 0x80; pop rbx; ret
    page.seek(0)
    page.write(b'\\x53\\xb8' + struct.pack('<I', number) + b'\\xbb' + struct.pack('<I', first) + b'\\xcd\\x80\\x5b\\xc3')
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    return errno.errorcode.get(-ctypes.CFUNCTYPE(ctypes.c_int)(address)(), 'ok')
print(*[i386(number, 0) for number in (288, 286, 287, 357, 374, 336)], i386(310, NEWUSER), i386(359, 40), i386(102, 1), i386(20, 0))`);
    expect(output).toBe(`ENOSYS ENOSYS\n${'EPERM '.repeat(8)}ENOSYS ok`);
  });

  it('can neither trace the first process of its sandbox nor read its memory or environment', async () => {
    const output = await outputOf(`
def opened(name):
    try:
        open('/proc/1/' + name, 'rb').read(1)
        return 'ok'
    except OSError as error:
        return errno.errorcode[error.errno]
print(call('ptrace', 0x4206, 1, 0, 0), call('ptrace', 16, 1, 0, 0), opened('mem'), opened('environ'))`);
    expect(output).toMatch(/^EPERM EPERM (EACCES|EPERM) (EACCES|EPERM)$/);
  });

  it('ends with a service that is killed while it holds on to the first process', async () => {
    const killed = await startSandboxService(account);
    const attacker = await killed.start(
      await killed.openOne(),
      python(`
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
call('ptrace', 0x4206, 1, 0, 0)
call('ptrace', 16, 1, 0, 0)
for number in (signal.SIGSTOP, signal.SIGTSTP):
    try: os.kill(1, number)
    except OSError: pass
print('holding', flush=True)
while True: signal.pause()`),
    );
    await killed.outputHas(attacker, 'holding');
    const pids = await descendants(killed.pid);
    expect(pids.length).toBeGreaterThan(2);
    await killed.kill();
    await expect.poll(() => pids.filter(isAlive), { timeout: 10_000 }).toEqual([]);
    await killed.end();
  });
});

describe('the guard', () => {
  const directory = mkdtempSync(join(tmpdir(), 'lamella-guard-'));
  const guard: Guard = installGuard(join(directory, 'guard'), '/bin/true');
  afterAll(() => {
    if (guard.kind === 'installed') guard.close();
    rmSync(directory, { recursive: true });
  });

  it('gives a program a session keyring without the keys of its starter', () => {
    if (guard.kind === 'none') throw new Error(guard.reason);
    // A keyring of its own first, so that the test leaves no key in the user's keyring.
    const plant = `${CALLS}
libc.syscall(NUMBERS['keyctl'], 1, None)
key = libc.syscall(NUMBERS['add_key'], b'user', b'lamella-secret', b'x', ctypes.c_size_t(1), -3)
libc.syscall(NUMBERS['keyctl'], 5, key, 0x3f000000)  # Only processes that have it in a keyring can see it.
os.execv(sys.argv[1], sys.argv[1:])`;
    const keysSeenBy = (...command: readonly string[]): string =>
      spawnSync('/usr/bin/python3', ['-c', plant, ...command, '/bin/cat', '/proc/keys'], { encoding: 'utf8' }).stdout;
    expect(keysSeenBy('/usr/bin/env')).toContain('lamella-secret');
    expect(keysSeenBy(...guard.confine)).not.toContain('lamella-secret');
  });

  it('reports that it cannot be used where programs cannot be executed', () => {
    expect(installGuard(join(directory, 'other'), '/nonexistent')).toEqual({
      kind: 'none',
      reason: 'a process cannot load a system call filter here: exit code 125',
    });
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
