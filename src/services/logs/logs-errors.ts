/**
 * What CloudWatch Logs' operations share: errors as the caller receives them, and how groups are named.
 */
import { isArn, parseLogGroupArn } from '../../protocol/arn.ts';
import type { LogsErrorCode } from '../../protocol/logs-operations.ts';

/** An error that the caller receives. */
export class LogsError extends Error {
  readonly code: LogsErrorCode;

  constructor(code: LogsErrorCode, message: string) {
    super(message);
    this.name = code;
    this.code = code;
  }
}

export function invalid(message: string): LogsError {
  return new LogsError('InvalidParameterException', message);
}

export type GroupReference = {
  readonly logGroupName?: string | undefined;
  readonly logGroupIdentifier?: string | undefined;
};

/** The group's name, from a name or an ARN. Throws when there is neither, both, or no such ARN. */
export function groupNameOf({ logGroupName, logGroupIdentifier }: GroupReference): string {
  if (logGroupName !== undefined && logGroupIdentifier !== undefined) {
    throw invalid('LogGroup name and LogGroup ARN are mutually exclusive parameters.');
  }
  if (logGroupName !== undefined) return logGroupName;
  if (logGroupIdentifier === undefined) throw invalid('LogGroup name or LogGroup ARN must be provided.');
  if (!isArn(logGroupIdentifier)) return logGroupIdentifier;
  const name = parseLogGroupArn(logGroupIdentifier);
  if (name === undefined) throw invalid(`The specified log group ARN '${logGroupIdentifier}' is invalid.`);
  return name;
}
