/**
 * Lamella's own calls on the API port, for tests and tools: under `/_lamella/`, JSON in and out. A table of calls, given
 * by the areas that have something to steer; who may call is judged before (`server.ts`), as for every service.
 */

import { BodyFailure, readBody } from '../http/body.ts';
import type { ApiCall, ServiceHandler } from '../wire/api-call.ts';

export type ControlRequest = {
  /** Values of the path's `{names}`, decoded. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** The JSON body; undefined when there is none. */
  readonly input: unknown;
  readonly call: ApiCall;
};

/** One call. Its answer becomes JSON with status 200; undefined is 204. */
export type ControlRoute = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below `/_lamella`: `/schedules/{name}`. */
  readonly path: string;
  readonly answer: (request: ControlRequest) => unknown | Promise<unknown>;
};

/** A refusal, with what to do instead in its message. */
export class ControlError extends Error {
  readonly status: 400 | 404 | 409;

  constructor(status: 400 | 404 | 409, message: string) {
    super(message);
    this.status = status;
  }
}

export const CONTROL_PREFIX = '/_lamella';

const BODY_LIMIT_BYTES = 1024 * 1024;

/** Whether a request's target is one of Lamella's own calls. */
export function isControlTarget(target: string): boolean {
  return target.startsWith(`${CONTROL_PREFIX}/`);
}

/** Answers everything under `/_lamella/`. */
export function createControlApi(routes: readonly ControlRoute[]): ServiceHandler {
  const table = routes.map((route) => ({ ...route, pattern: patternOf(route.path) }));
  return async (call) => {
    try {
      const { pathname, searchParams } = new URL(call.request.url ?? '/', 'http://localhost');
      const path = pathname.slice(CONTROL_PREFIX.length);
      const there = table.filter(({ pattern }) => pattern.test(path));
      const route = there.find(({ method }) => method === call.request.method);
      if (route === undefined) return refuse(call, table, path, there.length > 0);
      const input = parseJson(await readBody(call.request, BODY_LIMIT_BYTES));
      const parameters = decodeParameters(route.pattern.exec(path)?.groups ?? {});
      const answer = await route.answer({ parameters, query: searchParams, input, call });
      if (answer === undefined) call.response.writeHead(204).end();
      else send(call, 200, answer);
    } catch (failure) {
      if (failure instanceof BodyFailure && failure.reason === 'aborted') return;
      if (failure instanceof BodyFailure) send(call, 413, { message: failure.message });
      else if (failure instanceof ControlError) send(call, failure.status, { message: failure.message });
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
    throw new ControlError(400, 'The path is not percent-encoded correctly.');
  }
}

function parseJson(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw new ControlError(400, 'The body is not valid JSON.');
  }
}

function refuse(call: ApiCall, table: readonly ControlRoute[], path: string, isKnown: boolean): void {
  call.request.resume();
  const known = table.map((route) => `${route.method} ${CONTROL_PREFIX}${route.path}`).join(', ');
  const what = `${call.request.method} ${CONTROL_PREFIX}${path}`;
  send(call, isKnown ? 405 : 404, { message: `There is no call ${what}. There are: ${known}.` });
}

function send({ response }: ApiCall, status: number, answer: unknown): void {
  const body = Buffer.from(JSON.stringify(answer));
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': body.length }).end(body);
}
