/** Authorizers of a REST API: functions (by token or request), Cognito user pools, and IAM. */
import type { Json, JsonObject } from '../../tree.ts';
import { expectBoolean, expectList, expectMap, expectString, isMap, member } from '../checks.ts';
import { InvalidResource } from '../errors.ts';
import { isTruthy, pythonStr } from '../python.ts';
import { fromTemplate, own, ownMap, type PythonMap, type PythonValue, plainMap } from './python27-values.ts';
import type { NamedAuthorizer } from './swagger-security.ts';
import { functionInvocationArn } from './template-arns.ts';

export interface RestAuthorizer extends NamedAuthorizer {
  /** The function that API Gateway may call; undefined if it gets no permission from here. */
  readonly permittedFunction: Json | undefined;
}

const AUTHORIZER = 'x-amazon-apigateway-authorizer';

/** `AWS_IAM` as the default authorizer. */
export function iamAuthorizer(name: string): RestAuthorizer {
  const definition = () =>
    ownMap({
      type: own('apiKey'),
      name: own('Authorization'),
      in: own('header'),
      'x-amazon-apigateway-authtype': own('awsSigv4'),
    });
  return { name, scopes: [], permittedFunction: undefined, definition };
}

/** @throws InvalidResource */
export function restAuthorizer(apiId: string, name: string, config: JsonObject, partition: string): RestAuthorizer {
  const payloadType = member(config, 'FunctionPayloadType') ?? null;
  const identity = member(config, 'Identity') ?? null;
  if (payloadType !== null && payloadType !== 'TOKEN' && payloadType !== 'REQUEST') {
    throw new InvalidResource(
      apiId,
      `${name} Authorizer has invalid 'FunctionPayloadType': ${pythonStr(payloadType)}.`,
    );
  }
  if (payloadType === 'REQUEST' && isWithoutSource(apiId, name, identity)) {
    throw new InvalidResource(
      apiId,
      `${name} Authorizer must specify Identity with at least one of Headers, QueryStrings, StageVariables, or Context.`,
    );
  }
  const scopes = member(config, 'AuthorizationScopes') ?? [];
  expectList(scopes, { resource: apiId, path: `Authorizers.${name}.AuthorizationScopes` });
  const isUnpermitted = member(config, 'DisableFunctionDefaultPermissions') ?? null;
  if (isUnpermitted !== null) {
    expectBoolean(isUnpermitted, {
      resource: apiId,
      path: `Authorizers.${name}.DisableFunctionDefaultPermissions`,
    });
  }
  const functionArn = member(config, 'FunctionArn');
  return {
    name,
    scopes: fromTemplate(scopes),
    permittedFunction: isTruthy(functionArn) && !isTruthy(isUnpermitted) ? functionArn : undefined,
    definition: () => renderAuthorizer(apiId, name, config, partition),
  };
}

/** An authorizer that caches needs something of the request as the key of the cache. */
function isWithoutSource(apiId: string, name: string, identity: Json): boolean {
  if (!isTruthy(identity)) return true;
  const map = expectMap(identity, { resource: apiId, path: `Authorizer.${name}.Identity` });
  const isMissing = SOURCES.every(([property]) => !isTruthy(member(map, property)));
  const ttl = member(map, 'ReauthorizeEvery') ?? null;
  const seconds = typeof ttl === 'string' && /^\s*[+-]?\d+\s*$/.test(ttl) ? Number(ttl) : ttl;
  return typeof seconds === 'number' || typeof seconds === 'boolean'
    ? Math.trunc(Number(seconds)) > 0 && isMissing
    : isMissing;
}

const SOURCES = [
  ['Headers', 'method.request.header.'],
  ['QueryStrings', 'method.request.querystring.'],
  ['StageVariables', 'stageVariables.'],
  ['Context', 'context.'],
] as const;

function renderAuthorizer(apiId: string, name: string, config: JsonObject, partition: string): PythonMap {
  const pool = member(config, 'UserPoolArn');
  const isCognito = isTruthy(pool);
  const payloadType = isTruthy(member(config, 'FunctionPayloadType')) ? config.FunctionPayloadType : 'TOKEN';
  const isRequest = !isCognito && payloadType === 'REQUEST';
  const identity = member(config, 'Identity') ?? null;
  if (!isRequest && isTruthy(identity) && !isMap(identity)) {
    throw new InvalidResource(
      apiId,
      'Auth.Authorizers.<Authorizer>.Identity must be a dict (LambdaTokenAuthorizationIdentity, LambdaRequestAuthorizationIdentity or CognitoAuthorizationIdentity).',
    );
  }
  const settings: JsonObject = isMap(identity) ? identity : {};
  const header = member(settings, 'Header');
  const written = isCognito ? cognito(pool as Json) : lambda(config, settings, partition, isRequest);
  if (isRequest) {
    const source = identitySource(apiId, name, settings);
    if (source !== '') written.set(own('identitySource'), source);
  } else {
    const expression = member(settings, 'ValidationExpression');
    if (expression !== undefined && isTruthy(expression)) {
      written.set(own('identityValidationExpression'), fromTemplate(expression));
    }
  }
  return ownMap({
    type: own('apiKey'),
    name: isRequest
      ? own('Unused')
      : header !== undefined && isTruthy(header)
        ? fromTemplate(header)
        : own('Authorization'),
    in: own('header'),
    'x-amazon-apigateway-authtype': own(isCognito ? 'cognito_user_pools' : 'custom'),
    [AUTHORIZER]: written,
  });
}

function cognito(pool: Json): PythonMap {
  return ownMap({
    type: own('cognito_user_pools'),
    providerARNs: fromTemplate(Array.isArray(pool) ? pool : [pool]),
  });
}

function lambda(config: JsonObject, settings: JsonObject, partition: string, isRequest: boolean): PythonMap {
  const written = ownMap({
    type: own(isRequest ? 'request' : 'token'),
    authorizerUri: authorizerUri(partition, member(config, 'FunctionArn')),
  });
  const ttl = member(settings, 'ReauthorizeEvery') ?? null;
  if (ttl !== null) written.set(own('authorizerResultTtlInSeconds'), fromTemplate(ttl));
  const role = member(config, 'FunctionInvokeRole');
  if (role !== undefined && isTruthy(role) && role !== 'NONE') {
    written.set(own('authorizerCredentials'), fromTemplate(role));
  }
  return written;
}

/** Where API Gateway calls the function of an authorizer. */
export function authorizerUri(partition: string, functionArn: Json | undefined): PythonValue {
  const uri = own(functionInvocationArn(partition, '__FunctionArn__'));
  return plainMap({ 'Fn::Sub': [uri, plainMap({ __FunctionArn__: fromTemplate(functionArn ?? null) })] });
}

/** What identifies a request, as API Gateway writes it. */
function identitySource(apiId: string, name: string, identity: JsonObject): string {
  return SOURCES.flatMap(([property, prefix]) => {
    const values = member(identity, property);
    if (!isTruthy(values)) return [];
    const path = `Auth.Authorizers.${name}.Identity.${property}`;
    return expectList(values, { resource: apiId, path }).map(
      (value, at) => prefix + expectString(value, { resource: apiId, path: `${path}[${at}]` }),
    );
  }).join(', ');
}
