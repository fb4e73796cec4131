/** Reads the log of a function from CloudWatch Logs. */
import { type ApiConnection, orMissing } from './api-connection.ts';

export type LogsOptions = {
  /** A filter pattern of CloudWatch Logs: `ERROR`, `"two words"`, `{ $.level = "ERROR" }`. */
  readonly filter?: string;
  /** Only of this time or later. */
  readonly since?: Date | number;
  /** Only lines that contain the request ID of this invocation. */
  readonly requestId?: string;
  /** The log group. Defaults to `/aws/lambda/NAME`. */
  readonly group?: string;
};

export type LogEvent = {
  readonly time: Date;
  /** Without its line end. */
  readonly message: string;
  /** The log stream: one for each environment. */
  readonly stream: string;
};

/** The log events of a function in order of time; none if it has not been invoked. @throws LamellaError */
export async function readLogs(
  connection: ApiConnection,
  name: string,
  options: LogsOptions = {},
): Promise<LogEvent[]> {
  const { filter, since, requestId, group = `/aws/lambda/${name}` } = options;
  const events: LogEvent[] = [];
  for (let nextToken: string | undefined; ; ) {
    const page = await orMissing(
      connection.call({
        operation: 'FilterLogEvents',
        method: 'POST',
        path: '/',
        service: 'logs',
        headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'Logs_20140328.FilterLogEvents' },
        input: {
          logGroupName: group,
          ...(filter !== undefined && { filterPattern: filter }),
          ...(since !== undefined && { startTime: Math.trunc(Number(since)) }),
          ...(nextToken !== undefined && { nextToken }),
        },
      }),
    );
    for (const { timestamp, message, logStreamName } of page?.events ?? []) {
      if (requestId !== undefined && !message.includes(requestId)) continue;
      events.push({ time: new Date(timestamp), message: message.replace(/\r?\n$/, ''), stream: logStreamName });
    }
    if (page?.nextToken === undefined || page.nextToken === nextToken) return events;
    nextToken = page.nextToken;
  }
}
