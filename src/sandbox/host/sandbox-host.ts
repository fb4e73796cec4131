/**
 * What a machine offers for sandboxes, as data: tools, identities for functions and cgroups. `host-capabilities.ts`
 * finds it out once; everything else in this directory is told.
 */

/** Absolute paths of the programs that build a sandbox and start processes in it. */
export type SandboxTools = {
  readonly bwrap: string;
  readonly nsenter: string;
  readonly setpriv: string;
  readonly mkfifo: string;
  /** A shell that can close descriptors above 9, which dash cannot. */
  readonly bash: string;
  /** These also run inside, so they lie in a directory that a sandbox shows. */
  readonly sh: string;
  /** Whether that shell gives programs variables of its own making (`_`, `SHLVL`), as bash does. */
  readonly shellAddsVariables: boolean;
  readonly cat: string;
  readonly env: string;
  readonly setsid: string;
  readonly nice: string;
};

/** Absolute paths of the programs that make and mount file systems in files. */
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

/** How much a sandbox may write: what its volume holds, or what the disk does. */
export type VolumeSupport =
  | { readonly kind: 'loop'; readonly tools: VolumeTools }
  | { readonly kind: 'directories'; readonly reason: string };

/**
 * Who a function is. As root each sandbox has a host uid (and gid of the same number) of its own, `firstUid` + slot;
 * an ordinary user can only be himself, under another number in a user namespace.
 */
export type SandboxIdentity =
  | { readonly kind: 'own-uids'; readonly firstUid: number; readonly count: number }
  | { readonly kind: 'user-namespace'; readonly uid: number };

/** Where memory and CPU can be controlled. Directories are those in which this service may make groups. */
export type CgroupSupport =
  | { readonly kind: 'v2'; readonly directory: string; readonly controllers: readonly string[] }
  | {
      readonly kind: 'v1';
      readonly memory: string;
      readonly cpu: string | undefined;
    }
  | { readonly kind: 'none'; readonly reason: string };

export type SandboxHost = {
  readonly tools: SandboxTools;
  /** What the service was started with and functions must not have; see `inherited-descriptors.ts`. */
  readonly inheritedDescriptors: readonly number[];
  readonly identity: SandboxIdentity;
  readonly cgroups: CgroupSupport;
  readonly volumes: VolumeSupport;
  /**
   * Whether the kernel counts a sandbox's processes apart from the user's other processes, so that a limit on their
   * number hits the function alone (as root always; as an ordinary user since Linux 5.14).
   */
  readonly countsProcessesApart: boolean;
  /** Whether the kernel hands what is left of crashed processes to a program of the host's, whoever they belong to. */
  readonly collectsCores: boolean;
};

/** The uid and gid that the processes of a sandbox have, as they see it themselves. */
export function insideUid(identity: SandboxIdentity, slot: number): number {
  return identity.kind === 'user-namespace' ? identity.uid : identity.firstUid + (slot % identity.count);
}
