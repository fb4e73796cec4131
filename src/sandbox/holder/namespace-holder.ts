/**
 * The holder: bubblewrap with a `cat` in it, which does nothing but keep a sandbox's namespaces alive while processes
 * are entered from outside (`launcher.ts`). When it goes, the kernel ends every process in it; it goes when its
 * standard input ends or bubblewrap's parent dies, hence also when the service is killed.
 *
 * It is started ahead of need and waits for its arguments, because starting bubblewrap takes longer than what it does.
 */
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import type { Clock } from '../../clock.ts';
import { OperatorError } from '../../operator-error.ts';
import type { SandboxHost } from '../host/sandbox-host.ts';
import { withDescriptorsClosed } from '../process/inherited-descriptors.ts';
import { serviceMark } from '../process/service-mark.ts';
import type { Child } from '../process/spawn.ts';
import { startChild } from '../process/spawn.ts';
import { MARK_VARIABLE } from './abandoned-holders.ts';

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const ARGUMENTS = 3;
const REPORT = 4;

/** How long a bubblewrap that is no longer wanted may take to get where it ends by itself; that takes milliseconds. */
const OPEN_TIMEOUT_MS = 3000;

export class NamespaceHolder {
  readonly #child: Child;
  readonly #clock: Clock;
  /** `ending`: killed while it opened. Once there is a pid, that tells more. */
  #phase: 'waiting' | 'opening' | 'ending' = 'waiting';
  #stderr = '';
  #pid: number | undefined;
  #procFd: number | undefined;
  #ownProcesses: ReadonlySet<number> = new Set();

  /** Starts bubblewrap, by way of `enterCommand`, a command that becomes another; it then waits for `open`. */
  constructor({ tools, inheritedDescriptors }: SandboxHost, enterCommand: readonly string[], clock: Clock) {
    this.#clock = clock;
    const [program, ...rest] = [...enterCommand, tools.bwrap, '--args', `${ARGUMENTS}`, tools.cat];
    const { file, args } = withDescriptorsClosed(inheritedDescriptors, tools.bash, {
      file: program ?? tools.bwrap,
      args: rest,
    });
    this.#child = startChild(file, args, ['pipe', 'pipe', 'pipe', 'pipe', 'pipe'], { [MARK_VARIABLE]: serviceMark() });
    this.#child.pipes[STDERR]?.on('data', (chunk: Buffer) => {
      if (this.#stderr.length < 4096) this.#stderr += chunk.toString();
    });
    // cat sends it back once everything is in place: the event of readiness.
    this.#child.pipes[STDIN]?.write('x');
    void this.#child.exited.then(() => {
      if (this.#procFd !== undefined) closeSync(this.#procFd);
      this.#procFd = undefined;
    });
  }

  /** Whether it can still be opened, or holds. */
  get isAlive(): boolean {
    return this.#child.exit() === undefined;
  }

  /** Settles when all processes in it are gone too. */
  get exited(): Promise<unknown> {
    return this.#child.exited;
  }

  /** Gives bubblewrap its arguments; resolves when processes can enter. Throws `OperatorError` when it fails. */
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
    const own = ['--info-fd', `${REPORT}`, '--unsetenv', MARK_VARIABLE];
    if (this.#phase === 'waiting') this.#phase = 'opening';
    pipes[ARGUMENTS]?.end([...args, ...own].join('\0').concat('\0'));
    const [pid] = await Promise.race([Promise.all([reported, ready]), exited.then(() => [undefined] as const)]);
    if (pid === undefined || !this.#pin(pid)) throw holderFailed(await this.#failureReason());
    if (this.#phase === 'ending') this.kill();
    for (const pipe of [STDOUT, STDERR, ARGUMENTS, REPORT]) pipes[pipe]?.destroy();
  }

  /** Its directory in /proc, by a path that means this process or nothing, for as long as the service lives. */
  get proc(): string {
    return this.#procFd === undefined ? '/nonexistent' : `/proc/${process.pid}/fd/${this.#procFd}`;
  }

  /** The host's number for the first process of the sandbox, the parent of all orphans in it. */
  get pid(): number | undefined {
    return this.#pid;
  }

  /** The processes that are part of the holder and not of what runs in it. */
  get ownProcesses(): ReadonlySet<number> {
    return this.#ownProcesses;
  }

  /** Ends it and every process in it, at once. */
  kill(): void {
    if (!this.isAlive) return;
    // Ends the cat, and with it a bubblewrap that is only about to start one.
    this.#child.pipes[STDIN]?.destroy();
    // The first process of a pid namespace takes all others along. Bubblewrap itself would pass our signal on too,
    // but only when the kernel gets round to it.
    if (this.#procFd !== undefined && this.#pid !== undefined) killQuietly(this.#pid);
    // Killed on its way, it could leave a child behind that waits for its word for ever.
    else if (this.#phase === 'opening') this.#letEnd();
    else this.#child.signal('SIGKILL');
  }

  #letEnd(): void {
    this.#phase = 'ending';
    const cancel = this.#clock.after(OPEN_TIMEOUT_MS, () => this.#child.signal('SIGKILL'));
    void this.#child.exited.then(cancel);
  }

  /** Remembers the process by its /proc directory. False if it is gone already. */
  #pin(pid: number): boolean {
    try {
      this.#procFd = openSync(`/proc/${pid}`, constants.O_RDONLY | constants.O_DIRECTORY);
      const children = readFileSync(`${this.proc}/task/${pid}/children`, 'utf8');
      this.#ownProcesses = new Set([pid, ...children.trim().split(' ').map(Number)]);
      this.#pid = pid;
      return this.isAlive;
    } catch {
      return false;
    }
  }

  async #failureReason(): Promise<string> {
    this.#child.signal('SIGKILL');
    await this.#child.exited;
    await new Promise(setImmediate);
    return this.#stderr.trim().replace(/^bwrap: /gm, '') || 'bubblewrap ended without a word';
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone by itself.
  }
}

function holderFailed(reason: string): OperatorError {
  return new OperatorError('no-sandbox', {
    reason: `bubblewrap says: ${reason}`,
    remedy: 'Run `lamella doctor`; it says what this machine lacks.',
  });
}
