/** `AWS::Serverless::Api`: the REST API with its deployment and stage, and what `Auth` and `Domain` add. */
import type { Json, JsonObject } from '../../tree.ts';
import {
  BOOLEAN,
  INTEGER,
  isMap,
  LIST,
  MAP,
  member,
  oneOf,
  optional,
  type PropertyTable,
  required,
  STRING,
  strict,
} from '../checks.ts';
import type { ResourceKind, SamContext, Translation } from '../context.ts';
import { InvalidResource } from '../errors.ts';
import { ref, sub } from '../intrinsics.ts';
import { hashOf, isTruthy, pythonStr } from '../python.ts';
import { type CfnResource, cfnResource, propagateTags, type SamResource, tagList } from '../resources.ts';
import { parseS3Uri } from '../s3-location.ts';
import { type ApiState, MANAGED } from './api-state.ts';
import type { ApiBody } from './body-paths.ts';
import {
  fromTemplate,
  isPythonMap,
  isTrue,
  ownMap,
  type PythonValue,
  print,
  printJson,
  toTemplate,
} from './python27-values.ts';
import { type RestApi, restAuthorizers, writeExecuteApiEndpoint, writeOpenApi3, writeRestBody } from './rest-body.ts';
import { restDomain } from './rest-domain.ts';
import { executeApiArn } from './template-arns.ts';
import { usagePlan } from './usage-plan.ts';

const PROPERTIES: PropertyTable = {
  [MANAGED]: optional(BOOLEAN),
  Name: optional(oneOf(STRING, MAP)),
  StageName: required(oneOf(STRING, MAP)),
  Tags: optional(MAP),
  PropagateTags: optional(BOOLEAN),
  DefinitionBody: optional(MAP),
  DefinitionUri: optional(oneOf(STRING, MAP)),
  MergeDefinitions: strict(BOOLEAN),
  CacheClusterEnabled: optional(BOOLEAN),
  CacheClusterSize: optional(STRING),
  Variables: optional(MAP),
  EndpointConfiguration: optional(oneOf(STRING, MAP)),
  MethodSettings: optional(LIST),
  BinaryMediaTypes: optional(LIST),
  MinimumCompressionSize: optional(INTEGER),
  Cors: optional(oneOf(STRING, MAP)),
  Auth: optional(MAP),
  GatewayResponses: optional(MAP),
  AccessLogSetting: optional(MAP),
  CanarySetting: optional(MAP),
  TracingEnabled: optional(BOOLEAN),
  OpenApiVersion: optional(STRING),
  Models: optional(MAP),
  Domain: optional(MAP),
  FailOnWarnings: optional(BOOLEAN),
  Description: optional(STRING),
  Mode: optional(STRING),
  DisableExecuteApiEndpoint: optional(BOOLEAN),
  ApiKeySourceType: optional(STRING),
  AlwaysDeploy: strict(BOOLEAN),
  Policy: optional(oneOf(STRING, MAP)),
  SecurityPolicy: optional(STRING),
  EndpointAccessMode: optional(STRING),
};

export function restApiKind(state: ApiState): ResourceKind {
  return {
    type: 'AWS::Serverless::Api',
    properties: PROPERTIES,
    references: {
      Stage: 'AWS::ApiGateway::Stage',
      Deployment: 'AWS::ApiGateway::Deployment',
      DomainName: 'AWS::ApiGateway::DomainName',
      DomainNameV2: 'AWS::ApiGateway::DomainNameV2',
      UsagePlan: 'AWS::ApiGateway::UsagePlan',
      UsagePlanKey: 'AWS::ApiGateway::UsagePlanKey',
      ApiKey: 'AWS::ApiGateway::ApiKey',
    },
    translate: (resource, context) => translate(resource, context, state),
  };
}

function translate(resource: SamResource, context: SamContext, state: ApiState): Translation {
  const { logicalId } = resource;
  const properties: JsonObject = { ...resource.properties };
  for (const name of ['BinaryMediaTypes', 'Domain', 'Auth']) {
    const resolved = context.resolveParameters(member(properties, name));
    if (resolved !== undefined) properties[name] = resolved;
  }
  const body = state.bodyOf(logicalId, resource.properties);
  const stageName = state.stageName(logicalId, properties);
  const read = (value: Json): PythonValue => state.read(value);
  const api: RestApi = { logicalId, properties, body, stageName, read, context };
  const restApi = restApiResource(resource, api);
  const configured = properties.Domain ?? null;
  const hashedDomain = read(configured);
  const domain = configured === null ? undefined : restDomain(resource, configured, state.recordSetGroups);
  if (domain !== undefined) addMembers(hashedDomain, domain.domain);
  const { deployment, stage } = deploymentAndStage(resource, api, restApi.hashed, hashedDomain, state);
  const auth: JsonObject = isMap(properties.Auth) ? properties.Auth : {};
  const permissions = isTruthy(auth) ? authorizerPermissions(resource, api, auth) : [];
  const plan = usagePlan(
    {
      logicalId,
      stageId: stage.logicalId,
      passedAttributes: resource.passedAttributes,
      conditions: context.conditions,
    },
    member(auth, 'UsagePlan'),
    state.usagePlan,
  );
  const resources = [restApi.resource, deployment, stage, ...permissions, ...(domain?.resources ?? []), ...plan];
  if (domain?.accessAssociation !== undefined) resources.push(domain.accessAssociation);
  propagateTags(resources, properties.Tags, isTruthy(properties.PropagateTags));
  return { resources };
}

/** Partitions whose API Gateway has no edge-optimized endpoints, the default elsewhere. */
const isWithoutEdge = (partition: string): boolean =>
  partition.startsWith('aws-iso') || ['aws-us-gov', 'aws-cn', 'aws-eusc'].includes(partition);

function restApiResource(
  { attributes, dependsOn }: SamResource,
  api: RestApi,
): { resource: CfnResource; hashed: PythonValue | undefined } {
  const { logicalId, properties, context } = api;
  checkProperties(api);
  const resource = cfnResource('AWS::ApiGateway::RestApi', logicalId, attributes, {
    BinaryMediaTypes: member(properties, 'BinaryMediaTypes'),
    MinimumCompressionSize: member(properties, 'MinimumCompressionSize'),
  });
  resource.dependsOn = dependsOn;
  if (isTruthy(properties.EndpointConfiguration)) {
    Object.assign(resource.properties, endpoint(logicalId, properties.EndpointConfiguration as Json));
  } else if (isWithoutEdge(context.partition)) {
    Object.assign(resource.properties, endpoint(logicalId, 'REGIONAL'));
  }
  writeRestBody(api);
  writeExecuteApiEndpoint(api);
  const hashed = content(api);
  const isUri = isTruthy(properties.DefinitionUri);
  if (hashed !== undefined) resource.properties[isUri ? 'BodyS3Location' : 'Body'] = toTemplate(hashed);
  for (const name of PASSED_PROPERTIES) {
    if (isTruthy(member(properties, name))) resource.properties[name] = properties[name];
  }
  return { resource, hashed };
}

const PASSED_PROPERTIES = [
  'FailOnWarnings',
  'Name',
  'Description',
  'Mode',
  'ApiKeySourceType',
  'Policy',
  'SecurityPolicy',
  'EndpointAccessMode',
];

function checkProperties({ logicalId, properties, body }: RestApi): void {
  const fail = (problem: string): never => {
    throw new InvalidResource(logicalId, problem);
  };
  const isUri = isTruthy(properties.DefinitionUri);
  if (isUri && hasMembers(body)) fail("Specify either 'DefinitionUri' or 'DefinitionBody' property and not both.");
  if (isUri && isTruthy(properties.MergeDefinitions)) {
    fail("Cannot set 'MergeDefinitions' to True when using `DefinitionUri`.");
  }
  const version = member(properties, 'OpenApiVersion');
  if (isTruthy(version) && !/^[2-3]\.\d(\.\d)?\n?$/.test(pythonStr(version))) {
    fail("The OpenApiVersion value must be of the format '3.0.0'.");
  }
}

const hasMembers = (body: ApiBody | undefined): boolean => body !== undefined && body.doc.size > 0;

/** The body of the API, or where it is in S3. */
function content(api: RestApi): PythonValue | undefined {
  const { properties, body } = api;
  if (isTruthy(properties.DefinitionUri)) return bodyLocation(api.logicalId, properties.DefinitionUri as Json);
  if (body === undefined || !hasMembers(body)) return undefined;
  writeOpenApi3(api);
  return body.doc;
}

/** `DefinitionUri` as Bucket, Key and Version. @throws InvalidResource */
export function bodyLocation(logicalId: string, uri: Json): PythonValue {
  const location = isMap(uri) ? uri : parseS3Uri(uri);
  if (location === undefined) {
    const form = "of the form 's3://bucket/key' with optional versionId query parameter.";
    throw new InvalidResource(logicalId, `'DefinitionUri' is not a valid S3 Uri ${form}`);
  }
  const { Bucket, Key, Version } = location as JsonObject;
  if (Bucket === undefined || Key === undefined || !isTruthy(Bucket) || !isTruthy(Key)) {
    throw new InvalidResource(logicalId, "'DefinitionUri' requires Bucket and Key properties to be specified.");
  }
  const version = Version === undefined ? {} : { Version: fromTemplate(Version) };
  return ownMap({ Bucket: fromTemplate(Bucket), Key: fromTemplate(Key), ...version });
}

function endpoint(logicalId: string, value: Json): JsonObject {
  if (!isMap(value) || !isTruthy(value.Type)) {
    return { EndpointConfiguration: { Types: [value] }, Parameters: { endpointConfigurationTypes: value } };
  }
  const type = value.Type as Json;
  const configuration: JsonObject = { Types: [type] };
  const [sams, cloudFormations] = [member(value, 'VPCEndpointIds'), member(value, 'VpcEndpointIds')];
  if (sams !== undefined && cloudFormations !== undefined) {
    throw new InvalidResource(
      logicalId,
      "'VPCEndpointIds' and 'VpcEndpointIds' cannot be used together in EndpointConfiguration.",
    );
  }
  const endpoints = sams ?? cloudFormations;
  if (endpoints !== undefined) configuration.VpcEndpointIds = endpoints;
  const addressType = member(value, 'IpAddressType');
  if (addressType !== undefined) configuration.IpAddressType = addressType;
  return { EndpointConfiguration: configuration, Parameters: { endpointConfigurationTypes: type } };
}

function deploymentAndStage(
  { passedAttributes }: SamResource,
  { logicalId, properties }: RestApi,
  hashed: PythonValue | undefined,
  domain: PythonValue,
  state: ApiState,
): { deployment: CfnResource; stage: CfnResource } {
  const version = member(properties, 'OpenApiVersion');
  const text = isTrue(hashed) ? deploymentText(logicalId, properties, hashed, domain, state) : undefined;
  const deploymentId = `${logicalId}Deployment${hashOf(text)}`;
  const deployment = cfnResource('AWS::ApiGateway::Deployment', deploymentId, passedAttributes, {
    RestApiId: ref(logicalId),
    StageName: isTruthy(version) ? undefined : 'Stage',
    Description: text === undefined ? undefined : `RestApi deployment id: ${hashOf(text, 40)}`,
  });
  const name = properties.StageName as Json;
  const stage = cfnResource('AWS::ApiGateway::Stage', stageId(logicalId, name), passedAttributes, {
    RestApiId: ref(logicalId),
    DeploymentId: ref(deploymentId),
    StageName: name,
    ...Object.fromEntries(STAGE_PROPERTIES.map((property) => [property, member(properties, property)])),
    Tags: (properties.Tags ?? null) === null ? undefined : tagList(properties.Tags),
  });
  return { deployment, stage };
}

const STAGE_PROPERTIES = [
  'CacheClusterEnabled',
  'CacheClusterSize',
  'Variables',
  'MethodSettings',
  'AccessLogSetting',
  'CanarySetting',
  'TracingEnabled',
];

/** Adds what the translator has added to a map and to the maps in it. */
function addMembers(map: PythonValue | undefined, changed: JsonObject): void {
  if (!isPythonMap(map)) return;
  for (const [key, value] of Object.entries(changed)) {
    if (!map.has(key)) map.set(key, fromTemplate(value));
    else if (isMap(value)) addMembers(map.get(key), value);
    else if (map.get(key) === null) map.set(key, fromTemplate(value));
  }
}

/** A stage's name in its logical id: as it is, or hashed. An intrinsic function is left out. */
export function stageId(logicalId: string, stageName: Json): string {
  const name = typeof stageName === 'string' ? stageName : '';
  return /^[\p{L}\p{N}]+$/u.test(name) ? `${logicalId}${name}Stage` : `${logicalId}Stage${hashOf(name)}`;
}

/** What causes a new deployment: CloudFormation deploys again when the logical id changes. */
function deploymentText(
  logicalId: string,
  properties: JsonObject,
  hashed: PythonValue | undefined,
  domain: PythonValue,
  state: ApiState,
): string {
  if (isTruthy(properties.AlwaysDeploy)) return String(Math.floor(state.seconds()));
  const texts = [print(hashed)];
  if (isTruthy(properties.OpenApiVersion)) texts.push(pythonStr(properties.OpenApiVersion));
  if (isTrue(domain)) texts.push(printJson(domain));
  const functionNames = state.functionNames.get(logicalId);
  if (functionNames !== undefined && functionNames !== '') texts.push(functionNames);
  return texts.join('||');
}

function authorizerPermissions({ passedAttributes }: SamResource, api: RestApi, auth: JsonObject): CfnResource[] {
  return restAuthorizers(api, auth)
    .filter(({ permittedFunction }) => permittedFunction !== undefined)
    .map(({ name, permittedFunction }) =>
      authorizerPermission(
        `${api.logicalId}${name}AuthorizerPermission`,
        passedAttributes,
        permittedFunction as Json,
        api.context.partition,
        ref(api.logicalId),
      ),
    );
}

/** API Gateway may call the function of an authorizer. */
export function authorizerPermission(
  logicalId: string,
  passedAttributes: JsonObject,
  functionArn: Json,
  partition: string,
  apiId: Json,
): CfnResource {
  const sourceArn = executeApiArn(partition, `\${__ApiId__}/authorizers/*`);
  return cfnResource('AWS::Lambda::Permission', logicalId, passedAttributes, {
    Action: 'lambda:InvokeFunction',
    FunctionName: functionArn,
    Principal: 'apigateway.amazonaws.com',
    SourceArn: sub(sourceArn, { __ApiId__: apiId }),
  });
}
