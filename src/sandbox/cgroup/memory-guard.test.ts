import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { descendantsOf } from '../process/process-tree.ts';
import { createMemoryGuard } from './memory-guard.ts';

const MB = 1024 * 1024;
const children = new Set<ReturnType<typeof spawn>>();
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
});

/** Starts a process that holds `bytes` of memory; resolves when it does. */
async function holding(bytes: number): Promise<ReturnType<typeof spawn>> {
  const code = `const held = Buffer.alloc(${bytes}, 1); console.log(held.length); setInterval(() => held, 1e6)`;
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.add(child);
  await once(child.stdout, 'data');
  return child;
}

/** Runs Python code, which prints a line when it holds its memory. Resolves with its pid and those of its children. */
async function python(code: string): Promise<{ child: ReturnType<typeof spawn>; pids: readonly number[] }> {
  const child = spawn('python3', ['-c', `import ctypes, mmap, os, threading, time\n${code}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.add(child);
  await once(child.stdout, 'data');
  const pid = child.pid ?? 0;
  return { child, pids: [pid, ...descendantsOf([pid])] };
}

/** How many processes a guard with this limit kills within 100 ms. */
function killsWith(limitBytes: number, pids: readonly number[]): number {
  const clock = new FakeClock();
  const guard = createMemoryGuard({ clock, limitBytes, processIds: () => pids, onSample: () => {} });
  guard.resume();
  clock.advance(100);
  guard.pause();
  return guard.kills();
}

const FORKS = `
ready = os.pipe()
for _ in range(4):
    if os.fork() == 0:
        touched = sum(held[::4096])
        os.write(ready[1], b'1')
        time.sleep(1000)
for _ in range(4): os.read(ready[0], 1)
print('ready', flush=True)
time.sleep(1000)`;

describe('the memory guard', () => {
  it('kills the largest process when the processes exceed the limit together', async () => {
    const [small, large] = await Promise.all([holding(10 * MB), holding(200 * MB)]);
    const clock = new FakeClock();
    const guard = createMemoryGuard({
      clock,
      limitBytes: 220 * MB,
      processIds: () => [small, large].flatMap(({ pid }) => pid ?? []),
      onSample: () => {},
    });
    const ended = once(large, 'exit');
    guard.resume();
    expect(guard.kills()).toBe(0);
    clock.advance(100);
    expect(await ended).toEqual([null, 'SIGKILL']);
    expect(guard.kills()).toBeGreaterThan(0);
    expect(small.exitCode ?? small.signalCode).toBeNull();
    guard.pause();
  });

  it('kills no process below the limit, and samples rarely while much memory is left', async () => {
    const child = await holding(10 * MB);
    const clock = new FakeClock();
    let samples = 0;
    const guard = createMemoryGuard({
      clock,
      limitBytes: 1024 * MB,
      processIds: () => [child.pid ?? 0],
      onSample: () => samples++,
    });
    guard.resume();
    for (let tick = 0; tick < 100; tick++) clock.advance(10);
    expect(guard.kills()).toBe(0);
    expect(samples).toBeGreaterThan(5);
    expect(samples).toBeLessThan(15);
    guard.pause();
    clock.advance(1000);
    expect(samples).toBeLessThan(15);
  });

  it.each([
    ['a memfd that is not mapped', "fd = os.memfd_create('a'); os.write(fd, bytes(100 << 20))"],
    [
      'a memfd of a thread that has its own descriptors',
      `
def hide():
    ctypes.CDLL(None).unshare(0x400)
    os.write(os.memfd_create('a'), bytes(100 << 20))
    filled.set()
    time.sleep(1000)
filled = threading.Event()
threading.Thread(target=hide).start()
filled.wait()`,
    ],
    ['a shared mapping', 'held = mmap.mmap(-1, 100 << 20); held[::4096] = bytes(len(held[::4096]))'],
    [
      'a process whose first thread has ended',
      `
def last():
    while len(os.listdir('/proc/self/task')) and open(f'/proc/{os.getpid()}/stat').read().split(')')[1][1] != 'Z': pass
    print('ready', flush=True)
    time.sleep(1000)
held = b'1' * (100 << 20)
threading.Thread(target=last).start()
libc = ctypes.CDLL(None)
libc.syscall(60 if os.uname().machine == 'x86_64' else 93, 0)`,
    ],
  ])('counts %s', async (_, code) => {
    const { child, pids } = await python(`${code}\nprint('ready', flush=True)\ntime.sleep(1000)`);
    expect(killsWith(200 * MB, pids)).toBe(0);
    const ended = once(child, 'exit');
    expect(killsWith(60 * MB, pids)).toBeGreaterThan(0);
    expect(await ended).toEqual([null, 'SIGKILL']);
  });

  it.each([
    ['a shared mapping', 'held = mmap.mmap(-1, 60 << 20); held[::4096] = bytes(len(held[::4096]))'],
    ['a mapped memfd', "fd = os.memfd_create('a'); os.write(fd, bytes(60 << 20)); held = mmap.mmap(fd, 60 << 20)"],
    ['private memory of its parent', "held = b'1' * (60 << 20)"],
  ])('counts %s of five processes once', async (_, code) => {
    const { pids } = await python(code + FORKS);
    expect(pids).toHaveLength(5);
    expect(killsWith(150 * MB, pids)).toBe(0);
    expect(killsWith(50 * MB, pids)).toBeGreaterThan(0);
  });
});
