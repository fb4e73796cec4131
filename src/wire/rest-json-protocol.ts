/**
 * AWS's protocol of REST with JSON, which both versions of API Gateway use: the operation is in the method and the path,
 * its input in the path, the query and the body. The service passes its operations as a table of handlers.
 * https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html
 */
import { BodyFailure, readBody } from '../http/body.ts';
import { splitTarget } from '../http/request-target.ts';
import type { Log } from '../log.ts';
import type { InputOf, Member, Members, RestOperation } from '../protocol/member-constraints.ts';
import { type ApiCall, type CallContext, OperationFailure, type ServiceApi } from './api-call.ts';
import { ConstraintViolations, parseInput, parseJsonBody, WrongType } from './structure.ts';

/** An error that the client receives as JSON. `code` is the wire code. */
export class RestJsonError extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, status: number, message: string) {
    super(message);
    this.name = 'RestJsonError';
    this.code = code;
    this.status = status;
  }
}

export type RestOperations = Readonly<Record<string, RestOperation>>;

export type RestHandlers<Operations extends RestOperations> = {
  readonly [Name in keyof Operations]: (
    input: InputOf<Operations[Name]['members']>,
    context: CallContext,
  ) => object | undefined | Promise<object | undefined>;
};

export type RestJsonService<Operations extends RestOperations> = {
  /** For messages: `API Gateway`. */
  readonly name: string;
  readonly operations: Operations;
  /** They return the members of the result by their names on the wire; undefined ones are left out. */
  readonly handlers: RestHandlers<Operations>;
  /** Members of results whose names on the wire differ. */
  readonly resultNames?: Readonly<Record<string, string>>;
  /** Codes of general failures, and the member that holds an error's message. Defaults to those of API Gateway. */
  readonly errors?: GeneralErrors;
  /** The largest request body in bytes. */
  readonly bodyLimitBytes: number;
  readonly log: Log;
};

export type GeneralErrors = { readonly invalid: string; readonly internal: string; readonly message: string };

const API_GATEWAY_ERRORS: GeneralErrors = {
  invalid: 'BadRequestException',
  internal: 'InternalFailure',
  message: 'message',
};

/** Creates the API of a service that uses REST with JSON. */
export function createRestJsonApi<Operations extends RestOperations>(service: RestJsonService<Operations>): ServiceApi {
  const errors = service.errors ?? API_GATEWAY_ERRORS;
  const routes = Object.entries(service.operations).map(([name, row]) => ({ name, row, ...parsePath(row.path) }));
  const perform = (operation: string, input: unknown, context: CallContext) => {
    const row = Object.hasOwn(service.operations, operation) ? service.operations[operation] : undefined;
    if (row === undefined) throw unsupported(`${service.name} operation '${operation}'`);
    return service.handlers[operation as keyof Operations](parseInput(input, row.members) as never, context);
  };
  const errorFor = (failure: unknown, { requestId }: CallContext): RestJsonError => {
    const error = errorOf(failure, errors);
    if (error !== undefined) return error;
    service.log.error({ err: failure, requestId }, `${service.name} failed`);
    return new RestJsonError(errors.internal, 500, 'An internal error occurred.');
  };
  return {
    async handle(call) {
      try {
        const body = await readBody(call.request, service.bodyLimitBytes);
        const method = call.request.method ?? 'GET';
        const { path, search } = splitTarget(call.request.url);
        const query = new URLSearchParams(search);
        const found = findRoute(routes, method, path, query);
        if (found === undefined) throw unsupported(`${service.name} request ${method} ${path}`);
        const input = { ...bodyMembers(found.row, body), ...queryMembers(found.row, query), ...found.labels };
        const result = (await perform(found.name, input, call)) ?? {};
        send(call, found.row.status, renameMembers(result, service.resultNames ?? {}));
      } catch (failure) {
        if (failure instanceof BodyFailure && failure.reason === 'aborted') return;
        const { code, status, message } = errorFor(failure, call);
        call.response.setHeader('x-amzn-ErrorType', code);
        send(call, status, { [errors.message]: message });
      }
    },
    async perform(operation, input, context) {
      try {
        return ((await perform(operation, input, context)) ?? {}) as Readonly<Record<string, unknown>>;
      } catch (failure) {
        const { code, status, message } = errorFor(failure, context);
        throw new OperationFailure(code, status, message, failure);
      }
    },
  };
}

function unsupported(what: string): RestJsonError {
  return new RestJsonError('NotImplementedException', 501, `Lamella does not support the ${what}.`);
}

type PathPattern = { readonly segments: readonly string[]; readonly fixedQuery: URLSearchParams };
type OperationRoute = PathPattern & { readonly name: string; readonly row: RestOperation };

function parsePath(path: string): PathPattern {
  const [plain = '', query = ''] = path.split('?');
  return { segments: plain.split('/').slice(1), fixedQuery: new URLSearchParams(query) };
}

function findRoute(routes: readonly OperationRoute[], method: string, path: string, query: URLSearchParams) {
  const parts = path.replace(/\/+$/, '').split('/').slice(1);
  const matches = routes.flatMap((route) => {
    if (route.row.method !== method) return [];
    if ([...route.fixedQuery].some(([name, value]) => query.get(name) !== value)) return [];
    const labels = matchSegments(route.segments, parts);
    return labels === undefined ? [] : [{ ...route, labels }];
  });
  // `POST /restapis?mode=import` is another operation than `POST /restapis`.
  return matches.sort((a, b) => [...b.fixedQuery].length - [...a.fixedQuery].length)[0];
}

function matchSegments(segments: readonly string[], parts: readonly string[]): Record<string, string> | undefined {
  const labels: Record<string, string> = {};
  for (const [index, segment] of segments.entries()) {
    const name = /^\{(\w+)\}$/.exec(segment)?.[1];
    // An ARN has slashes, which some clients do not encode.
    const isArn = name?.toLowerCase() === 'resourcearn';
    const part = isArn ? parts.slice(index).join('/') : parts[index];
    if (part === undefined || part === '') return undefined;
    if (name === undefined) {
      if (segment !== part) return undefined;
      continue;
    }
    try {
      labels[name] = decodeURIComponent(part);
    } catch {
      return undefined;
    }
    if (isArn) return labels;
  }
  return parts.length === segments.length ? labels : undefined;
}

function bodyMembers({ blob, body: names = {} }: RestOperation, body: Buffer): Record<string, unknown> {
  if (blob !== undefined) return { [blob]: body.toString('base64') };
  const parsed = parseJsonBody(body);
  if (typeof parsed !== 'object' || parsed === null) throw new WrongType('Expected an object');
  return renameMembers(parsed, names);
}

function queryMembers({ members, query: names = {} }: RestOperation, query: URLSearchParams): Record<string, unknown> {
  const given: Record<string, unknown> = {};
  for (const name of new Set(query.keys())) {
    const target = names[name] ?? name;
    const member = Object.hasOwn(members, target) ? members[target] : undefined;
    if (member !== undefined) given[target] = queryValue(member, query.getAll(name));
  }
  return given;
}

function queryValue({ type }: Member, values: readonly string[]): unknown {
  const [value = ''] = values;
  if (type === 'list') return values;
  if (type === 'integer') return /^-?\d{1,15}$/.test(value) ? Number(value) : value;
  if (type === 'boolean') return value === 'true' ? true : value === 'false' ? false : value;
  return type === 'map' ? undefined : value;
}

function renameMembers(structure: object, names: Readonly<Record<string, string>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(structure).map(([name, value]) => [names[name] ?? name, value]));
}

function errorOf(failure: unknown, { invalid }: GeneralErrors): RestJsonError | undefined {
  if (failure instanceof RestJsonError) return failure;
  if (failure instanceof ConstraintViolations) return new RestJsonError(invalid, 400, failure.message);
  if (failure instanceof WrongType) return new RestJsonError('SerializationException', 400, failure.message);
  if (failure instanceof BodyFailure) {
    return failure.reason === 'busy'
      ? new RestJsonError('TooManyRequestsException', 429, failure.message)
      : new RestJsonError('RequestTooLargeException', 413, failure.message);
  }
  return undefined;
}

function send({ response }: ApiCall, status: number, result: object): void {
  if (status === 204) {
    response.writeHead(204).end();
    return;
  }
  const body = Buffer.from(JSON.stringify(result));
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': body.length }).end(body);
}

/**
 * Members as the SDKs write them (`ApiId`) as members of the wire (`apiId`), by the table: keys of maps stay as they are.
 * Converts scalars to the type of the table, because templates may write a number as a text.
 */
export function wireMembers(value: unknown, members: Members): Record<string, unknown> {
  const given = isObject(value) ? value : {};
  return Object.fromEntries(
    Object.entries(members).flatMap(([name, member]) => {
      const found = given[name] ?? given[name.charAt(0).toUpperCase() + name.slice(1)];
      return found === undefined || found === null ? [] : [[name, wireValue(found, member)]];
    }),
  );
}

function wireValue(value: unknown, member: Member): unknown {
  switch (member.type) {
    case 'structure':
      return isObject(value) ? wireMembers(value, member.members) : value;
    case 'list':
      return Array.isArray(value) ? value.map((item) => wireValue(item, member.of)) : value;
    case 'map':
      return isObject(value)
        ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, wireValue(item, member.value)]))
        : value;
    case 'integer':
    case 'double':
      return typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value)) ? Number(value) : value;
    case 'boolean':
      return value === 'true' ? true : value === 'false' ? false : value;
    case 'string':
      return typeof value === 'number' || typeof value === 'boolean' ? String(value) : value;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
