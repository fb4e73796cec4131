/**
 * The admin API: Lamella's own operations on the API port, for tests and tools. Paths begin with `/_lamella/`; bodies
 * are JSON. The other files of this directory provide the routes; `api-port.ts` admits callers, as for every service.
 */
import { BodyFailure, readBody } from '../http/body.ts';
import { splitTarget } from '../http/request-target.ts';
import { parseJson } from '../protocol/json.ts';
import type { ApiCall, ServiceHandler } from '../wire/api-call.ts';
import { ConfigurationError } from '../wire/configuration.ts';

export type AdminRequest = {
  /** Values of the path's `{name}` parameters, percent-decoded. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** The parsed JSON body; undefined for an empty one. */
  readonly input: unknown;
  readonly call: ApiCall;
};

/** One operation. Its result becomes a JSON body with status 200; undefined becomes 204. */
export type AdminRoute = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Without the prefix, e.g. `/schedules/{name}`. */
  readonly path: string;
  readonly handle: (request: AdminRequest) => unknown | Promise<unknown>;
};

/** An error response. The message tells the user what to do. */
export class AdminError extends Error {
  readonly status: 400 | 404 | 409;

  constructor(status: 400 | 404 | 409, message: string) {
    super(message);
    this.status = status;
  }
}

export const ADMIN_PREFIX = '/_lamella';

const BODY_LIMIT_BYTES = 1024 * 1024;

/** Whether a request target belongs to the admin API. */
export function isAdminTarget(target: string): boolean {
  return target.startsWith(`${ADMIN_PREFIX}/`);
}

/** Handles every request below `/_lamella/`. */
export function createAdminApi(routes: readonly AdminRoute[]): ServiceHandler {
  const table = routes.map((route) => ({ ...route, pattern: patternOf(route.path) }));
  return async (call) => {
    try {
      const target = splitTarget(call.request.url);
      const searchParams = new URLSearchParams(target.search);
      const path = target.path.slice(ADMIN_PREFIX.length);
      const matching = table.filter(({ pattern }) => pattern.test(path));
      const route = matching.find(({ method }) => method === call.request.method);
      if (route === undefined) return refuse(call, table, path, matching.length > 0);
      const input = parseBody(await readBody(call.request, BODY_LIMIT_BYTES));
      const parameters = decodeParameters(route.pattern.exec(path)?.groups ?? {});
      const result = await route.handle({ parameters, query: searchParams, input, call });
      if (result === undefined) call.response.writeHead(204).end();
      else send(call, 200, result);
    } catch (failure) {
      if (failure instanceof BodyFailure && failure.reason === 'aborted') return;
      if (failure instanceof BodyFailure)
        send(call, failure.reason === 'busy' ? 503 : 413, { message: failure.message });
      else if (failure instanceof ConfigurationError) send(call, 400, { message: failure.message });
      else if (failure instanceof AdminError) send(call, failure.status, { message: failure.message });
      else throw failure;
    }
  };
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replace(/[.+*?^$()|[\]\\]/g, '\\$&').replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`);
}

function decodeParameters(groups: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  try {
    return Object.fromEntries(Object.entries(groups).map(([name, value]) => [name, decodeURIComponent(value)]));
  } catch {
    throw new AdminError(400, 'Invalid percent-encoding in the path.');
  }
}

function parseBody(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  try {
    return parseJson(body.toString('utf8'));
  } catch (failure) {
    throw new AdminError(400, `Invalid JSON in the body: ${(failure as Error).message}.`);
  }
}

function refuse(call: ApiCall, table: readonly AdminRoute[], path: string, isKnownPath: boolean): void {
  call.request.resume();
  const operations = table.map((route) => `${route.method} ${ADMIN_PREFIX}${route.path}`).join(', ');
  const operation = `${call.request.method} ${ADMIN_PREFIX}${path}`;
  send(call, isKnownPath ? 405 : 404, { message: `Unknown operation ${operation}. Use one of: ${operations}.` });
}

function send({ response }: ApiCall, status: number, value: unknown): void {
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': body.length }).end(body);
}
