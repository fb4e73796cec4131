/**
 * AWS's names for the ways in which a function fails, and the payload that the caller then receives. Only errors of the
 * platform are here; an error that a handler reports is passed on byte for byte. The rules and their sources
 * (recordings of AWS, the source of its runtime interface emulator) are in docs/behavior/errors.md and
 * docs/behavior/extensions.md.
 */

/** The platform's verdict on a failed initialization or invocation. */
export type Fault = {
  /** `Error Type` of the REPORT line and of telemetry. */
  readonly errorType: string;
  /** `Status` of the REPORT line and of telemetry. */
  readonly status: 'error' | 'timeout' | 'failure';
  /** Renders the payload that the caller receives. */
  readonly payload: (requestId: string) => string;
};

/** The order of the members is AWS's for platform errors: errorType, errorMessage. */
function platformPayload(errorType: string, error: string): (requestId: string) => string {
  return (requestId) => JSON.stringify({ errorType, errorMessage: `RequestId: ${requestId} Error: ${error}` });
}

/** The function did not finish within its timeout. */
export function timedOut(timeoutSeconds: number): Fault {
  const error = `Task timed out after ${timeoutSeconds.toFixed(2)} seconds`;
  return { errorType: 'Sandbox.Timedout', status: 'timeout', payload: platformPayload('Sandbox.Timedout', error) };
}

/**
 * The sandbox failed, or Lamella ended it because of its processes. The name is that of AWS's runtime interface
 * emulator.
 */
export function sandboxFailed(reason: string): Fault {
  const errorType = 'Sandbox.Failure';
  return { errorType, status: 'failure', payload: platformPayload(errorType, reason) };
}

/** Go's names for signals, which AWS's messages use. */
const SIGNAL_NAMES: Readonly<Partial<Record<NodeJS.Signals, string>>> = {
  SIGHUP: 'hangup',
  SIGINT: 'interrupt',
  SIGQUIT: 'quit',
  SIGILL: 'illegal instruction',
  SIGTRAP: 'trace/breakpoint trap',
  SIGABRT: 'aborted',
  SIGBUS: 'bus error',
  SIGFPE: 'floating point exception',
  SIGKILL: 'killed',
  SIGUSR1: 'user defined signal 1',
  SIGSEGV: 'segmentation fault',
  SIGUSR2: 'user defined signal 2',
  SIGPIPE: 'broken pipe',
  SIGALRM: 'alarm clock',
  SIGTERM: 'terminated',
  SIGSTKFLT: 'stack fault',
  SIGCHLD: 'child exited',
  SIGCONT: 'continued',
  SIGSTOP: 'stopped (signal)',
  SIGTSTP: 'stopped',
  SIGTTIN: 'stopped (tty input)',
  SIGTTOU: 'stopped (tty output)',
  SIGURG: 'urgent I/O condition',
  SIGXCPU: 'CPU time limit exceeded',
  SIGXFSZ: 'file size limit exceeded',
  SIGVTALRM: 'virtual timer expired',
  SIGPROF: 'profiling timer expired',
  SIGWINCH: 'window changed',
  SIGIO: 'I/O possible',
  SIGPWR: 'power failure',
  SIGSYS: 'bad system call',
};

export type ProcessEnd =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signaled'; readonly signal: NodeJS.Signals };

/** The end of a process as Go, and so AWS, describes it: `exit status 1`, `signal: killed`. */
export function describeEnd(end: ProcessEnd): string {
  if (end.kind === 'exited') return `exit status ${end.code}`;
  return `signal: ${SIGNAL_NAMES[end.signal] ?? end.signal}`;
}

/** The runtime's process ended on its own. If an extension has reported an error before, that error counts. */
export function runtimeExited(end: ProcessEnd, outOfMemory: boolean, reported?: ExtensionFault): Fault {
  const errorType = reported ?? (outOfMemory ? 'Runtime.OutOfMemory' : 'Runtime.ExitError');
  const succeeded = end.kind === 'exited' && end.code === 0;
  const error = succeeded
    ? 'Runtime exited without providing a reason'
    : `Runtime exited with error: ${describeEnd(end)}`;
  return { errorType, status: 'error', payload: platformPayload(errorType, error) };
}

/** Why a bootstrap cannot be started, in the wording of Go's os/exec. */
export type EntrypointProblem =
  | { readonly kind: 'missing' }
  | { readonly kind: 'unstartable'; readonly path: string; readonly reason: string };

/** The bootstrap is missing, or the kernel refused to start it. */
export function invalidEntrypoint(problem: EntrypointProblem): Fault {
  const error =
    problem.kind === 'missing'
      ? "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
      : `fork/exec ${problem.path}: ${problem.reason}`;
  return {
    errorType: 'Runtime.InvalidEntrypoint',
    status: 'error',
    payload: platformPayload('Runtime.InvalidEntrypoint', error),
  };
}

/** The runtime called init/error. The caller receives its `body` unchanged. */
export function initializationReported(errorType: string, body: string): Fault {
  return { errorType, status: 'error', payload: () => body };
}

/** The ways in which an extension fails its environment. */
export type ExtensionFault =
  | 'Extension.LaunchError'
  | 'Extension.InitError'
  | 'Extension.ExitError'
  | 'Extension.Crash';

/** An extension could not be started, or it ended. */
export function extensionFailed(errorType: ExtensionFault, error: string): Fault {
  return { errorType, status: 'error', payload: platformPayload(errorType, error) };
}

/** An extension's process ended on its own. `reported` is the error that it had reported before. */
export function extensionExited(end: ProcessEnd, reported: ExtensionFault | undefined): Fault {
  const error = end.kind === 'exited' && end.code === 0 ? 'exit code 0' : describeEnd(end);
  return extensionFailed(reported ?? 'Extension.Crash', error);
}

/** The platform's names for the reasons why an extension could not be started. */
export type LaunchProblem = 'PermissionDenied' | 'TooManyExtensions' | 'UnknownError';

/** The payload for a response beyond the limit, in bytes. The environment is kept. */
export function responseTooLargePayload(limit: number): string {
  return JSON.stringify({
    errorType: 'Function.ResponseSizeTooLarge',
    errorMessage: `Response payload size exceeded maximum allowed payload size (${limit} bytes).`,
  });
}

/** The error type that a client may set. Anything else becomes `Function.Unknown` or `Runtime.Unknown`. */
export function filterErrorType(claimed: string | undefined): string {
  const match = /(?:Runtime|Function)\.[A-Z][a-zA-Z]+/.test(claimed ?? '');
  if (claimed !== undefined && match) return claimed;
  return claimed?.startsWith('Function.') ? 'Function.Unknown' : 'Runtime.Unknown';
}
