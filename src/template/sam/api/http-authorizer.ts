/** Authorizers of an HTTP API: JSON web tokens, functions, and IAM. */
import type { Json, JsonObject } from '../../tree.ts';
import { expectBoolean, expectList, expectMap, expectString, member } from '../checks.ts';
import { InvalidResource } from '../errors.ts';
import { isTruthy } from '../python.ts';
import { fromTemplate, own, PythonMap, type PythonValue, plainMap } from './python27-values.ts';
import { authorizerUri } from './rest-authorizer.ts';

export interface HttpAuthorizer {
  readonly name: string;
  readonly scopes: PythonValue;
  /** The function that API Gateway may call; undefined if it gets no permission from here. */
  readonly permittedFunction: Json | undefined;
  readonly scheme: () => PythonValue;
}

const AUTHORIZER = 'x-amazon-apigateway-authorizer';

export const HTTP_IAM_AUTHORIZER: HttpAuthorizer = {
  name: 'AWS_IAM',
  scopes: [],
  permittedFunction: undefined,
  scheme: () =>
    plainMap({
      type: own('apiKey'),
      name: own('Authorization'),
      in: own('header'),
      'x-amazon-apigateway-authtype': own('awsSigv4'),
    }),
};

const TOKEN = 'OAuth2 Authorizer';
const FUNCTION = 'Lambda Authorizer';
/** Properties, and the kind of authorizer that has them. */
const KINDS: readonly (readonly [property: string, kind: string, remark?: string])[] = [
  ['AuthorizationScopes', TOKEN],
  ['JwtConfiguration', TOKEN],
  ['IdentitySource', TOKEN, ". For Lambda Authorizer, use the 'Identity' property instead"],
  ['FunctionArn', FUNCTION],
  ['FunctionInvokeRole', FUNCTION],
  ['Identity', FUNCTION],
  ['AuthorizerPayloadFormatVersion', FUNCTION],
  ['EnableSimpleResponses', FUNCTION],
  ['EnableFunctionDefaultPermissions', FUNCTION],
];

/** @throws InvalidResource */
export function httpAuthorizer(apiId: string, name: string, config: JsonObject, partition: string): HttpAuthorizer {
  if (Object.hasOwn(config, 'OpenIdConnectUrl')) {
    throw new InvalidResource(
      apiId,
      `'OpenIdConnectUrl' is no longer a supported property for authorizer '${name}'. Please refer to the AWS SAM documentation.`,
    );
  }
  const setting = (property: string): Json => member(config, property) ?? null;
  const jwt = isTruthy(setting('JwtConfiguration'))
    ? expectMap(setting('JwtConfiguration'), { resource: apiId, path: 'JwtConfiguration' })
    : undefined;
  const scopes = setting('AuthorizationScopes');
  if (scopes !== null && !Array.isArray(scopes)) {
    throw new InvalidResource(apiId, 'AuthorizationScopes must be a list.');
  }
  const ownKind = jwt === undefined ? FUNCTION : TOKEN;
  for (const [property, kind, remark = ''] of KINDS) {
    const value = property === 'JwtConfiguration' ? (jwt ?? null) : setting(property);
    if (value !== null && kind !== ownKind) {
      throw new InvalidResource(apiId, `${property} is only supported for ${kind}${remark}.`);
    }
  }
  const required = jwt === undefined ? ['FunctionArn', 'AuthorizerPayloadFormatVersion'] : ['IdentitySource'];
  for (const property of required) {
    if (!isTruthy(setting(property))) throw new InvalidResource(apiId, `${name} ${ownKind} must define '${property}'.`);
  }
  const isPermitted = setting('EnableFunctionDefaultPermissions');
  if (isPermitted !== null) {
    expectBoolean(isPermitted, { resource: apiId, path: `Authorizers.${name}.EnableFunctionDefaultPermissions` });
  }
  return {
    name,
    scopes: fromTemplate(scopes ?? []),
    permittedFunction: isPermitted === true ? setting('FunctionArn') : undefined,
    scheme: () =>
      jwt === undefined ? functionScheme(apiId, name, config, partition) : tokenScheme(jwt, setting('IdentitySource')),
  };
}

/** The keys of the configuration are those of OpenAPI, in lower case. */
function tokenScheme(jwt: JsonObject, identitySource: Json): PythonMap {
  const configuration = new PythonMap('insertion');
  for (const [key, value] of Object.entries(jwt)) configuration.set(key.toLowerCase(), fromTemplate(value));
  return plainMap({
    type: own('oauth2'),
    [AUTHORIZER]: plainMap({
      jwtConfiguration: configuration,
      identitySource: fromTemplate(identitySource),
      type: own('jwt'),
    }),
  });
}

function functionScheme(apiId: string, name: string, config: JsonObject, partition: string): PythonMap {
  const written = plainMap({
    type: own('request'),
    authorizerUri: authorizerUri(partition, member(config, 'FunctionArn')),
  });
  const set = (key: string, value: Json | undefined) => {
    if (value !== undefined) written.set(own(key), fromTemplate(value));
  };
  const role = member(config, 'FunctionInvokeRole');
  if (isTruthy(role) && role !== 'NONE') set('authorizerCredentials', role);
  if (isTruthy(member(config, 'Identity'))) {
    const identity = expectMap(config.Identity, { resource: apiId, path: `Auth.Authorizers.${name}.Identity` });
    set('authorizerResultTtlInSeconds', member(identity, 'ReauthorizeEvery') ?? undefined);
    set('identitySource', identitySources(apiId, name, identity));
  }
  set('authorizerPayloadFormatVersion', member(config, 'AuthorizerPayloadFormatVersion'));
  if (isTruthy(member(config, 'EnableSimpleResponses'))) set('enableSimpleResponses', config.EnableSimpleResponses);
  return plainMap({
    type: own('apiKey'),
    name: own('Unused'),
    in: own('header'),
    [AUTHORIZER]: written,
  });
}

const SOURCES = [
  ['$request.header.', 'Headers'],
  ['$request.querystring.', 'QueryStrings'],
  ['$stageVariables.', 'StageVariables'],
  ['$context.', 'Context'],
] as const;

function identitySources(apiId: string, name: string, identity: JsonObject): string[] {
  return SOURCES.flatMap(([prefix, property]) => {
    const values = member(identity, property);
    if (!isTruthy(values)) return [];
    const path = `Authorizers.${name}.Identity.${property}`;
    return expectList(values, { resource: apiId, path }).map(
      (value, at) => prefix + expectString(value, { resource: apiId, path: `${path}[${at}]` }),
    );
  });
}
