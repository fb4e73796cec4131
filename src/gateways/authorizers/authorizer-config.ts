/**
 * Authorizers in the JSON form of a gateway: members, defaults and ranges, and how routes refer to them. The members have
 * the names of AWS's CreateAuthorizer and of `x-amazon-apigateway-authorizer`, apart from `function` and `jwksUri`.
 * https://docs.aws.amazon.com/apigateway/latest/api/API_CreateAuthorizer.html
 * https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-authorizers.html
 */
import { createRequire } from 'node:module';
import * as v from 'valibot';
import {
  ConfigurationError,
  flag,
  members,
  objectOf,
  oneOf,
  parsed,
  show,
  text,
  texts,
  wholeNumber,
} from '../../wire/configuration.ts';
import { FUNCTION, type RouteFunction } from '../route-function.ts';
import { type ApiKind, type IdentitySource, parseIdentitySource } from './identity-source.ts';
import { type KeySource, parseKeySource } from './key-source.ts';

export type LambdaAuthorizer = {
  readonly kind: 'lambda';
  readonly name: string;
  /** A REST API's TOKEN and REQUEST authorizers, and the payload formats of an HTTP API's. */
  readonly event: 'token' | 'request' | '1.0' | '2.0';
  readonly target: RouteFunction;
  readonly identitySources: readonly IdentitySource[];
  /** Finds whether a token may be sent to the function. Linear in the token. */
  readonly validates: TokenTest | undefined;
  /** Results are cached by the values of the identity sources. 0: not at all. */
  readonly ttlSeconds: number;
  readonly hasSimpleResponses: boolean;
};

export type JwtAuthorizer = {
  readonly kind: 'jwt';
  readonly name: string;
  readonly identitySource: IdentitySource;
  readonly issuer: string;
  readonly audience: readonly string[];
  readonly keys: KeySource;
  /** As the user wrote it. */
  readonly jwksUri: string | undefined;
};

/** AWS_IAM: a valid signature of any caller. */
export type IamAuthorizer = { readonly kind: 'iam' };

/** An authorizer that a gateway defines by name. */
export type NamedAuthorizer = LambdaAuthorizer | JwtAuthorizer;
export type Authorizer = NamedAuthorizer | IamAuthorizer;

/** How a route is authorized. */
export type RouteAuthorization = {
  readonly authorizer: Authorizer;
  /** Scopes of which the token must have one. Empty: none is required. */
  readonly scopes: readonly string[];
};

export type TokenTest = { readonly source: string; readonly test: (token: string) => boolean };

const IAM: IamAuthorizer = { kind: 'iam' };
const DEFAULT_TTL_SECONDS = 300;
const MAX_TTL_SECONDS = 3600;
/** Names that stand for something else where a route names its authorizer. */
const RESERVED: readonly string[] = ['NONE', 'AWS_IAM'];

const sourcesOf = (kind: ApiKind) =>
  v.pipe(
    v.lazy((input): v.GenericSchema<unknown, string | string[]> => (typeof input === 'string' ? text : texts)),
    parsed((given: string | string[]): readonly IdentitySource[] | string => {
      const written = (typeof given === 'string' ? given.split(',') : given).map((source) => source.trim());
      const sources = written.map((source) => parseIdentitySource(source, kind));
      return sources.find((source) => typeof source === 'string') ?? (sources as IdentitySource[]);
    }),
  );

/** One header, for a token. */
const tokenSource = (kind: ApiKind, allowed: readonly IdentitySource['from'][]) =>
  v.pipe(
    text,
    parsed((given: string): IdentitySource | string => {
      const source = parseIdentitySource(given.trim(), kind);
      if (typeof source === 'string' || allowed.includes(source.from)) return source;
      return `must be a ${allowed.map((from) => (from === 'querystring' ? 'query parameter' : from)).join(' or ')}, not ${show(given)}`;
    }),
  );

/** RE2 is linear in the token. The package is loaded by the first expression. */
const EXPRESSION = v.pipe(
  text,
  parsed((source: string): TokenTest | string => {
    const { RE2JS } = createRequire(import.meta.url)('re2js') as typeof import('re2js');
    try {
      const expression = RE2JS.compile(source);
      return { source, test: (token) => expression.matcher(token).find() };
    } catch (failure) {
      return `must be a regular expression, not ${show(source)}: ${(failure as Error).message}`;
    }
  }),
);

const TTL = v.optional(wholeNumber(0, MAX_TTL_SECONDS));

const EXAMPLE_TOKEN = { type: 'token', function: 'NAME' };
const TOKEN = members(EXAMPLE_TOKEN, {
  type: v.literal('token'),
  function: FUNCTION,
  identitySource: v.optional(tokenSource('rest-api', ['header']), 'method.request.header.Authorization'),
  identityValidationExpression: v.optional(EXPRESSION),
  authorizerResultTtlInSeconds: TTL,
});

const EXAMPLE_REST_REQUEST = {
  type: 'request',
  function: 'NAME',
  identitySource: 'method.request.header.Authorization',
};
const REST_REQUEST = members(EXAMPLE_REST_REQUEST, {
  type: v.literal('request'),
  function: FUNCTION,
  identitySource: v.optional(sourcesOf('rest-api'), []),
  authorizerResultTtlInSeconds: TTL,
});

const EXAMPLE_HTTP_REQUEST = {
  type: 'request',
  function: 'NAME',
  authorizerPayloadFormatVersion: '2.0',
  identitySource: ['$request.header.Authorization'],
};
const HTTP_REQUEST = members(EXAMPLE_HTTP_REQUEST, {
  type: v.literal('request'),
  function: FUNCTION,
  identitySource: v.optional(sourcesOf('http-api'), []),
  authorizerPayloadFormatVersion: v.optional(oneOf(['1.0', '2.0']), '2.0'),
  enableSimpleResponses: v.optional(flag, false),
  authorizerResultTtlInSeconds: TTL,
});

const EXAMPLE_JWT = {
  type: 'jwt',
  jwtConfiguration: { issuer: 'https://issuer.example', audience: ['my-api'] },
};
const JWT = members(EXAMPLE_JWT, {
  type: v.literal('jwt'),
  identitySource: v.optional(tokenSource('http-api', ['header', 'querystring']), '$request.header.Authorization'),
  jwtConfiguration: objectOf(
    EXAMPLE_JWT.jwtConfiguration,
    members(EXAMPLE_JWT.jwtConfiguration, {
      issuer: text,
      audience: v.pipe(texts, v.minLength(1, 'must have at least one audience')),
    }),
  ),
  jwksUri: v.optional(text),
});

const byType = <Types extends readonly [string, string]>(types: Types) => {
  return ({ input }: { readonly input: unknown }) => `must be "${types[0]}" or "${types[1]}", not ${show(input)}`;
};

function authorizersOf<Schema extends v.GenericSchema<Record<string, unknown>>>(example: object, schema: Schema) {
  return v.optional(objectOf({ NAME: example }, v.record(v.string(), objectOf(example, schema))), {});
}

/** What a gateway may have in `authorizers`, by its kind. */
export const REST_AUTHORIZERS = authorizersOf(
  EXAMPLE_TOKEN,
  v.variant('type', [TOKEN, REST_REQUEST], byType(['token', 'request'])),
);
export const HTTP_AUTHORIZERS = authorizersOf(
  EXAMPLE_HTTP_REQUEST,
  v.variant('type', [HTTP_REQUEST, JWT], byType(['request', 'jwt'])),
);

type RestInput = v.InferOutput<typeof TOKEN> | v.InferOutput<typeof REST_REQUEST>;
type HttpInput = v.InferOutput<typeof HTTP_REQUEST> | v.InferOutput<typeof JWT>;

/** Makes authorizers of their parsed JSON form, by name. @throws ConfigurationError */
export function createAuthorizers(
  kind: ApiKind,
  input: Readonly<Record<string, RestInput | HttpInput>>,
): ReadonlyMap<string, NamedAuthorizer> {
  return new Map(
    Object.entries(input).map(([name, given]) => {
      const path = `authorizers.${name}`;
      if (!/^[\w.-]{1,128}$/.test(name) || RESERVED.includes(name)) {
        throw invalid(
          'authorizers',
          `has the invalid name ${show(name)}: use 1 to 128 letters, digits, ".", "_" or "-"`,
        );
      }
      return [name, given.type === 'jwt' ? createJwt(name, path, given) : createLambda(kind, name, path, given)];
    }),
  );
}

function createLambda(
  kind: ApiKind,
  name: string,
  path: string,
  given: Exclude<RestInput | HttpInput, { readonly type: 'jwt' }>,
): LambdaAuthorizer {
  const isHttp = 'authorizerPayloadFormatVersion' in given;
  const event = isHttp ? given.authorizerPayloadFormatVersion : given.type;
  const identitySources = given.type === 'token' ? [given.identitySource] : given.identitySource;
  const ttlSeconds = given.authorizerResultTtlInSeconds ?? (kind === 'rest-api' ? DEFAULT_TTL_SECONDS : 0);
  if (ttlSeconds > 0 && identitySources.length === 0) {
    const remedy = 'is required where results are cached: add it, or set authorizerResultTtlInSeconds to 0';
    throw invalid(`${path}.identitySource`, remedy);
  }
  const hasSimpleResponses = isHttp && given.enableSimpleResponses;
  if (hasSimpleResponses && event === '1.0') {
    throw invalid(`${path}.enableSimpleResponses`, 'requires authorizerPayloadFormatVersion "2.0"');
  }
  return {
    kind: 'lambda',
    name,
    event,
    target: given.function,
    identitySources,
    validates: given.type === 'token' ? given.identityValidationExpression : undefined,
    ttlSeconds,
    hasSimpleResponses,
  };
}

function createJwt(
  name: string,
  path: string,
  { identitySource, jwtConfiguration, jwksUri }: Extract<HttpInput, { readonly type: 'jwt' }>,
): JwtAuthorizer {
  const keys = parseKeySource(jwtConfiguration.issuer, jwksUri);
  if (typeof keys === 'string') {
    throw invalid(`${path}.${jwksUri === undefined ? 'jwtConfiguration.issuer' : 'jwksUri'}`, keys);
  }
  return { kind: 'jwt', name, identitySource, ...jwtConfiguration, keys, jwksUri };
}

/** How a route refers to its authorizer in the JSON form. */
export type RouteReference = {
  readonly authorizer?: string | undefined;
  readonly authorizationScopes?: readonly string[] | undefined;
};

/**
 * Resolves the authorizer of a route; undefined for a route without one. `fallback` is the gateway's default, `path` that
 * of the route in the JSON form. @throws ConfigurationError
 */
export function resolveAuthorization(
  authorizers: ReadonlyMap<string, NamedAuthorizer>,
  fallback: Authorizer | undefined,
  { authorizer: named, authorizationScopes: scopes = [] }: RouteReference,
  path: string,
): RouteAuthorization | undefined {
  const authorizer = named === undefined ? fallback : findAuthorizer(authorizers, named, `${path}.authorizer`);
  if (scopes.length > 0 && authorizer?.kind !== 'jwt') {
    throw invalid(`${path}.authorizationScopes`, 'requires an authorizer of the type "jwt"');
  }
  return authorizer && { authorizer, scopes };
}

/** @throws ConfigurationError for a name that the gateway does not define */
export function findAuthorizer(
  authorizers: ReadonlyMap<string, NamedAuthorizer>,
  name: string,
  path: string,
): Authorizer | undefined {
  if (name === 'NONE') return undefined;
  if (name === 'AWS_IAM') return IAM;
  const found = authorizers.get(name);
  if (found !== undefined) return found;
  const names = [...RESERVED, ...authorizers.keys()].map((known) => JSON.stringify(known));
  throw invalid(path, `must be ${names.slice(0, -1).join(', ')} or ${names.at(-1)}, not ${show(name)}`);
}

/** Renders the JSON form of authorizers. Undefined without any. */
export function renderAuthorizers(authorizers: ReadonlyMap<string, NamedAuthorizer>): object | undefined {
  if (authorizers.size === 0) return undefined;
  return Object.fromEntries([...authorizers].map(([name, authorizer]) => [name, renderAuthorizer(authorizer)]));
}

function renderAuthorizer(authorizer: NamedAuthorizer): object {
  if (authorizer.kind === 'jwt') {
    const { identitySource, issuer, audience, jwksUri } = authorizer;
    return { type: 'jwt', identitySource: identitySource.text, jwtConfiguration: { issuer, audience }, jwksUri };
  }
  const { event, target, identitySources, validates, ttlSeconds, hasSimpleResponses } = authorizer;
  const isHttp = event === '1.0' || event === '2.0';
  const sources = identitySources.map((source) => source.text);
  return {
    type: isHttp ? 'request' : event,
    function: target.text,
    identitySource: event === 'token' ? sources[0] : sources,
    identityValidationExpression: validates?.source,
    ...(isHttp && { authorizerPayloadFormatVersion: event, enableSimpleResponses: hasSimpleResponses }),
    authorizerResultTtlInSeconds: ttlSeconds,
  };
}

/** Renders how a route refers to its authorizer, unless it is the gateway's default. */
export function renderRouteReference(
  authorization: RouteAuthorization | undefined,
  fallback: Authorizer | undefined,
): RouteReference {
  const { authorizer, scopes = [] } = authorization ?? {};
  return {
    authorizer: authorizer === fallback ? undefined : nameOf(authorizer),
    authorizationScopes: scopes.length > 0 ? scopes : undefined,
  };
}

function nameOf(authorizer: Authorizer | undefined): string {
  if (authorizer === undefined) return 'NONE';
  return authorizer.kind === 'iam' ? 'AWS_IAM' : authorizer.name;
}

function invalid(path: string, reason: string): ConfigurationError {
  return new ConfigurationError(`${path} ${reason}.`, path, reason);
}
