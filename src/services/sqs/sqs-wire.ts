/**
 * How SQS is written on the wire: JSON 1.0 as today's clients send it, and the query protocol with flattened lists as
 * older ones do. Both become the same tree by the tables of `protocol/sqs-operations.ts`, and back. It knows no operation.
 * https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
 */
import { BodyFailure, readBody } from '../../http/body.ts';
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
  type SqsMember,
  type SqsMembers,
  type SqsOperationName,
} from '../../protocol/sqs-operations.ts';
import { SqsError } from '../../queues/sqs-error.ts';
import type { ApiCall, ServiceHandler } from '../../wire/api-call.ts';
import { indexesBelow } from '../../wire/query-protocol.ts';
import { renderElement, renderMembers, type XmlValue } from '../../wire/xml.ts';

type Tree = Readonly<Record<string, unknown>>;

/** What an operation does: checked input to answer. Throws `SqsError`s. */
export type SqsOperation = (input: Tree, call: ApiCall) => Tree | Promise<Tree>;

/** Ten messages of a batch are at most 1 MiB, which escapes may make six times as long. */
const BODY_LIMIT_BYTES = 8 * 1024 * 1024;

type Protocol = {
  readonly read: (call: ApiCall, body: Buffer) => { readonly name: SqsOperationName; readonly input: Tree };
  readonly answer: (call: ApiCall, name: SqsOperationName, answer: Tree) => void;
  readonly refuse: (call: ApiCall, error: SqsError) => void;
};

export function createSqsWire({
  operations,
  log,
}: {
  operations: { readonly [Name in SqsOperationName]: SqsOperation };
  log: Log;
}): ServiceHandler {
  return async (call) => {
    const protocol = call.request.headers['x-amz-target'] === undefined ? QUERY : JSON_1_0;
    try {
      const body = await readBody(call.request, BODY_LIMIT_BYTES);
      const { name, input } = protocol.read(call, body);
      protocol.answer(call, name, await operations[name](input, call));
    } catch (failure) {
      if (failure instanceof BodyFailure && failure.reason === 'aborted') return;
      protocol.refuse(call, errorOf(failure, call, log));
    }
  };
}

function errorOf(failure: unknown, { requestId }: ApiCall, log: Log): SqsError {
  if (failure instanceof SqsError) return failure;
  if (failure instanceof BodyFailure) return new SqsError('InvalidParameterValue', failure.message);
  log.error({ err: failure, requestId }, 'SQS failed');
  return new SqsError('InternalFailure', 'We encountered an internal error. Please try again.');
}

const JSON_1_0: Protocol = {
  read({ request }, body) {
    const target = String(request.headers['x-amz-target']);
    const name = operationNamed(target.slice(SQS_TARGET_PREFIX.length + 1));
    return { name, input: checked(parseJson(body), SQS_OPERATIONS[name]) };
  },
  answer({ response }, _name, answer) {
    const body = Buffer.from(JSON.stringify(answer));
    response.writeHead(200, { 'Content-Type': JSON_TYPE, 'Content-Length': body.length }).end(body);
  },
  refuse({ response }, { code, message }) {
    const { status, queryCode, type = `com.amazonaws.sqs#${code}` } = errorRow(code);
    const body = Buffer.from(JSON.stringify({ __type: type, message }));
    response
      .writeHead(status, {
        'Content-Type': JSON_TYPE,
        'Content-Length': body.length,
        // Clients that grew up with the query protocol know the error by its old code.
        'x-amzn-query-error': `${queryCode};${status < 500 ? 'Sender' : 'Receiver'}`,
      })
      .end(body);
  },
};

const JSON_TYPE = 'application/x-amz-json-1.0';

const QUERY: Protocol = {
  read({ request }, body) {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const form = new URLSearchParams(url.search);
    for (const [name, value] of new URLSearchParams(body.toString('utf8'))) form.append(name, value);
    const version = form.get('Version') ?? SQS_VERSION;
    const name = operationNamed(form.get('Action') ?? '', version);
    // Older clients send the request to the queue's own URL and do not name it again.
    if (form.get('QueueUrl') === null && /^\/\d{12}\/[^/]+$/.test(url.pathname)) form.set('QueueUrl', url.pathname);
    return { name, input: structureAt(form, '', SQS_OPERATIONS[name]) };
  },
  answer(call, name, answer) {
    const result = renderMembers(xmlOf(name, answer), 'repeated');
    const metadata = renderElement('ResponseMetadata', { RequestId: call.requestId }, 'repeated');
    const inner = HAS_RESULT.has(name) ? `<${name}Result>${result}</${name}Result>` : '';
    sendXml(call, 200, `<${name}Response xmlns="${SQS_NAMESPACE}">${inner}${metadata}</${name}Response>`);
  },
  refuse(call, { code, message }) {
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

/** Operations whose answer has members. */
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

function parseJson(body: Buffer): unknown {
  if (body.length === 0) return {};
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw new SqsError('SerializationException', 'The request body is not valid JSON.');
  }
}

/** The members that the table names, of the types that it says. Null is absence. */
function checked(value: unknown, members: SqsMembers): Tree {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrongType('a structure');
  return Object.fromEntries(
    Object.entries(members).flatMap(([name, member]) => {
      const given = (value as Tree)[name];
      return given === undefined || given === null ? [] : [[name, checkedValue(given, member)]];
    }),
  );
}

function checkedValue(value: unknown, member: SqsMember): unknown {
  switch (member.type) {
    case 'string':
      if (typeof value !== 'string') throw wrongType('a string');
      return value;
    case 'integer':
      if (typeof value !== 'number' || !Number.isInteger(value)) throw wrongType('an integer');
      return value;
    case 'list':
      if (!Array.isArray(value)) throw wrongType('a list');
      return value.map((item) => checkedValue(item, member.of));
    case 'map':
      if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrongType('a map');
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, checkedValue(item, member.of)]));
    case 'structure':
      return checked(value, member.members);
  }
}

function wrongType(expected: string): SqsError {
  return new SqsError('SerializationException', `A member of the request is not ${expected}.`);
}

function structureAt(form: URLSearchParams, prefix: string, members: SqsMembers): Tree {
  return Object.fromEntries(
    Object.entries(members).flatMap(([name, member]) => {
      const value = valueAt(form, prefix, name, member);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

function valueAt(form: URLSearchParams, prefix: string, name: string, member: SqsMember): unknown {
  switch (member.type) {
    case 'string':
      return form.get(prefix + name) ?? undefined;
    case 'integer': {
      const text = form.get(prefix + name);
      if (text === null) return undefined;
      if (!/^-?\d{1,15}$/.test(text)) throw new SqsError('SerializationException', `'${text}' is not an integer.`);
      return Number(text);
    }
    case 'list': {
      const indexes = indexesBelow(form, `${prefix}${member.queryName}.`);
      return indexes.length === 0
        ? undefined
        : indexes.map((index) => itemAt(form, `${prefix}${member.queryName}.${index}`, member.of));
    }
    case 'map': {
      const [key, value] = member.halves;
      const entries = indexesBelow(form, `${prefix}${member.queryName}.`).map((index) => {
        const at = `${prefix}${member.queryName}.${index}.`;
        return [form.get(at + key) ?? '', itemAt(form, at + value, member.of)];
      });
      return entries.length === 0 ? undefined : Object.fromEntries(entries);
    }
    case 'structure':
      return structureAt(form, `${prefix}${name}.`, member.members);
  }
}

/** A member of a list, or a value of a map. */
function itemAt(form: URLSearchParams, at: string, member: SqsMember): unknown {
  if (member.type === 'structure') return structureAt(form, `${at}.`, member.members);
  return form.get(at) ?? '';
}

/** An answer with its lists and maps named as XML has them. */
function xmlOf(operation: SqsOperationName, answer: Tree): Record<string, XmlValue> {
  return Object.fromEntries(
    Object.entries(answer).flatMap(([name, value]): [string, XmlValue][] => {
      if (value === undefined) return [];
      const map = SQS_XML_MAPS[name];
      if (map !== undefined) {
        const [element, key, half] = map;
        const entries = Object.entries(value as Tree);
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
  return typeof value === 'object' && value !== null ? xmlOf(operation, value as Tree) : (value as XmlValue);
}
