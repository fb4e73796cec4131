/**
 * What a machine offers for sandboxes, as data: tools, user IDs, cgroups and volumes. `host-capabilities.ts` detects it
 * once and passes it on.
 */

/** Absolute paths of the programs that build sandboxes and start processes in them. */
export type SandboxTools = {
  readonly bwrap: string;
  readonly nsenter: string;
  readonly setpriv: string;
  readonly mkfifo: string;
  /** Closes descriptors above 9, which dash cannot. */
  readonly bash: string;
  /** This and the following programs also run inside the sandbox, which therefore shows their directories. */
  readonly sh: string;
  /** Whether the shell adds variables (`_`, `SHLVL`) to the environment of programs, as bash does. */
  readonly shellAddsVariables: boolean;
  readonly cat: string;
  readonly env: string;
  readonly setsid: string;
  readonly nice: string;
};

/** Absolute paths of the programs that create and mount file systems in files. */
export type VolumeTools = {
  readonly mkfs: string;
  readonly tune2fs: string;
  readonly dumpe2fs: string;
  readonly debugfs: string;
  readonly mount: string;
  readonly umount: string;
  readonly unshare: string;
  readonly cp: string;
};

/** Whether volumes are file systems with a size limit, or plain directories without one. */
export type VolumeSupport =
  | { readonly kind: 'loop'; readonly tools: VolumeTools }
  | {
      readonly kind: 'directories';
      readonly reason: string;
      /** The command that installs what is missing. */
      readonly remedy?: string;
    };

/**
 * The user IDs of sandboxes. If the service is root, each sandbox has its own host uid, `firstUid` + slot, and the gid
 * of the same number. Otherwise all sandboxes run as the service's user, which has the given uid in a user namespace.
 */
export type SandboxIdentity =
  | { readonly kind: 'own-uids'; readonly firstUid: number; readonly count: number }
  | { readonly kind: 'user-namespace'; readonly uid: number };

/** The cgroups that limit memory and CPU. The paths are directories in which the service can create groups. */
export type CgroupSupport =
  | { readonly kind: 'v2'; readonly directory: string; readonly controllers: readonly string[] }
  | {
      readonly kind: 'v1';
      readonly memory: string;
      readonly cpu: string | undefined;
    }
  | { readonly kind: 'none'; readonly reason: string };

/** Everything that sandboxes need to know about the host. */
export type SandboxHost = {
  readonly tools: SandboxTools;
  /** Descriptors that the service inherited and functions must not have (`inherited-descriptors.ts`). */
  readonly inheritedDescriptors: readonly number[];
  readonly identity: SandboxIdentity;
  readonly cgroups: CgroupSupport;
  readonly volumes: VolumeSupport;
  /**
   * Whether the kernel counts a sandbox's processes separately from the user's other processes, so that a limit
   * applies to the function alone. True for root, and for ordinary users since Linux 5.14.
   */
  readonly countsProcessesApart: boolean;
  /** Whether the kernel pipes core dumps, also those of functions, to a program of the host. */
  readonly collectsCores: boolean;
};

/** The uid and gid of a sandbox's processes, as seen from inside. */
export function insideUid(identity: SandboxIdentity, slot: number): number {
  return identity.kind === 'user-namespace' ? identity.uid : identity.firstUid + (slot % identity.count);
}
