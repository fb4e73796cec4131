/**
 * The driver of one execution environment: it holds the sandbox, the Runtime API and the state of `lifecycle.ts`,
 * queues events, and carries out effects. It decides nothing: what follows from what is in `step`. One event at a time
 * is handled to its end; an effect's completion comes back as an event.
 */
import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cancel, Clock } from '../clock.ts';
import type { FunctionVersion } from '../functions/function.ts';
import type { Listener } from '../http/listener.ts';
import type { Log } from '../log.ts';
import {
  type ExtensionFault,
  extensionExited,
  extensionFailed,
  type Fault,
  invalidEntrypoint,
  type LaunchProblem,
  responseTooLargePayload,
  runtimeExited,
} from '../protocol/faults.ts';
import type { InitializationType } from '../protocol/payloads.ts';
import { QUOTAS } from '../protocol/quotas.ts';
import { EXTENSION_LIMIT } from '../runtime-api/extensions/extensions.ts';
import { startRuntimeApi } from '../runtime-api/server.ts';
import { type RuntimeResponse, RuntimeSession, type SessionEvent } from '../runtime-api/session.ts';
import { TelemetryStream } from '../runtime-api/telemetry/telemetry-stream.ts';
import type { OpenSandbox, ProcessExit, Sandbox, SandboxProcess } from '../sandbox/sandbox.ts';
import type { Emit } from './facts.ts';
import { IdleFreezer } from './idle-freezer.ts';
import type { Invocation, Outcome } from './invocation.ts';
import { checkEntrypoint, checkExecutable } from './launch/entrypoint-check.ts';
import {
  type Credentials,
  type EnvironmentContext,
  planExtensionVariables,
  planRuntimeVariables,
  planSandbox,
  renderLogStream,
} from './launch/launch-plan.ts';
import type { ManagedRuntimePlan } from './launch/managed-runtime.ts';
import { openIsolated, openShared } from './launch/networks.ts';
import type { Slots } from './launch/slots.ts';
import { type Effect, type EndReason, type EnvironmentEvent, type EnvironmentState, step } from './lifecycle.ts';
import { endProcesses } from './shutdown.ts';
import { LineSplitter, LogTail } from './telemetry/output.ts';
import { EnvironmentTelemetry } from './telemetry/telemetry.ts';

export type EnvironmentOptions = {
  readonly version: FunctionVersion;
  readonly initializationType: InitializationType;
  /** What stands in for a managed runtime; undefined for a function that brings its bootstrap. */
  readonly managedRuntime?: ManagedRuntimePlan | undefined;
  readonly codeDirectory: string;
  readonly optDirectory: string | undefined;
  readonly credentials: Credentials;
};

/** What all environments of a service share. */
export type EnvironmentHost = {
  readonly openSandbox: OpenSandbox;
  readonly slots: Slots;
  /** Isolated: `openSandbox` brings a network with each sandbox, in which the Runtime API's port is listened on. */
  readonly network: 'shared' | 'isolated';
  /** Give each function CPU time in proportion to its memory. */
  readonly hasCpuLimit: boolean;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly log: Log;
};

/** An invocation under way in an environment. */
export type Run = {
  /** Rejects only when this machine failed, never for the function's own failure. */
  readonly outcome: Promise<Outcome>;
  /** Settles when the environment can take another invocation, or is gone. Never rejects. */
  readonly released: Promise<'reusable' | 'gone'>;
};

export interface Environment {
  readonly version: FunctionVersion;
  /** Runs one invocation; only one at a time. */
  run(invocation: Invocation): Run;
  /** Initializes ahead of any call; answers whether it succeeded. Call it once, before the first `run`. */
  initialize(): Promise<boolean>;
  /** Whether `run` may be called. */
  readonly isFree: boolean;
  /** Answered, but not yet free: it soon will be. */
  readonly isSettling: boolean;
  /** Ends every process and removes every trace. Idempotent. */
  close(): Promise<void>;
}

/** Opens the sandbox and the Runtime API of a new environment. No process of the function runs yet. */
export async function openEnvironment(host: EnvironmentHost, options: EnvironmentOptions): Promise<Environment> {
  const { version } = options;
  const id = randomUUID();
  const logStream = renderLogStream(version, host.clock.epochMs(), id.replaceAll('-', ''));
  // The session speaks to the driver, which exists only once the sandbox does; nothing speaks before that.
  let driver: Driver | undefined;
  const stream = new TelemetryStream({ clock: host.clock });
  const session = new RuntimeSession((event) => driver?.hear(event), stream);
  const extensionNames = await listExtensions(options.optDirectory);
  const open = host.network === 'isolated' ? openIsolated : openShared;
  const { context, listener, sandbox } = await open<EnvironmentContext>({
    slots: host.slots,
    listen: (address) =>
      startRuntimeApi({
        ...address,
        session,
        metadata: {
          accountId: version.scope.account,
          functionName: version.name,
          functionVersion: version.version,
          handler: version.configuration.handler ?? '',
        },
        onFailure: (failure) => host.log.error({ err: failure }, 'the Runtime API failed to answer'),
        isInhabited: () => driver?.isInhabited ?? false,
      }),
    contextAt: (slot, address, port) => ({
      id,
      slot,
      host: address,
      runtimeApi: `${address}:${port}`,
      logStream,
      initializationType: options.initializationType,
      codeDirectory: options.codeDirectory,
      optDirectory: options.optDirectory,
    }),
    openSandbox: (context) => host.openSandbox(planSandbox(version, context, options.managedRuntime?.mounts)),
  });
  driver = new Driver(host, options, context, extensionNames, session, stream, listener, sandbox);
  return driver;
}

/** The files directly in /opt/extensions, in the order of their names: each is an external extension. */
async function listExtensions(optDirectory: string | undefined): Promise<readonly string[]> {
  if (optDirectory === undefined) return [];
  try {
    const entries = await readdir(join(optDirectory, 'extensions'), { withFileTypes: true });
    return entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => entry.name)
      .sort();
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code === 'ENOENT' || (failure as NodeJS.ErrnoException).code === 'ENOTDIR')
      return [];
    throw failure;
  }
}

/** How long an environment has nothing to do before its processes are stopped, in milliseconds. */
const FREEZE_DELAY_MS = 5;
/** How long an environment that ends waits for its subscribers to take what is left, before they are told to end. */
const FLUSH_MS = 300;

type Waiting = {
  readonly invocation: Invocation;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (failure: unknown) => void;
  readonly release: (state: 'reusable' | 'gone') => void;
  answer: RuntimeResponse | undefined;
  isSettled: boolean;
};

class Driver implements Environment {
  readonly version: FunctionVersion;
  readonly #host: EnvironmentHost;
  readonly #options: EnvironmentOptions;
  readonly #context: EnvironmentContext;
  readonly #extensionNames: readonly string[];
  readonly #session: RuntimeSession;
  readonly #stream: TelemetryStream;
  readonly #telemetry: EnvironmentTelemetry;
  readonly #listener: Listener;
  readonly #sandbox: Sandbox;
  readonly #freezer: IdleFreezer;
  readonly #tail = new LogTail();
  readonly #queue: EnvironmentEvent[] = [];
  #state: EnvironmentState = { phase: 'cold', since: 'creation' };
  #isDraining = false;
  #isCpuLimited = false;
  #waiting: Waiting | undefined;
  #cancelDeadline: Cancel = () => undefined;
  #runtime: SandboxProcess | undefined;
  #extensions = new Map<string, SandboxProcess>();
  /** The first error that an extension has announced. */
  #reported: ExtensionFault | undefined;
  /** Outputs of the processes that run or whose last words are still being read. */
  #outputs: { readonly ended: Promise<void>; readonly flush: () => void }[] = [];
  /** Counts the starts of processes, so that an old process's exit is not taken for the new one's. */
  #generation = 0;
  #closing: Promise<void> | undefined;
  #onGone: () => void = () => undefined;
  #onInitialized: (succeeded: boolean) => void = () => undefined;

  constructor(
    host: EnvironmentHost,
    options: EnvironmentOptions,
    context: EnvironmentContext,
    extensionNames: readonly string[],
    session: RuntimeSession,
    stream: TelemetryStream,
    listener: Listener,
    sandbox: Sandbox,
  ) {
    this.version = options.version;
    this.#host = host;
    this.#options = options;
    this.#context = context;
    this.#extensionNames = extensionNames;
    this.#session = session;
    this.#stream = stream;
    this.#listener = listener;
    this.#sandbox = sandbox;
    this.#telemetry = new EnvironmentTelemetry({
      version: options.version,
      logStream: context.logStream,
      initializationType: options.initializationType,
      clock: host.clock,
      stream,
      log: (line, belongsToInvocation) => (belongsToInvocation ? this.#log(line) : this.#emitLine(line)),
    });
    this.#freezer = new IdleFreezer({
      // Subscribers to telemetry stand still with the rest: what is for them waits.
      sandbox: {
        freeze() {
          stream.pause();
          return sandbox.freeze();
        },
        thaw: () => sandbox.thaw().finally(() => stream.resume()),
      },
      clock: host.clock,
      delayMs: FREEZE_DELAY_MS,
      onFailure: (failure) => host.log.error({ err: failure }, 'an environment could not be frozen or thawed'),
    });
  }

  get isFree(): boolean {
    return this.#state.phase === 'idle' || this.#state.phase === 'cold';
  }

  /** Whether there are processes, alive or being ended. */
  get isInhabited(): boolean {
    return this.#state.phase !== 'cold' && this.#state.phase !== 'gone';
  }

  get isSettling(): boolean {
    return this.#state.phase === 'settling';
  }

  run(invocation: Invocation): Run {
    if (!this.isFree) throw new Error('an environment takes one invocation at a time');
    let release: Waiting['release'] = () => undefined;
    const released = new Promise<'reusable' | 'gone'>((resolve) => {
      release = resolve;
    });
    const outcome = new Promise<Outcome>((resolve, reject) => {
      this.#waiting = { invocation, resolve, reject, release, answer: undefined, isSettled: false };
    });
    // When it cannot even begin, that is thrown, and nobody is there to hear that the environment then ends.
    outcome.catch(() => undefined);
    const timeoutMs = this.version.configuration.timeoutSeconds * 1000;
    const held = { requestId: invocation.requestId, timeoutMs };
    const thawed = this.#freezer.wake();
    this.#handle({ kind: thawed ? 'thaw' : 'invoke', at: this.#now(), held });
    void thawed?.then(() => this.#handle({ kind: 'thawed', at: this.#now() }));
    return { outcome, released };
  }

  initialize(): Promise<boolean> {
    const timeoutMs = this.version.configuration.timeoutSeconds * 1000;
    return new Promise((resolve) => {
      this.#onInitialized = resolve;
      this.#handle({ kind: 'initialize', at: this.#now(), timeoutMs });
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#state.phase !== 'gone') {
      await new Promise<void>((resolve) => {
        this.#onGone = resolve;
        this.#handle({ kind: 'stop', at: this.#now() });
      });
    }
    this.#freezer.stop();
    this.#stream.close();
    this.#onInitialized(false);
    await this.#listener.close();
    await this.#sandbox.close();
    this.#host.slots.release(this.#context.slot);
  }

  /** Takes what the Runtime API heard. */
  hear(event: SessionEvent): void {
    const at = this.#now();
    switch (event.kind) {
      case 'runtime-ready':
        // As for `ready` below: what the function wrote before comes first.
        if (this.#telemetry.awaitsRuntime) setImmediate(() => this.#telemetry.runtimeDone(at, undefined));
        return;
      case 'all-ready':
        // What the function wrote before this call lies in its pipe, and was seen by the same poll of the event loop:
        // after this turn it has been read, and END comes after it.
        if (this.#state.phase === 'settling') setImmediate(() => this.#handle({ kind: 'ready', at }));
        else this.#handle({ kind: 'ready', at });
        return;
      case 'extensions-registered':
        this.#handle({ kind: 'registered', at });
        return;
      case 'extension-error-reported': {
        // It is expected to exit now; that ends the environment, under the name of the first error reported.
        this.#reported ??= event.call === 'init-error' ? 'Extension.InitError' : 'Extension.ExitError';
        this.#telemetry.extensionFailed(event.extension.name, event.errorType);
        return;
      }
      case 'init-error-reported':
        this.#handle({ kind: 'init-error', at, errorType: event.errorType, body: event.body.toString() });
        return;
      case 'response-started':
        this.#telemetry.responseStarted(at);
        return;
      case 'responded':
        if (this.#waiting) this.#waiting.answer = event.response;
        this.#telemetry.responded(at, event.response.kind === 'response' ? event.response.payload.length : 0);
        this.#handle({ kind: 'responded', at });
        return;
      case 'telemetry-subscribed': {
        const { api, name, state, types } = event;
        this.#telemetry.subscribed(api, { name, state, types });
      }
    }
  }

  #now(): number {
    return this.#host.clock.monotonicMs();
  }

  #handle(event: EnvironmentEvent): void {
    this.#queue.push(event);
    if (this.#isDraining) return;
    this.#isDraining = true;
    try {
      for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
        const result = step(this.#state, next);
        if ('refused' in result) throw new Error(`an environment's life took a turn that cannot be: ${result.refused}`);
        this.#state = result.to;
        for (const effect of result.effects) this.#carryOut(effect);
        if (this.#state.phase === 'gone') this.#onGone();
      }
    } finally {
      this.#isDraining = false;
    }
  }

  #carryOut(effect: Effect): void {
    const { invocation } = this.#waiting ?? {};
    switch (effect.kind) {
      case 'log-init-start':
        this.#telemetry.initStarted(effect.stage);
        return;
      case 'log-init-report': {
        const { stage, durationMs, fault } = effect;
        this.#telemetry.initEnded(stage, durationMs, fault, this.#session.extensions.all);
        return;
      }
      case 'log-start':
        if (invocation) this.#telemetry.invocationStarted(invocation);
        return;
      case 'log-runtime-done':
        this.#telemetry.runtimeDone(effect.at, effect.fault);
        return;
      case 'log-report':
        this.#report(effect);
        return;
      case 'start-extensions':
        // Initialization has full speed, whatever the memory.
        this.#setCpuLimit(false);
        this.#startExtensions();
        return;
      case 'start-runtime':
        this.#startRuntime();
        return;
      case 'end-processes':
        this.#endProcesses(effect.reason);
        return;
      case 'arm-deadline':
        this.#cancelDeadline();
        this.#cancelDeadline = this.#host.clock.after(Math.max(0, effect.at - this.#now()), () =>
          this.#handle({ kind: 'deadline', at: this.#now() }),
        );
        return;
      case 'disarm-deadline':
        this.#cancelDeadline();
        return;
      case 'offer':
        this.#setCpuLimit(true);
        if (invocation) this.#offer(invocation, effect.deadlineAt);
        return;
      case 'deliver':
        if (this.#waiting && !this.#waiting.invocation.wantsLogTail) this.#settle(this.#waiting);
        return;
      case 'fail': {
        const { fault } = effect;
        if (this.#waiting) this.#settleWith(this.#waiting, this.#failed(fault, this.#waiting.invocation));
        return;
      }
      case 'abandon':
        this.#waiting?.reject(new Error('the service is shutting down'));
        this.#releaseTo('gone');
        return;
      case 'release':
        this.#releaseTo('reusable');
    }
  }

  /** One after the other; the first that cannot be started ends it. */
  #startExtensions(): void {
    this.#generation += 1;
    this.#reported = undefined;
    const { codeDirectory, optDirectory, credentials } = this.#options;
    const environment = planExtensionVariables(this.version, this.#context, credentials);
    for (const [index, name] of this.#extensionNames.entries()) {
      const path = `/opt/extensions/${name}`;
      this.#session.extensions.expect([name]);
      if (index >= EXTENSION_LIMIT) {
        this.#failLaunch(name, 'TooManyExtensions', 'ErrTooManyExtensions');
        return;
      }
      const verdict = checkExecutable(path, { taskRoot: codeDirectory, optRoot: optDirectory });
      if (verdict.kind === 'unstartable') {
        const problem = verdict.reason === 'permission denied' ? 'PermissionDenied' : 'UnknownError';
        this.#failLaunch(name, problem, `fork/exec ${path}: ${verdict.reason}`);
        return;
      }
      const process = this.#start(path, 'extension', environment, (exit) => {
        this.#handle({ kind: 'exited', at: this.#now(), fault: extensionExited(exit, this.#reported) });
      });
      this.#extensions.set(name, process);
    }
    if (this.#extensionNames.length === 0) this.#handle({ kind: 'registered', at: this.#now() });
  }

  #failLaunch(name: string, problem: LaunchProblem, error: string): void {
    this.#session.extensions.failLaunch(name);
    this.#telemetry.extensionFailed(name, problem);
    this.#handle({ kind: 'unstartable', at: this.#now(), fault: extensionFailed('Extension.LaunchError', error) });
  }

  #startRuntime(): void {
    const { codeDirectory, optDirectory, credentials, managedRuntime } = this.#options;
    const verdict = managedRuntime
      ? ({ kind: 'ok', path: managedRuntime.bootstrapPath } as const)
      : checkEntrypoint({ taskRoot: codeDirectory, optRoot: optDirectory });
    // Where there is nothing to start, AWS does not speak of the runtime's initialization.
    if (verdict.kind !== 'missing') this.#telemetry.runtimeStarted();
    if (verdict.kind !== 'ok') {
      this.#handle({ kind: 'unstartable', at: this.#now(), fault: invalidEntrypoint(verdict) });
      return;
    }
    const environment = {
      ...planRuntimeVariables(this.version, this.#context, credentials),
      ...managedRuntime?.variables,
    };
    this.#runtime = this.#start(verdict.path, 'function', environment, (exit) => {
      const fault = runtimeExited(exit, this.#sandbox.takeOutOfMemory(), this.#reported);
      this.#handle({ kind: 'exited', at: this.#now(), fault });
    });
  }

  /** Starts a process whose output goes to the log. `onExit` is not called for a process that we ended. */
  #start(
    path: string,
    source: 'function' | 'extension',
    environment: Readonly<Record<string, string>>,
    onExit: (exit: ProcessExit) => void,
  ): SandboxProcess {
    const generation = this.#generation;
    const process = this.#sandbox.start({ argv: [path], environment });
    const splitter = new LineSplitter((line) => this.#telemetry.output(source, line));
    process.output.on('data', (chunk: Buffer) => splitter.push(chunk));
    const ended = new Promise<void>((resolve) => {
      process.output.once('close', () => {
        splitter.flush();
        resolve();
      });
      process.output.once('error', () => undefined);
    });
    this.#outputs.push({ ended, flush: () => splitter.flush() });
    void process.exited.then((exit) => {
      if (generation === this.#generation) onExit(exit);
    });
    return process;
  }

  #endProcesses(reason: EndReason): void {
    // From here on nobody listens to the old processes.
    this.#generation += 1;
    this.#session.forgetInvocation();
    const running = { runtime: this.#runtime, extensions: this.#extensions };
    const outputs = this.#outputs;
    this.#runtime = undefined;
    this.#extensions = new Map();
    this.#outputs = [];
    const { clock, log } = this.#host;
    // A process that stands still hears no signal.
    void Promise.resolve(this.#freezer.wake())
      .then(() => {
        const flushed = this.#stream.flush(FLUSH_MS);
        // A caller who waits for the end of a failed invocation does not wait for subscribers.
        return reason === 'spindown' ? flushed : undefined;
      })
      .then(() => endProcesses(running, reason, { session: this.#session, sandbox: this.#sandbox, clock }))
      .then(() => Promise.all(outputs.map(({ ended }) => ended)))
      .catch((failure: unknown) => log.error({ err: failure }, 'processes of a function could not be ended'))
      .then(() => {
        this.#session.reset();
        this.#stream.pause();
        this.#handle({ kind: 'ended', at: this.#now() });
      });
  }

  /** Idempotent, and free of cost when nothing changes. */
  #setCpuLimit(isLimited: boolean): void {
    if (!this.#host.hasCpuLimit || this.#isCpuLimited === isLimited) return;
    this.#isCpuLimited = isLimited;
    this.#sandbox.setCpuQuota(isLimited ? this.version.configuration.memoryMib / QUOTAS.memoryMibOfOneCpu : undefined);
  }

  #offer(invocation: Invocation, deadlineAt: number): void {
    const { clock } = this.#host;
    this.#telemetry.offered(this.#now());
    this.#session.offer({
      requestId: invocation.requestId,
      deadlineMs: Math.floor(clock.epochMs() + (deadlineAt - this.#now())),
      invokedFunctionArn: invocation.invokedFunctionArn,
      traceId: invocation.traceId,
      clientContext: invocation.clientContext,
      cognitoIdentity: invocation.cognitoIdentity,
      payload: invocation.payload,
      sink: invocation.responseSink,
    });
  }

  #report(effect: Effect & { kind: 'log-report' }): void {
    const waiting = this.#waiting;
    if (!waiting) return;
    for (const { flush } of this.#outputs) flush();
    // Who was killed for want of memory in this invocation is no reason for the runtime to end in a later one.
    this.#sandbox.takeOutOfMemory();
    const { memoryMib } = this.version.configuration;
    const usedMb = Math.ceil(this.#sandbox.peakMemoryBytes() / (1024 * 1024));
    const maxMemoryUsedMb = effect.fault?.errorType === 'Runtime.OutOfMemory' ? memoryMib : Math.min(usedMb, memoryMib);
    const { durationMs, initMs, fault } = effect;
    const report = { durationMs, initMs, maxMemoryUsedMb, fault };
    this.#telemetry.invocationEnded(this.#now(), report, this.#session.extensions.count);
    if (!waiting.isSettled && waiting.answer) this.#settle(waiting);
  }

  /** Tells the caller what the runtime answered. */
  #settle(waiting: Waiting): void {
    if (waiting.answer) this.#settleWith(waiting, this.#answered(waiting.answer, waiting.invocation));
  }

  #settleWith(waiting: Waiting, outcome: Outcome): void {
    if (waiting.isSettled) return;
    waiting.isSettled = true;
    waiting.resolve(outcome);
  }

  #answered(answer: RuntimeResponse, invocation: Invocation): Outcome {
    const ended = this.#ended(invocation);
    switch (answer.kind) {
      case 'response': {
        const contentType = answer.contentType ?? 'application/json';
        return { kind: 'returned', payload: answer.payload, contentType, ...ended };
      }
      case 'error':
        return { kind: 'failed', payload: answer.payload, ...ended };
      case 'response-too-large': {
        const payload = Buffer.from(responseTooLargePayload(QUOTAS.responsePayloadBytes));
        return { kind: 'failed', payload, ...ended };
      }
      case 'response-truncated': {
        const payload = Buffer.from('{"errorType":"Runtime.TruncatedResponse"}');
        return { kind: 'failed', payload, ...ended };
      }
      case 'invalid-response-mode':
        return { kind: 'failed', payload: Buffer.alloc(0), ...ended };
    }
  }

  #failed(fault: Fault, invocation: Invocation): Outcome {
    const payload = Buffer.from(fault.payload(invocation.requestId));
    return { kind: 'failed', payload, ...this.#ended(invocation) };
  }

  #ended(invocation: Invocation) {
    const logTail = invocation.wantsLogTail ? this.#tail.bytes() : undefined;
    return { executedVersion: this.version.version, logTail };
  }

  #releaseTo(state: 'reusable' | 'gone'): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.#tail.clear();
    if (this.#state.phase === 'idle') this.#freezer.idle();
    this.#onInitialized(this.#state.phase === 'idle');
    waiting?.release(state);
  }

  /** Writes to the log stream and to the tail of the invocation at hand. */
  #log(line: string): void {
    if (this.#waiting?.invocation.wantsLogTail) this.#tail.append(line);
    this.#emitLine(line);
  }

  #emitLine(message: string): void {
    this.#host.emit({
      kind: 'log-event',
      scope: this.version.scope,
      logGroup: this.version.configuration.logging.logGroup,
      logStream: this.#context.logStream,
      epochMs: this.#host.clock.epochMs(),
      message,
    });
  }
}
