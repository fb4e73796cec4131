/** The current memory of the processes of a sandbox, from their counters and what they share. Kills nothing. */
import type { ProcessMemory } from '../process/process-tree.ts';
import { programBytes } from './memory-use.ts';
import { distinctObjects, readMaps, type SharedObjects } from './shared-memory.ts';

/** A process and its counters. */
export type Sampled = { readonly pid: number; readonly memory: ProcessMemory };
/** The shared memory objects that each process holds. */
export type Held = ReadonlyMap<number, SharedObjects>;

/**
 * The memory of all processes in bytes. The sum of their counters includes shared memory several times. Only if it
 * exceeds the limit are the maps read, which count every page once.
 */
export function measureMemory(
  found: readonly Sampled[],
  held: Held,
  limitBytes: number,
): { readonly totalBytes: number; readonly unmappedBytes: number } {
  const objects = distinctObjects(held);
  const objectBytes = sum(objects.values());
  const program = programBytes(found.map(({ memory }) => memory));
  const ownBytes = sum(found.map(({ memory }) => memory.own));
  const sharedBytes = sum(found.map(({ memory }) => memory.shared));
  const unmappedBytes = Math.max(0, objectBytes - sharedBytes);
  if (ownBytes + objectBytes + program <= limitBytes) {
    return { totalBytes: ownBytes + objectBytes + program, unmappedBytes };
  }
  const maps = readMaps(
    found.map(({ pid, memory }) => ({ pid, anonymous: memory.own - memory.shared, shared: memory.shared })),
  );
  for (const [key, bytes] of maps.objects) objects.set(key, Math.max(bytes, objects.get(key) ?? 0));
  return { totalBytes: maps.own + sum(objects.values()) + program, unmappedBytes };
}

export function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
