/** The runtime's own failures, with the names under which AWS's Node.js runtime reports them. */

export type RuntimeErrorName =
  | 'ImportModuleError'
  | 'HandlerNotFound'
  | 'MalformedHandlerName'
  | 'UserCodeSyntaxError'
  | 'MalformedStreamingHandler'
  | 'CallbackHandlerDeprecated'
  | 'JSONStringifyError'
  | 'UnhandledPromiseRejection';

/** What was thrown, as text; what has none says why. */
export function textOf(thrown: unknown): string {
  try {
    return String(thrown);
  } catch (failure) {
    return String(failure);
  }
}

/** An error called `Runtime.<name>`. */
export function runtimeError(name: RuntimeErrorName, message: string, cause?: unknown): Error {
  const error = new Error(message);
  Object.defineProperty(error, 'name', { value: `Runtime.${name}`, configurable: true, writable: true });
  // The first line of the stack was written before the name was known.
  error.stack = (error.stack ?? '').replace(/^Error\b/, error.name);
  if (name === 'UserCodeSyntaxError' && cause instanceof Error && cause.stack) error.stack = cause.stack;
  return error;
}
