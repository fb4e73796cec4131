/**
 * AWS's query protocol, which IAM, STS and SNS use: the request is a form with `Action` and `Version`, the response is
 * XML. The service passes its actions as a table of handlers.
 * https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
 */
import { BodyFailure, readBody } from '../http/body.ts';
import type { Log } from '../log.ts';
import type { Members } from '../protocol/member-constraints.ts';
import { type ApiCall, type CallContext, OperationFailure, type ServiceApi } from './api-call.ts';
import { readForm, treeOfForm } from './query-form.ts';
import { ConstraintViolations, type OperationHandlers, parseInput, WrongType } from './structure.ts';
import { renderElement, valueOfXml, type XmlStructure } from './xml.ts';

/** An error that the client receives as XML. `code` is the wire code. */
export class QueryError extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, status: number, message: string) {
    super(message);
    this.name = 'QueryError';
    this.code = code;
    this.status = status;
  }
}

export type QueryService<Operations extends Readonly<Record<string, Members>>> = {
  /** For log messages: `IAM`. */
  readonly name: string;
  readonly version: string;
  readonly namespace: string;
  /** Input members by action. */
  readonly operations: Operations;
  /** They return the members of the result, or undefined if the action's response has no result element. */
  readonly handlers: OperationHandlers<Operations, XmlStructure | undefined>;
  /** Operations that are refused by name, with 501. */
  readonly refused?: ReadonlySet<string>;
  readonly log: Log;
};

/** AWS's limit for requests of this protocol is similar. IAM's documents are at most 128 KiB. */
const BODY_LIMIT_BYTES = 1024 * 1024;

/** Creates the API of a service that uses the query protocol. */
export function createQueryApi<Operations extends Readonly<Record<string, Members>>>(
  service: QueryService<Operations>,
): ServiceApi {
  const errorFor = (failure: unknown, { requestId }: CallContext): QueryError => {
    const error = errorOf(failure);
    if (error !== undefined) return error;
    service.log.error({ err: failure, requestId }, `${service.name} failed`);
    return new QueryError('ServiceFailure', 500, 'The request processing failed.');
  };
  return {
    async handle(call) {
      try {
        const form = readForm(call.request, await readBody(call.request, BODY_LIMIT_BYTES));
        const action = actionOf(service, form);
        const result = await perform(service, action, treeOfForm(form, membersOf(service, action)), call);
        send(call, 200, renderResponse(service.namespace, action, result, call.requestId));
      } catch (failure) {
        if (failure instanceof BodyFailure && failure.reason === 'aborted') return;
        const { code, status, message } = errorFor(failure, call);
        send(call, status, renderError(service.namespace, code, status, message, call.requestId));
      }
    },
    async perform(action, input, context) {
      try {
        return valueOfXml((await perform(service, action, input, context)) ?? {}) as Record<string, unknown>;
      } catch (failure) {
        const { code, status, message } = errorFor(failure, context);
        throw new OperationFailure(code, status, message, failure);
      }
    },
  };
}

function actionOf<Operations extends Readonly<Record<string, Members>>>(
  service: QueryService<Operations>,
  form: URLSearchParams,
): string {
  const action = form.get('Action');
  const version = form.get('Version') ?? service.version;
  if (action === null) throw new QueryError('MissingAction', 400, 'Missing Action');
  if (version !== service.version) throw invalidAction(action, version);
  return action;
}

function membersOf<Operations extends Readonly<Record<string, Members>>>(
  service: QueryService<Operations>,
  action: string,
): Members {
  const members = Object.hasOwn(service.operations, action) ? service.operations[action] : undefined;
  if (members === undefined && service.refused?.has(action)) {
    const message = `Lamella does not support the ${service.name} operation ${action}.`;
    throw new QueryError('NotImplementedException', 501, message);
  }
  if (members === undefined) throw invalidAction(action, service.version);
  return members;
}

function invalidAction(action: string, version: string): QueryError {
  return new QueryError('InvalidAction', 400, `Could not find operation ${action} for version ${version}`);
}

async function perform<Operations extends Readonly<Record<string, Members>>>(
  service: QueryService<Operations>,
  action: string,
  input: unknown,
  context: CallContext,
): Promise<XmlStructure | undefined> {
  const members = membersOf(service, action);
  const handler = service.handlers[action] as (
    input: unknown,
    context: CallContext,
  ) => XmlStructure | undefined | Promise<XmlStructure | undefined>;
  return handler(parseInput(input, members), context);
}

function errorOf(failure: unknown): QueryError | undefined {
  if (failure instanceof QueryError) return failure;
  if (failure instanceof ConstraintViolations) return new QueryError('ValidationError', 400, failure.message);
  if (failure instanceof WrongType) return new QueryError('MalformedInput', 400, failure.message);
  if (failure instanceof BodyFailure) {
    return failure.reason === 'busy'
      ? new QueryError('ServiceUnavailable', 503, failure.message)
      : new QueryError('RequestEntityTooLarge', 413, failure.message);
  }
  return undefined;
}

function renderResponse(
  namespace: string,
  action: string,
  result: XmlStructure | undefined,
  requestId: string,
): string {
  const body = result === undefined ? '' : renderElement(`${action}Result`, result, 'member');
  return `<${action}Response xmlns="${namespace}">${body}${renderElement('ResponseMetadata', { RequestId: requestId }, 'member')}</${action}Response>`;
}

/** The body of an error response. */
export function renderError(
  namespace: string,
  code: string,
  status: number,
  message: string,
  requestId: string,
): string {
  const error = renderElement(
    'Error',
    { Type: status < 500 ? 'Sender' : 'Receiver', Code: code, Message: message },
    'member',
  );
  return `<ErrorResponse xmlns="${namespace}">${error}${renderElement('RequestId', requestId, 'member')}</ErrorResponse>`;
}

function send(call: ApiCall, status: number, xml: string): void {
  const body = Buffer.from(xml);
  call.response.writeHead(status, { 'Content-Type': 'text/xml', 'Content-Length': body.length }).end(body);
}
