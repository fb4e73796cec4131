/**
 * Which calls an extension may make: a pure state machine with the state names of RAPID (AWS's server), which appear in
 * error messages. External and internal extensions differ only in how they are created (`extensions.ts`).
 *
 *   Started -register-> Registered -next-> Ready -event-> Running -next-> Ready
 *   Registered -init-error-> InitError; Registered, Ready, Running -exit-error-> ExitError (both final)
 *   Started -launch-error-> LaunchError (final): its file could not be started
 */

export type ExtensionState = 'Started' | 'Registered' | 'Ready' | 'Running' | 'InitError' | 'ExitError' | 'LaunchError';

/** A call of the extension, or an action of the platform: it delivers an event, or cannot start the extension. */
export type ExtensionCall = 'register' | 'next' | 'event' | 'init-error' | 'exit-error' | 'launch-error';

export type ExtensionStep =
  | { readonly to: ExtensionState }
  | { readonly refused: { readonly from: ExtensionState; readonly target: ExtensionState } };

const ALLOWED: Readonly<Record<ExtensionState, Readonly<Partial<Record<ExtensionCall, ExtensionState>>>>> = {
  Started: { register: 'Registered', 'launch-error': 'LaunchError' },
  Registered: { next: 'Ready', 'init-error': 'InitError', 'exit-error': 'ExitError' },
  // Unlike the runtime's, a second `next` is refused while one is waiting.
  Ready: { event: 'Running', 'exit-error': 'ExitError' },
  Running: { next: 'Ready', 'exit-error': 'ExitError' },
  InitError: { 'init-error': 'InitError' },
  ExitError: { 'exit-error': 'ExitError' },
  LaunchError: {},
};

const TARGETS: Readonly<Record<ExtensionCall, ExtensionState>> = {
  register: 'Registered',
  next: 'Ready',
  event: 'Running',
  'init-error': 'InitError',
  'exit-error': 'ExitError',
  'launch-error': 'LaunchError',
};

/** Returns the next state, or a refusal if `call` is not allowed in `state`. */
export function stepExtension(state: ExtensionState, call: ExtensionCall): ExtensionStep {
  const to = ALLOWED[state][call];
  return to === undefined ? { refused: { from: state, target: TARGETS[call] } } : { to };
}
