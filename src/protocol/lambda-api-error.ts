/**
 * How the Runtime, Extensions and Telemetry APIs say no, as their clients see it: a status, a type and a text.
 */

/** Lambda refused a call: it is not the time for it, it names the wrong invocation, or something in it is wrong. */
export class LambdaApiError extends Error {
  readonly status: number;
  /** AWS's name: `InvalidRequestID`, `Extension.InvalidEventType`. */
  readonly errorType: string;

  constructor(status: number, errorType: string, message: string) {
    super(message);
    this.name = 'LambdaApiError';
    this.status = status;
    this.errorType = errorType;
  }
}

/** Throws what an answer with this status and body means, if it is a refusal. */
export function throwIfError({ status, body }: { readonly status: number; readonly body: Buffer }): void {
  if (status < 300) return;
  let said: { errorType?: string; errorMessage?: string } = {};
  try {
    said = JSON.parse(body.toString());
  } catch {
    // Not every server in between speaks JSON.
  }
  throw new LambdaApiError(
    status,
    said.errorType ?? 'Unknown',
    said.errorMessage ?? `the Runtime API answered with status ${status}`,
  );
}
