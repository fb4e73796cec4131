/**
 * Finds shared memory on hosts without cgroups: memory that processes hold by a descriptor (memfd) without mapping it,
 * which no counter of a process includes, and mapped shared memory, which the counter of each process includes. Each
 * object is counted once, by its inode. Not visible: descriptors that are in transit in a socket, and System V segments
 * that no process has attached. The work of one call is bounded, also for a function with very many descriptors.
 */
import { closeSync, openSync, readdirSync, readlinkSync, readSync, statSync } from 'node:fs';
import { threadsOf } from '../process/process-tree.ts';

/** Bytes of shared memory objects, by device and inode. */
export type SharedObjects = ReadonlyMap<string, number>;

/** Descriptors that one call looks at. The next call continues with the next process. */
const MAX_DESCRIPTORS = 2048;
/** Size of the memory maps that one call reads. A map has about 700 bytes. */
const MAX_MAPS_BYTES = 4 * 1024 * 1024;
const BLOCK_BYTES = 512;
const CHUNK_BYTES = 64 * 1024;

/** Names of shared memory: memfds, System V segments, and shared mappings without a file. */
const SHARED = /^\/(memfd:|SYSV|dev\/zero \(deleted\))/;

/** Finds what processes hold by descriptors. */
export interface DescriptorSweep {
  /** Objects by process. With very many descriptors, some are as an earlier look at their process found them. */
  look(pids: readonly number[]): ReadonlyMap<number, SharedObjects>;
}

export function createDescriptorSweep(maxDescriptors = MAX_DESCRIPTORS): DescriptorSweep {
  /** By process and thread. */
  const known = new Map<number, Map<number, SharedObjects>>();
  /** The first process that the next call looks at. */
  let cursor = 0;
  let calls = 0;
  return {
    look(pids) {
      const running = new Set(pids);
      for (const pid of known.keys()) if (!running.has(pid)) known.delete(pid);
      if (cursor >= pids.length) cursor = 0;
      calls += 1;
      let left = maxDescriptors;
      for (let count = 0; count < pids.length && left > 0; count++) {
        const pid = pids[cursor] ?? 0;
        left -= lookAt(pid, calls, known);
        cursor = (cursor + 1) % pids.length;
      }
      return new Map([...known].map(([pid, threads]) => [pid, distinctObjects(threads)]));
    },
  };
}

/**
 * Looks at one process: its first thread and, in turns, one of the others, which can have descriptors of its own.
 * Returns how many descriptors that were, at most twice the limit of a process.
 */
function lookAt(pid: number, turn: number, known: Map<number, Map<number, SharedObjects>>): number {
  const threads = threadsOf(pid);
  const before = known.get(pid);
  const found = new Map<number, SharedObjects>();
  let count = 0;
  for (const [index, thread] of threads.entries()) {
    const isDue = index === 0 || index === 1 + (turn % Math.max(1, threads.length - 1));
    const names = isDue ? descriptorsOf(`${pid}/task/${thread}`) : [];
    const objects = isDue ? heldBy(`${pid}/task/${thread}`, names) : before?.get(thread);
    count += names.length;
    if (objects !== undefined && objects.size > 0) found.set(thread, objects);
  }
  if (found.size > 0) known.set(pid, found);
  else known.delete(pid);
  return count;
}

/** Returns all objects of all processes or threads, each once. */
export function distinctObjects(byOwner: ReadonlyMap<number, SharedObjects>): Map<string, number> {
  const all = new Map<string, number>();
  for (const objects of byOwner.values()) {
    for (const [key, bytes] of objects) all.set(key, Math.max(bytes, all.get(key) ?? 0));
  }
  return all;
}

function heldBy(task: string, names: readonly string[]): SharedObjects {
  const objects = new Map<string, number>();
  for (const name of names) {
    const path = `/proc/${task}/fd/${name}`;
    try {
      // Reading the link is cheaper than asking for the file, and most descriptors are pipes and sockets.
      if (!SHARED.test(readlinkSync(path))) continue;
      const { dev, ino, blocks } = statSync(path);
      objects.set(`${dev}:${ino}`, blocks * BLOCK_BYTES);
    } catch {
      // Closed meanwhile.
    }
  }
  return objects;
}

/** What the maps of some processes hold, without counting a page twice. */
export type MappedMemory = {
  /** Private memory in bytes. Pages that forked processes still share count once. */
  readonly own: number;
  /** Mapped bytes of shared objects, each page once. */
  readonly objects: SharedObjects;
};

/** A process whose maps are read. The counters are those of `/proc/<pid>/status`, in bytes. */
export type MappingProcess = { readonly pid: number; readonly anonymous: number; readonly shared: number };

/**
 * Reads the memory maps of processes. This takes milliseconds, so call it only when the sum of their counters is too
 * large. A process whose maps cannot be read, or that has too many of them, counts with its counters.
 */
export function readMaps(processes: readonly MappingProcess[], maxBytes = MAX_MAPS_BYTES): MappedMemory {
  let own = 0;
  const objects = new Map<string, number>();
  let left = maxBytes;
  for (const { pid, anonymous, shared } of processes) {
    own += Math.min(anonymous, privateShare(pid) ?? anonymous);
    if (shared === 0) continue;
    const text = left > 0 ? readBounded(`/proc/${pid}/smaps`, left) : undefined;
    left -= text?.length ?? 0;
    const found = text === undefined ? undefined : parseMaps(text);
    // Pages that the kernel counts as shared, but whose object has another name.
    const rest = shared - (found?.residentBytes ?? 0);
    if (rest > 0) own += rest;
    for (const [key, bytes] of found?.objects ?? []) objects.set(key, bytes + (objects.get(key) ?? 0));
  }
  return { own, objects };
}

/** The process's share of its private memory: a page that n forks share counts 1/n. Since Linux 5.3. */
function privateShare(pid: number): number | undefined {
  const kilobytes = /^Pss_Anon:\s+(\d+)/m.exec(readBounded(`/proc/${pid}/smaps_rollup`, 4096) ?? '')?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}

/** Parses `/proc/<pid>/smaps`: shares of the shared objects (`Pss`), and how much of them is mapped here (`Rss`). */
export function parseMaps(text: string): { readonly objects: SharedObjects; readonly residentBytes: number } {
  const objects = new Map<string, number>();
  let residentBytes = 0;
  let key: string | undefined;
  for (const line of text.split('\n')) {
    const head = /^[0-9a-f]+-[0-9a-f]+ \S{4} [0-9a-f]+ ([0-9a-f]+):([0-9a-f]+) (\d+) *(.*)$/.exec(line);
    if (head) {
      const [, major = '', minor = '', inode = '', name = ''] = head;
      key = SHARED.test(name) ? `${deviceNumber(major, minor)}:${inode}` : undefined;
      continue;
    }
    if (key === undefined) continue;
    const [, field, kilobytes] = /^(Rss|Pss): +(\d+) kB$/.exec(line) ?? [];
    if (field === 'Rss') residentBytes += Number(kilobytes) * 1024;
    if (field === 'Pss') objects.set(key, (objects.get(key) ?? 0) + Number(kilobytes) * 1024);
  }
  return { objects, residentBytes };
}

/** The number that `stat` returns for a device, from the two hexadecimal numbers in a memory map. */
function deviceNumber(major: string, minor: string): number {
  const low = Number.parseInt(minor, 16);
  return Number.parseInt(major, 16) * 256 + (low & 0xff) + (low & ~0xff) * 4096;
}

function descriptorsOf(task: string): string[] {
  try {
    return readdirSync(`/proc/${task}/fd`);
  } catch {
    return [];
  }
}

/** Undefined if the file cannot be read or is larger. The kernel makes the text while it is read. */
function readBounded(path: string, maxBytes: number): string | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    let text = '';
    for (let length = readSync(file, chunk); length > 0; length = readSync(file, chunk)) {
      text += chunk.toString('latin1', 0, length);
      if (text.length > maxBytes) return undefined;
    }
    return text;
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
