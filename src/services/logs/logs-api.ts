/**
 * CloudWatch Logs' API: JSON 1.1 with the operation in `X-Amz-Target`. Reads the input, calls the operation's handler
 * and renders results and errors.
 * https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/
 */
import { BodyFailure, readBody } from '../../http/body.ts';
import type { Log } from '../../log.ts';
import { LOGS_ERRORS, LOGS_OPERATIONS, LOGS_TARGET_PREFIX } from '../../protocol/logs-operations.ts';
import type { ApiCall, ServiceHandler } from '../../wire/api-call.ts';
import { ConstraintViolations, parseInput, parseJsonBody, WrongType } from '../../wire/structure.ts';
import { InvalidFilterPattern } from './filter-pattern.ts';
import { streamLiveTail } from './live-tail.ts';
import { LogsError } from './logs-errors.ts';
import { createEventHandlers } from './logs-event-handlers.ts';
import { createGroupHandlers } from './logs-group-handlers.ts';
import type { LogsHandlerDependencies, LogsHandlers } from './logs-handlers.ts';

export type LogsApiOptions = LogsHandlerDependencies & {
  readonly log: Log;
  /** Aborted when the service begins to close: live tails, which have no end of their own, end then. */
  readonly closing: AbortSignal;
};

/** PutLogEvents takes 1 MiB of messages, which JSON escapes can make six times as long. */
const BODY_LIMIT_BYTES = 8 * 1024 * 1024;

/** Creates the handler of CloudWatch Logs' requests. */
export function createLogsApi(options: LogsApiOptions): ServiceHandler {
  const handlers: LogsHandlers = { ...createGroupHandlers(options), ...createEventHandlers(options) };
  return async (call) => {
    try {
      await perform(handlers, options, call);
    } catch (failure) {
      if (failure instanceof BodyFailure && failure.reason === 'aborted') return;
      const error = errorOf(failure);
      if (error.code === 'ServiceUnavailableException') {
        options.log.error({ err: failure, requestId: call.requestId }, 'CloudWatch Logs failed');
      }
      send(call, LOGS_ERRORS[error.code], { __type: error.code, message: error.message });
    }
  };
}

async function perform(handlers: LogsHandlers, options: LogsApiOptions, call: ApiCall): Promise<void> {
  const target = String(call.request.headers['x-amz-target'] ?? '');
  const body = await readBody(call.request, BODY_LIMIT_BYTES);
  const name = target.startsWith(`${LOGS_TARGET_PREFIX}.`) ? target.slice(LOGS_TARGET_PREFIX.length + 1) : '';
  if (!Object.hasOwn(LOGS_OPERATIONS, name)) {
    throw new LogsError(
      'UnknownOperationException',
      `Lamella does not support the CloudWatch Logs operation '${target}'.`,
    );
  }
  const json = parseJsonBody(body);
  if (name === 'StartLiveTail') return streamLiveTail(call, parseInput(json, LOGS_OPERATIONS[name]), options);
  const unary = name as keyof LogsHandlers;
  const handler = handlers[unary] as (input: unknown, call: ApiCall) => object | undefined;
  send(call, 200, await handler(parseInput(json, LOGS_OPERATIONS[unary]), call));
}

function errorOf(failure: unknown): LogsError {
  if (failure instanceof LogsError) return failure;
  if (failure instanceof ConstraintViolations) return new LogsError('InvalidParameterException', failure.message);
  if (failure instanceof InvalidFilterPattern) return new LogsError('InvalidParameterException', failure.message);
  if (failure instanceof WrongType) return new LogsError('SerializationException', failure.message);
  if (failure instanceof BodyFailure) return new LogsError('InvalidParameterException', failure.message);
  return new LogsError('ServiceUnavailableException', 'The service cannot complete the request.');
}

function send(call: ApiCall, status: number, result: object | undefined): void {
  const body = Buffer.from(result === undefined ? '' : JSON.stringify(result));
  const headers = { 'Content-Type': 'application/x-amz-json-1.1', 'Content-Length': body.length };
  call.response.writeHead(status, headers).end(body);
}
