/**
 * The resource account of an environment: what it uses now of each bounded resource, and the bound. Sizes are bytes. A
 * limit of null is not enforced on this machine. What happens at each limit is in docs/security.md.
 */
import type { Scope } from '../protocol/names.ts';

export type Use = { readonly used: number; readonly limit: number | null };

export type EnvironmentAccount = {
  readonly function: string;
  readonly version: string;
  readonly scope: Scope;
  readonly logStream: string;
  readonly phase: string;
  readonly memory: Use;
  readonly processes: Use;
  /** Of all processes combined; the limit is that of one process. */
  readonly descriptors: { readonly used: number; readonly limitPerProcess: number };
  /** Files in /tmp. `isComplete` is false when there are too many to count. */
  readonly disk: Use & { readonly isComplete: boolean };
  /** Connections to the Runtime API. */
  readonly connections: Use & { readonly refused: number };
  /** What the service holds in memory for the environment: requests, output, and telemetry that waits for subscribers. */
  readonly buffered: { readonly requests: Use; readonly output: Use; readonly telemetry: Use };
  /** Output of its processes. `isHeldBack`: they wait in their writes, because they write faster than can be logged. */
  readonly log: {
    readonly lines: number;
    readonly bytes: number;
    readonly bytesPerSecond: number;
    readonly isHeldBack: boolean;
  };
};
