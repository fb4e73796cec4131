/**
 * The JSON form of a gateway, as the admin API and the library take it: members, defaults and ranges. A route is text
 * (`GET /users/{id} -> NAME`) or an object. The output still has the form of the JSON; `gateway-config.ts` makes the
 * configuration from it.
 */
import * as v from 'valibot';
import {
  flag,
  members,
  objectOf,
  oneOf,
  parsed,
  show,
  text,
  textLike,
  texts,
  wholeNumber,
} from '../wire/configuration.ts';
import { HTTP_AUTHORIZERS, REST_AUTHORIZERS } from './authorizers/authorizer-config.ts';
import { parseRoute, type Route } from './http-api/routes.ts';
import { withTarget } from './route-target.ts';

const ROUTE = v.pipe(text, parsed<string, Route>(parseRoute));

const RULE_PATH = v.pipe(
  text,
  parsed((rule: string): { readonly method: string | undefined; readonly path: string } | string => {
    const trimmed = rule.trim();
    const [, method, path] = /^(?:([A-Za-z]+)\s+)?([/*]\S*)$/.exec(trimmed === '$default' ? '/*' : trimmed) ?? [];
    return path === undefined ? `must be a path, such as "/api/*", not ${show(rule)}` : { method, path };
  }),
);

/** Text of the form `LEFT -> FUNCTION` becomes an object with LEFT as the member `name`. */
function entry<Name extends 'route' | 'path', Schema extends v.GenericSchema<Record<string, unknown>>>(
  name: Name,
  example: object,
  schema: Schema,
) {
  const asObject = objectOf(example, schema);
  const asText = v.pipe(
    text,
    parsed((arrow: string): Record<string, unknown> | string => {
      const [, left, target] = /^(.*\S)\s*->\s*(\S+)\s*$/s.exec(arrow) ?? [];
      return left === undefined ? `must be ROUTE -> FUNCTION, not ${show(arrow)}` : { [name]: left, function: target };
    }),
    schema,
  );
  return v.lazy((input): v.GenericSchema<unknown, v.InferOutput<Schema>> => {
    return typeof input === 'string' ? asText : asObject;
  });
}

const EXAMPLE = { kind: 'http-api', routes: ['GET /users/{id} -> NAME'] };
const EXAMPLE_ROUTE = { route: 'GET /users/{id}', function: 'NAME' };
const EXAMPLE_RULE = { path: '/api/*', function: 'NAME' };
const NO_ROUTES = `must be an array with at least one route, such as ${JSON.stringify(EXAMPLE.routes)}`;

/** `NONE`, `AWS_IAM` or the name of an authorizer. */
const AUTHORIZATION = { authorizer: v.optional(text) };
/** Scopes of OAuth 2.0, which have no spaces and quotes. https://www.rfc-editor.org/rfc/rfc6749#section-3.3 */
const SCOPES = v.array(
  textLike(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'a scope, such as "items:read"'),
  'must be an array of strings, such as ["items:read"]',
);
const PAYLOAD_FORMAT_VERSION = oneOf(['1.0', '2.0']);
/** Integration timeouts of API Gateway: quotas of REST APIs can be raised. */
const TIMEOUT_MS = v.optional(wholeNumber(50, 300_000));
const HTTP_API_ROUTE = entry(
  'route',
  EXAMPLE_ROUTE,
  withTarget(EXAMPLE_ROUTE, {
    route: ROUTE,
    payloadFormatVersion: v.optional(PAYLOAD_FORMAT_VERSION),
    timeoutMs: TIMEOUT_MS,
    ...AUTHORIZATION,
    authorizationScopes: v.optional(SCOPES),
  }),
);
const REST_API_ROUTE = entry(
  'route',
  EXAMPLE_ROUTE,
  withTarget(EXAMPLE_ROUTE, {
    route: v.pipe(
      ROUTE,
      v.check(({ path }) => path !== undefined, 'must not be $default in a REST API: use "ANY /{proxy+}"'),
    ),
    timeoutMs: TIMEOUT_MS,
    apiKeyRequired: v.optional(flag, false),
    ...AUTHORIZATION,
  }),
);
const RULE = entry(
  'path',
  EXAMPLE_RULE,
  withTarget(EXAMPLE_RULE, {
    path: RULE_PATH,
    method: v.optional(text),
    host: v.optional(text),
    targetGroupArn: v.optional(text),
    multiValueHeaders: v.optional(flag),
  }),
);

function listOf<Schema extends v.GenericSchema>(item: Schema) {
  return v.pipe(v.array(item, NO_ROUTES), v.minLength(1, NO_ROUTES));
}

/** A second route with the same key would never be chosen. */
function uniqueRoutes<Schema extends v.GenericSchema<unknown, { readonly route: Route }>>(item: Schema) {
  return v.pipe(
    listOf(item),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      const keys = (dataset.value as readonly { readonly route: Route }[]).map(({ route }) => route.key);
      const twice = keys.find((key, index) => keys.indexOf(key) !== index);
      if (twice !== undefined) addIssue({ message: `must have each route once: ${show(twice)} is given twice` });
    }),
  );
}

const HOSTS = v.optional(
  v.pipe(
    texts,
    v.transform((hosts) => hosts.map((host) => host.toLowerCase())),
  ),
  [],
);

const STAGE_VARIABLES = v.optional(objectOf({ name: 'value' }, v.record(v.string(), text)));

/** `/v1/` becomes `/v1`, and `/` nothing. */
const BASE_PATH = v.optional(
  v.pipe(
    textLike(/^[^?#\s]*$/, 'a path, such as "/v1"'),
    v.transform((path) => path.replace(/^\/+|\/+$/g, '')),
    v.transform((path) => (path === '' ? '' : `/${path}`)),
  ),
  '',
);

const CORS = v.optional(
  objectOf(
    { allowOrigins: ['*'] },
    members(
      {},
      {
        allowCredentials: v.optional(flag, false),
        allowHeaders: v.optional(texts, []),
        allowMethods: v.optional(texts, []),
        allowOrigins: v.optional(texts, []),
        exposeHeaders: v.optional(texts, []),
        maxAgeSeconds: v.optional(wholeNumber(0, 86_400)),
      },
    ),
  ),
);

/** Defaults and ranges are those of AWS for functions as targets. */
const HEALTH_CHECK_SETTINGS = members(
  {},
  {
    path: v.optional(textLike(/^\//, 'a path that starts with /'), '/'),
    intervalSeconds: v.optional(wholeNumber(5, 300), 35),
    timeoutSeconds: v.optional(wholeNumber(2, 120), 30),
    healthyThreshold: v.optional(wholeNumber(2, 10), 5),
    unhealthyThreshold: v.optional(wholeNumber(2, 10), 2),
    matcher: v.optional(
      textLike(/^\d{3}(-\d{3})?(,\d{3}(-\d{3})?)*$/, 'status codes, such as "200" or "200-299"'),
      '200',
    ),
  },
);
type HealthCheckSettings = v.InferOutput<typeof HEALTH_CHECK_SETTINGS>;

/** `true` checks with the defaults. */
const HEALTH_CHECK = v.optional(
  v.lazy((input): v.GenericSchema<unknown, HealthCheckSettings | undefined> => {
    if (input === false)
      return v.pipe(
        v.unknown(),
        v.transform(() => undefined),
      );
    if (input === true)
      return v.pipe(
        v.unknown(),
        v.transform(() => ({})),
        HEALTH_CHECK_SETTINGS,
      );
    return objectOf({ path: '/health' }, HEALTH_CHECK_SETTINGS);
  }),
);

const TEXT_MAP = objectOf({ name: 'text' }, v.record(v.string(), text));
const EXAMPLE_RESPONSE = { headers: { 'Access-Control-Allow-Origin': "'*'" } };
/** By the type of the error, such as `DEFAULT_4XX`. */
const GATEWAY_RESPONSES = v.optional(
  objectOf(
    { DEFAULT_4XX: EXAMPLE_RESPONSE },
    v.record(
      v.string(),
      objectOf(
        EXAMPLE_RESPONSE,
        members(EXAMPLE_RESPONSE, {
          status: v.optional(wholeNumber(100, 599)),
          headers: v.optional(TEXT_MAP),
          templates: v.optional(TEXT_MAP),
        }),
      ),
    ),
  ),
  {},
);

const STAGE_CHARACTERS = 'letters, digits, "-" and "_"';
const API = {
  hosts: HOSTS,
  stageVariables: STAGE_VARIABLES,
  basePath: BASE_PATH,
  cors: CORS,
  defaultAuthorizer: v.optional(text, 'NONE'),
};

export const GATEWAY = objectOf(
  EXAMPLE,
  v.variant(
    'kind',
    [
      members(EXAMPLE, {
        kind: v.literal('http-api'),
        ...API,
        stage: v.optional(
          textLike(/^([A-Za-z0-9_-]{1,128}|\$default)$/, `"$default", or ${STAGE_CHARACTERS}`),
          '$default',
        ),
        payloadFormatVersion: v.optional(PAYLOAD_FORMAT_VERSION, '2.0'),
        authorizers: HTTP_AUTHORIZERS,
        routes: uniqueRoutes(HTTP_API_ROUTE),
      }),
      members(EXAMPLE, {
        kind: v.literal('rest-api'),
        ...API,
        stage: v.optional(textLike(/^[A-Za-z0-9_-]{1,128}$/, STAGE_CHARACTERS), 'prod'),
        binaryMediaTypes: v.optional(texts, []),
        apiKeySource: v.optional(oneOf(['header', 'authorizer']), 'header'),
        gatewayResponses: GATEWAY_RESPONSES,
        authorizers: REST_AUTHORIZERS,
        routes: uniqueRoutes(REST_API_ROUTE),
      }),
      members(
        { ...EXAMPLE, routes: ['/api/* -> NAME'] },
        {
          kind: v.literal('load-balancer'),
          hosts: HOSTS,
          multiValueHeaders: v.optional(flag, false),
          healthCheck: HEALTH_CHECK,
          routes: listOf(RULE),
        },
      ),
    ],
    ({ input }) => `must be "http-api", "rest-api" or "load-balancer", not ${show(input)}`,
  ),
);
