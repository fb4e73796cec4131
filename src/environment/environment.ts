/**
 * The driver of one execution environment: it holds the sandbox, the Runtime API and the state of `lifecycle.ts`,
 * queues events and carries out effects. It makes no decisions; `step` does. Events are handled one at a time, and an
 * effect's completion comes back as an event. Its processes are in `processes.ts`, its invocation in `run.ts`.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { type Containment, createContainment, type Edge } from '../containment.ts';
import type { FunctionVersion } from '../functions/function.ts';
import type { FindOwner } from '../http/connection-owner.ts';
import { hasConnection } from '../http/debugger-connection.ts';
import type { Listener } from '../http/listener.ts';
import type { Log } from '../log.ts';
import { exhaustedResource } from '../operator-error.ts';
import { sandboxFailed } from '../protocol/faults.ts';
import type { InitializationType } from '../protocol/payloads.ts';
import { QUOTAS } from '../protocol/quotas.ts';
import { MAX_BUFFERED_BYTES, MAX_CONNECTIONS, startRuntimeApi } from '../runtime-api/server.ts';
import { RuntimeSession, type SessionEvent } from '../runtime-api/session.ts';
import { TelemetryStream } from '../runtime-api/telemetry/telemetry-stream.ts';
import type { Mount, OpenSandbox, Sandbox } from '../sandbox/sandbox.ts';
import type { EnvironmentAccount } from './account.ts';
import { Deadline } from './deadline.ts';
import { DebugDeadline } from './debug-deadline.ts';
import type { Emit } from './facts.ts';
import { IdleFreezer } from './idle-freezer.ts';
import type { Invocation } from './invocation.ts';
import type { DebugPlan } from './launch/debug-plan.ts';
import { type ConnectionBudget, requireDescriptors } from './launch/descriptors.ts';
import { listInside } from './launch/inside-path.ts';
import { type Credentials, type EnvironmentContext, planSandbox, renderLogStream } from './launch/launch-plan.ts';
import type { ManagedRuntimePlan } from './launch/managed-runtime.ts';
import { openIsolated, openShared } from './launch/networks.ts';
import type { Slots } from './launch/slots.ts';
import { type Effect, type EnvironmentEvent, type EnvironmentState, step } from './lifecycle.ts';
import { EnvironmentProcesses } from './processes.ts';
import { CurrentRun, type Run } from './run.ts';
import type { OutputTurns } from './telemetry/output-reader.ts';
import { EnvironmentTelemetry, type InvocationReport } from './telemetry/telemetry.ts';

export type EnvironmentOptions = {
  readonly version: FunctionVersion;
  readonly initializationType: InitializationType;
  /** The replacement for a managed runtime; undefined for a function with its own bootstrap. */
  readonly managedRuntime?: ManagedRuntimePlan | undefined;
  readonly codeDirectory: string;
  /** What links in the code lead to that lead out of its directory, with where they lead in the sandbox. */
  readonly linkedCode?: readonly { readonly source: string; readonly target: string }[];
  readonly optDirectory: string | undefined;
  readonly credentials: Credentials;
  /** How its runtime is debugged; undefined if it is not. */
  readonly debug?: DebugPlan | undefined;
};

/** Shared by all environments of a service. */
export type EnvironmentHost = {
  readonly openSandbox: OpenSandbox;
  readonly slots: Slots;
  readonly findOwner: FindOwner;
  /** Limits the connections of all environments combined. */
  readonly connections: ConnectionBudget;
  /** Isolated: `openSandbox` creates a network with each sandbox, and the Runtime API listens in it. */
  readonly network: 'shared' | 'isolated';
  /** Limits each function's CPU time in proportion to its memory. */
  readonly hasCpuLimit: boolean;
  readonly clock: Clock;
  /** Shares the time for the output of all environments. */
  readonly turns: OutputTurns;
  readonly emit: Emit;
  /** Whether `emit` gets a fact for each invocation too. Defaults to false. */
  readonly reportsInvocations?: boolean | undefined;
  readonly log: Log;
};

export interface Environment {
  readonly version: FunctionVersion;
  /** Runs one invocation; only one at a time. */
  run(invocation: Invocation): Run;
  /** Initializes ahead of any call; resolves with whether that succeeded. Call it once, before the first `run`. */
  initialize(): Promise<boolean>;
  /** Whether `run` may be called. */
  readonly isFree: boolean;
  /** Whether it has ended and cannot be used again. Close it then. */
  readonly isGone: boolean;
  /** The invocation has its response, and the environment will be free soon. */
  readonly isSettling: boolean;
  /** What it uses now. Reads /proc, so call it only on request. Never rejects. */
  account(): Promise<EnvironmentAccount>;
  /** Ends all processes and removes the sandbox. Idempotent. */
  close(): Promise<void>;
}

/** Opens the sandbox and the Runtime API of a new environment. No process of the function runs yet. */
export async function openEnvironment(host: EnvironmentHost, options: EnvironmentOptions): Promise<Environment> {
  requireDescriptors();
  const { version } = options;
  const id = randomUUID();
  const logStream = renderLogStream(version, host.clock.epochMs(), id.replaceAll('-', ''));
  // The session reports to the driver, which is created after the sandbox. No process can cause an event before that.
  let driver: Driver | undefined;
  const containment = createContainment((edge, failure) => driver?.break(edge, failure));
  const clock = containment.clock(host.clock);
  const stream = new TelemetryStream({ clock, containment });
  const session = new RuntimeSession(
    containment.wrap('event', (event: SessionEvent) => driver?.onSessionEvent(event)),
    stream,
  );
  // Each file directly in /opt/extensions is an external extension.
  const trees = { taskRoot: options.codeDirectory, optRoot: options.optDirectory };
  const extensionNames = listInside('/opt/extensions', trees);
  const open = host.network === 'isolated' ? openIsolated : openShared;
  const { context, listener, sandbox } = await open<EnvironmentContext>({
    slots: host.slots,
    findOwner: host.findOwner,
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
        onFailure: (failure) => {
          // A connection that cannot be accepted is no reason to end the environment.
          if (exhaustedResource(failure, '/') === undefined) containment.report('socket', failure);
          else host.log.warn({ err: failure, logStream }, 'the Runtime API could not serve a request');
        },
        isInhabited: () => driver?.isInhabited ?? false,
        isFrozen: () => driver?.isFrozen ?? false,
        connections: host.connections,
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
    openSandbox: (context) => host.openSandbox({ ...planSandbox(version, context, mountsOf(options)), containment }),
  });
  const shared = { ...host, clock };
  driver = new Driver({
    host: shared,
    options,
    context,
    extensionNames,
    session,
    stream,
    listener,
    sandbox,
    containment,
  });
  return driver;
}

/** The files of a managed runtime and of a debugger, and what links in the code lead to. */
function mountsOf({ managedRuntime, debug, linkedCode = [] }: EnvironmentOptions): readonly Mount[] {
  const linked = linkedCode.map(({ source, target }): Mount => ({ source, target, access: 'read-only' }));
  return [...(managedRuntime?.mounts ?? []), ...(debug?.mounts ?? []), ...linked];
}

const MIB = 1024 * 1024;
/** Milliseconds of running invocations after which the peak memory is read again. */
const MEASURED_MS = 1;
/** Milliseconds for which an environment is idle before its processes are frozen. */
const FREEZE_DELAY_MS = 5;

type DriverDependencies = {
  readonly host: EnvironmentHost;
  readonly options: EnvironmentOptions;
  readonly context: EnvironmentContext;
  readonly extensionNames: readonly string[];
  readonly session: RuntimeSession;
  readonly stream: TelemetryStream;
  readonly listener: Listener;
  readonly sandbox: Sandbox;
  readonly containment: Containment;
};

class Driver implements Environment {
  readonly version: FunctionVersion;
  readonly #host: EnvironmentHost;
  readonly #context: EnvironmentContext;
  readonly #session: RuntimeSession;
  readonly #stream: TelemetryStream;
  readonly #telemetry: EnvironmentTelemetry;
  readonly #listener: Listener;
  readonly #sandbox: Sandbox;
  readonly #containment: Containment;
  readonly #freezer: IdleFreezer;
  readonly #processes: EnvironmentProcesses;
  readonly #queue: EnvironmentEvent[] = [];
  #state: EnvironmentState = { phase: 'cold', since: 'creation' };
  #isDraining = false;
  #isCpuLimited = false;
  readonly #initializationType: InitializationType;
  #peakMb = 0;
  /** Since the peak was read. The first invocation reads it. */
  #unmeasuredMs = Number.POSITIVE_INFINITY;
  /** Whether an invocation has ended in this environment. */
  #hasReported = false;
  #run: CurrentRun | undefined;
  readonly #deadline: Deadline | DebugDeadline;
  readonly #isDebugged: boolean;
  #closing: Promise<void> | undefined;
  #onGone: () => void = () => undefined;
  #onInitialized: (succeeded: boolean) => void = () => undefined;

  constructor(dependencies: DriverDependencies) {
    const { host, options, context, extensionNames, session, stream, listener, sandbox, containment } = dependencies;
    const { version, initializationType, credentials, managedRuntime, debug } = options;
    const { clock } = host;
    this.version = version;
    this.#host = host;
    this.#context = context;
    this.#initializationType = initializationType;
    this.#session = session;
    this.#stream = stream;
    this.#listener = listener;
    this.#sandbox = sandbox;
    this.#containment = containment;
    this.#telemetry = new EnvironmentTelemetry({
      version,
      logStream: context.logStream,
      initializationType,
      clock,
      stream,
      log: (line, belongsToInvocation) => {
        if (belongsToInvocation) this.#run?.appendLog(line);
        this.#emitLine(line);
      },
    });
    const fire = () => this.#handle({ kind: 'deadline', at: this.#now() });
    this.#deadline = debug
      ? new DebugDeadline({ clock, fire, waits: debug.waits, isAttached: () => hasConnection(debug.port) })
      : new Deadline(clock, fire);
    this.#isDebugged = debug !== undefined;
    this.#freezer = new IdleFreezer({
      // Telemetry subscribers are frozen with the other processes: their events wait.
      sandbox: {
        freeze() {
          stream.pause();
          return sandbox.freeze();
        },
        thaw: () => sandbox.thaw().finally(() => stream.resume()),
      },
      clock,
      delayMs: FREEZE_DELAY_MS,
      onFailure: (failure) => containment.report('process', failure),
    });
    this.#processes = new EnvironmentProcesses({
      version,
      context,
      credentials,
      managedRuntime,
      debug,
      extensionNames,
      sandbox,
      session,
      stream,
      telemetry: this.#telemetry,
      freezer: this.#freezer,
      clock,
      containment,
      turns: host.turns,
      onEvent: (event) => this.#handle(event),
    });
  }

  get isFree(): boolean {
    return this.#state.phase === 'idle' || this.#state.phase === 'cold';
  }

  /** Whether there are processes, running or being ended. */
  get isInhabited(): boolean {
    return this.#state.phase !== 'cold' && this.#state.phase !== 'gone';
  }

  get isFrozen(): boolean {
    return this.#freezer.isFrozen;
  }

  get isGone(): boolean {
    return this.#state.phase === 'gone';
  }

  get isSettling(): boolean {
    return this.#state.phase === 'settling';
  }

  run(invocation: Invocation): Run {
    if (!this.isFree) throw new Error('An environment runs one invocation at a time');
    const run = new CurrentRun(this.version, invocation);
    this.#run = run;
    const timeoutMs = this.version.configuration.timeoutSeconds * 1000;
    const held = { requestId: invocation.requestId, timeoutMs };
    const thawed = this.#freezer.wake();
    this.#handle({ kind: thawed ? 'thaw' : 'invoke', at: this.#now(), held });
    void thawed?.then(() => this.#handle({ kind: 'thawed', at: this.#now() }));
    return run;
  }

  initialize(): Promise<boolean> {
    const timeoutMs = this.version.configuration.timeoutSeconds * 1000;
    return new Promise((resolve) => {
      this.#onInitialized = resolve;
      this.#handle({ kind: 'initialize', at: this.#now(), timeoutMs });
    });
  }

  async account(): Promise<EnvironmentAccount> {
    const { name, version, scope, configuration } = this.version;
    const { processes, descriptors, memoryBytes, volume } = await this.#sandbox.usage();
    const { connections, refusedConnections, bufferedBytes } = this.#listener.usage();
    const { lines, bytes, bytesPerSecond, isHeldBack, pendingBytes } = this.#processes.outputUse();
    return {
      function: name,
      version,
      scope,
      logStream: this.#context.logStream,
      phase: this.#state.phase,
      memory: { used: memoryBytes, limit: configuration.memoryMib * MIB },
      processes: { used: processes, limit: QUOTAS.processes },
      descriptors: { used: descriptors, limitPerProcess: QUOTAS.openFiles },
      disk: {
        used: volume?.bytes ?? 0,
        limit: this.#sandbox.volumeLimitBytes ?? null,
        isComplete: volume?.isComplete ?? true,
      },
      connections: { used: connections, limit: MAX_CONNECTIONS, refused: refusedConnections },
      buffered: {
        requests: { used: bufferedBytes + this.#session.bodies.bytes, limit: MAX_BUFFERED_BYTES },
        output: { used: pendingBytes, limit: null },
        telemetry: { used: this.#stream.bufferedBytes, limit: null },
      },
      log: { lines, bytes, bytesPerSecond, isHeldBack },
    };
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
    this.#deadline.close();
    this.#stream.close();
    this.#onInitialized(false);
    try {
      await this.#listener.close();
    } finally {
      await this.#sandbox.close();
      this.#host.slots.release(this.#context.slot);
    }
  }

  onSessionEvent(event: SessionEvent): void {
    const at = this.#now();
    switch (event.kind) {
      case 'runtime-ready':
        // As for `all-ready` below: the output that was written before comes first.
        if (this.#telemetry.awaitsRuntime) this.#soon(() => this.#telemetry.runtimeDone(at, undefined));
        return;
      case 'all-ready':
        // Output that the function wrote before this call is still in its pipe, and was found by the same poll of the
        // event loop. It has been read after this turn, so END comes after it. A large output takes longer.
        if (this.#state.phase === 'settling')
          this.#soon(() => {
            const read = this.#processes.outputRead();
            if (read === undefined) this.#handle({ kind: 'ready', at });
            else void read.then(() => this.#handle({ kind: 'ready', at: this.#now() }));
          });
        else this.#handle({ kind: 'ready', at });
        return;
      case 'extensions-registered':
        this.#handle({ kind: 'registered', at });
        return;
      case 'extension-error-reported': {
        this.#processes.extensionReported(event.call === 'init-error' ? 'Extension.InitError' : 'Extension.ExitError');
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
        this.#run?.respond(event.response);
        this.#telemetry.responded(at, event.response.kind === 'response' ? event.response.payload.length : 0);
        this.#handle({ kind: 'responded', at });
        return;
      case 'telemetry-subscribed': {
        const { api, name, state, types } = event;
        this.#telemetry.subscribed(api, { name, state, types });
      }
    }
  }

  /**
   * Ends the environment after an exception in one of its callbacks, wherever in its life that happened. Its state is
   * unknown then, so the lifecycle is not consulted. What this machine lacks is an error of the caller's request; every
   * other failure is a fault of the environment.
   */
  break(edge: Edge, failure: unknown): void {
    if (this.#state.phase === 'gone') return;
    const { clock, log } = this.#host;
    const { name, version, scope } = this.version;
    const details = {
      err: failure,
      edge,
      function: name,
      version,
      region: scope.region,
      logStream: this.#context.logStream,
    };
    log.error(details, 'an execution environment failed and was ended');
    const startedAt = 'startedAt' in this.#state ? this.#state.startedAt : this.#now();
    this.#state = { phase: 'gone' };
    this.#queue.length = 0;
    this.#deadline.close();
    const run = this.#run;
    this.#run = undefined;
    if (run !== undefined) {
      const reason = failure instanceof Error ? failure.message : String(failure);
      const exhausted = exhaustedResource(failure, this.#context.codeDirectory);
      const fault = sandboxFailed(reason);
      try {
        const report = { durationMs: clock.monotonicMs() - startedAt, initMs: undefined, maxMemoryUsedMb: 0, fault };
        this.#telemetry.invocationEnded(this.#now(), report, this.#session.extensions.count);
        if (this.#host.reportsInvocations) this.#emitInvocation(report);
      } catch {
        // The failure may be in the telemetry.
      }
      if (exhausted) run.abandon(exhausted);
      else run.fail(fault);
    }
    this.#onGone();
    this.close().catch((cause: unknown) => log.error({ err: cause }, 'could not close an environment cleanly'));
    run?.release('gone');
  }

  #now(): number {
    return this.#host.clock.monotonicMs();
  }

  /** Calls `action` when the output that has arrived has been read. */
  #soon(action: () => void): void {
    setImmediate(this.#containment.wrap('event', action));
  }

  #handle(event: EnvironmentEvent): void {
    this.#queue.push(event);
    if (this.#isDraining) return;
    this.#isDraining = true;
    try {
      for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
        const result = step(this.#state, next);
        if ('refused' in result) throw new Error(`Impossible event in an environment's life: ${result.refused}`);
        this.#state = result.to;
        for (const effect of result.effects) {
          this.#carryOut(effect);
          if (this.#state !== result.to) break; // An effect broke the environment.
        }
        if (this.#state.phase === 'gone') this.#onGone();
      }
    } catch (failure) {
      this.break('event', failure);
    } finally {
      this.#isDraining = false;
    }
  }

  #carryOut(effect: Effect): void {
    const run = this.#run;
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
        if (run) this.#telemetry.invocationStarted(run.invocation);
        return;
      case 'log-runtime-done':
        this.#telemetry.runtimeDone(effect.at, effect.fault);
        return;
      case 'log-report':
        if (!run) return;
        this.#report(effect);
        run.settle();
        return;
      case 'start-extensions':
        // Initialization has full CPU speed, whatever the memory.
        this.#setCpuLimit(false);
        this.#processes.startExtensions();
        return;
      case 'start-runtime':
        if (this.#deadline instanceof DebugDeadline) this.#deadline.restarted();
        this.#processes.startRuntime();
        return;
      case 'end-processes':
        this.#processes.end(effect.reason);
        return;
      case 'arm-deadline':
        this.#deadline.arm(effect.at);
        return;
      case 'disarm-deadline':
        this.#deadline.disarm();
        return;
      case 'offer':
        this.#setCpuLimit(true);
        if (run) this.#offer(run.invocation, effect.deadlineAt);
        return;
      case 'deliver':
        if (run && !run.invocation.wantsLogTail) run.settle();
        return;
      case 'fail':
        run?.fail(effect.fault);
        return;
      case 'abandon':
        run?.abandon(new Error('The service is shutting down'));
        this.#releaseTo('gone');
        return;
      case 'release':
        this.#releaseTo('reusable');
    }
  }

  /** Idempotent; costs nothing when nothing changes. */
  #setCpuLimit(isLimited: boolean): void {
    if (!this.#host.hasCpuLimit || this.#isDebugged || this.#isCpuLimited === isLimited) return;
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
      tenantId: invocation.tenantId,
      payload: invocation.payload,
      sink: invocation.responseSink,
    });
  }

  #report({ durationMs, initMs, fault }: Effect & { kind: 'log-report' }): void {
    this.#processes.flushOutput();
    const { memoryMib } = this.version.configuration;
    const usedMb = this.#usedMb(durationMs);
    const maxMemoryUsedMb = fault?.errorType === 'Runtime.OutOfMemory' ? memoryMib : Math.min(usedMb, memoryMib);
    const report = { durationMs, initMs, maxMemoryUsedMb, fault };
    this.#telemetry.invocationEnded(this.#now(), report, this.#session.extensions.count);
    if (this.#host.reportsInvocations) this.#emitInvocation(report);
  }

  /** The peak memory in megabytes. Little memory can be touched in a millisecond, so shorter invocations share a reading. */
  #usedMb(durationMs: number): number {
    this.#unmeasuredMs += durationMs;
    if (this.#unmeasuredMs >= MEASURED_MS) {
      this.#unmeasuredMs = 0;
      this.#peakMb = Math.ceil(this.#sandbox.peakMemoryBytes() / MIB);
      // A process that was killed for memory in this invocation does not explain the runtime's exit in a later one.
      this.#sandbox.forgetOutOfMemory();
    }
    return this.#peakMb;
  }

  #emitInvocation({ durationMs, initMs, maxMemoryUsedMb, fault }: InvocationReport): void {
    const run = this.#run;
    if (!run) return;
    const { scope, name, version, configuration } = this.version;
    const isCold = !this.#hasReported && this.#initializationType === 'on-demand';
    this.#hasReported = true;
    this.#host.emit({
      kind: 'invocation',
      scope,
      functionName: name,
      functionVersion: version,
      logStream: this.#context.logStream,
      requestId: run.invocation.requestId,
      epochMs: this.#host.clock.epochMs(),
      isCold,
      durationMs,
      initMs,
      memorySizeMb: configuration.memoryMib,
      maxMemoryUsedMb,
      status: fault?.status ?? (run.hasFailed ? 'error' : 'success'),
      errorType: fault?.errorType,
    });
  }

  #releaseTo(state: 'reusable' | 'gone'): void {
    const run = this.#run;
    this.#run = undefined;
    // A frozen process does not respond to its debugger.
    if (this.#state.phase === 'idle' && !this.#isDebugged) this.#freezer.idle();
    this.#onInitialized(this.#state.phase === 'idle');
    run?.release(state);
  }

  #emitLine(message: string): void {
    this.#host.emit({
      kind: 'log-event',
      scope: this.version.scope,
      functionName: this.version.name,
      logGroup: this.version.configuration.logging.logGroup,
      logStream: this.#context.logStream,
      epochMs: this.#host.clock.epochMs(),
      message,
    });
  }
}
