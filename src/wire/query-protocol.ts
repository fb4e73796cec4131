/**
 * AWS's query protocol, spoken by IAM and STS: a form with `Action` and `Version` comes in, XML goes out. It knows the
 * wire only; what an action does is given by the service as a table of handlers.
 * https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
 */
import { BodyFailure, readBody } from '../http/body.ts';
import type { Log } from '../log.ts';
import type { InputOf, Member, Members } from '../protocol/member-constraints.ts';
import type { ApiCall, ServiceHandler } from './api-call.ts';
import { ConstraintViolations, parseInput, WrongType } from './structure.ts';
import type { XmlStructure } from './xml.ts';
import { renderElement } from './xml.ts';

/** An error that the caller receives as XML; `code` as it goes over the wire. */
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
  /** For messages: `IAM`. */
  readonly name: string;
  readonly version: string;
  readonly namespace: string;
  /** Input members by action. */
  readonly operations: Operations;
  /** Answers with the members of the result; undefined for an action whose response has no result element. */
  readonly handlers: {
    readonly [Action in keyof Operations]: (
      input: InputOf<Operations[Action]>,
      call: ApiCall,
    ) => XmlStructure | undefined | Promise<XmlStructure | undefined>;
  };
  readonly log: Log;
};

/** AWS's own limit for requests of this protocol is of this order; IAM's documents are at most 128 KiB. */
const BODY_LIMIT_BYTES = 1024 * 1024;

/** A handler for one service that speaks the query protocol. */
export function createQueryHandler<Operations extends Readonly<Record<string, Members>>>(
  service: QueryService<Operations>,
): ServiceHandler {
  return async (call) => {
    try {
      const form = await readForm(call);
      const { action, result } = await perform(service, form, call);
      send(call, 200, renderResponse(service.namespace, action, result, call.requestId));
    } catch (failure) {
      if (failure instanceof BodyFailure && failure.reason === 'aborted') return;
      const error = errorOf(failure);
      if (error === undefined) service.log.error({ err: failure, requestId: call.requestId }, `${service.name} failed`);
      const { code, status, message } =
        error ?? new QueryError('ServiceFailure', 500, 'The request processing failed.');
      send(call, status, renderError(service.namespace, code, status, message, call.requestId));
    }
  };
}

async function readForm(call: ApiCall): Promise<URLSearchParams> {
  const form = new URLSearchParams(new URL(call.request.url ?? '/', 'http://localhost').search);
  const body = await readBody(call.request, BODY_LIMIT_BYTES);
  for (const [name, value] of new URLSearchParams(body.toString('utf8'))) form.append(name, value);
  return form;
}

async function perform<Operations extends Readonly<Record<string, Members>>>(
  service: QueryService<Operations>,
  form: URLSearchParams,
  call: ApiCall,
): Promise<{ readonly action: string; readonly result: XmlStructure | undefined }> {
  const action = form.get('Action');
  const version = form.get('Version') ?? service.version;
  if (action === null) throw new QueryError('MissingAction', 400, 'Missing Action');
  const members = Object.hasOwn(service.operations, action) ? service.operations[action] : undefined;
  if (members === undefined || version !== service.version) {
    throw new QueryError('InvalidAction', 400, `Could not find operation ${action} for version ${version}`);
  }
  const handler = service.handlers[action] as (
    input: unknown,
    call: ApiCall,
  ) => XmlStructure | undefined | Promise<XmlStructure | undefined>;
  return { action, result: await handler(parseInput(treeOf(form, members), members), call) };
}

/** `Tags.member.1.Key=a` ... -> the tree that a JSON protocol would have sent. */
function treeOf(form: URLSearchParams, members: Members): unknown {
  return structureAt(form, '', members);
}

function structureAt(form: URLSearchParams, prefix: string, members: Members): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(members).map(([name, member]) => [name, valueAt(form, prefix + name, member)]),
  );
}

function valueAt(form: URLSearchParams, at: string, member: Member): unknown {
  const text = form.get(at) ?? undefined;
  switch (member.type) {
    case 'string':
      return text;
    case 'integer':
      return text === undefined ? undefined : integerOf(text);
    case 'boolean':
      return text === undefined ? undefined : booleanOf(text);
    case 'list': {
      const numbers = indexesBelow(form, `${at}.member.`);
      if (numbers.length === 0) return text === '' ? [] : undefined;
      return numbers.map((number) => valueAt(form, `${at}.member.${number}`, member.of));
    }
    case 'map': {
      const entries = indexesBelow(form, `${at}.entry.`).map((number) => [
        form.get(`${at}.entry.${number}.key`) ?? '',
        form.get(`${at}.entry.${number}.value`) ?? '',
      ]);
      return entries.length === 0 ? undefined : Object.fromEntries(entries);
    }
    case 'structure-map': {
      const entries = indexesBelow(form, `${at}.entry.`).map((number) => {
        const entry = `${at}.entry.${number}.`;
        return [form.get(`${entry}Name`) ?? '', structureAt(form, `${entry}Value.`, member.members)];
      });
      return entries.length === 0 ? undefined : Object.fromEntries(entries);
    }
    case 'structure': {
      const isThere = [...form.keys()].some((key) => key.startsWith(`${at}.`));
      return isThere ? structureAt(form, `${at}.`, member.members) : undefined;
    }
  }
}

/** The numbers that follow `prefix` in the names of a form's fields, in order: the indexes of a list. */
export function indexesBelow(form: URLSearchParams, prefix: string): readonly number[] {
  const indexes = new Set<number>();
  for (const key of form.keys()) {
    const digits = key.startsWith(prefix) ? /^\d{1,6}/.exec(key.slice(prefix.length))?.[0] : undefined;
    if (digits !== undefined) indexes.add(Number(digits));
  }
  return [...indexes].sort((a, b) => a - b);
}

function integerOf(text: string): number {
  if (!/^[+-]?\d{1,15}$/.test(text)) throw new WrongType(`Unable to parse '${text}' as an integer`);
  return Number(text);
}

function booleanOf(text: string): boolean {
  if (text !== 'true' && text !== 'false') throw new WrongType(`Unable to parse '${text}' as a boolean`);
  return text === 'true';
}

function errorOf(failure: unknown): QueryError | undefined {
  if (failure instanceof QueryError) return failure;
  if (failure instanceof ConstraintViolations) return new QueryError('ValidationError', 400, failure.message);
  if (failure instanceof WrongType) return new QueryError('MalformedInput', 400, failure.message);
  if (failure instanceof BodyFailure) return new QueryError('RequestEntityTooLarge', 413, failure.message);
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

/** The body of an error in this protocol. */
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
