/**
 * One open sandbox: a spare sandbox that has received its spec. It tracks the processes started in it. To kill them
 * all, it replaces the namespace holder: the kernel then kills everything in the old pid namespace at once. Neither a
 * fork bomb nor a daemon can escape that.
 */
import type { Clock } from '../clock.ts';
import type { CgroupGroup } from './cgroup/cgroup.ts';
import type { MemoryGuard } from './cgroup/memory-guard.ts';
import { createMemoryGuard } from './cgroup/memory-guard.ts';
import type { MemoryMeter } from './cgroup/memory-use.ts';
import { createMemoryMeter } from './cgroup/memory-use.ts';
import type { NetworkEntry, SandboxEntry } from './holder/launch-script.ts';
import { launchLimits } from './holder/launch-script.ts';
import type { Launcher } from './holder/launcher.ts';
import type { NamespaceHolder } from './holder/namespace-holder.ts';
import type { PartFactory, SpareSandbox } from './holder/spare-sandboxes.ts';
import type { SandboxHost } from './host/sandbox-host.ts';
import { insideUid } from './host/sandbox-host.ts';
import type { Network } from './network/network.ts';
import { descendantsOf } from './process/process-tree.ts';
import { createSocketSearch, type FindSocket } from './process/socket-search.ts';
import type { StopSignals } from './process/stop-signals.ts';
import { createStopSignals } from './process/stop-signals.ts';
import type { ProcessSpec, Sandbox, SandboxProcess, SandboxSpec, SandboxUsage } from './sandbox.ts';
import { measureUsage } from './usage.ts';
import type { Volume } from './volumes/volumes.ts';

export type BubblewrapSandboxOptions = {
  readonly host: SandboxHost;
  readonly parts: PartFactory;
  readonly clock: Clock;
  /** Returns bubblewrap's arguments for the spec. Called once per namespace holder. */
  readonly holderArguments: () => readonly string[];
  readonly volume: Volume | undefined;
  /** Whether no other open sandbox of this service uses the same uid. */
  readonly hasOwnUid: boolean;
};

/** The kernel charges memory in batches, so a group whose limit was reached can have a mark a little below it. */
const MARK_MARGIN_BYTES = 8 * 1024 * 1024;

export class BubblewrapSandbox implements Sandbox {
  readonly hostUid: number | undefined;
  readonly network: Network | undefined;
  /** Resolves when the sandbox is closed and everything of it is removed. */
  readonly closed: Promise<void>;
  readonly #spec: SandboxSpec;
  readonly #options: BubblewrapSandboxOptions;
  readonly #group: CgroupGroup;
  readonly #memory: MemoryMeter;
  /** Enforces the memory limit on hosts without cgroups. */
  readonly #guard: MemoryGuard | undefined;
  readonly #stopSignals: StopSignals;
  readonly findSocket: FindSocket;
  readonly #live = new Set<Launcher>();
  #holder: NamespaceHolder;
  /** Has joined the cgroup and waits for the next `start`. */
  #spareLauncher: Launcher | undefined;
  #seenKills = 0;
  #closing: Promise<void> | undefined;
  #markClosed: () => void = () => {};

  private constructor(spare: SpareSandbox, spec: SandboxSpec, options: BubblewrapSandboxOptions) {
    this.closed = new Promise((resolve) => {
      this.#markClosed = resolve;
    });
    this.#spec = spec;
    this.#options = options;
    this.#group = spare.group;
    this.#holder = spare.holder;
    this.#spareLauncher = spare.launcher;
    this.network = spare.network;
    const { identity } = options.host;
    this.hostUid = identity.kind === 'own-uids' && options.hasOwnUid ? insideUid(identity, spec.slot) : undefined;
    const processIds = () => this.#processIds();
    this.#memory = createMemoryMeter(spare.group, processIds, spec.memoryLimitBytes);
    if (options.host.cgroups.kind === 'none' && spec.memoryLimitBytes !== undefined) {
      this.#guard = createMemoryGuard({
        clock: options.clock,
        limitBytes: spec.memoryLimitBytes,
        processIds,
        onSample: (memories, unmappedBytes) => this.#memory.observe(memories, unmappedBytes),
      });
    }
    this.findSocket = createSocketSearch(processIds, options.clock);
    this.#stopSignals = createStopSignals(options.clock, processIds, () => this.#launcherIds());
  }

  /** Opens a spare sandbox; resolves when a process can be started in it. On failure, the spare is removed. */
  static async open(
    spare: SpareSandbox,
    spec: SandboxSpec,
    options: BubblewrapSandboxOptions,
  ): Promise<BubblewrapSandbox> {
    const sandbox = new BubblewrapSandbox(spare, spec, options);
    try {
      const opened = spare.holder.open(options.holderArguments());
      opened.catch(() => {}); // Handled below, unless the next line throws.
      spare.group.setMemoryLimit(spec.memoryLimitBytes);
      await opened;
      return sandbox;
    } catch (failure) {
      await sandbox.close();
      throw failure;
    }
  }

  start(process: ProcessSpec): SandboxProcess {
    const { parts } = this.#options;
    const waiting = this.#spareLauncher;
    this.#spareLauncher = undefined;
    const launcher = waiting?.isAlive ? waiting : parts.createLauncher(this.#group);
    this.#live.add(launcher);
    void launcher.exited.then(() => this.#live.delete(launcher));
    // If the holder is gone, its namespaces are gone too, and there is nothing to enter.
    if (this.#holder.isAlive) launcher.launch(process, this.#entry());
    else launcher.cancel();
    this.#guard?.resume();
    return launcher;
  }

  peakMemoryBytes(): number {
    return this.#memory.peakBytes();
  }

  get volumeLimitBytes(): number | undefined {
    return this.#options.volume?.limitBytes;
  }

  usage(): Promise<SandboxUsage> {
    const { volume } = this.#options;
    const { target } = this.#spec.volume ?? {};
    const isLimited = volume?.limitBytes !== undefined;
    return measureUsage({
      pids: this.#processIds(),
      // The volume is mounted in a namespace of its own.
      volumeRoot: isLimited ? `/proc/${this.#holder.pid}/root${target}` : undefined,
      volumeDirectory: volume?.directory,
    });
  }

  forgetOutOfMemory(): void {
    const mark = this.#memory.highestMark;
    const limitBytes = this.#spec.memoryLimitBytes ?? Number.POSITIVE_INFINITY;
    // The kernel kills nothing before the group has reached its limit once.
    if (this.#guard !== undefined || mark === undefined || mark >= limitBytes - MARK_MARGIN_BYTES)
      this.takeOutOfMemory();
  }

  takeOutOfMemory(): boolean {
    const kills = this.#group.outOfMemoryKills() + (this.#guard?.kills() ?? 0);
    const isNew = kills > this.#seenKills;
    this.#seenKills = kills;
    return isNew;
  }

  setCpuQuota(share: number | undefined): void {
    this.#group.setCpuQuota(share);
  }

  async freeze(): Promise<void> {
    await this.#stopSignals.freeze();
    this.#guard?.pause();
  }

  async thaw(): Promise<void> {
    this.#stopSignals.thaw();
    this.#guard?.resume();
  }

  async killAll(): Promise<void> {
    await this.#killHolder();
    if (this.#closing !== undefined) return;
    this.#holder = this.#options.parts.createHolder(this.network);
    // The caller will start a process soon. Let a launcher join the cgroup meanwhile.
    if (!this.#spareLauncher?.isAlive) this.#spareLauncher = this.#options.parts.createLauncher(this.#group);
    await this.#holder.open(this.#options.holderArguments());
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.all([this.#spareLauncher?.discard(), this.#killHolder()]);
    await this.network?.close();
    await this.#group.remove();
    this.#markClosed();
  }

  /** Resolves when the holder, all processes in it and their launchers have exited. */
  async #killHolder(): Promise<void> {
    this.#guard?.pause();
    // Read the list first: launchers that exit remove themselves from it.
    const launchers = [...this.#live];
    for (const launcher of launchers) launcher.cancel();
    this.#holder.kill();
    for (const launcher of launchers) launcher.reap();
    this.#stopSignals.reset();
    await Promise.all([this.#holder.exited, ...launchers.map((launcher) => launcher.exited)]);
  }

  #entry(): SandboxEntry {
    const { host } = this.#options;
    return {
      holderProc: this.#holder.proc,
      network: this.#networkEntry(),
      setUid: host.identity.kind === 'own-uids' ? insideUid(host.identity, this.#spec.slot) : undefined,
      limits: launchLimits(this.#spec, host),
    };
  }

  #networkEntry(): NetworkEntry {
    if (this.network === undefined) return { kind: 'shared' };
    const ownsUserNamespace = this.#options.host.identity.kind === 'user-namespace';
    return ownsUserNamespace ? { kind: 'parent', enterCommand: this.network.enterCommand } : { kind: 'own' };
  }

  /** The processes started in the sandbox, without the holder and the launchers. */
  #processIds(): number[] {
    const launchers = new Set(this.#launcherIds());
    const inGroup = this.#group.processIds();
    if (inGroup !== undefined) {
      const spare = this.#spareLauncher?.pid;
      return inGroup.filter((pid) => !launchers.has(pid) && pid !== spare);
    }
    const { pid, ownProcesses } = this.#holder;
    const all = descendantsOf([...launchers, ...(pid === undefined || !this.#holder.isAlive ? [] : [pid])]);
    return all.filter((process) => !ownProcesses.has(process));
  }

  #launcherIds(): number[] {
    return [...this.#live].map((launcher) => launcher.pid);
  }
}
