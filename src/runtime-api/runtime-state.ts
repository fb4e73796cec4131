/**
 * What the runtime process may say next: a pure machine with RAPID's state names, which stand in the error texts that
 * clients see. It knows no HTTP and no request ids (`runtime-handlers.ts` checks the id before the state, as AWS does).
 *
 *   Started -next-> Ready -offered-> Running -response-> InvocationResponse -sent-> RuntimeResponseSentState -next-> Ready
 *                                    Running -error-> InvocationErrorResponse -sent-> RuntimeResponseSentState
 *   Started -init-error-> InitError (for good)
 */

export type RuntimeState =
  | 'Started'
  | 'InitError'
  | 'Ready'
  | 'Running'
  | 'InvocationResponse'
  | 'InvocationErrorResponse'
  | 'RuntimeResponseSentState';

/** What the runtime calls, or what the platform does: it offers an invocation, it has taken a response whole. */
export type RuntimeEvent = 'next' | 'offered' | 'response' | 'error' | 'init-error' | 'sent';

export type RuntimeStep =
  | { readonly to: RuntimeState }
  /** 403; the message names the state that the call would have led to. */
  | { readonly refused: { readonly from: RuntimeState; readonly target: RuntimeState } };

const ALLOWED: Readonly<Record<RuntimeState, Readonly<Partial<Record<RuntimeEvent, RuntimeState>>>>> = {
  Started: { next: 'Ready', 'init-error': 'InitError' },
  InitError: {},
  Ready: { next: 'Ready', offered: 'Running' },
  // A `next` that was cut off may be repeated: the same event is served again.
  Running: { next: 'Running', response: 'InvocationResponse', error: 'InvocationErrorResponse' },
  InvocationResponse: { sent: 'RuntimeResponseSentState' },
  InvocationErrorResponse: { sent: 'RuntimeResponseSentState' },
  RuntimeResponseSentState: { next: 'Ready' },
};

const TARGETS: Readonly<Record<RuntimeEvent, RuntimeState>> = {
  next: 'Ready',
  offered: 'Running',
  response: 'InvocationResponse',
  error: 'InvocationErrorResponse',
  'init-error': 'InitError',
  sent: 'RuntimeResponseSentState',
};

/** Says what `event` does in `state`. */
export function stepRuntime(state: RuntimeState, event: RuntimeEvent): RuntimeStep {
  const to = ALLOWED[state][event];
  return to === undefined ? { refused: { from: state, target: TARGETS[event] } } : { to };
}
