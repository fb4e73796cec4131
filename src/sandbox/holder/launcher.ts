/**
 * A launcher: a shell outside the sandbox that has joined its cgroup and waits. On demand it turns into a process inside
 * (`launch-script.ts`). It is started in advance because joining a cgroup takes the kernel 4 to 14 ms.
 *
 * The service is the parent of nsenter, and nsenter is the parent of the process. nsenter exits as the process did.
 * Signals are sent to nsenter's child and its group, never to nsenter.
 */
import { rmSync, writeFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import type { Clock } from '../../clock.ts';
import type { SandboxHost } from '../host/sandbox-host.ts';
import type { Guard } from '../process/guard.ts';
import { withDescriptorsClosed } from '../process/inherited-descriptors.ts';
import type { OutputPipes } from '../process/output-pipes.ts';
import { childrenOf } from '../process/process-tree.ts';
import type { Child } from '../process/spawn.ts';
import { startChild } from '../process/spawn.ts';
import type { ProcessExit, ProcessSpec, SandboxProcess } from '../sandbox.ts';
import type { SandboxEntry } from './launch-script.ts';
import { launchScript, OUTSIDE } from './launch-script.ts';

/** Joins the cgroups named by its arguments, waits for a line, then sources the file named by $0. Exits at end of file. */
const WAIT = `for group; do echo 0 >"$group" || exit 125; done; read -r go && ${OUTSIDE}=1 && . "$0"`;

/**
 * nsenter stops while its child is stopped. If the service is killed at that moment, nsenter, and with it the whole
 * sandbox, would stay forever.
 */
const DIE_WITH_SERVICE = ['--pdeathsig', 'KILL'];

/** Interval for checking whether nsenter has forked. */
const FORK_POLL_MS = 1;

/** How long nsenter may take to reap its child. It usually takes microseconds. */
const REAP_TIMEOUT_MS = 200;

type Phase =
  | { readonly kind: 'waiting' }
  /** The script runs; nsenter will fork soon. */
  | { readonly kind: 'launched' }
  | { readonly kind: 'ended' };

export type LauncherOptions = {
  readonly host: SandboxHost;
  readonly guard: Guard;
  readonly pipes: OutputPipes;
  readonly clock: Clock;
  /** Path for the script, not used by another launcher. */
  readonly scriptFile: string;
  /** The files to write to join the cgroup. */
  readonly joinFiles: readonly string[];
};

/** A waiting launcher, and the process that it becomes. */
export class Launcher implements SandboxProcess {
  readonly output: Readable;
  readonly exited: Promise<ProcessExit>;
  readonly #child: Child;
  readonly #options: LauncherOptions;
  #phase: Phase = { kind: 'waiting' };

  constructor(options: LauncherOptions) {
    const { host, guard, pipes, scriptFile, joinFiles } = options;
    const { tools, inheritedDescriptors } = host;
    const pipe = pipes.take();
    try {
      const confine = guard.kind === 'installed' ? guard.confine : [];
      const shell = [...DIE_WITH_SERVICE, '--no-new-privs', ...confine, tools.sh, '-c', WAIT, scriptFile, ...joinFiles];
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

  /** Host pid of the launcher, later of nsenter. */
  get pid(): number {
    return this.#child.pid;
  }

  get isAlive(): boolean {
    return this.#child.exit() === undefined;
  }

  /** Turns the launcher into a process. Call it once. */
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
      // nsenter has not forked yet. A signal to nsenter now could leave its child behind.
      this.#options.clock.after(FORK_POLL_MS, () => this.signal(signal));
      return;
    }
    // Before setsid has run, the process does not lead a group, and has no children.
    if (!sendQuietly(-process, signal)) sendQuietly(process, signal);
    // nsenter stops itself when its child stops. It must run to notice that the child ended.
    if (signal === 'SIGKILL' || signal === 'SIGCONT') this.#child.signal('SIGCONT');
  }

  /** Kills the launcher unless nsenter already has a child, which has to end first. */
  cancel(): void {
    if (this.#phase.kind === 'waiting' || childrenOf(this.pid).length === 0) this.#child.signal('SIGKILL');
  }

  /**
   * Lets nsenter reap its child, which the kernel kills together with its pid namespace. Continues nsenter if it is
   * stopped. If nsenter were killed instead, the host's init would have to reap the child, and not every init does.
   */
  reap(): void {
    this.#child.signal('SIGCONT');
    this.#options.clock.after(REAP_TIMEOUT_MS, () => this.#child.signal('SIGKILL'));
  }

  /** Kills an unused launcher and closes its output. */
  async discard(): Promise<void> {
    this.cancel();
    await this.exited;
    this.output.destroy();
  }

  #ended(exit: ProcessExit): ProcessExit {
    try {
      if (this.#phase.kind === 'launched') rmSync(this.#options.scriptFile, { force: true });
    } catch {
      // The disk has failed. The file is removed with its directory.
    }
    this.#phase = { kind: 'ended' };
    return exit;
  }
}

/** Returns false if the process or group does not exist. */
function sendQuietly(target: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(target, signal);
    return true;
  } catch {
    return false;
  }
}
