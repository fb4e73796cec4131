/**
 * CloudWatch Logs' API: JSON 1.1 with the operation in `X-Amz-Target`. Reads the input, calls the operation's handler
 * and renders results and errors.
 * https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/
 */
import { BodyFailure, readBody } from '../../http/body.ts';
import type { Log } from '../../log.ts';
import { LOGS_ERRORS, LOGS_OPERATIONS, LOGS_TARGET_PREFIX } from '../../protocol/logs-operations.ts';
import { type ApiCall, type CallContext, OperationFailure, type ServiceApi } from '../../wire/api-call.ts';
import { ConstraintViolations, parseInput, parseJsonBody, WrongType } from '../../wire/structure.ts';
import { InvalidFilterPattern } from './filter-pattern.ts';
import { streamLiveTail } from './live-tail.ts';
import { LogsError } from './logs-errors.ts';
import { createEventHandlers } from './logs-event-handlers.ts';
import { createGroupHandlers } from './logs-group-handlers.ts';
import type { LogsHandlers } from './logs-handlers.ts';
import { createSubscriptionHandlers, type SubscriptionHandlersOptions } from './subscription-handlers.ts';

export type LogsApiOptions = SubscriptionHandlersOptions & {
  readonly log: Log;
  /** Aborted when the service begins to close: live tails, which have no end of their own, end then. */
  readonly closing: AbortSignal;
};

/** PutLogEvents takes 1 MiB of messages, which JSON escapes can make six times as long. */
const BODY_LIMIT_BYTES = 8 * 1024 * 1024;

/** Creates the handler of CloudWatch Logs' requests. */
export function createLogsApi(options: LogsApiOptions): ServiceApi {
  const handlers: LogsHandlers = {
    ...createGroupHandlers(options),
    ...createEventHandlers(options),
    ...createSubscriptionHandlers(options),
  };
  const errorFor = (failure: unknown, { requestId }: CallContext): LogsError => {
    const error = errorOf(failure);
    if (error.code === 'ServiceUnavailableException') {
      options.log.error({ err: failure, requestId }, 'CloudWatch Logs failed');
    }
    return error;
  };
  return {
    async handle(call) {
      try {
        await answer(handlers, options, call);
      } catch (failure) {
        if (failure instanceof BodyFailure && failure.reason === 'aborted') return;
        const { code, message } = errorFor(failure, call);
        send(call, LOGS_ERRORS[code], { __type: code, message });
      }
    },
    async perform(operation, input, context) {
      try {
        if (!Object.hasOwn(handlers, operation)) throw unknownOperation(operation);
        const result = await perform(handlers, operation as keyof LogsHandlers, input, context);
        return (result ?? {}) as Record<string, unknown>;
      } catch (failure) {
        const { code, message } = errorFor(failure, context);
        throw new OperationFailure(code, LOGS_ERRORS[code], message, failure);
      }
    },
  };
}

async function answer(handlers: LogsHandlers, options: LogsApiOptions, call: ApiCall): Promise<void> {
  const target = String(call.request.headers['x-amz-target'] ?? '');
  const body = await readBody(call.request, BODY_LIMIT_BYTES);
  const name = target.startsWith(`${LOGS_TARGET_PREFIX}.`) ? target.slice(LOGS_TARGET_PREFIX.length + 1) : '';
  if (!Object.hasOwn(LOGS_OPERATIONS, name)) {
    throw unknownOperation(target);
  }
  const json = parseJsonBody(body);
  if (name === 'StartLiveTail') return streamLiveTail(call, parseInput(json, LOGS_OPERATIONS[name]), options);
  send(call, 200, await perform(handlers, name as keyof LogsHandlers, json, call));
}

async function perform(
  handlers: LogsHandlers,
  name: keyof LogsHandlers,
  input: unknown,
  context: CallContext,
): Promise<object | undefined> {
  const handler = handlers[name] as (input: unknown, context: CallContext) => object | undefined;
  return handler(parseInput(input, LOGS_OPERATIONS[name]), context);
}

function unknownOperation(target: string): LogsError {
  const message = `Lamella does not support the CloudWatch Logs operation '${target}'.`;
  return new LogsError('UnknownOperationException', message);
}

function errorOf(failure: unknown): LogsError {
  if (failure instanceof LogsError) return failure;
  if (failure instanceof ConstraintViolations) return new LogsError('InvalidParameterException', failure.message);
  if (failure instanceof InvalidFilterPattern) return new LogsError('InvalidParameterException', failure.message);
  if (failure instanceof WrongType) return new LogsError('SerializationException', failure.message);
  if (failure instanceof BodyFailure) {
    const code = failure.reason === 'busy' ? 'ServiceUnavailableException' : 'InvalidParameterException';
    return new LogsError(code, failure.message);
  }
  return new LogsError('ServiceUnavailableException', 'The service cannot complete the request.');
}

function send(call: ApiCall, status: number, result: object | undefined): void {
  const body = Buffer.from(result === undefined ? '' : JSON.stringify(result));
  const headers = { 'Content-Type': 'application/x-amz-json-1.1', 'Content-Length': body.length };
  call.response.writeHead(status, headers).end(body);
}
