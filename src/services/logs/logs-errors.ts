/**
 * What CloudWatch Logs' operations share: errors as the caller receives them, and how groups are named.
 */
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
  if (!logGroupIdentifier.startsWith('arn:')) return logGroupIdentifier;
  const name = parseGroupArn(logGroupIdentifier);
  if (name === undefined) throw invalid(`The specified log group ARN '${logGroupIdentifier}' is invalid.`);
  return name;
}

/** The name in the ARN of a group, with or without `:*` behind it. */
export function parseGroupArn(arn: string): string | undefined {
  return /^arn:aws[a-z-]*:logs:[a-z0-9-]+:\d{12}:log-group:([.\-_/#A-Za-z0-9]+)(?::\*)?$/.exec(arn)?.[1];
}
