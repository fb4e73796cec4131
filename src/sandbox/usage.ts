/** Measures what the processes of a sandbox use now, from /proc and the volume. Only on request: it takes milliseconds. */
import { readdirSync, statfsSync } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { measureMemory } from './cgroup/measure-memory.ts';
import { createDescriptorSweep } from './cgroup/shared-memory.ts';
import { memoryOf } from './process/process-tree.ts';
import type { SandboxUsage } from './sandbox.ts';

export type UsageOptions = {
  readonly pids: readonly number[];
  /** Where the volume is mounted, as seen from the host, if it is a file system of its own. */
  readonly volumeRoot: string | undefined;
  /** The directory that serves as volume without a limit. */
  readonly volumeDirectory: string | undefined;
};

/** Processes whose descriptors are counted. */
const MAX_PROCESSES = 1024;
/** Files of a directory that are counted. A file system of its own has counters. */
const MAX_FILES = 20_000;
const BLOCK_BYTES = 512;

/** Never rejects: what cannot be read counts as 0. */
export async function measureUsage({ pids, volumeRoot, volumeDirectory }: UsageOptions): Promise<SandboxUsage> {
  const found = pids.slice(0, MAX_PROCESSES).flatMap((pid) => {
    const memory = memoryOf(pid);
    return memory === undefined ? [] : [{ pid, memory }];
  });
  const running = found.map(({ pid }) => pid);
  const { totalBytes } = measureMemory(found, createDescriptorSweep().look(running), 0);
  return {
    processes: pids.length,
    descriptors: running.reduce((sum, pid) => sum + countDescriptors(pid), 0),
    memoryBytes: found.length === 0 ? 0 : totalBytes,
    volume: volumeRoot === undefined ? await sizeOfDirectory(volumeDirectory) : sizeOfFileSystem(volumeRoot),
  };
}

function countDescriptors(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}

function sizeOfFileSystem(path: string): SandboxUsage['volume'] {
  try {
    const { blocks, bfree, bsize } = statfsSync(path);
    return { bytes: (blocks - bfree) * bsize, isComplete: true };
  } catch {
    return { bytes: 0, isComplete: false };
  }
}

/** Never follows a link. Directories that cannot be read, and everything after the first files, do not count. */
async function sizeOfDirectory(directory: string | undefined): Promise<SandboxUsage['volume']> {
  if (directory === undefined) return undefined;
  let bytes = 0;
  let count = 0;
  let isComplete = true;
  const open = [directory];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    try {
      for await (const entry of await opendir(path)) {
        count += 1;
        if (count > MAX_FILES) return { bytes, isComplete: false };
        const child = join(path, entry.name);
        bytes += (await lstat(child)).blocks * BLOCK_BYTES;
        if (entry.isDirectory()) open.push(child);
      }
    } catch {
      isComplete = false;
    }
  }
  return { bytes, isComplete };
}
