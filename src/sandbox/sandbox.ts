/**
 * The contract of a sandbox: a place made of Linux namespaces in which several processes run, one after another or
 * together, and which is gone without a trace when it is closed or when the service dies. It knows nothing of Lambda:
 * what to mount, which variables to set and what an exit means is decided by `environment/`.
 */
import type { Server, Socket } from 'node:net';
import type { Readable } from 'node:stream';

export type Mount = {
  /** A file or directory on the host. */
  readonly source: string;
  /** Where it appears inside. */
  readonly target: string;
  readonly access: 'read-only' | 'read-write';
};

export type SandboxSpec = {
  /** Unique among the living sandboxes of this machine; letters, digits and dashes. Names it in Lamella's own log. */
  readonly id: string;
  /** A small number, unique among the living sandboxes of this service, from which the host uid is derived. */
  readonly slot: number;
  /** The name of the user that its processes run as. */
  readonly userName: string;
  /** Directories of the root that exist even when nothing is mounted there; then they are empty and read-only. */
  readonly directories: readonly string[];
  readonly mounts: readonly Mount[];
  /** A directory of the sandbox's own, empty at first, in which so much can be written. It outlives `killAll`. */
  readonly volume?: { readonly target: string; readonly sizeBytes: number };
  /** Extra lines of /etc/hosts: address -> names. */
  readonly hosts: Readonly<Record<string, readonly string[]>>;
  readonly workingDirectory: string;
  /** Bytes of memory that all processes together may hold; undefined for no limit. */
  readonly memoryLimitBytes: number | undefined;
  readonly limits: ProcessLimits;
};

/** What each process may have, soft and hard. The host's own hard limits stand where they are lower. */
export type ProcessLimits = {
  readonly openFiles: number;
  /** Processes and threads of the whole sandbox. */
  readonly processes: number;
  /** Memory that is never swapped; the host's own limit if undefined. */
  readonly lockedBytes?: number;
  /** What is left of a process that crashes; nothing if undefined. */
  readonly coreBytes?: number;
};

export type ProcessSpec = {
  /** Absolute path inside the sandbox, then arguments. `argv[0]` is the path itself. */
  readonly argv: readonly [string, ...string[]];
  /** The whole environment of the process; nothing is inherited. */
  readonly environment: Readonly<Record<string, string>>;
};

/** How a process ended. A program that exits with 137 is `exited`; one that was killed is `signaled`. */
export type ProcessExit =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signaled'; readonly signal: NodeJS.Signals };

export interface SandboxProcess {
  /** stdout and stderr as one stream, in the order written. Ends when every writer is gone. */
  readonly output: Readable;
  /** Settles when the process has ended and has been reaped; `output` may still hold unread bytes. Never rejects. */
  readonly exited: Promise<ProcessExit>;
  /** Sends a signal to the process and to the group it leads. Does nothing once it has ended. */
  signal(signal: NodeJS.Signals): void;
}

/** A network in which there is nothing but one sandbox: a loopback interface, and no way out or in but these. */
export interface SandboxNetwork {
  /** Listens inside, on 127.0.0.1, at the port that the service has chosen for all; nobody has connected yet. */
  readonly server: Server;
  /** A connection made inside, to a port of 127.0.0.1. Rejects when nobody listens there. */
  connect(port: number): Promise<Socket>;
}

export interface Sandbox {
  /** Undefined when it shares the host's. */
  readonly network: SandboxNetwork | undefined;
  /** The host uid of its processes, when no other sandbox's processes have the same; else undefined. */
  readonly hostUid: number | undefined;
  /** Starts a process inside. Throws `OperatorError` only if the host itself fails. */
  start(process: ProcessSpec): SandboxProcess;
  /**
   * The most memory (bytes) that the processes held at one time since the sandbox began, without page cache.
   * Cheap when nothing changed.
   */
  peakMemoryBytes(): number;
  /** Whether the kernel has killed a process of this sandbox for lack of memory since the last call. */
  takeOutOfMemory(): boolean;
  /**
   * Limits all processes together to `share` CPUs (1.5 is one CPU and a half); undefined lifts the limit. Does nothing
   * where the host has no CPU cgroup.
   */
  setCpuQuota(share: number | undefined): void;
  /** Stops every process where it stands, until `thaw`. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** Kills every process started with `start`, and all their descendants; the sandbox itself stays usable. */
  killAll(): Promise<void>;
  /** Kills everything and removes what the sandbox left on the host (cgroups, pipes). Safe to call twice. */
  close(): Promise<void>;
}

/** Opens a sandbox; resolves once a process can be started in it. */
export type OpenSandbox = (spec: SandboxSpec) => Promise<Sandbox>;
