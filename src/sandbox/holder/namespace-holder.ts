/**
 * The namespace holder: bubblewrap with a first process that keeps a sandbox's namespaces alive while processes enter
 * them from outside (`launcher.ts`). The first process is the guard (`guard.ts`), or `cat` below bubblewrap's own where
 * the guard cannot run. When it exits, the kernel kills every process in the namespaces. It exits when its
 * standard input is closed or bubblewrap's parent dies, therefore also when the service is killed.
 *
 * It is started in advance and waits for its arguments, because most of the time goes into starting bubblewrap.
 */
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import type { Clock } from '../../clock.ts';
import { exhaustedResource, OperatorError } from '../../operator-error.ts';
import type { SandboxHost } from '../host/sandbox-host.ts';
import type { Guard } from '../process/guard.ts';
import { withDescriptorsClosed } from '../process/inherited-descriptors.ts';
import { serviceMark } from '../process/service-mark.ts';
import type { Child, Stdio } from '../process/spawn.ts';
import { startChild } from '../process/spawn.ts';
import { MARK_VARIABLE } from './abandoned-holders.ts';

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const ARGUMENTS = 3;
const REPORT = 4;
const GUARD = 5;

/** How long a bubblewrap that is no longer needed may take to open and then exit. It usually takes milliseconds. */
const OPEN_TIMEOUT_MS = 3000;

export class NamespaceHolder {
  readonly #child: Child;
  readonly #clock: Clock;
  readonly #hasGuard: boolean;
  /** `ending`: killed while it was opening. Unused once the pid is known. */
  #phase: 'waiting' | 'opening' | 'ending' = 'waiting';
  #stderr = '';
  #pid: number | undefined;
  #procFd: number | undefined;
  #ownProcesses: ReadonlySet<number> = new Set();

  /** Starts bubblewrap, which waits for `open`. `enterCommand` is a command prefix, which enters other namespaces. */
  constructor(host: SandboxHost, guard: Guard, enterCommand: readonly string[], clock: Clock) {
    const { tools, inheritedDescriptors, identity } = host;
    this.#clock = clock;
    this.#hasGuard = guard.kind === 'installed';
    // A service that runs as root may lack the right to look into a protected process. Functions have other user IDs.
    const mode = identity.kind === 'user-namespace' ? 'p' : 'h';
    const first = guard.kind === 'installed' ? ['--as-pid-1', `/proc/self/fd/${GUARD}`, mode] : [tools.cat];
    const [program, ...rest] = [...enterCommand, tools.bwrap, '--args', `${ARGUMENTS}`, ...first];
    const { file, args } = withDescriptorsClosed(inheritedDescriptors, tools.bash, {
      file: program ?? tools.bwrap,
      args: rest,
    });
    const stdio: Stdio[] = ['pipe', 'pipe', 'pipe', 'pipe', 'pipe'];
    if (guard.kind === 'installed') stdio[GUARD] = guard.descriptor;
    this.#child = startChild(file, args, stdio, { [MARK_VARIABLE]: serviceMark() });
    this.#child.pipes[STDERR]?.on('data', (chunk: Buffer) => {
      if (this.#stderr.length < 4096) this.#stderr += chunk.toString();
    });
    // The first process echoes it when the namespaces are complete. This is the readiness event.
    this.#child.pipes[STDIN]?.write('x');
    void this.#child.exited.then(() => {
      if (this.#procFd !== undefined) closeSync(this.#procFd);
      this.#procFd = undefined;
    });
  }

  /** Whether bubblewrap is running: waiting for `open`, opening, or holding the namespaces. */
  get isAlive(): boolean {
    return this.#child.exit() === undefined;
  }

  /** Resolves when bubblewrap and all processes in its namespaces have exited. */
  get exited(): Promise<unknown> {
    return this.#child.exited;
  }

  /** Passes bubblewrap its arguments; resolves when processes can enter. Rejects with `OperatorError` if it fails. */
  async open(args: readonly string[]): Promise<void> {
    const { pipes, exited } = this.#child;
    const ready = new Promise<'ready'>((resolve) => pipes[STDOUT]?.once('data', () => resolve('ready')));
    let report = '';
    const reported = new Promise<number>((resolve) => {
      pipes[REPORT]?.on('data', (chunk: Buffer) => {
        report += chunk.toString();
        const pid = /"child-pid": *(\d+)/.exec(report)?.[1];
        if (pid !== undefined) resolve(Number(pid));
      });
    });
    // Functions can read the environment of the first process, except that of the guard.
    const own = ['--info-fd', `${REPORT}`, ...(this.#hasGuard ? [] : ['--unsetenv', MARK_VARIABLE])];
    if (this.#phase === 'waiting') this.#phase = 'opening';
    pipes[ARGUMENTS]?.end([...args, ...own].join('\0').concat('\0'));
    const [pid] = await Promise.race([Promise.all([reported, ready]), exited.then(() => [undefined] as const)]);
    if (pid === undefined || !this.#pin(pid)) throw holderFailed(await this.#failureReason());
    if (this.#phase === 'ending') this.kill();
    for (const pipe of [STDOUT, STDERR, ARGUMENTS, REPORT]) pipes[pipe]?.destroy();
  }

  /** Path of its /proc directory. Never refers to another process while the service runs. */
  get proc(): string {
    return this.#procFd === undefined ? '/nonexistent' : `/proc/${process.pid}/fd/${this.#procFd}`;
  }

  /** Host pid of the sandbox's init process, which adopts orphans. */
  get pid(): number | undefined {
    return this.#pid;
  }

  /** Host pids of the holder's own processes. */
  get ownProcesses(): ReadonlySet<number> {
    return this.#ownProcesses;
  }

  /** Kills the holder and every process in its namespaces. */
  kill(): void {
    if (!this.isAlive) return;
    // The first process exits at end of file. A bubblewrap that is still opening will start it and then exit.
    this.#child.pipes[STDIN]?.destroy();
    // When the init process of a pid namespace dies, the kernel kills all others. Killing bubblewrap has the same
    // effect, but later.
    if (this.#procFd !== undefined && this.#pid !== undefined) killQuietly(this.#pid);
    // Killed while it is opening, bubblewrap could leave a child that waits forever (`abandoned-holders.ts`).
    else if (this.#phase === 'opening') this.#letEnd();
    else this.#child.signal('SIGKILL');
  }

  #letEnd(): void {
    this.#phase = 'ending';
    const cancel = this.#clock.after(OPEN_TIMEOUT_MS, () => this.#child.signal('SIGKILL'));
    void this.#child.exited.then(cancel);
  }

  /** Opens the /proc directory of the process. Returns false if the process has already exited. */
  #pin(pid: number): boolean {
    try {
      this.#procFd = openSync(`/proc/${pid}`, constants.O_RDONLY | constants.O_DIRECTORY);
      const children = readFileSync(`${this.proc}/task/${pid}/children`, 'utf8');
      this.#ownProcesses = new Set([pid, ...children.split(' ').filter(Boolean).map(Number)]);
      this.#pid = pid;
      return this.isAlive;
    } catch (failure) {
      const exhausted = exhaustedResource(failure, '/proc');
      if (exhausted === undefined) return false;
      this.kill();
      throw exhausted;
    }
  }

  async #failureReason(): Promise<string> {
    this.#child.signal('SIGKILL');
    await this.#child.exited;
    await new Promise(setImmediate);
    return this.#stderr.trim().replace(/^bwrap: /gm, '') || 'it exited without an error message';
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has already exited.
  }
}

function holderFailed(reason: string): OperatorError {
  const failure = new Error(`bubblewrap failed: ${reason}`);
  return (
    exhaustedResource(failure, '/') ??
    new OperatorError('no-sandbox', {
      reason: failure.message,
      remedy: 'Run `lamella doctor` to see what this machine lacks.',
    })
  );
}
