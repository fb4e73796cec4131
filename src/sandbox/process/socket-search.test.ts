import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { systemClock } from '../../clock.ts';
import { createSocketSearch } from './socket-search.ts';

const children = new Set<ChildProcess>();
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
});

/** A process that holds a socket below `more` newer descriptors. `own`: in a thread with descriptors of its own. */
async function withSocket(more = 0, own = false): Promise<{ pid: number; inode: number }> {
  const child = spawn('python3', ['-c', OPEN, `${more}`, own ? 'own' : ''], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.add(child);
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { pid: child.pid ?? 0, inode: Number(/\d+/.exec(line.toString())?.[0]) };
}

const OPEN = `import ctypes, os, resource, socket, sys, threading, time
def hold():
    if sys.argv[2]: ctypes.CDLL(None).unshare(0x400)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    held = socket.socket()
    for _ in range(int(sys.argv[1])): os.dup(1)
    print(os.readlink(f'/proc/thread-self/fd/{held.fileno()}'), flush=True)
    time.sleep(1000)
threading.Thread(target=hold).start()`;

describe('a search for a socket', () => {
  it('finds the process that holds it, also in a thread with descriptors of its own', async () => {
    const [plain, hidden] = await Promise.all([withSocket(), withSocket(0, true)]);
    const find = createSocketSearch(() => [plain.pid, hidden.pid], systemClock);
    // At once, so that they share searches.
    expect(await Promise.all([plain, hidden, { inode: 1 }].map(({ inode }) => find(inode)))).toEqual([
      'held',
      'held',
      'not-held',
    ]);
  });

  it('does not find sockets of other processes', async () => {
    const [mine, other] = await Promise.all([withSocket(), withSocket()]);
    const find = createSocketSearch(() => [mine.pid], systemClock);
    expect(await find(other.inode)).toBe('not-held');
    expect(await find(mine.inode)).toBe('held');
  });

  it('is undecided when no process can be inspected', async () => {
    expect(await createSocketSearch(() => [], systemClock)(1)).toBe('unknown');
  });

  it('gives up after very many descriptors, and lets other work go on meanwhile', async () => {
    const { pid, inode } = await withSocket(18_000);
    let turns = 0;
    const count = () => {
      turns += 1;
      next = setImmediate(count);
    };
    let next = setImmediate(count);
    expect(await createSocketSearch(() => [pid], new FakeClock())(inode)).toBe('not-held');
    clearImmediate(next);
    expect(turns).toBeGreaterThan(50);
  });
});
