/**
 * What the clients of the API port and of the HTTP port can make the service hold: connections of each port, unfinished
 * heads of requests, and the bodies of both. The Runtime APIs have limits of their own (`runtime-api/server.ts`).
 */
import type { Clock } from '../clock.ts';
import { openFilesLimit } from '../environment/launch/descriptors.ts';
import { BodyBudget } from '../http/body-budget.ts';
import type { ListenOptions } from '../http/listener.ts';

export type ClientLimits = Required<Pick<ListenOptions, 'limits'>> & { readonly bodies: BodyBudget };

/** At most, and at most a quarter of the service's descriptors for each port. */
const MAX_CONNECTIONS = 10_000;
const MAX_UNFINISHED_HEAD_BYTES = 64 * 1024 * 1024;
/** Longer than the HTTP port waits before it responds with 408. */
const HEAD_TIMEOUT_MS = 120_000;

export function createClientLimits(clock: Clock, openFiles = openFilesLimit()): ClientLimits {
  return {
    limits: {
      maxConnections: Math.min(MAX_CONNECTIONS, Math.floor(openFiles / 4)),
      atMax: 'close-idle',
      maxUnfinishedHeadBytes: MAX_UNFINISHED_HEAD_BYTES,
      headTimeoutMs: HEAD_TIMEOUT_MS,
    },
    bodies: new BodyBudget(clock),
  };
}
