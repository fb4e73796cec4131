/**
 * The lifecycle of one execution environment as a pure state machine: `step(state, event)` returns the next state and
 * the effects, which `environment.ts` carries out. It does no I/O and reads no clock: events carry the monotonic time in
 * milliseconds.
 *
 * The rules: initialization has 10 s. When it fails or takes longer, the processes are ended, and it runs once more
 * inside the invocation, within the function's timeout. An environment whose processes exited or were killed is kept,
 * with its /tmp and log stream, and initializes inside its next invocation.
 * https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
 *
 * ```mermaid
 * stateDiagram-v2
 *   [*] --> cold
 *   cold --> initializing: invoke, initialize
 *   cold --> gone: stop
 *   initializing --> invoking: ready, with an invocation
 *   initializing --> idle: ready, without
 *   initializing --> resetting: exited, unstartable, deadline, init-error
 *   idle --> invoking: invoke
 *   idle --> thawing: thaw
 *   thawing --> invoking: thawed
 *   thawing --> resetting: exited
 *   idle --> resetting: exited
 *   invoking --> settling: responded
 *   invoking --> resetting: exited, deadline
 *   settling --> idle: ready
 *   settling --> resetting: exited, deadline
 *   resetting --> initializing: ended, to retry
 *   resetting --> cold: ended
 *   initializing --> stopping: stop
 *   idle --> stopping: stop
 *   thawing --> stopping: stop
 *   invoking --> stopping: stop
 *   settling --> stopping: stop
 *   resetting --> stopping: stop
 *   stopping --> gone: ended
 * ```
 */
import type { Fault } from '../protocol/faults.ts';
import { initializationReported, timedOut } from '../protocol/faults.ts';
import { QUOTAS } from '../protocol/quotas.ts';

/** The invocation that an environment runs or prepares for. */
export type Held = { readonly requestId: string; readonly timeoutMs: number };

/** When an initialization runs: before the invocation, or inside it because an earlier one failed or was undone. */
export type Stage = 'init' | 'invoke';

export type EnvironmentState =
  /** There are no processes: before the first initialization, or after a reset. */
  | { readonly phase: 'cold'; readonly since: 'creation' | 'reset' }
  | {
      readonly phase: 'initializing';
      readonly stage: Stage;
      readonly startedAt: number;
      /** Maximum duration. */
      readonly limitMs: number;
      /** Undefined when the environment is initialized ahead of any call. */
      readonly held: Held | undefined;
      /** The error that the runtime reported with init/error. The platform then waits for its exit. */
      readonly reported: Fault | undefined;
    }
  /** `unreportedInitMs`: duration of an initialization ahead of any call, for the first REPORT. */
  | { readonly phase: 'idle'; readonly unreportedInitMs: number | undefined }
  /** The processes were frozen and are being thawed for an invocation, whose clock has not started yet. */
  | { readonly phase: 'thawing'; readonly held: Held; readonly unreportedInitMs: number | undefined }
  | {
      readonly phase: 'invoking';
      readonly held: Held;
      readonly startedAt: number;
      readonly initMs: number | undefined;
    }
  /** The response is complete; the runtime has not asked for the next invocation yet. */
  | {
      readonly phase: 'settling';
      readonly held: Held;
      readonly startedAt: number;
      readonly initMs: number | undefined;
    }
  /** The processes are being ended. */
  | { readonly phase: 'resetting'; readonly afterwards: AfterReset }
  | { readonly phase: 'stopping'; readonly held: Held | undefined }
  | { readonly phase: 'gone' };

type AfterReset =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'initialize-inside'; readonly held: Held }
  /** Report the failed invocation. `hasResponded`: the caller has received its response already. */
  | {
      readonly kind: 'conclude';
      readonly held: Held;
      readonly fault: Fault;
      readonly durationMs: number;
      readonly initMs: number | undefined;
      readonly hasResponded: boolean;
      /** False when an initialization inside the invocation failed: START is logged only then, after its INIT_REPORT. */
      readonly hasStarted: boolean;
    };

export type EnvironmentEvent =
  | { readonly kind: 'invoke'; readonly at: number; readonly held: Held }
  /** An invocation for an environment whose processes are frozen; `thawed` follows once they run again. */
  | { readonly kind: 'thaw'; readonly at: number; readonly held: Held }
  | { readonly kind: 'thawed'; readonly at: number }
  /** Initialize ahead of any call. */
  | { readonly kind: 'initialize'; readonly at: number; readonly timeoutMs: number }
  /** All external extensions have registered, or there are none. */
  | { readonly kind: 'registered'; readonly at: number }
  /** The runtime and all extensions concerned have called next: they have initialized or finished the invocation. */
  | { readonly kind: 'ready'; readonly at: number }
  | { readonly kind: 'init-error'; readonly at: number; readonly errorType: string; readonly body: string }
  /** The complete response to the invocation has been received. */
  | { readonly kind: 'responded'; readonly at: number }
  /** A process exited that was not being ended. */
  | { readonly kind: 'exited'; readonly at: number; readonly fault: Fault }
  /** The bootstrap or an extension cannot be started. */
  | { readonly kind: 'unstartable'; readonly at: number; readonly fault: Fault }
  | { readonly kind: 'deadline'; readonly at: number }
  /** All processes have ended, and their output has been read. */
  | { readonly kind: 'ended'; readonly at: number }
  | { readonly kind: 'stop'; readonly at: number };

export type EndReason = 'failure' | 'timeout' | 'spindown';

export type Effect =
  /** INIT_START; from now on extensions may subscribe to telemetry. */
  | { readonly kind: 'log-init-start'; readonly stage: Stage }
  /** End of initialization: one EXTENSION line per extension, and INIT_REPORT when it failed. */
  | {
      readonly kind: 'log-init-report';
      readonly stage: Stage;
      readonly durationMs: number;
      readonly fault: Fault | undefined;
    }
  | { readonly kind: 'log-start' }
  /** The runtime failed during the invocation; telemetry reports it before the processes are ended. */
  | { readonly kind: 'log-runtime-done'; readonly at: number; readonly fault: Fault }
  /** END and REPORT, which complete the caller's log tail. */
  | {
      readonly kind: 'log-report';
      readonly durationMs: number;
      readonly initMs: number | undefined;
      readonly fault: Fault | undefined;
    }
  /** Starts the files in /opt/extensions; `registered` follows. */
  | { readonly kind: 'start-extensions' }
  | { readonly kind: 'start-runtime' }
  | { readonly kind: 'end-processes'; readonly reason: EndReason }
  | { readonly kind: 'arm-deadline'; readonly at: number }
  | { readonly kind: 'disarm-deadline' }
  | { readonly kind: 'offer'; readonly deadlineAt: number }
  /** Returns the response to the caller now, unless it wants the log tail. */
  | { readonly kind: 'deliver' }
  /** Returns the platform's error to the caller. */
  | { readonly kind: 'fail'; readonly fault: Fault }
  /** The environment was closed while it held an invocation. */
  | { readonly kind: 'abandon' }
  /** The environment can take another invocation. */
  | { readonly kind: 'release' };

export type Step = { readonly to: EnvironmentState; readonly effects: readonly Effect[] };

/** An event that cannot happen in this phase; the driver treats it as a bug. */
export type Refusal = { readonly refused: `${EnvironmentEvent['kind']} while ${EnvironmentState['phase']}` };

/** Computes the state and the effects that follow from an event. Pure. */
export function step(state: EnvironmentState, event: EnvironmentEvent): Step | Refusal {
  switch (state.phase) {
    case 'cold':
      return stepCold(state, event);
    case 'initializing':
      return stepInitializing(state, event);
    case 'idle':
      return stepIdle(state, event);
    case 'thawing':
      return stepThawing(state, event);
    case 'invoking':
      return stepInvoking(state, event);
    case 'settling':
      return stepSettling(state, event);
    case 'resetting':
      return stepResetting(state, event);
    case 'stopping':
      return stepStopping(state, event);
    case 'gone':
      return stepGone(event);
  }
}

function stepCold(state: EnvironmentState & { phase: 'cold' }, event: EnvironmentEvent): Step | Refusal {
  switch (event.kind) {
    case 'invoke':
      return state.since === 'creation'
        ? initialize('init', event.at, QUOTAS.initMs, event.held)
        : initialize('invoke', event.at, event.held.timeoutMs, event.held);
    case 'initialize':
      return initialize('init', event.at, Math.max(QUOTAS.provisionedInitMs, event.timeoutMs), undefined);
    case 'stop':
      return { to: { phase: 'gone' }, effects: [] };
    case 'deadline':
      return stay(state);
    case 'thaw':
    case 'thawed':
    case 'registered':
    case 'ready':
    case 'init-error':
    case 'responded':
    case 'exited':
    case 'unstartable':
    case 'ended':
      return refuse(event, state);
  }
}

function stepInitializing(
  state: EnvironmentState & { phase: 'initializing' },
  event: EnvironmentEvent,
): Step | Refusal {
  switch (event.kind) {
    case 'registered':
      return { to: state, effects: [{ kind: 'start-runtime' }] };
    case 'ready': {
      const durationMs = event.at - state.startedAt;
      const report: Effect = { kind: 'log-init-report', stage: state.stage, durationMs, fault: undefined };
      if (!state.held) {
        const to = { phase: 'idle', unreportedInitMs: durationMs } as const;
        return { to, effects: [{ kind: 'disarm-deadline' }, report, { kind: 'release' }] };
      }
      // Inside an invocation its clock started with the initialization, and REPORT has no Init Duration.
      if (state.stage === 'init') return invoke(state.held, event.at, durationMs, true, [report]);
      return invoke(state.held, state.startedAt, undefined, false, [report]);
    }
    case 'init-error': {
      const reported = initializationReported(event.errorType, event.body);
      // Before an invocation the process gets time to exit. Inside one, its report is returned to the caller at once.
      if (state.stage === 'invoke') return failInitialization(state, event.at, reported, 'failure');
      return { to: { ...state, reported }, effects: [] };
    }
    case 'exited':
    case 'unstartable':
      return failInitialization(state, event.at, state.reported ?? event.fault, 'failure');
    case 'deadline': {
      return failInitialization(state, event.at, timedOut(state.limitMs / 1000), 'timeout');
    }
    case 'stop':
      return stop(state.held);
    case 'invoke':
    case 'thaw':
    case 'thawed':
    case 'initialize':
    case 'responded':
    case 'ended':
      return refuse(event, state);
  }
}

function stepIdle(state: EnvironmentState & { phase: 'idle' }, event: EnvironmentEvent): Step | Refusal {
  switch (event.kind) {
    case 'invoke':
      return invoke(event.held, event.at, state.unreportedInitMs, true, []);
    case 'thaw':
      return { to: { phase: 'thawing', held: event.held, unreportedInitMs: state.unreportedInitMs }, effects: [] };
    case 'exited':
      return reset({ kind: 'nothing' }, 'failure', []);
    case 'stop':
      return stop(undefined);
    // A runtime may poll twice, and a deadline may have fired while its invocation was settling.
    case 'ready':
    case 'deadline':
      return stay(state);
    case 'thawed':
    case 'initialize':
    case 'registered':
    case 'init-error':
    case 'responded':
    case 'unstartable':
    case 'ended':
      return refuse(event, state);
  }
}

function stepThawing(state: EnvironmentState & { phase: 'thawing' }, event: EnvironmentEvent): Step | Refusal {
  switch (event.kind) {
    case 'thawed':
      return invoke(state.held, event.at, state.unreportedInitMs, true, []);
    case 'exited':
      return reset({ kind: 'initialize-inside', held: state.held }, 'failure', []);
    case 'stop':
      return stop(state.held);
    // As in `idle`.
    case 'ready':
    case 'deadline':
      return stay(state);
    case 'invoke':
    case 'thaw':
    case 'initialize':
    case 'registered':
    case 'init-error':
    case 'responded':
    case 'unstartable':
    case 'ended':
      return refuse(event, state);
  }
}

function stepInvoking(state: EnvironmentState & { phase: 'invoking' }, event: EnvironmentEvent): Step | Refusal {
  switch (event.kind) {
    case 'responded':
      return { to: { ...state, phase: 'settling' }, effects: [{ kind: 'deliver' }] };
    case 'exited':
      return conclude(state, event, event.fault, event.at - state.startedAt, 'failure', false);
    case 'deadline':
      return conclude(state, event, timedOut(state.held.timeoutMs / 1000), state.held.timeoutMs, 'timeout', false);
    case 'stop':
      return stop(state.held);
    case 'ready':
      return stay(state);
    case 'invoke':
    case 'thaw':
    case 'thawed':
    case 'initialize':
    case 'registered':
    case 'init-error':
    case 'unstartable':
    case 'ended':
      return refuse(event, state);
  }
}

function stepSettling(state: EnvironmentState & { phase: 'settling' }, event: EnvironmentEvent): Step | Refusal {
  switch (event.kind) {
    case 'ready':
      return {
        to: { phase: 'idle', unreportedInitMs: undefined },
        effects: [
          { kind: 'disarm-deadline' },
          { kind: 'log-report', durationMs: event.at - state.startedAt, initMs: state.initMs, fault: undefined },
          { kind: 'release' },
        ],
      };
    case 'exited':
      return conclude(state, event, event.fault, event.at - state.startedAt, 'failure', true);
    case 'deadline':
      return conclude(state, event, timedOut(state.held.timeoutMs / 1000), state.held.timeoutMs, 'timeout', true);
    case 'stop':
      return stop(state.held);
    case 'invoke':
    case 'thaw':
    case 'thawed':
    case 'initialize':
    case 'registered':
    case 'init-error':
    case 'responded':
    case 'unstartable':
    case 'ended':
      return refuse(event, state);
  }
}

function stepResetting(state: EnvironmentState & { phase: 'resetting' }, event: EnvironmentEvent): Step | Refusal {
  const { afterwards } = state;
  switch (event.kind) {
    case 'ended':
      switch (afterwards.kind) {
        case 'nothing':
          return { to: { phase: 'cold', since: 'reset' }, effects: [{ kind: 'release' }] };
        case 'initialize-inside':
          return initialize('invoke', event.at, afterwards.held.timeoutMs, afterwards.held);
        case 'conclude':
          return {
            to: { phase: 'cold', since: 'reset' },
            effects: [...conclusion(afterwards, event.at), { kind: 'release' }],
          };
      }
      break;
    case 'stop':
      return {
        to: { phase: 'stopping', held: afterwards.kind === 'nothing' ? undefined : afterwards.held },
        effects: [],
      };
    // Late events of the old processes: killed ones exit, a timer may have fired before it was canceled, and a thaw may
    // have completed after they exited.
    case 'thawed':
    case 'registered':
    case 'ready':
    case 'init-error':
    case 'responded':
    case 'exited':
    case 'unstartable':
    case 'deadline':
      return stay(state);
    case 'invoke':
    case 'thaw':
    case 'initialize':
      return refuse(event, state);
  }
}

function stepStopping(state: EnvironmentState & { phase: 'stopping' }, event: EnvironmentEvent): Step | Refusal {
  switch (event.kind) {
    case 'ended':
      return { to: { phase: 'gone' }, effects: state.held ? [{ kind: 'abandon' }] : [] };
    case 'stop':
    case 'thawed':
    case 'registered':
    case 'ready':
    case 'init-error':
    case 'responded':
    case 'exited':
    case 'unstartable':
    case 'deadline':
      return stay(state);
    case 'invoke':
    case 'thaw':
    case 'initialize':
      return refuse(event, state);
  }
}

function stepGone(event: EnvironmentEvent): Step | Refusal {
  switch (event.kind) {
    case 'invoke':
    case 'thaw':
    case 'thawed':
    case 'initialize':
      return refuse(event, { phase: 'gone' });
    case 'registered':
    case 'ready':
    case 'init-error':
    case 'responded':
    case 'exited':
    case 'unstartable':
    case 'deadline':
    case 'ended':
    case 'stop':
      return stay({ phase: 'gone' });
  }
}

function initialize(stage: Stage, at: number, limitMs: number, held: Held | undefined): Step {
  return {
    to: { phase: 'initializing', stage, startedAt: at, limitMs, held, reported: undefined },
    effects: [
      { kind: 'log-init-start', stage },
      { kind: 'arm-deadline', at: at + limitMs },
      { kind: 'start-extensions' },
    ],
  };
}

function invoke(
  held: Held,
  startedAt: number,
  initMs: number | undefined,
  armed: boolean,
  before: readonly Effect[],
): Step {
  const deadlineAt = startedAt + held.timeoutMs;
  return {
    to: { phase: 'invoking', held, startedAt, initMs },
    effects: [
      ...before,
      { kind: 'log-start' },
      ...(armed ? [{ kind: 'arm-deadline', at: deadlineAt } as const] : []),
      { kind: 'offer', deadlineAt },
    ],
  };
}

function failInitialization(
  state: EnvironmentState & { phase: 'initializing' },
  at: number,
  fault: Fault,
  reason: EndReason,
): Step {
  const durationMs = at - state.startedAt;
  const report: Effect = { kind: 'log-init-report', stage: state.stage, durationMs, fault };
  if (!state.held) return reset({ kind: 'nothing' }, reason, [report]);
  if (state.stage === 'init') return reset({ kind: 'initialize-inside', held: state.held }, reason, [report]);
  const reportedMs = fault.status === 'timeout' ? state.held.timeoutMs : durationMs;
  const afterwards = {
    kind: 'conclude',
    held: state.held,
    fault,
    durationMs: reportedMs,
    initMs: undefined,
    hasResponded: false,
    hasStarted: false,
  } as const;
  return reset(afterwards, reason, [report]);
}

function conclude(
  state: { readonly held: Held; readonly initMs: number | undefined },
  { at }: EnvironmentEvent,
  fault: Fault,
  durationMs: number,
  reason: EndReason,
  hasResponded: boolean,
): Step {
  const { held, initMs } = state;
  const afterwards = { kind: 'conclude', held, fault, durationMs, initMs, hasResponded, hasStarted: true } as const;
  return reset(afterwards, reason, [{ kind: 'log-runtime-done', at, fault }]);
}

function conclusion(afterwards: AfterReset & { kind: 'conclude' }, at: number): Effect[] {
  const { fault } = afterwards;
  return [
    ...(afterwards.hasStarted ? [] : ([{ kind: 'log-start' }, { kind: 'log-runtime-done', at, fault }] as const)),
    { kind: 'log-report', durationMs: afterwards.durationMs, initMs: afterwards.initMs, fault: afterwards.fault },
    ...(afterwards.hasResponded ? [] : [{ kind: 'fail', fault: afterwards.fault } as const]),
  ];
}

function reset(afterwards: AfterReset, reason: EndReason, before: readonly Effect[]): Step {
  return {
    to: { phase: 'resetting', afterwards },
    effects: [{ kind: 'disarm-deadline' }, ...before, { kind: 'end-processes', reason }],
  };
}

function stop(held: Held | undefined): Step {
  return {
    to: { phase: 'stopping', held },
    effects: [{ kind: 'disarm-deadline' }, { kind: 'end-processes', reason: 'spindown' }],
  };
}

function stay(state: EnvironmentState): Step {
  return { to: state, effects: [] };
}

function refuse(event: EnvironmentEvent, state: { readonly phase: EnvironmentState['phase'] }): Refusal {
  return { refused: `${event.kind} while ${state.phase}` };
}
