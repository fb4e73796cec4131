/**
 * The gateways that a person sets up: HTTP APIs, REST APIs and load balancers with their routes, as they are written in
 * JSON (control endpoint, library) and on the command line (`--route`). Parses and renders; nothing is kept or answered
 * here. Every complaint says what would have been right.
 */
import type { FunctionReference } from '../protocol/arn.ts';
import { parseFunctionReference } from '../protocol/arn.ts';
import type { CorsRules } from './exchange/cors.ts';
import { parseRoute, type Route } from './http-api/routes.ts';

/** A function, with its version or alias where one is named. */
export type RouteFunction = FunctionReference & { readonly text: string };

export type HttpApiRoute = Route & {
  readonly target: RouteFunction;
  readonly payloadFormatVersion: '1.0' | '2.0';
};
export type RestApiRoute = Route & { readonly target: RouteFunction };

export type HealthCheck = {
  readonly path: string;
  readonly intervalSeconds: number;
  readonly timeoutSeconds: number;
  readonly healthyThreshold: number;
  readonly unhealthyThreshold: number;
  /** Statuses that count as healthy: `200`, `200,202` or `200-299`. */
  readonly matcher: string;
};

/** A rule of a load balancer: the first that fits counts. */
export type ListenerRule = {
  readonly path: string;
  /** `ANY` for all of them. */
  readonly method: string;
  /** Undefined for every host. */
  readonly host: string | undefined;
  readonly target: RouteFunction;
};

type Common = {
  /** How it is called here, and its id in events. */
  readonly name: string;
  /** Hosts that lead to it, beside its own; none for every host. */
  readonly hosts: readonly string[];
};

type ApiCommon = Common & {
  readonly stage: string;
  readonly stageVariables: Readonly<Record<string, string>> | undefined;
  /** Before its paths where it is not called by a host of its own: `/v1`, or nothing. */
  readonly basePath: string;
  readonly cors: CorsRules | undefined;
};

export type HttpApiConfig = ApiCommon & { readonly kind: 'http-api'; readonly routes: readonly HttpApiRoute[] };
export type RestApiConfig = ApiCommon & {
  readonly kind: 'rest-api';
  readonly binaryMediaTypes: readonly string[];
  readonly routes: readonly RestApiRoute[];
};
export type LoadBalancerConfig = Common & {
  readonly kind: 'load-balancer';
  readonly hasMultiValueHeaders: boolean;
  readonly healthCheck: HealthCheck | undefined;
  readonly rules: readonly ListenerRule[];
};
export type GatewayConfig = HttpApiConfig | RestApiConfig | LoadBalancerConfig;

/** What a person wrote is no gateway. */
export class GatewayConfigError extends Error {}

const KINDS = ['http-api', 'rest-api', 'load-balancer'] as const;
const DEFAULT_STAGES = { 'http-api': '$default', 'rest-api': 'prod' } as const;
const MEMBERS: Readonly<Record<(typeof KINDS)[number], readonly string[]>> = {
  'http-api': ['kind', 'hosts', 'routes', 'stage', 'stageVariables', 'basePath', 'cors', 'payloadFormatVersion'],
  'rest-api': ['kind', 'hosts', 'routes', 'stage', 'stageVariables', 'basePath', 'cors', 'binaryMediaTypes'],
  'load-balancer': ['kind', 'hosts', 'routes', 'multiValueHeaders', 'healthCheck'],
};

/** Parses a gateway as it is written in JSON. @throws GatewayConfigError */
export function parseGatewayConfig(name: string, input: unknown): GatewayConfig {
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)) {
    throw new GatewayConfigError(`'${name}' is no name for a gateway: use up to 63 of a-z, 0-9 and hyphens.`);
  }
  const members = object(input, 'a gateway', { kind: 'http-api', routes: ['GET /users/{id} -> NAME'] });
  const kind = KINDS.find((known) => known === members.kind);
  if (kind === undefined) throw new GatewayConfigError(`kind must be ${KINDS.join(', ')}, not ${show(members.kind)}.`);
  const unknown = Object.keys(members).find((member) => !MEMBERS[kind].includes(member));
  if (unknown !== undefined) {
    throw new GatewayConfigError(
      `A gateway of kind ${kind} has no member '${unknown}'. It has ${MEMBERS[kind].join(', ')}.`,
    );
  }
  const hosts = strings(members.hosts, 'hosts').map((host) => host.toLowerCase());
  if (kind === 'load-balancer') {
    return {
      kind,
      name,
      hosts,
      hasMultiValueHeaders: flag(members.multiValueHeaders, 'multiValueHeaders'),
      healthCheck: parseHealthCheck(members.healthCheck),
      rules: list(members.routes).map(parseRule),
    };
  }
  const common = {
    name,
    hosts,
    stage: parseStage(members.stage, kind),
    stageVariables: parseStageVariables(members.stageVariables),
    basePath: parseBasePath(members.basePath),
    cors: parseCorsRules(members.cors),
  };
  if (kind === 'http-api') {
    const version = parsePayloadVersion(members.payloadFormatVersion ?? '2.0');
    return { kind, ...common, routes: unique(list(members.routes).map((entry) => parseHttpRoute(entry, version))) };
  }
  const routes = list(members.routes).map((entry): RestApiRoute => {
    const { route, target } = parseEntry(entry, []);
    if (route.path === undefined) throw new GatewayConfigError('REST APIs have no $default route; use ANY /{proxy+}.');
    return { ...route, target };
  });
  return {
    kind,
    ...common,
    binaryMediaTypes: strings(members.binaryMediaTypes, 'binaryMediaTypes'),
    routes: unique(routes),
  };
}

/**
 * The gateways of `--route`s: `GET /users/{id} -> NAME` for an HTTP API, with another kind's word in front for the others
 * (`http-1.0`, `rest`, `alb`). One gateway for each kind. @throws GatewayConfigError
 */
export function parseRouteOptions(texts: readonly string[]): readonly GatewayConfig[] {
  const groups: Record<'http' | 'rest' | 'alb', unknown[]> = { http: [], rest: [], alb: [] };
  for (const text of texts) {
    const [, word = 'http', rest = ''] = /^\s*(?:(http|http-1\.0|rest|alb)\s+)?(.*)$/s.exec(text) ?? [];
    if (word === 'http-1.0') {
      const { left, members } = splitEntry(rest, 'route', []);
      groups.http.push({ route: left, function: members.function, payloadFormatVersion: '1.0' });
    } else {
      groups[word as keyof typeof groups].push(rest);
    }
  }
  const kinds = { http: 'http-api', rest: 'rest-api', alb: 'load-balancer' } as const;
  return (['http', 'rest', 'alb'] as const)
    .filter((name) => groups[name].length > 0)
    .map((name) => parseGatewayConfig(name, { kind: kinds[name], routes: groups[name] }));
}

/** A gateway as `parseGatewayConfig` takes it. */
export function renderGatewayConfig(config: GatewayConfig): Record<string, unknown> {
  const hosts = config.hosts.length > 0 ? config.hosts : undefined;
  if (config.kind === 'load-balancer') {
    const { kind, hasMultiValueHeaders, healthCheck, rules } = config;
    return {
      kind,
      hosts,
      multiValueHeaders: hasMultiValueHeaders,
      healthCheck,
      routes: rules.map(({ method, path, host, target }) => ({ path, method, host, function: target.text })),
    };
  }
  const { kind, stage, stageVariables, basePath, cors } = config;
  const common = { kind, hosts, stage, stageVariables, basePath: basePath === '' ? '/' : basePath, cors };
  if (config.kind === 'rest-api') {
    const { binaryMediaTypes, routes } = config;
    return {
      ...common,
      binaryMediaTypes,
      routes: routes.map(({ key, target }) => ({ route: key, function: target.text })),
    };
  }
  const routes = config.routes.map(({ key, target, payloadFormatVersion }) => ({
    route: key,
    function: target.text,
    payloadFormatVersion,
  }));
  return { ...common, routes };
}

function parseHttpRoute(entry: unknown, version: '1.0' | '2.0'): HttpApiRoute {
  const { route, target, members } = parseEntry(entry, ['payloadFormatVersion']);
  return { ...route, target, payloadFormatVersion: parsePayloadVersion(members.payloadFormatVersion ?? version) };
}

/** `ROUTE -> FUNCTION`, or the same as an object. */
function parseEntry(entry: unknown, more: readonly string[]) {
  const { left, members } = splitEntry(entry, 'route', more);
  const route = parseRoute(left);
  if (typeof route === 'string') throw new GatewayConfigError(`${capital(route)}.`);
  return { route, target: parseTarget(members.function), members };
}

/** `/api/* -> FUNCTION`, with a method in front where only that one is meant; or the same as an object. */
function parseRule(entry: unknown): ListenerRule {
  const { left, members } = splitEntry(entry, 'path', ['method', 'host']);
  const [, written, path] =
    /^(?:([A-Za-z]+)\s+)?([/*]\S*)$/.exec(left.trim() === '$default' ? '/*' : left.trim()) ?? [];
  if (path === undefined)
    throw new GatewayConfigError(`'${left}' is no rule: it must be a path, as in /api/* -> NAME.`);
  const method = String(members.method ?? written ?? 'ANY').toUpperCase();
  if (members.host !== undefined && typeof members.host !== 'string')
    throw new GatewayConfigError('host must be a string.');
  return { path, method, host: members.host as string | undefined, target: parseTarget(members.function) };
}

function splitEntry(entry: unknown, name: 'route' | 'path', more: readonly string[]) {
  if (typeof entry === 'string') {
    const [, left, target] = /^(.*\S)\s*->\s*(\S+)\s*$/s.exec(entry) ?? [];
    if (left === undefined) throw new GatewayConfigError(`'${entry}' must be of the form ROUTE -> FUNCTION.`);
    return { left, members: { function: target } as Readonly<Record<string, unknown>> };
  }
  const members = object(entry, 'a route', {
    [name]: name === 'route' ? 'GET /users/{id}' : '/api/*',
    function: 'NAME',
  });
  const known = [name, 'function', ...more];
  const unknown = Object.keys(members).find((member) => !known.includes(member));
  if (unknown !== undefined)
    throw new GatewayConfigError(`A route has no member '${unknown}'. It has ${known.join(', ')}.`);
  if (typeof members[name] !== 'string') throw new GatewayConfigError(`A route must have '${name}', a string.`);
  return { left: members[name], members };
}

function parseTarget(text: unknown): RouteFunction {
  const reference = typeof text === 'string' ? parseFunctionReference(text) : undefined;
  if (reference === undefined) {
    throw new GatewayConfigError(`${show(text)} names no function: give a name, NAME:ALIAS or an ARN.`);
  }
  return { ...reference, text: text as string };
}

function parsePayloadVersion(version: unknown): '1.0' | '2.0' {
  if (version === '1.0' || version === '2.0') return version;
  throw new GatewayConfigError(`payloadFormatVersion must be "1.0" or "2.0", not ${show(version)}.`);
}

function parseStage(stage: unknown, kind: 'http-api' | 'rest-api'): string {
  if (stage === undefined) return DEFAULT_STAGES[kind];
  if (
    typeof stage === 'string' &&
    (/^[A-Za-z0-9_-]{1,128}$/.test(stage) || (stage === '$default' && kind === 'http-api'))
  ) {
    return stage;
  }
  throw new GatewayConfigError(`stage must be of letters, digits, hyphens and underscores, not ${show(stage)}.`);
}

function parseBasePath(basePath: unknown): string {
  if (basePath === undefined) return '';
  if (typeof basePath !== 'string' || /[?#\s]/.test(basePath)) {
    throw new GatewayConfigError(`basePath must be a path such as /v1, not ${show(basePath)}.`);
  }
  const clean = basePath.replace(/^\/+|\/+$/g, '');
  return clean === '' ? '' : `/${clean}`;
}

function parseStageVariables(input: unknown): Readonly<Record<string, string>> | undefined {
  if (input === undefined) return undefined;
  const variables = object(input, 'stageVariables', { name: 'value' });
  if (Object.values(variables).some((value) => typeof value !== 'string')) {
    throw new GatewayConfigError('The values of stageVariables must be strings.');
  }
  return variables as Readonly<Record<string, string>>;
}

function parseCorsRules(input: unknown): CorsRules | undefined {
  if (input === undefined) return undefined;
  const cors = object(input, 'cors', { allowOrigins: ['*'] });
  const known = ['allowCredentials', 'allowHeaders', 'allowMethods', 'allowOrigins', 'exposeHeaders', 'maxAgeSeconds'];
  const unknown = Object.keys(cors).find((member) => !known.includes(member));
  if (unknown !== undefined)
    throw new GatewayConfigError(`cors has no member '${unknown}'. It has ${known.join(', ')}.`);
  return {
    allowCredentials: flag(cors.allowCredentials, 'cors.allowCredentials'),
    allowHeaders: strings(cors.allowHeaders, 'cors.allowHeaders'),
    allowMethods: strings(cors.allowMethods, 'cors.allowMethods'),
    allowOrigins: strings(cors.allowOrigins, 'cors.allowOrigins'),
    exposeHeaders: strings(cors.exposeHeaders, 'cors.exposeHeaders'),
    maxAgeSeconds:
      cors.maxAgeSeconds === undefined ? undefined : count(cors.maxAgeSeconds, 'cors.maxAgeSeconds', 0, 86_400),
  };
}

/** Defaults and ranges are AWS's for functions as targets. */
function parseHealthCheck(input: unknown): HealthCheck | undefined {
  if (input === undefined || input === false) return undefined;
  const check = input === true ? {} : object(input, 'healthCheck', { path: '/health' });
  const known = ['path', 'intervalSeconds', 'timeoutSeconds', 'healthyThreshold', 'unhealthyThreshold', 'matcher'];
  const unknown = Object.keys(check).find((member) => !known.includes(member));
  if (unknown !== undefined)
    throw new GatewayConfigError(`healthCheck has no member '${unknown}'. It has ${known.join(', ')}.`);
  const { path = '/', matcher = '200' } = check;
  if (typeof path !== 'string' || !path.startsWith('/'))
    throw new GatewayConfigError('healthCheck.path must begin with /.');
  if (typeof matcher !== 'string' || !/^\d{3}(-\d{3})?(,\d{3}(-\d{3})?)*$/.test(matcher)) {
    throw new GatewayConfigError('healthCheck.matcher must be statuses, as in 200 or 200-299.');
  }
  return {
    path,
    matcher,
    intervalSeconds: count(check.intervalSeconds ?? 35, 'healthCheck.intervalSeconds', 5, 300),
    timeoutSeconds: count(check.timeoutSeconds ?? 30, 'healthCheck.timeoutSeconds', 2, 120),
    healthyThreshold: count(check.healthyThreshold ?? 5, 'healthCheck.healthyThreshold', 2, 10),
    unhealthyThreshold: count(check.unhealthyThreshold ?? 2, 'healthCheck.unhealthyThreshold', 2, 10),
  };
}

function unique<R extends Route>(routes: readonly R[]): readonly R[] {
  const twice = routes.find((route, index) => routes.findIndex(({ key }) => key === route.key) !== index);
  if (twice !== undefined) throw new GatewayConfigError(`The route '${twice.key}' is given twice.`);
  return routes;
}

function object(input: unknown, what: string, example: object): Readonly<Record<string, unknown>> {
  if (typeof input === 'object' && input !== null && !Array.isArray(input)) return input as Record<string, unknown>;
  throw new GatewayConfigError(`${capital(what)} must be an object, as in ${JSON.stringify(example)}.`);
}

function list(input: unknown): readonly unknown[] {
  if (Array.isArray(input) && input.length > 0) return input;
  throw new GatewayConfigError('routes must be an array with at least one route, as in ["GET /users/{id} -> NAME"].');
}

function strings(input: unknown, what: string): readonly string[] {
  if (input === undefined) return [];
  if (Array.isArray(input) && input.every((entry) => typeof entry === 'string')) return input as readonly string[];
  throw new GatewayConfigError(`${what} must be an array of strings.`);
}

function flag(input: unknown, what: string): boolean {
  if (input === undefined) return false;
  if (typeof input === 'boolean') return input;
  throw new GatewayConfigError(`${what} must be true or false.`);
}

function count(input: unknown, what: string, least: number, most: number): number {
  if (typeof input === 'number' && Number.isInteger(input) && input >= least && input <= most) return input;
  throw new GatewayConfigError(`${what} must be a whole number from ${least} to ${most}, not ${show(input)}.`);
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? 'nothing';
}
