/**
 * What one extension may say next: a pure machine with RAPID's state names, which stand in the error texts that
 * clients see. External and internal extensions differ only in how they come to be (`extensions.ts`).
 *
 *   Started -register-> Registered -next-> Ready -event-> Running -next-> Ready
 *   Registered -init-error-> InitError; Registered, Ready, Running -exit-error-> ExitError (both for good)
 *   Started -launch-error-> LaunchError (for good): its file could not be started
 */

export type ExtensionState = 'Started' | 'Registered' | 'Ready' | 'Running' | 'InitError' | 'ExitError' | 'LaunchError';

/** What the extension calls, or what the platform does: it hands over an event, or finds that it cannot start it. */
export type ExtensionCall = 'register' | 'next' | 'event' | 'init-error' | 'exit-error' | 'launch-error';

export type ExtensionStep =
  | { readonly to: ExtensionState }
  | { readonly refused: { readonly from: ExtensionState; readonly target: ExtensionState } };

const ALLOWED: Readonly<Record<ExtensionState, Readonly<Partial<Record<ExtensionCall, ExtensionState>>>>> = {
  Started: { register: 'Registered', 'launch-error': 'LaunchError' },
  Registered: { next: 'Ready', 'init-error': 'InitError', 'exit-error': 'ExitError' },
  // A second `next` while one waits is refused, unlike the runtime's.
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

/** Says what `call` does in `state`. */
export function stepExtension(state: ExtensionState, call: ExtensionCall): ExtensionStep {
  const to = ALLOWED[state][call];
  return to === undefined ? { refused: { from: state, target: TARGETS[call] } } : { to };
}
