/** `AWS::Serverless::WebSocketApi`: the API with its routes, their integrations and permissions, an authorizer and a stage. */
import type { Json, JsonObject } from '../../tree.ts';
import { BOOLEAN, expectMap, MAP, member, oneOf, optional, type PropertyTable, required, STRING } from '../checks.ts';
import type { ResourceKind, SamContext, Translation } from '../context.ts';
import { InvalidResource } from '../errors.ts';
import { isIntrinsic, ref, sub } from '../intrinsics.ts';
import { isTruthy, pythonStr } from '../python.ts';
import { type CfnResource, cfnResource, propagateTags, type SamResource } from '../resources.ts';
import { domainOf, httpDomain } from './http-domain.ts';
import { authorizerPermission } from './rest-api.ts';
import { executeApiArn, functionInvocationArn, PARTITION } from './template-arns.ts';

const PROPERTIES: PropertyTable = {
  ApiKeySelectionExpression: optional(STRING),
  AccessLogSettings: optional(MAP),
  Auth: optional(MAP),
  DefaultRouteSettings: optional(MAP),
  Description: optional(STRING),
  DisableExecuteApiEndpoint: optional(BOOLEAN),
  Domain: optional(MAP),
  DisableSchemaValidation: optional(BOOLEAN),
  FailOnWarnings: optional(BOOLEAN),
  IpAddressType: optional(STRING),
  Name: optional(STRING),
  PropagateTags: optional(BOOLEAN),
  Routes: required(MAP),
  RouteSettings: optional(MAP),
  RouteSelectionExpression: required(STRING),
  StageName: optional(oneOf(STRING, MAP)),
  StageVariables: optional(MAP),
  Tags: optional(MAP),
};

const TAG = 'websocketapi:createdBy';
const DEFAULT_STAGE = 'default';

interface WebSocketApi {
  readonly resource: SamResource;
  readonly logicalId: string;
  readonly properties: JsonObject;
  readonly stageName: Json;
  readonly auth: JsonObject | undefined;
}

export const WEB_SOCKET_API: ResourceKind = {
  type: 'AWS::Serverless::WebSocketApi',
  properties: PROPERTIES,
  references: { Stage: 'AWS::ApiGatewayV2::Stage', DomainName: 'AWS::ApiGatewayV2::DomainName' },
  translate,
};

function translate(resource: SamResource, context: SamContext): Translation {
  const { logicalId } = resource;
  const properties: JsonObject = { ...resource.properties };
  for (const name of ['Auth', 'Domain', 'Routes']) {
    const resolved = context.resolveParameters(member(properties, name));
    if (resolved !== undefined) properties[name] = resolved;
  }
  if (!isTruthy(properties.Routes)) {
    throw new InvalidResource(logicalId, 'WebSocket API must have at least one route.');
  }
  const domain = domainOf(logicalId, member(properties, 'Domain'));
  checkProperties(logicalId, properties, domain);
  const auth = isTruthy(properties.Auth) ? (properties.Auth as JsonObject) : undefined;
  const stageName = properties.StageName ?? DEFAULT_STAGE;
  const api: WebSocketApi = { resource, logicalId, properties, stageName, auth };
  const routes = expectMap(properties.Routes, { resource: logicalId, path: 'Routes' });
  if (auth !== undefined && !Object.hasOwn(routes, '$connect')) {
    throw new InvalidResource(logicalId, 'Authorization is only available if there is a $connect route.');
  }
  const main = webSocketApi(api);
  // AWS's translator shares no record sets between WebSocket APIs: the last one in a hosted zone has its records.
  const domains = domain === undefined ? [] : httpDomain(resource, domain, TAG, new Map());
  const stage = stageOf(api);
  const routed = context.keysOf(routes).map((key) => routeResources(api, key, routes[key] as Json));
  if (isTruthy(properties.RouteSettings)) stage.dependsOn = routed.map(({ routeId }) => routeId);
  const resources = [
    main,
    ...routed.flatMap((each) => each.resources),
    ...domains,
    stage,
    ...routed.flatMap(({ authorizer }) => (authorizer === undefined ? [] : authorizerResources(api, authorizer))),
  ];
  propagateTags(resources, taggedOf(api), isTruthy(properties.PropagateTags));
  if (isTruthy(properties.PropagateTags) && isTruthy(properties.Tags)) main.properties.Tags = taggedOf(api);
  return { resources };
}

function checkProperties(logicalId: string, properties: JsonObject, domain: JsonObject | undefined): void {
  const addressType = properties.IpAddressType ?? null;
  if (addressType !== null && !isIntrinsic(addressType) && addressType !== 'ipv4' && addressType !== 'dualstack') {
    throw new InvalidResource(logicalId, "IpAddressType must be 'ipv4' or 'dualstack'.");
  }
  if (domain !== undefined && isTruthy(domain.MutualTlsAuthentication)) {
    const problem = 'Mutual TLS domain name association is not supported for Websocket APIs.';
    throw new InvalidResource(logicalId, problem);
  }
}

/** The tags of the template, with SAM's own. */
const taggedOf = ({ properties }: WebSocketApi): Json | undefined =>
  isTruthy(properties.Tags) ? { ...(properties.Tags as JsonObject), [TAG]: 'SAM' } : undefined;

function webSocketApi(api: WebSocketApi): CfnResource {
  const { logicalId, properties, resource } = api;
  const made = cfnResource(
    'AWS::ApiGatewayV2::Api',
    logicalId,
    {},
    {
      ApiKeySelectionExpression: member(properties, 'ApiKeySelectionExpression'),
      Description: member(properties, 'Description'),
      DisableExecuteApiEndpoint: member(properties, 'DisableExecuteApiEndpoint'),
      DisableSchemaValidation: member(properties, 'DisableSchemaValidation'),
      IpAddressType: member(properties, 'IpAddressType'),
      Name: properties.Name ?? logicalId,
      ProtocolType: 'WEBSOCKET',
      RouteSelectionExpression: member(properties, 'RouteSelectionExpression'),
      Tags: taggedOf(api) ?? { [TAG]: 'SAM' },
    },
  );
  made.dependsOn = resource.dependsOn;
  return made;
}

function stageOf({ logicalId, properties, stageName }: WebSocketApi): CfnResource {
  if (stageName === '$default') {
    throw new InvalidResource(logicalId, 'Stages cannot be named $default for WebSocket APIs.');
  }
  const name = typeof stageName === 'string' ? stageName : '';
  const stageId = `${logicalId}${name === DEFAULT_STAGE ? 'Default' : name}Stage`;
  return cfnResource(
    'AWS::ApiGatewayV2::Stage',
    stageId,
    {},
    {
      ApiId: ref(logicalId),
      StageName: stageName,
      StageVariables: member(properties, 'StageVariables'),
      AccessLogSettings: member(properties, 'AccessLogSettings'),
      DefaultRouteSettings: member(properties, 'DefaultRouteSettings'),
      RouteSettings: member(properties, 'RouteSettings'),
      Tags: { [TAG]: 'SAM' },
      AutoDeploy: true,
    },
  );
}

interface RouteResources {
  readonly routeId: string;
  readonly resources: readonly CfnResource[];
  readonly authorizer: CfnResource | undefined;
}

function routeResources(api: WebSocketApi, key: string, given: Json): RouteResources {
  const { logicalId } = api;
  const base = `${logicalId}${routeName(logicalId, key)}`;
  const route = expectMap(given, { resource: logicalId, path: `Routes.${key}` });
  const made = cfnResource(
    'AWS::ApiGatewayV2::Route',
    `${base}Route`,
    {},
    {
      ApiId: ref(logicalId),
      ApiKeyRequired: member(route, 'ApiKeyRequired'),
      ModelSelectionExpression: member(route, 'ModelSelectionExpression'),
      OperationName: member(route, 'OperationName'),
      RequestModels: member(route, 'RequestModels'),
      RouteKey: key,
      RouteResponseSelectionExpression: member(route, 'RouteResponseSelectionExpression'),
      Target: { 'Fn::Join': ['/', ['integrations', ref(`${base}Integration`)]] },
    },
  );
  if (isTruthy(route.RequestParameters)) {
    if (key !== '$connect') {
      const problem = 'Request parameters are only supported for the $connect route in WebSocket APIs.';
      throw new InvalidResource(logicalId, problem);
    }
    made.properties.RequestParameters = route.RequestParameters;
  }
  const authorizer = authorize(api, key, made);
  if (!('FunctionArn' in route)) throw new InvalidResource(logicalId, 'Route must have associated function.');
  const functionArn = route.FunctionArn as Json;
  const integration = cfnResource(
    'AWS::ApiGatewayV2::Integration',
    `${base}Integration`,
    {},
    {
      ApiId: ref(logicalId),
      IntegrationType: 'AWS_PROXY',
      IntegrationUri: invocationUri('FunctionArn', functionArn),
      TimeoutInMillis: member(route, 'IntegrationTimeout'),
    },
  );
  const permission = cfnResource(
    'AWS::Lambda::Permission',
    `${base}Permission`,
    {},
    {
      Action: 'lambda:InvokeFunction',
      FunctionName: functionArn,
      Principal: 'apigateway.amazonaws.com',
      SourceArn: routeArn(api, key),
    },
  );
  return { routeId: made.logicalId, resources: [made, integration, permission], authorizer };
}

/** The part of logical ids that stands for a route. */
function routeName(logicalId: string, key: string): string {
  const name = ['$connect', '$disconnect', '$default'].includes(key) ? key.slice(1) : key;
  if (!/^[\p{L}\p{N}]+$/u.test(name)) {
    const problem = 'Only $connect, $disconnect, and $default special routes are supported.';
    throw new InvalidResource(logicalId, `Route key '${key}' must be alphanumeric. ${problem}`);
  }
  return name.charAt(0).toUpperCase() + name.slice(1).toLowerCase();
}

function invocationUri(variable: string, functionArn: Json): JsonObject {
  const uri = functionInvocationArn(PARTITION, variable);
  return sub(uri, { [variable]: functionArn });
}

function routeArn({ logicalId, stageName }: WebSocketApi, key: string): JsonObject {
  const isText = typeof stageName === 'string';
  const stage = isText ? stageName : `\${__StageName__}`;
  const arn = executeApiArn(PARTITION, `\${${logicalId}.ApiId}/${stage}/${key}`);
  return isText ? sub(arn) : sub(arn, { __StageName__: stageName });
}

/** Sets the authorization of the route; the authorizer if it is a function. */
function authorize(api: WebSocketApi, key: string, route: CfnResource): CfnResource | undefined {
  const { logicalId, auth } = api;
  if (auth === undefined) return undefined;
  const type = checkedAuthType(logicalId, auth);
  if (key !== '$connect') return undefined;
  route.properties.AuthorizationType = type;
  if (type !== 'CUSTOM') return undefined;
  const authorizerId = `${logicalId}ConnectAuthorizer`;
  route.properties.AuthorizerId = ref(authorizerId);
  return cfnResource(
    'AWS::ApiGatewayV2::Authorizer',
    authorizerId,
    {},
    {
      ApiId: ref(logicalId),
      AuthorizerCredentialsArn: member(auth, 'InvokeRole'),
      AuthorizerType: 'REQUEST',
      AuthorizerUri: invocationUri('AuthArn', auth.AuthArn as Json),
      IdentitySource: member(auth, 'IdentitySource'),
      Name: isTruthy(auth.Name) ? auth.Name : authorizerId,
    },
  );
}

function checkedAuthType(logicalId: string, auth: JsonObject): string {
  const fail = (problem: string): never => {
    throw new InvalidResource(logicalId, problem);
  };
  const given = member(auth, 'AuthType');
  if (!isTruthy(given)) return fail('AuthType must be specified for additional auth configurations.');
  const type = pythonStr(given).toUpperCase();
  if (!['NONE', 'AWS_IAM', 'CUSTOM'].includes(type)) fail('AuthType is not one of AWS_IAM, CUSTOM or NONE.');
  if (type === 'CUSTOM' && !isTruthy(auth.AuthArn)) fail('AuthArn must be specified if AuthType is CUSTOM.');
  if (type !== 'CUSTOM' && Object.keys(auth).length > 1) {
    fail(`No additional configurations supported for AuthType ${type}.`);
  }
  // As in AWS's translator, another spelling passes the checks and means NONE.
  return given === 'CUSTOM' || given === 'AWS_IAM' ? given : 'NONE';
}

function authorizerResources({ logicalId, auth }: WebSocketApi, authorizer: CfnResource): CfnResource[] {
  const isPermitted = auth?.AuthType === 'CUSTOM' && !isTruthy(auth.InvokeRole) && isTruthy(auth.AuthArn);
  if (!isPermitted) return [authorizer];
  const permission = authorizerPermission(
    `${logicalId}AuthorizerPermission`,
    {},
    auth.AuthArn as Json,
    PARTITION,
    ref(logicalId),
  );
  return [authorizer, permission];
}
