/**
 * The contract of a sandbox: a set of Linux namespaces in which processes run, one after another or together. Closing
 * it, or the death of the service, leaves nothing behind. A sandbox knows nothing about Lambda: `environment/` decides
 * what to mount, which variables to set and what an exit means.
 */
import type { Server, Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { Containment } from '../containment.ts';
import type { SocketVerdict } from './process/socket-search.ts';

export type Mount = {
  /** A file or directory on the host. */
  readonly source: string;
  /** Where it appears inside. */
  readonly target: string;
  readonly access: 'read-only' | 'read-write';
};

export type SandboxSpec = {
  /** Unique among the open sandboxes of this machine: letters, digits and dashes. Used in Lamella's own log. */
  readonly id: string;
  /** A small number, unique among the open sandboxes of this service. The host uid is derived from it. */
  readonly slot: number;
  /** Name of the user that the processes run as. */
  readonly userName: string;
  /** Directories that exist even when nothing is mounted there. They are then empty and read-only. */
  readonly directories: readonly string[];
  readonly mounts: readonly Mount[];
  /** A writable directory with this size limit, empty at first. Its contents survive `killAll`. */
  readonly volume?: { readonly target: string; readonly sizeBytes: number };
  /** Additional lines of /etc/hosts: address -> names. */
  readonly hosts: Readonly<Record<string, readonly string[]>>;
  readonly workingDirectory: string;
  /** Memory limit for all processes combined, in bytes; undefined for no limit. */
  readonly memoryLimitBytes: number | undefined;
  readonly limits: ProcessLimits;
  /** Gets what goes wrong in the sandbox's own timers and processes. The caller then closes the sandbox. */
  readonly containment?: Containment | undefined;
};

/** Resource limits (ulimit), soft and hard. The host's own hard limits apply where they are lower. */
export type ProcessLimits = {
  readonly openFiles: number;
  /** Processes and threads of the whole sandbox. */
  readonly processes: number;
  /** Locked memory, which is never swapped; the host's own limit if undefined. */
  readonly lockedBytes?: number;
  /** Size of core dumps; no core dumps if undefined. */
  readonly coreBytes?: number;
};

export type ProcessSpec = {
  /** Absolute path inside the sandbox, then arguments. `argv[0]` is the path itself. */
  readonly argv: readonly [string, ...string[]];
  /** The whole environment of the process; nothing is inherited. */
  readonly environment: Readonly<Record<string, string>>;
};

/** How a process ended. A program that exits with code 137 has `exited`; one killed by SIGKILL was `signaled`. */
export type ProcessExit =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signaled'; readonly signal: NodeJS.Signals };

export interface SandboxProcess {
  /** stdout and stderr as one stream, in the order written. Ends when the last writer has closed it. */
  readonly output: Readable;
  /** Resolves when the process has ended and was reaped. `output` may still hold unread bytes. Never rejects. */
  readonly exited: Promise<ProcessExit>;
  /** Sends a signal to the process and its process group. Does nothing after the process has ended. */
  signal(signal: NodeJS.Signals): void;
}

/** The private network of one sandbox: a loopback interface. Only `server` and `connect` cross its boundary. */
export interface SandboxNetwork {
  /** Listens on 127.0.0.1 inside the sandbox, on the port configured for all sandboxes. No connection was accepted yet. */
  readonly server: Server;
  /** Connects to a port of 127.0.0.1 inside the sandbox. Rejects if no process listens there. */
  connect(port: number): Promise<Socket>;
}

/** What the processes of a sandbox use now. */
export type SandboxUsage = {
  readonly processes: number;
  /** Open files and connections of all processes combined. */
  readonly descriptors: number;
  readonly memoryBytes: number;
  /** The files in the volume; incomplete if there were too many to count. Undefined without a volume. */
  readonly volume: { readonly bytes: number; readonly isComplete: boolean } | undefined;
};

export interface Sandbox {
  /** Undefined when the sandbox shares the host's network. */
  readonly network: SandboxNetwork | undefined;
  /** The host uid of the processes; undefined if another sandbox's processes have the same uid. */
  readonly hostUid: number | undefined;
  /** Whether a process of the sandbox holds the socket with this inode number. Takes about a millisecond. */
  findSocket(inode: number): Promise<SocketVerdict>;
  /** Starts a process in the sandbox. Throws only if the host itself fails, for example on a full disk. */
  start(process: ProcessSpec): SandboxProcess;
  /**
   * Peak memory use of all processes combined since the sandbox was opened, in bytes, without page cache. Cheap when
   * nothing changed.
   */
  peakMemoryBytes(): number;
  /** Measures the current use. Takes milliseconds. Never rejects. */
  usage(): Promise<SandboxUsage>;
  /** The size that the volume is limited to, in bytes; undefined if nothing enforces one. */
  readonly volumeLimitBytes: number | undefined;
  /** Whether a process of this sandbox was killed for lack of memory since the last call. */
  takeOutOfMemory(): boolean;
  /** Like `takeOutOfMemory`, but cheap while the memory use is far from the limit. Call it after `peakMemoryBytes`. */
  forgetOutOfMemory(): void;
  /**
   * Limits all processes combined to `share` CPUs (1.5 is one and a half CPUs); undefined removes the limit. Does
   * nothing on hosts without a CPU cgroup.
   */
  setCpuQuota(share: number | undefined): void;
  /** Suspends every process until `thaw`. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** Kills every process started with `start`, and all their descendants. The sandbox stays usable. */
  killAll(): Promise<void>;
  /** Kills every process and removes the sandbox's cgroups and pipes from the host. Safe to call twice. */
  close(): Promise<void>;
}

/** Opens a sandbox; resolves when a process can be started in it. The caller closes it. */
export type OpenSandbox = (spec: SandboxSpec) => Promise<Sandbox>;
