/** The user IDs of functions: a range of host uids if the service is root, else one uid in a user namespace. */
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { SandboxIdentity } from './sandbox-host.ts';

/** Host uids of functions. The range does not overlap with those of people and of other container software. */
const FIRST_UID = 1_900_000_000;
const UIDS_PER_SERVICE = 1024;
const SERVICES = 200_000;
const NAMESPACE_UID = 1051;

/**
 * Chooses a range of uids among those of a uid map (/proc/self/uid_map). Services with different numbers get different
 * ranges if the map is large enough. Pure.
 */
export function uidRange(uidMap: string, service: number): { firstUid: number; count: number } {
  const ranges = uidMap
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .map(([first = 0, , size = 0]) => ({ first, end: first + size }));
  const own = FIRST_UID + (service % SERVICES) * UIDS_PER_SERVICE;
  if (ranges.some(({ first, end }) => own >= first && own + UIDS_PER_SERVICE <= end)) {
    return { firstUid: own, count: UIDS_PER_SERVICE };
  }
  const largest = ranges.reduce((best, range) => (range.end - range.first > best.end - best.first ? range : best));
  // In a small range, the highest uids can be 65534 (nobody) and 65535.
  const end = Math.min(largest.end, largest.end > 65_534 && largest.end <= 65_536 ? 65_534 : largest.end);
  const count = Math.max(1, Math.min(UIDS_PER_SERVICE, end - Math.max(largest.first, 1)));
  return { firstUid: end - count, count };
}

/** Chooses the uids of a new service. A random number keeps services on one machine apart. */
export function chooseIdentity(isRoot: boolean): SandboxIdentity {
  if (!isRoot) return { kind: 'user-namespace', uid: NAMESPACE_UID };
  return { kind: 'own-uids', ...uidRange(readFileSync('/proc/self/uid_map', 'utf8'), randomInt(SERVICES)) };
}
