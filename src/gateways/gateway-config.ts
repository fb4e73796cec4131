/**
 * Configurations of HTTP APIs, REST APIs and load balancers, parsed from the JSON of the admin API and the library and
 * from `--route`. `gateway-schema.ts` defines the members of the JSON; `gateways.ts` stores the configurations.
 */
import { ConfigurationError, parseConfiguration, show } from '../wire/configuration.ts';
import {
  createAuthorizers,
  findAuthorizer,
  type NamedAuthorizer,
  type RouteAuthorization,
  renderAuthorizers,
  renderRouteReference,
  resolveAuthorization,
} from './authorizers/authorizer-config.ts';
import type { CorsRules } from './exchange/cors.ts';
import { GATEWAY } from './gateway-schema.ts';
import type { Route } from './http-api/routes.ts';
import type { GatewayResponses } from './rest-api/gateway-responses.ts';
import { type RouteTarget, renderTarget } from './route-target.ts';

type ApiRoute = Route & {
  readonly target: RouteTarget;
  /** Undefined for the timeout of the kind of API. */
  readonly timeoutMs?: number | undefined;
  /** Undefined for a route that everyone may call. */
  readonly authorization?: RouteAuthorization | undefined;
};
export type HttpApiRoute = ApiRoute & {
  readonly payloadFormatVersion: '1.0' | '2.0';
};
export type RestApiRoute = ApiRoute & {
  /** Whether a request needs an API key of a usage plan. */
  readonly apiKeyRequired: boolean;
};

export type HealthCheck = {
  readonly path: string;
  readonly intervalSeconds: number;
  readonly timeoutSeconds: number;
  readonly healthyThreshold: number;
  readonly unhealthyThreshold: number;
  /** Statuses that count as healthy: `200`, `200,202` or `200-299`. */
  readonly matcher: string;
};

/** A rule of a load balancer. The first rule that matches is used. */
export type ListenerRule = {
  readonly path: string;
  /** `ANY` for every method. */
  readonly method: string;
  /** Undefined for every host. */
  readonly host?: string | undefined;
  readonly target: RouteTarget;
  /** Undefined for a target group of the function alone. */
  readonly targetGroupArn?: string | undefined;
  /** Undefined for the gateway's. */
  readonly hasMultiValueHeaders?: boolean | undefined;
};

/**
 * Where a gateway is that an operation of API Gateway or Elastic Load Balancing created. Unlike the others, it responds
 * only at its own address and at its `hosts`.
 */
export type ManagedAddress = {
  /** The API ID, or the first label of the load balancer's DNS name. */
  readonly id: string;
  readonly region: string;
  /** False for the mapping of a custom domain. */
  readonly isOwnAddress: boolean;
};

type Common = {
  /** The name, which is also the API ID in events, unless `managed` has one. */
  readonly name: string;
  /** Hosts of this gateway, in addition to its own. Empty: it responds on every host. */
  readonly hosts: readonly string[];
  readonly managed?: ManagedAddress | undefined;
};

type ApiCommon = Common & {
  readonly stage: string;
  readonly stageVariables?: Readonly<Record<string, string>> | undefined;
  /** What precedes its paths, except at its own host: `/v1`, or nothing. */
  readonly basePath: string;
  readonly cors?: CorsRules | undefined;
  /** By name. */
  readonly authorizers: ReadonlyMap<string, NamedAuthorizer>;
  /** The authorizer of routes that name none: `NONE`, `AWS_IAM` or a name. */
  readonly defaultAuthorizer: string;
};

export type HttpApiConfig = ApiCommon & { readonly kind: 'http-api'; readonly routes: readonly HttpApiRoute[] };
export type RestApiConfig = ApiCommon & {
  readonly kind: 'rest-api';
  readonly binaryMediaTypes: readonly string[];
  /** Where API keys are: in `x-api-key`, or in the result of the authorizer. */
  readonly apiKeySource: 'header' | 'authorizer';
  readonly gatewayResponses: GatewayResponses;
  readonly routes: readonly RestApiRoute[];
};
export type LoadBalancerConfig = Common & {
  readonly kind: 'load-balancer';
  readonly hasMultiValueHeaders: boolean;
  readonly healthCheck?: HealthCheck | undefined;
  readonly rules: readonly ListenerRule[];
};
export type GatewayConfig = HttpApiConfig | RestApiConfig | LoadBalancerConfig;

/** The API ID of an API's events, or the first label of a load balancer's DNS name. */
export function idOf({ name, managed }: GatewayConfig): string {
  return managed?.id ?? name;
}

/** Parses a gateway that an operation of AWS created. Its name has a slash. @throws ConfigurationError */
export function parseManagedConfig(name: string, managed: ManagedAddress, input: unknown): GatewayConfig {
  return { ...parseMembers(name, input), managed };
}

/** Parses the JSON form of a gateway. @throws ConfigurationError */
export function parseGatewayConfig(name: string, input: unknown): GatewayConfig {
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)) {
    throw new ConfigurationError(
      `Invalid gateway name ${show(name)}: use 1 to 63 of a-z, 0-9 and "-", not "-" at an end.`,
    );
  }
  return parseMembers(name, input);
}

function parseMembers(name: string, input: unknown): GatewayConfig {
  const gateway = parseConfiguration(GATEWAY, input, 'A gateway');
  switch (gateway.kind) {
    case 'http-api': {
      const { payloadFormatVersion: defaultVersion, ...api } = gateway;
      const authorizers = createAuthorizers('http-api', api.authorizers);
      const fallback = findAuthorizer(authorizers, api.defaultAuthorizer, 'defaultAuthorizer');
      const routes = api.routes.map((given, index): HttpApiRoute => {
        const { route, target, timeoutMs, payloadFormatVersion = defaultVersion } = given;
        const authorization = resolveAuthorization(authorizers, fallback, given, `routes[${index}]`);
        return { ...route, target, timeoutMs, payloadFormatVersion, authorization };
      });
      return { ...api, name, authorizers, routes };
    }
    case 'rest-api': {
      const authorizers = createAuthorizers('rest-api', gateway.authorizers);
      const fallback = findAuthorizer(authorizers, gateway.defaultAuthorizer, 'defaultAuthorizer');
      const routes = gateway.routes.map((given, index): RestApiRoute => {
        const authorization = resolveAuthorization(authorizers, fallback, given, `routes[${index}]`);
        const { route, target, timeoutMs, apiKeyRequired } = given;
        return { ...route, target, timeoutMs, apiKeyRequired, authorization };
      });
      return { ...gateway, name, authorizers, routes };
    }
    case 'load-balancer': {
      const { kind, hosts, healthCheck, multiValueHeaders: hasMultiValueHeaders } = gateway;
      const rules = gateway.routes.map(({ path: rule, method, host, multiValueHeaders, ...rest }): ListenerRule => {
        const verb = (method ?? rule.method ?? 'ANY').toUpperCase();
        return { path: rule.path, method: verb, host, hasMultiValueHeaders: multiValueHeaders, ...rest };
      });
      return { kind, name, hosts, hasMultiValueHeaders, healthCheck, rules };
    }
  }
}

/**
 * Parses `--route`s: `GET /users/{id} -> NAME` for an HTTP API, or with `http-1.0`, `rest` or `alb` in front for another
 * kind of event. Returns one gateway per kind. @throws ConfigurationError
 */
export function parseRouteOptions(texts: readonly string[]): readonly GatewayConfig[] {
  const routes = texts.map(parseRouteOption);
  return ROUTE_KINDS.flatMap(({ name, kind }) => {
    const own = routes.filter((route) => route.name === name);
    if (own.length === 0) return [];
    const ownTexts = own.map(({ text }) => text);
    try {
      return [parseGatewayConfig(name, { kind, routes: own.map(({ entry }) => entry) })];
    } catch (failure) {
      if (!(failure instanceof ConfigurationError)) throw failure;
      throw explainRoute(failure, ownTexts);
    }
  });
}

/** The gateways of `--route`. The name is also the word before the route. */
const ROUTE_KINDS = [
  { name: 'http', kind: 'http-api' },
  { name: 'rest', kind: 'rest-api' },
  { name: 'alb', kind: 'load-balancer' },
] as const;

function parseRouteOption(text: string): { readonly text: string; readonly name: string; readonly entry: unknown } {
  const [, name = 'http', rest = ''] = /^\s*(?:(http|http-1\.0|rest|alb)\s+)?(.*)$/s.exec(text) ?? [];
  if (name !== 'http-1.0') return { text, name, entry: rest };
  const [, route = rest, target] = /^(.*\S)\s*->\s*(\S+)\s*$/s.exec(rest) ?? [];
  return {
    text,
    name: 'http',
    entry: target === undefined ? rest : { route, function: target, payloadFormatVersion: '1.0' },
  };
}

/** Names the route instead of a path in the JSON form, which users of `--route` do not see. */
function explainRoute({ message, path, reason }: ConfigurationError, texts: readonly string[]): ConfigurationError {
  const [, index, member = 'it'] = /^routes\[(\d+)\](?:\.(\w+))?$/.exec(path) ?? [];
  return new ConfigurationError(
    index === undefined ? message : `Invalid route ${show(texts[Number(index)])}: ${member} ${reason}.`,
  );
}

/** Renders the JSON form, which `parseGatewayConfig` accepts. */
export function renderGatewayConfig(config: GatewayConfig): Record<string, unknown> {
  const hosts = config.hosts.length > 0 ? config.hosts : undefined;
  if (config.kind === 'load-balancer') {
    const { kind, hasMultiValueHeaders, healthCheck, rules } = config;
    return {
      kind,
      hosts,
      multiValueHeaders: hasMultiValueHeaders,
      healthCheck,
      routes: rules.map(({ method, path, host, target, targetGroupArn, hasMultiValueHeaders: multiValueHeaders }) => ({
        path,
        method,
        host,
        ...renderTarget(target),
        targetGroupArn,
        multiValueHeaders,
      })),
    };
  }
  const { kind, stage, stageVariables, basePath, cors, authorizers, defaultAuthorizer } = config;
  const common = {
    kind,
    hosts,
    stage,
    stageVariables,
    basePath: basePath === '' ? '/' : basePath,
    cors,
    authorizers: renderAuthorizers(authorizers),
    defaultAuthorizer: defaultAuthorizer === 'NONE' ? undefined : defaultAuthorizer,
  };
  const fallback = findAuthorizer(authorizers, defaultAuthorizer, 'defaultAuthorizer');
  const renderRoute = ({ key, target, timeoutMs, authorization }: ApiRoute) => ({
    route: key,
    ...renderTarget(target),
    timeoutMs,
    ...renderRouteReference(authorization, fallback),
  });
  if (config.kind === 'rest-api') {
    const { binaryMediaTypes, apiKeySource, gatewayResponses } = config;
    const routes = config.routes.map((route) => ({
      ...renderRoute(route),
      ...(route.apiKeyRequired && { apiKeyRequired: true }),
    }));
    return {
      ...common,
      binaryMediaTypes,
      ...(apiKeySource !== 'header' && { apiKeySource }),
      ...(Object.keys(gatewayResponses).length > 0 && { gatewayResponses }),
      routes,
    };
  }
  const routes = config.routes.map((route) => ({
    ...renderRoute(route),
    payloadFormatVersion: route.payloadFormatVersion,
  }));
  return { ...common, routes };
}
