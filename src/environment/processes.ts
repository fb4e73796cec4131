/**
 * The processes of one environment: starts the extensions and the runtime, sends their output to the log, and ends them.
 * It decides nothing: whatever happens to a process is reported to the driver as an event of the lifecycle.
 */
import type { Clock } from '../clock.ts';
import type { Containment } from '../containment.ts';
import type { FunctionVersion } from '../functions/function.ts';
import {
  type ExtensionFault,
  extensionExited,
  extensionFailed,
  invalidEntrypoint,
  type LaunchProblem,
  runtimeExited,
} from '../protocol/faults.ts';
import { EXTENSION_LIMIT } from '../runtime-api/extensions/extensions.ts';
import type { RuntimeSession } from '../runtime-api/session.ts';
import type { TelemetryStream } from '../runtime-api/telemetry/telemetry-stream.ts';
import type { ProcessExit, Sandbox, SandboxProcess } from '../sandbox/sandbox.ts';
import type { IdleFreezer } from './idle-freezer.ts';
import type { DebugPlan } from './launch/debug-plan.ts';
import { checkEntrypoint, checkExecutable } from './launch/entrypoint-check.ts';
import {
  type Credentials,
  type EnvironmentContext,
  planExtensionVariables,
  planRuntimeVariables,
} from './launch/launch-plan.ts';
import type { ManagedRuntimePlan } from './launch/managed-runtime.ts';
import type { EndReason, EnvironmentEvent } from './lifecycle.ts';
import { endProcesses } from './shutdown.ts';
import { OutputAccount, type OutputUse } from './telemetry/output-account.ts';
import { OutputReader, type OutputTurns } from './telemetry/output-reader.ts';
import type { EnvironmentTelemetry } from './telemetry/telemetry.ts';

export type ProcessesDependencies = {
  readonly version: FunctionVersion;
  readonly context: EnvironmentContext;
  readonly credentials: Credentials;
  readonly managedRuntime: ManagedRuntimePlan | undefined;
  readonly debug: DebugPlan | undefined;
  /** External extensions: the names of their files in /opt/extensions, in the order in which they start. */
  readonly extensionNames: readonly string[];
  readonly sandbox: Sandbox;
  readonly session: RuntimeSession;
  readonly stream: TelemetryStream;
  readonly telemetry: EnvironmentTelemetry;
  readonly freezer: IdleFreezer;
  readonly clock: Clock;
  readonly containment: Containment;
  readonly turns: OutputTurns;
  /** `registered`, `unstartable`, `exited` or `ended`. */
  readonly onEvent: (event: EnvironmentEvent) => void;
};

/** Milliseconds that subscribers of telemetry have, when the environment ends, to take what is left before SHUTDOWN. */
const FLUSH_MS = 300;

export class EnvironmentProcesses {
  readonly #dependencies: ProcessesDependencies;
  #runtime: SandboxProcess | undefined;
  #extensions = new Map<string, SandboxProcess>();
  /** The first error that an extension has reported. */
  #reported: ExtensionFault | undefined;
  /** Outputs of the processes that run, and of those that have ended and are still being read. */
  #outputs: OutputReader[] = [];
  readonly #output: OutputAccount;
  /** Counts starts and ends, so that the exit of an old process is not taken for that of a new one. */
  #generation = 0;

  constructor(dependencies: ProcessesDependencies) {
    this.#dependencies = dependencies;
    this.#output = new OutputAccount(dependencies.clock.monotonicMs());
  }

  /** What the processes have written, and what of it waits in memory. */
  outputUse(): OutputUse & { readonly isHeldBack: boolean; readonly pendingBytes: number } {
    return {
      ...this.#output.use(this.#now()),
      isHeldBack: this.#outputs.some((output) => output.isHeldBack),
      pendingBytes: this.#outputs.reduce((sum, output) => sum + output.pendingLength, 0),
    };
  }

  /** Starts the external extensions in order, up to the first that cannot be started. */
  startExtensions(): void {
    this.#generation += 1;
    this.#reported = undefined;
    const { version, context, credentials, extensionNames, session, telemetry } = this.#dependencies;
    const environment = planExtensionVariables(version, context, credentials);
    for (const [index, name] of extensionNames.entries()) {
      const path = `/opt/extensions/${name}`;
      session.extensions.expect([name]);
      if (index >= EXTENSION_LIMIT) {
        this.#failLaunch(name, 'TooManyExtensions', 'ErrTooManyExtensions');
        return;
      }
      const verdict = checkExecutable(path, this.#trees());
      if (verdict.kind === 'unstartable') {
        const problem = verdict.reason === 'permission denied' ? 'PermissionDenied' : 'UnknownError';
        telemetry.explained(verdict.detail);
        this.#failLaunch(name, problem, `fork/exec ${path}: ${verdict.reason}`);
        return;
      }
      const process = this.#start(path, 'extension', environment, (exit) => {
        this.#report({ kind: 'exited', at: this.#now(), fault: extensionExited(exit, this.#reported) });
      });
      this.#extensions.set(name, process);
    }
    if (extensionNames.length === 0) this.#report({ kind: 'registered', at: this.#now() });
  }

  startRuntime(): void {
    const { version, context, credentials, managedRuntime, debug, sandbox, telemetry } = this.#dependencies;
    const verdict = managedRuntime
      ? ({ kind: 'ok', path: managedRuntime.bootstrapPath } as const)
      : checkEntrypoint(this.#trees());
    // Without a bootstrap, AWS reports no initialization of the runtime.
    if (verdict.kind !== 'missing') telemetry.runtimeStarted();
    if (verdict.kind === 'unstartable') telemetry.explained(verdict.detail);
    if (verdict.kind !== 'ok') {
      this.#report({ kind: 'unstartable', at: this.#now(), fault: invalidEntrypoint(verdict) });
      return;
    }
    if (debug) telemetry.explained(debug.message);
    const planned = planRuntimeVariables(version, context, credentials);
    const environment = { ...planned, ...managedRuntime?.variables, ...debug?.variables };
    this.#runtime = this.#start(verdict.path, 'function', environment, (exit) => {
      const fault = runtimeExited(exit, sandbox.takeOutOfMemory(), this.#reported);
      this.#report({ kind: 'exited', at: this.#now(), fault });
    });
  }

  /** An extension has reported an error. It is expected to exit, and its exit then has the type of the first report. */
  extensionReported(fault: ExtensionFault): void {
    this.#reported ??= fault;
  }

  /** Logs the last lines that have no line end yet. */
  flushOutput(): void {
    for (const output of this.#outputs) output.flush();
  }

  /** Resolves when the output that has arrived has been logged; undefined if it has been. */
  outputRead(): Promise<unknown> | undefined {
    if (!this.#outputs.some((output) => output.isHeldBack)) return undefined;
    return Promise.all(this.#outputs.map((output) => output.read()));
  }

  /** Ends all processes and reads their output to its end; `ended` follows. */
  end(reason: EndReason): void {
    // From here on, exits of the old processes are ignored.
    this.#generation += 1;
    const { session, sandbox, stream, freezer, clock, containment } = this.#dependencies;
    session.forgetInvocation();
    const running = { runtime: this.#runtime, extensions: this.#extensions };
    const outputs = this.#outputs;
    this.#runtime = undefined;
    this.#extensions = new Map();
    this.#outputs = [];
    // A frozen process does not handle signals.
    const ended = Promise.resolve(freezer.wake())
      .then(() => {
        const flushed = stream.flush(FLUSH_MS);
        // The caller of a failed invocation waits for the processes to end, but not for subscribers.
        return reason === 'spindown' ? flushed : undefined;
      })
      .then(() => endProcesses(running, reason, { session, sandbox, clock }))
      .then(() => Promise.all(outputs.map(({ ended }) => ended)))
      .then(() => {
        session.reset();
        stream.pause();
        this.#report({ kind: 'ended', at: this.#now() });
      });
    containment.watch('process', ended);
  }

  #failLaunch(name: string, problem: LaunchProblem, error: string): void {
    const { session, telemetry } = this.#dependencies;
    session.extensions.failLaunch(name);
    telemetry.extensionFailed(name, problem);
    this.#report({ kind: 'unstartable', at: this.#now(), fault: extensionFailed('Extension.LaunchError', error) });
  }

  /** Starts a process whose output goes to the log. `onExit` is not called once `end` has been called. */
  #start(
    path: string,
    source: 'function' | 'extension',
    environment: Readonly<Record<string, string>>,
    onExit: (exit: ProcessExit) => void,
  ): SandboxProcess {
    const generation = this.#generation;
    const { sandbox, telemetry, containment, turns } = this.#dependencies;
    const process = sandbox.start({ argv: [path], environment });
    const account = this.#output;
    const onLine = (line: string) => {
      account.line();
      telemetry.output(source, line);
    };
    const onChunk = (bytes: number) => account.chunk(bytes, this.#now());
    this.#outputs.push(new OutputReader({ output: process.output, turns, containment, onLine, onChunk }));
    const exited = process.exited.then((exit) => {
      if (generation === this.#generation) onExit(exit);
    });
    containment.watch('process', exited);
    return process;
  }

  #trees() {
    const { codeDirectory, optDirectory } = this.#dependencies.context;
    return { taskRoot: codeDirectory, optRoot: optDirectory };
  }

  #now(): number {
    return this.#dependencies.clock.monotonicMs();
  }

  #report(event: EnvironmentEvent): void {
    this.#dependencies.onEvent(event);
  }
}
