/**
 * What AWS calls the ways in which a function fails, and the payload that the caller then receives. Only the platform's
 * own words are here; what a handler reports itself is passed on byte for byte.
 * Sources: lambda-behaviour.md 5.4, 1.7, 2.5, 3.5 (recordings of AWS, RAPID's source).
 */

/** The platform's verdict on a failed initialization or invocation. */
export type Fault = {
  /** `Error Type` of the REPORT line and of telemetry. */
  readonly errorType: string;
  /** `Status` of the REPORT line and of telemetry. */
  readonly status: 'error' | 'timeout' | 'failure';
  /** Renders what the caller receives. */
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

/** The sandbox failed, or Lamella ended it because of what its processes did. RAPID's name for it. */
export function sandboxFailed(reason: string): Fault {
  const errorType = 'Sandbox.Failure';
  return { errorType, status: 'failure', payload: platformPayload(errorType, reason) };
}

/** Go's names of the signals, which AWS's messages use. */
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

/** How Go, and so AWS, describes the end of a process: `exit status 1`, `signal: killed`. */
export function describeEnd(end: ProcessEnd): string {
  if (end.kind === 'exited') return `exit status ${end.code}`;
  return `signal: ${SIGNAL_NAMES[end.signal] ?? end.signal}`;
}

/** The runtime's process ended although nobody asked it to. An extension may have announced it, which then counts. */
export function runtimeExited(end: ProcessEnd, outOfMemory: boolean, reported?: ExtensionFault): Fault {
  const errorType = reported ?? (outOfMemory ? 'Runtime.OutOfMemory' : 'Runtime.ExitError');
  const succeeded = end.kind === 'exited' && end.code === 0;
  const error = succeeded
    ? 'Runtime exited without providing a reason'
    : `Runtime exited with error: ${describeEnd(end)}`;
  return { errorType, status: 'error', payload: platformPayload(errorType, error) };
}

/** Why a bootstrap cannot be started, in the words of Go's os/exec. */
export type EntrypointProblem =
  | { readonly kind: 'missing' }
  | { readonly kind: 'unstartable'; readonly path: string; readonly reason: string };

/** There is no bootstrap, or the kernel would not start it. */
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

/** The runtime called init/error; `body` is what it said, and goes to the caller as it is. */
export function initializationReported(errorType: string, body: string): Fault {
  return { errorType, status: 'error', payload: () => body };
}

/** How an extension fails its environment. */
export type ExtensionFault =
  | 'Extension.LaunchError'
  | 'Extension.InitError'
  | 'Extension.ExitError'
  | 'Extension.Crash';

/** An extension could not be started, or ended; in the latter case perhaps having reported why. */
export function extensionFailed(errorType: ExtensionFault, error: string): Fault {
  return { errorType, status: 'error', payload: platformPayload(errorType, error) };
}

/** An extension's process ended although nobody asked it to. `reported`: what it had announced. */
export function extensionExited(end: ProcessEnd, reported: ExtensionFault | undefined): Fault {
  const error = end.kind === 'exited' && end.code === 0 ? 'exit code 0' : describeEnd(end);
  return extensionFailed(reported ?? 'Extension.Crash', error);
}

/** What the platform calls the reason for which an extension could not be started. */
export type LaunchProblem = 'PermissionDenied' | 'TooManyExtensions' | 'UnknownError';

/** The payload for an answer beyond the limit; the environment goes on. `limit` in bytes. */
export function responseTooLargePayload(limit: number): string {
  return JSON.stringify({
    errorType: 'Function.ResponseSizeTooLarge',
    errorMessage: `Response payload size exceeded maximum allowed payload size (${limit} bytes).`,
  });
}

/** What a client may name as its error type: everything else becomes `Function.Unknown` or `Runtime.Unknown`. */
export function filterErrorType(claimed: string | undefined): string {
  const match = /(?:Runtime|Function)\.[A-Z][a-zA-Z]+/.test(claimed ?? '');
  if (claimed !== undefined && match) return claimed;
  return claimed?.startsWith('Function.') ? 'Function.Unknown' : 'Runtime.Unknown';
}
