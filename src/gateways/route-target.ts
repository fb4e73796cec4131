/**
 * What handles the requests of a route: a function, a fixed response (MOCK integrations of API Gateway, fixed-response
 * actions of load balancers) or another HTTP server (HTTP_PROXY integrations).
 */
import * as v from 'valibot';
import { members, objectOf, oneOf, show, text, wholeNumber } from '../wire/configuration.ts';
import { FUNCTION, type RouteFunction } from './route-function.ts';

export type FixedResponse = {
  readonly kind: 'fixed';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

export type HttpServer = {
  readonly kind: 'http';
  /** The URL; `{name}` stands for the path parameter `name`. */
  readonly uri: string;
  /** `ANY` for the method of the request. */
  readonly method: string;
};

export type RouteTarget = RouteFunction | FixedResponse | HttpServer;

/** Whether the target is a function. */
export function isFunction(target: RouteTarget): target is RouteFunction {
  return !('kind' in target);
}

const EXAMPLE_RESPONSE = { status: 200, headers: { 'Content-Type': 'text/plain' }, body: 'hello' };
const HEADER_NAME = v.pipe(v.string(), v.regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'must have valid header names'));
/** Header values must not start another line. */
const HEADER_VALUE = v.pipe(text, v.regex(/^[^\r\n\0]*$/, 'must be a header value without line breaks'));
const FIXED = objectOf(
  EXAMPLE_RESPONSE,
  members(EXAMPLE_RESPONSE, {
    status: wholeNumber(200, 599),
    headers: v.optional(objectOf(EXAMPLE_RESPONSE.headers, v.record(HEADER_NAME, HEADER_VALUE)), {}),
    body: v.optional(text, ''),
  }),
);

const EXAMPLE_SERVER = { uri: 'http://127.0.0.1:8080/{proxy}' };
const METHODS = ['ANY', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'] as const;
const SERVER = objectOf(
  EXAMPLE_SERVER,
  members(EXAMPLE_SERVER, {
    uri: v.pipe(
      text,
      v.check(
        (uri) => /^https?:\/\/[^/?#]/.test(uri) && URL.canParse(uri.replace(/\{[\w.+-]+\}/g, 'x')),
        ({ input }) => `must be a URL that starts with http:// or https://, not ${show(input)}`,
      ),
    ),
    method: v.optional(oneOf(METHODS), 'ANY'),
  }),
);

/** The members of a route, with one of `function`, `fixedResponse` and `httpProxy`, which become `target`. */
export function withTarget<Entries extends v.ObjectEntries>(example: object, entries: Entries) {
  type Members = v.InferOutput<v.ObjectSchema<Entries, undefined>>;
  type Output = Members & { readonly target: RouteTarget };
  const byFunction = v.pipe(
    members(example, { ...entries, function: FUNCTION }),
    v.transform(({ function: target, ...rest }) => ({ ...rest, target }) as unknown as Output),
  );
  const byResponse = v.pipe(
    members(example, { ...entries, fixedResponse: FIXED }),
    v.transform(
      ({ fixedResponse, ...rest }) => ({ ...rest, target: { kind: 'fixed', ...fixedResponse } }) as unknown as Output,
    ),
  );
  const byServer = v.pipe(
    members(example, { ...entries, httpProxy: SERVER }),
    v.transform(({ httpProxy, ...rest }) => ({ ...rest, target: { kind: 'http', ...httpProxy } }) as unknown as Output),
  );
  return v.lazy((input): v.GenericSchema<unknown, Output> => {
    const has = (member: string) => typeof input === 'object' && input !== null && Object.hasOwn(input, member);
    return has('fixedResponse') ? byResponse : has('httpProxy') ? byServer : byFunction;
  }) as unknown as v.GenericSchema<Record<string, unknown>, Output>;
}

/** The member of the JSON form. */
export function renderTarget(target: RouteTarget): object {
  if (isFunction(target)) return { function: target.text };
  const { kind, ...rest } = target;
  return kind === 'fixed' ? { fixedResponse: rest } : { httpProxy: rest };
}
