/**
 * Which calls the runtime may make: a pure state machine with the state names of RAPID (AWS's server), which appear in
 * error messages. Does not handle HTTP or request IDs: `runtime-handlers.ts` checks the ID before the state, as AWS does.
 *
 *   Started -next-> Ready -offered-> Running -response-> InvocationResponse -sent-> RuntimeResponseSentState -next-> Ready
 *                                    Running -error-> InvocationErrorResponse -sent-> RuntimeResponseSentState
 *   Started -init-error-> InitError (final)
 */

export type RuntimeState =
  | 'Started'
  | 'InitError'
  | 'Ready'
  | 'Running'
  | 'InvocationResponse'
  | 'InvocationErrorResponse'
  | 'RuntimeResponseSentState';

/** A call of the runtime, or an action of the platform: an invocation is offered, a complete response has been received. */
export type RuntimeEvent = 'next' | 'offered' | 'response' | 'error' | 'init-error' | 'sent';

export type RuntimeStep =
  | { readonly to: RuntimeState }
  /** 403; the message contains the state to which the call would have led. */
  | { readonly refused: { readonly from: RuntimeState; readonly target: RuntimeState } };

const ALLOWED: Readonly<Record<RuntimeState, Readonly<Partial<Record<RuntimeEvent, RuntimeState>>>>> = {
  Started: { next: 'Ready', 'init-error': 'InitError' },
  InitError: {},
  Ready: { next: 'Ready', offered: 'Running' },
  // A runtime may repeat a `next` whose connection was cut off. It gets the same event again.
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

/** Returns the next state, or a refusal if `event` is not allowed in `state`. */
export function stepRuntime(state: RuntimeState, event: RuntimeEvent): RuntimeStep {
  const to = ALLOWED[state][event];
  return to === undefined ? { refused: { from: state, target: TARGETS[event] } } : { to };
}
