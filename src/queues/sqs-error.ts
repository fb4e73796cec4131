/** SQS's refusals; each protocol renders them in its own way. */
import type { SqsErrorCode } from '../protocol/sqs-operations.ts';

/** A caller's mistake, in AWS's words. */
export class SqsError extends Error {
  readonly code: SqsErrorCode;

  constructor(code: SqsErrorCode, message: string) {
    super(message);
    this.name = 'SqsError';
    this.code = code;
  }
}

/** AWS's words for a parameter that is out of its range. */
export function invalidParameter(name: string, value: unknown, reason: string): SqsError {
  return new SqsError('InvalidParameterValue', `Value ${value} for parameter ${name} is invalid. Reason: ${reason}`);
}

export function missingParameter(name: string): SqsError {
  return new SqsError('MissingParameter', `The request must contain the parameter ${name}.`);
}
