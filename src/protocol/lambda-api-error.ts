/** Errors of the Runtime, Extensions and Telemetry APIs as their clients see them: a status, a type and a message. */

/** Lambda rejected a request: it came at the wrong time, names the wrong invocation or is invalid. */
export class LambdaApiError extends Error {
  readonly status: number;
  /** AWS's name for it: `InvalidRequestID`, `Extension.InvalidEventType`. */
  readonly errorType: string;

  constructor(status: number, errorType: string, message: string) {
    super(message);
    this.name = 'LambdaApiError';
    this.status = status;
    this.errorType = errorType;
  }
}

/** @throws LambdaApiError if a response with this status and body is an error */
export function throwIfError({ status, body }: { readonly status: number; readonly body: Buffer }): void {
  if (status < 300) return;
  let error: { errorType?: string; errorMessage?: string } = {};
  try {
    error = JSON.parse(body.toString());
  } catch {
    // A proxy in between may respond in another format.
  }
  throw new LambdaApiError(
    status,
    error.errorType ?? 'Unknown',
    error.errorMessage ?? `the Runtime API responded with status ${status}`,
  );
}
