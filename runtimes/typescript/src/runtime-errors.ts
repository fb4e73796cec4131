/** The runtime's own errors, with the names that AWS's Node.js runtime uses. */

export type RuntimeErrorName =
  | 'ImportModuleError'
  | 'HandlerNotFound'
  | 'MalformedHandlerName'
  | 'UserCodeSyntaxError'
  | 'MalformedStreamingHandler'
  | 'CallbackHandlerDeprecated'
  | 'JSONStringifyError'
  | 'UnhandledPromiseRejection';

/** The thrown value as text. If it cannot be converted, the text is that error. */
export function textOf(thrown: unknown): string {
  try {
    return String(thrown);
  } catch (failure) {
    return String(failure);
  }
}

/** Creates an error named `Runtime.<name>`. */
export function runtimeError(name: RuntimeErrorName, message: string, cause?: unknown): Error {
  const error = new Error(message);
  Object.defineProperty(error, 'name', { value: `Runtime.${name}`, configurable: true, writable: true });
  // The first line of the stack was written before the name was set.
  error.stack = (error.stack ?? '').replace(/^Error\b/, error.name);
  if (name === 'UserCodeSyntaxError' && cause instanceof Error && cause.stack) error.stack = cause.stack;
  return error;
}
