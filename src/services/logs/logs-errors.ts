/** CloudWatch Logs' errors, and the names and ARNs by which requests refer to groups. */
import { isArn, parseLogGroupArn } from '../../protocol/arn.ts';
import type { LogsErrorCode } from '../../protocol/logs-operations.ts';

/** An error that the client receives. */
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

/** The name of the group, from its name or its ARN. @throws LogsError if there is neither, both, or an invalid ARN */
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
