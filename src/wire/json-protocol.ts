/**
 * AWS's JSON protocols, which Systems Manager and Secrets Manager use: POST with the operation in `X-Amz-Target` and its
 * input as JSON. The service passes its operations as a table of handlers.
 * https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
 */
import { BodyFailure, readBody } from '../http/body.ts';
import type { Log } from '../log.ts';
import type { Members } from '../protocol/member-constraints.ts';
import { type ApiCall, type CallContext, OperationFailure, type ServiceApi } from './api-call.ts';
import { ConstraintViolations, type OperationHandlers, parseInput, parseJsonBody, WrongType } from './structure.ts';

/** An error that the client receives as JSON. `code` is the wire code. */
export class JsonError extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status = 400) {
    super(message);
    this.name = 'JsonError';
    this.code = code;
    this.status = status;
  }
}

export type JsonService<Operations extends Readonly<Record<string, Members>>> = {
  /** For messages: `Secrets Manager`. */
  readonly name: string;
  /** `X-Amz-Target` without the operation: `secretsmanager`. */
  readonly targetPrefix: string;
  /** Input members by operation. */
  readonly operations: Operations;
  /** They return the members of the result; undefined ones are left out. */
  readonly handlers: OperationHandlers<Operations, object>;
  /** The largest request body in bytes. */
  readonly bodyLimitBytes: number;
  readonly log: Log;
};

/** Creates the API of a service that uses JSON 1.1. */
export function createJsonApi<Operations extends Readonly<Record<string, Members>>>(
  service: JsonService<Operations>,
): ServiceApi {
  const perform = (operation: string, input: unknown, context: CallContext) => {
    const members = Object.hasOwn(service.operations, operation) ? service.operations[operation] : undefined;
    if (members === undefined) {
      const message = `Lamella does not support the ${service.name} operation '${operation}'.`;
      throw new JsonError('UnknownOperationException', message);
    }
    return service.handlers[operation as keyof Operations](parseInput(input, members) as never, context);
  };
  const errorFor = (failure: unknown, { requestId }: CallContext): JsonError => {
    const error = errorOf(failure);
    if (error !== undefined) return error;
    service.log.error({ err: failure, requestId }, `${service.name} failed`);
    return new JsonError('InternalServerError', 'An internal error occurred.', 500);
  };
  return {
    async handle(call) {
      try {
        const body = await readBody(call.request, service.bodyLimitBytes);
        const target = String(call.request.headers['x-amz-target'] ?? '');
        // Some clients write a namespace in front of the prefix.
        const [, operation = target] = target.split(`${service.targetPrefix}.`, 2);
        send(call, 200, await perform(operation, parseJsonBody(body), call));
      } catch (failure) {
        if (failure instanceof BodyFailure && failure.reason === 'aborted') return;
        const { code, status, message } = errorFor(failure, call);
        send(call, status, { __type: code, message });
      }
    },
    async perform(operation, input, context) {
      try {
        return (await perform(operation, input, context)) as Readonly<Record<string, unknown>>;
      } catch (failure) {
        const { code, status, message } = errorFor(failure, context);
        throw new OperationFailure(code, status, message, failure);
      }
    },
  };
}

function errorOf(failure: unknown): JsonError | undefined {
  if (failure instanceof JsonError) return failure;
  if (failure instanceof ConstraintViolations) return new JsonError('ValidationException', failure.message);
  if (failure instanceof WrongType) return new JsonError('SerializationException', failure.message);
  if (failure instanceof BodyFailure) {
    return failure.reason === 'busy'
      ? new JsonError('ServiceUnavailable', failure.message, 503)
      : new JsonError('ValidationException', failure.message);
  }
  return undefined;
}

function send({ response }: ApiCall, status: number, result: object): void {
  const body = Buffer.from(JSON.stringify(result));
  response.writeHead(status, { 'Content-Type': 'application/x-amz-json-1.1', 'Content-Length': body.length }).end(body);
}
