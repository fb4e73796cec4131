/**
 * SQS on the wire: JSON 1.0, which current clients use, and the query protocol with flattened lists, which older
 * clients use. Reads both by the tables of `protocol/sqs-operations.ts` and renders results and errors in the request's
 * protocol.
 * https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
 */

import { BodyFailure, readBody } from '../../http/body.ts';
import { splitTarget } from '../../http/request-target.ts';
import type { Log } from '../../log.ts';
import {
  SQS_ERRORS,
  SQS_NAMESPACE,
  SQS_OPERATIONS,
  SQS_TARGET_PREFIX,
  SQS_VERSION,
  SQS_XML_MAPS,
  SQS_XML_NAMES,
  type SqsErrorCode,
  type SqsErrorRow,
  type SqsOperationName,
} from '../../protocol/sqs-operations.ts';
import { SqsError } from '../../queues/sqs-error.ts';
import { type ApiCall, type CallContext, OperationFailure, type ServiceApi } from '../../wire/api-call.ts';
import { readForm, treeOfForm } from '../../wire/query-form.ts';
import { parseInput, parseJsonBody, WrongType } from '../../wire/structure.ts';
import { renderElement, renderMembers, type XmlValue } from '../../wire/xml.ts';
import type { SqsHandlers, SqsResult } from './sqs-handlers.ts';

/** A batch has at most 1 MiB of messages, which JSON escapes can make six times as long. */
const BODY_LIMIT_BYTES = 8 * 1024 * 1024;

type Protocol = {
  /** The operation, and the tree of its input. */
  readonly read: (call: ApiCall, body: Buffer) => { readonly name: SqsOperationName; readonly input: unknown };
  readonly respond: (call: ApiCall, name: SqsOperationName, result: SqsResult) => void;
  readonly respondWithError: (call: ApiCall, error: SqsError) => void;
};

/** Creates the handler of SQS's requests in both protocols. The handlers throw `SqsError`s. */
export function createSqsWire({ handlers, log }: { handlers: SqsHandlers; log: Log }): ServiceApi {
  const perform = (name: SqsOperationName, input: unknown, context: CallContext) => {
    const handler = handlers[name] as (input: unknown, context: CallContext) => SqsResult | Promise<SqsResult>;
    return handler(parseInput(input, SQS_OPERATIONS[name]), context);
  };
  const handle = async (call: ApiCall) => {
    const protocol = call.request.headers['x-amz-target'] === undefined ? QUERY : JSON_1_0;
    try {
      const body = await readBody(call.request, BODY_LIMIT_BYTES);
      const { name, input } = protocol.read(call, body);
      protocol.respond(call, name, await perform(name, input, call));
    } catch (failure) {
      if (failure instanceof BodyFailure && failure.reason === 'aborted') return;
      protocol.respondWithError(call, errorOf(failure, call, log));
    }
  };
  return {
    handle,
    async perform(operation, input, context) {
      try {
        return await perform(operationNamed(operation), input, context);
      } catch (failure) {
        const { code, message } = errorOf(failure, context, log);
        const { queryCode, status, queryMessage = message } = errorRow(code);
        throw new OperationFailure(queryCode, status, queryMessage, failure);
      }
    },
  };
}

function errorOf(failure: unknown, { requestId }: CallContext, log: Log): SqsError {
  if (failure instanceof SqsError) return failure;
  if (failure instanceof WrongType) return new SqsError('SerializationException', failure.message);
  if (failure instanceof BodyFailure) {
    return new SqsError(failure.reason === 'busy' ? 'ServiceUnavailable' : 'InvalidParameterValue', failure.message);
  }
  log.error({ err: failure, requestId }, 'SQS failed');
  return new SqsError('InternalFailure', 'We encountered an internal error. Please try again.');
}

const JSON_1_0: Protocol = {
  read({ request }, body) {
    const target = String(request.headers['x-amz-target']);
    const name = operationNamed(target.slice(SQS_TARGET_PREFIX.length + 1));
    return { name, input: parseJsonBody(body) };
  },
  respond({ response }, _name, result) {
    const body = Buffer.from(JSON.stringify(result));
    response.writeHead(200, { 'Content-Type': JSON_TYPE, 'Content-Length': body.length }).end(body);
  },
  respondWithError({ response }, { code, message }) {
    const { status, queryCode, type = `com.amazonaws.sqs#${code}` } = errorRow(code);
    const body = Buffer.from(JSON.stringify({ __type: type, message }));
    response
      .writeHead(status, {
        'Content-Type': JSON_TYPE,
        'Content-Length': body.length,
        // The error's code in the query protocol, by which SDKs with both protocols recognize it.
        'x-amzn-query-error': `${queryCode};${status < 500 ? 'Sender' : 'Receiver'}`,
      })
      .end(body);
  },
};

const JSON_TYPE = 'application/x-amz-json-1.0';

const QUERY: Protocol = {
  read({ request }, body) {
    const form = readForm(request, body);
    const version = form.get('Version') ?? SQS_VERSION;
    const name = operationNamed(form.get('Action') ?? '', version);
    // Older clients send the request to the queue's URL, without a QueueUrl in the form.
    const { path: pathname } = splitTarget(request.url);
    if (form.get('QueueUrl') === null && /^\/\d{12}\/[^/]+$/.test(pathname)) form.set('QueueUrl', pathname);
    return { name, input: treeOfForm(form, SQS_OPERATIONS[name]) };
  },
  respond(call, name, result) {
    const members = renderMembers(xmlOf(name, result), 'repeated');
    const metadata = renderElement('ResponseMetadata', { RequestId: call.requestId }, 'repeated');
    const inner = HAS_RESULT.has(name) ? `<${name}Result>${members}</${name}Result>` : '';
    sendXml(call, 200, `<${name}Response xmlns="${SQS_NAMESPACE}">${inner}${metadata}</${name}Response>`);
  },
  respondWithError(call, { code, message }) {
    const { status, queryCode, queryMessage = message } = errorRow(code);
    const error = { Type: status < 500 ? 'Sender' : 'Receiver', Code: queryCode, Message: queryMessage, Detail: '' };
    sendXml(
      call,
      status,
      `<ErrorResponse xmlns="${SQS_NAMESPACE}">${renderElement('Error', error, 'repeated')}` +
        `${renderElement('RequestId', call.requestId, 'repeated')}</ErrorResponse>`,
    );
  },
};

/** Operations with a result element. */
const HAS_RESULT: ReadonlySet<SqsOperationName> = new Set([
  'CancelMessageMoveTask',
  'ChangeMessageVisibilityBatch',
  'CreateQueue',
  'DeleteMessageBatch',
  'GetQueueAttributes',
  'GetQueueUrl',
  'ListDeadLetterSourceQueues',
  'ListMessageMoveTasks',
  'ListQueues',
  'ListQueueTags',
  'ReceiveMessage',
  'SendMessage',
  'SendMessageBatch',
  'StartMessageMoveTask',
]);

function errorRow(code: SqsErrorCode): SqsErrorRow {
  return SQS_ERRORS[code];
}

function sendXml({ response }: ApiCall, status: number, xml: string): void {
  const body = Buffer.from(`<?xml version="1.0"?>${xml}`);
  response.writeHead(status, { 'Content-Type': 'text/xml', 'Content-Length': body.length }).end(body);
}

function operationNamed(name: string, version = SQS_VERSION): SqsOperationName {
  if (Object.hasOwn(SQS_OPERATIONS, name) && version === SQS_VERSION) return name as SqsOperationName;
  throw new SqsError('InvalidAction', `The action ${name} is not valid for this endpoint.`);
}

/** A result with its lists and maps named as in XML. */
function xmlOf(operation: SqsOperationName, result: SqsResult): Record<string, XmlValue> {
  return Object.fromEntries(
    Object.entries(result).flatMap(([name, value]): [string, XmlValue][] => {
      if (value === undefined) return [];
      const map = SQS_XML_MAPS[name];
      if (map !== undefined) {
        const [element, key, half] = map;
        const entries = Object.entries(value as SqsResult);
        return [
          [element, entries.map(([entryKey, item]) => ({ [key]: entryKey, [half]: xmlValueOf(operation, item) }))],
        ];
      }
      if (!Array.isArray(value)) return [[name, xmlValueOf(operation, value)]];
      const element = name === 'Successful' ? `${operation}ResultEntry` : (SQS_XML_NAMES[name] ?? name);
      return [[element, value.map((item) => xmlValueOf(operation, item))]];
    }),
  );
}

function xmlValueOf(operation: SqsOperationName, value: unknown): XmlValue {
  return typeof value === 'object' && value !== null ? xmlOf(operation, value as SqsResult) : (value as XmlValue);
}
