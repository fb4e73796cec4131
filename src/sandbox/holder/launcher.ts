/**
 * A launcher: a shell outside of the sandbox that has joined its cgroups and waits for a word; then it turns, by
 * `launch-script.ts`, into a process inside. Waiting ahead pays: joining a cgroup takes the kernel 4 to 14 ms.
 *
 * We are the parent of nsenter, and nsenter of the process. So what ends here ended as the process did, and a signal
 * is for nsenter's child and the group that it leads, never for nsenter.
 */
import { rmSync, writeFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import type { Clock } from '../../clock.ts';
import type { SandboxHost } from '../host/sandbox-host.ts';
import { withDescriptorsClosed } from '../process/inherited-descriptors.ts';
import type { OutputPipes } from '../process/output-pipes.ts';
import { childrenOf } from '../process/process-tree.ts';
import type { Child } from '../process/spawn.ts';
import { startChild } from '../process/spawn.ts';
import type { ProcessExit, ProcessSpec, SandboxProcess } from '../sandbox.ts';
import type { SandboxEntry } from './launch-script.ts';
import { launchScript, OUTSIDE } from './launch-script.ts';

/** Joins the groups named by its arguments, waits for a line or for our end, then sources the file named by $0. */
const WAIT = `for group; do echo 0 >"$group" || exit 125; done; read -r go && ${OUTSIDE}=1 && . "$0"`;

/**
 * nsenter stands still while its child does, and would stand there for ever, with the whole sandbox undead behind it,
 * if we were killed just then.
 */
const DIE_WITH_SERVICE = ['--pdeathsig', 'KILL'];

/** How soon to look again for a process that nsenter is about to fork. */
const FORK_POLL_MS = 1;

/** How long nsenter may take for it; it is a matter of microseconds. */
const REAP_TIMEOUT_MS = 200;

type Phase =
  | { readonly kind: 'waiting' }
  /** From here on the script runs, and sooner or later nsenter has a child. */
  | { readonly kind: 'launched' }
  | { readonly kind: 'ended' };

export type LauncherOptions = {
  readonly host: SandboxHost;
  readonly pipes: OutputPipes;
  readonly clock: Clock;
  /** A path for the script, not used by another launcher. */
  readonly scriptFile: string;
  /** Files of cgroups by which a process joins. */
  readonly joinFiles: readonly string[];
};

export class Launcher implements SandboxProcess {
  readonly output: Readable;
  readonly exited: Promise<ProcessExit>;
  readonly #child: Child;
  readonly #options: LauncherOptions;
  #phase: Phase = { kind: 'waiting' };

  constructor(options: LauncherOptions) {
    const { host, pipes, scriptFile, joinFiles } = options;
    const { tools, inheritedDescriptors } = host;
    const pipe = pipes.take();
    try {
      const shell = [...DIE_WITH_SERVICE, '--no-new-privs', tools.sh, '-c', WAIT, scriptFile, ...joinFiles];
      const { file, args } = withDescriptorsClosed(inheritedDescriptors, tools.bash, {
        file: tools.setpriv,
        args: shell,
      });
      this.#child = startChild(file, args, ['pipe', pipe.writeFd, pipe.writeFd]);
    } catch (failure) {
      pipe.output.destroy();
      throw failure;
    } finally {
      pipe.giveUpWriting();
    }
    this.#options = options;
    this.output = pipe.output;
    this.exited = this.#child.exited.then((exit) => this.#ended(exit));
  }

  /** The host's number for the launcher, later nsenter. */
  get pid(): number {
    return this.#child.pid;
  }

  get isAlive(): boolean {
    return this.#child.exit() === undefined;
  }

  /** Lets it become a process. Once only. */
  launch(process: ProcessSpec, entry: SandboxEntry): void {
    const { host, scriptFile } = this.#options;
    writeFileSync(scriptFile, launchScript(process, entry, host.tools, scriptFile), { mode: 0o600 });
    this.#phase = { kind: 'launched' };
    this.#child.pipes[0]?.end('\n');
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.isAlive) return;
    if (this.#phase.kind !== 'launched') {
      this.#child.signal(signal);
      return;
    }
    const [process] = childrenOf(this.pid);
    if (process === undefined) {
      // Between our word and nsenter's fork. To signal nsenter now could leave its child behind, unwatched.
      this.#options.clock.after(FORK_POLL_MS, () => this.signal(signal));
      return;
    }
    // Not leading its group yet if setsid has not run; then it is alone.
    if (!sendQuietly(-process, signal)) sendQuietly(process, signal);
    // nsenter stops itself when its child stops, and would not see the child go.
    if (signal === 'SIGKILL' || signal === 'SIGCONT') this.#child.signal('SIGCONT');
  }

  /** Ends it if nothing has come of it yet. Once nsenter has a child, that has to go first. */
  cancel(): void {
    if (this.#phase.kind === 'waiting' || childrenOf(this.pid).length === 0) this.#child.signal('SIGKILL');
  }

  /**
   * For when the kernel is taking the child along with its namespace: nsenter sees to its end, if need be woken up.
   * Were nsenter killed instead, its dead child would wait for the host's init, which may be slow or not care.
   */
  reap(): void {
    this.#child.signal('SIGCONT');
    this.#options.clock.after(REAP_TIMEOUT_MS, () => this.#child.signal('SIGKILL'));
  }

  /** Ends it, unused, and what it held. */
  async discard(): Promise<void> {
    this.cancel();
    await this.exited;
    this.output.destroy();
  }

  #ended(exit: ProcessExit): ProcessExit {
    if (this.#phase.kind === 'launched') rmSync(this.#options.scriptFile, { force: true });
    this.#phase = { kind: 'ended' };
    return exit;
  }
}

/** False if there is no such process or group. */
function sendQuietly(target: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(target, signal);
    return true;
  } catch {
    return false;
  }
}
