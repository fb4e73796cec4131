/**
 * Routes as AWS writes them, and which of them a request matches. HTTP APIs, REST APIs and load balancers each have
 * their own precedence. Pure.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-rules.html
 */
import { createGlob, globTokens } from '../../protocol/glob.ts';
import { decodePercent } from '../exchange/gateway-request.ts';

/** A segment of a route's path: `users`, `{id}` or `{proxy+}`. */
type Segment =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'greedy'; readonly name: string };

/** `GET /users/{id}`, `ANY /{proxy+}` or `$default`. */
export type Route = {
  /** As AWS writes it. */
  readonly key: string;
  /** `ANY` for every method. */
  readonly method: string;
  /** Undefined for `$default`. */
  readonly path: string | undefined;
  readonly segments: readonly Segment[];
};

export type RouteMatch<R extends Route> = {
  readonly route: R;
  /** In the order of the route's path. */
  readonly parameters: readonly (readonly [name: string, value: string])[];
};

const METHODS = ['ANY', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'];
const RANK = { literal: 0, variable: 1, greedy: 2 } as const;

/** Parses a route. Returns the reason for an invalid one, to follow the word "route". */
export function parseRoute(text: string): Route | string {
  const key = text.trim().replace(/\s+/g, ' ');
  if (key === '$default') return { key, method: 'ANY', path: undefined, segments: [] };
  const [, method = '', path = ''] = /^(\S+) (\/\S*)$/.exec(key) ?? [];
  if (path === '') return `must be a method and a path, such as "GET /users/{id}", or "$default", not "${text}"`;
  if (!METHODS.includes(method.toUpperCase())) return `has the method "${method}": use ${METHODS.join(', ')}`;
  const segments: Segment[] = [];
  const names = new Set<string>();
  for (const part of path.slice(1).split('/')) {
    const [, name, plus] = /^\{([A-Za-z0-9._:-]+)(\+?)\}$/.exec(part) ?? [];
    if (name === undefined) {
      if (/[{}]/.test(part)) return `has an invalid variable in "${part}": use {name} or {name+} as a whole segment`;
      segments.push({ kind: 'literal', text: part });
      continue;
    }
    if (names.has(name)) return `has the variable {${name}} twice`;
    if (segments.at(-1)?.kind === 'greedy') return `must have its greedy variable at the end, not "${path}"`;
    names.add(name);
    segments.push({ kind: plus ? 'greedy' : 'variable', name });
  }
  if (segments.slice(0, -1).some(({ kind }) => kind === 'greedy'))
    return `must have its greedy variable at the end, not "${path}"`;
  return { key: `${method.toUpperCase()} ${path}`, method: method.toUpperCase(), path, segments };
}

/**
 * Finds the route of an HTTP API: a full match first, then one with a greedy variable, then `$default`. Among several,
 * the one with the earlier literal wins, then the one that names the method. `path` is decoded.
 */
export function matchHttpRoute<R extends Route>(
  routes: readonly R[],
  method: string,
  path: string,
): RouteMatch<R> | undefined {
  const parts = path.slice(1).split('/');
  let best: RouteMatch<R> | undefined;
  for (const route of routes) {
    if (route.method !== 'ANY' && route.method !== method) continue;
    const parameters = route.path === undefined ? [] : matchSegments(route.segments, parts);
    if (parameters === undefined) continue;
    if (best === undefined || compareRoutes(route, best.route) < 0) best = { route, parameters };
  }
  return best;
}

/** The resource of a REST API at a path, and its route for the method if it has one. */
export type ResourceMatch<R extends Route> = {
  readonly resourcePath: string;
  readonly route: R | undefined;
  readonly parameters: RouteMatch<R>['parameters'];
};

/**
 * Finds the resource of a REST API: at each level a literal child, or else a variable, or else a greedy variable. Only
 * then looks for the method at that resource. `path` is percent-encoded and without the stage.
 */
export function matchResource<R extends Route>(
  routes: readonly R[],
  method: string,
  path: string,
): ResourceMatch<R> | undefined {
  const parts = path.replace(/^\/+/, '').replace(/\/+$/, '').split('/');
  let best: { readonly route: R; readonly parameters: RouteMatch<R>['parameters'] } | undefined;
  for (const route of routes) {
    const parameters = matchSegments(route.segments, parts, decodePercent);
    if (parameters === undefined || route.path === undefined) continue;
    if (best === undefined || compareSegments(route, best.route) < 0) best = { route, parameters };
  }
  if (best === undefined) return undefined;
  const resourcePath = best.route.path ?? '/';
  const own = routes.filter((route) => route.path === resourcePath);
  return {
    resourcePath,
    // ANY stands for the methods that a REST API supports, not for TRACE or methods of WebDAV.
    route:
      own.find((route) => route.method === method) ??
      (METHODS.includes(method) ? own.find((route) => route.method === 'ANY') : undefined),
    parameters: best.parameters,
  };
}

/** Whether a path matches the pattern of a load balancer's rule: `*` is any text, `?` one character. Case-sensitive. */
export function matchesPathPattern(pattern: string, path: string): boolean {
  return createGlob(globTokens(pattern, { hasOne: true }))(path);
}

/** The same for hostnames, but case-insensitive. */
export function matchesHostPattern(pattern: string, host: string): boolean {
  return matchesPathPattern(pattern.toLowerCase(), host.toLowerCase());
}

function matchSegments(
  segments: readonly Segment[],
  parts: readonly string[],
  literalOf: (part: string) => string = (part) => part,
): [string, string][] | undefined {
  const parameters: [string, string][] = [];
  for (const [index, segment] of segments.entries()) {
    const part = parts[index];
    if (part === undefined) return undefined;
    if (segment.kind === 'literal') {
      if (literalOf(part) !== segment.text) return undefined;
    } else if (segment.kind === 'greedy') {
      const rest = parts.slice(index).join('/');
      return rest === '' ? undefined : [...parameters, [segment.name, rest]];
    } else if (part === '') {
      return undefined;
    } else {
      parameters.push([segment.name, part]);
    }
  }
  return parts.length === segments.length ? parameters : undefined;
}

function compareRoutes(a: Route, b: Route): number {
  const [rankA, rankB] = [a, b].map(({ path, segments }) => (path === undefined ? 2 : hasGreedy(segments) ? 1 : 0));
  if (rankA !== rankB) return (rankA ?? 0) - (rankB ?? 0);
  return compareSegments(a, b) || Number(a.method === 'ANY') - Number(b.method === 'ANY');
}

function compareSegments(a: Route, b: Route): number {
  for (const [index, segment] of a.segments.entries()) {
    const other = b.segments[index];
    const difference = RANK[segment.kind] - RANK[other?.kind ?? 'greedy'];
    if (difference !== 0) return difference;
  }
  return 0;
}

function hasGreedy(segments: readonly Segment[]): boolean {
  return segments.some(({ kind }) => kind === 'greedy');
}
