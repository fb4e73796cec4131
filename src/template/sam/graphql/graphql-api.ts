/**
 * AWS::Serverless::GraphQLApi: an API of AppSync with its schema, keys, sources, functions and resolvers.
 * https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-graphqlapi.html
 */
import { renderArn } from '../../../protocol/arn.ts';
import type { Json, JsonObject } from '../../tree.ts';
import { BOOLEAN, expectPresent, isMap, MAP, oneOf, PASSED, requiredStrict, STRING, strict } from '../checks.ts';
import { connect } from '../connectors/connector.ts';
import type { ResourceKind, SamContext, Translation } from '../context.ts';
import { InvalidResource } from '../errors.ts';
import { getAtt, ref, sub } from '../intrinsics.ts';
import type { Problem } from '../models.ts';
import { isTruthy } from '../python.ts';
import { arnOf, type CfnResource, refOf, type SamResource, tagList } from '../resources.ts';
import { assumeRolePolicy } from '../roles.ts';
import { dataSources } from './data-sources.ts';
import { type GraphqlApi, partOf } from './graphql-parts.ts';
import { GRAPHQL_MODEL } from './model.ts';
import { functionConfigurations, resolvers } from './resolvers.ts';

export const GRAPHQL_API: ResourceKind = {
  type: 'AWS::Serverless::GraphQLApi',
  allowsOthers: true,
  properties: {
    Name: PASSED,
    Tags: strict(MAP),
    XrayEnabled: PASSED,
    Auth: requiredStrict(MAP),
    SchemaInline: strict(STRING),
    SchemaUri: strict(STRING),
    Logging: strict(oneOf(MAP, BOOLEAN)),
    DataSources: strict(MAP),
    Functions: strict(MAP),
    Resolvers: strict(MAP),
    ApiKeys: strict(MAP),
    DomainName: strict(MAP),
    Cache: strict(MAP),
    Visibility: PASSED,
    OwnerContact: PASSED,
    IntrospectionConfig: PASSED,
    QueryDepthLimit: PASSED,
    ResolverCountLimit: PASSED,
  },
  translate,
};

function translate(resource: SamResource, context: SamContext): Translation {
  const { logicalId, dependsOn, attributes } = resource;
  const problems: Problem[] = [];
  const model = GRAPHQL_MODEL(known(resource.properties), [], problems) as JsonObject;
  const [problem] = problems;
  if (problem !== undefined) throw new InvalidResource(logicalId, `Property '${problem.path.join('.')}' is invalid.`);
  const api: GraphqlApi = { logicalId, dependsOn, attributes, apiId: getAtt(logicalId, 'ApiId'), context };
  const { main, connectors, role } = apiResources(api, model);
  const resources: CfnResource[] = [main, schema(api, model), ...connectors, ...(role === undefined ? [] : [role])];
  for (const [key, each] of membersOf(model.ApiKeys)) resources.push(apiKey(api, key, each));
  if (isMap(model.Cache))
    resources.push(partOf(api, 'AWS::AppSync::ApiCache', 'ApiCache', { ApiId: api.apiId, ...model.Cache }));
  const sources = dataSources(api, isMap(model.DataSources) ? model.DataSources : {});
  resources.push(...sources.resources);
  if (isMap(model.DomainName)) resources.push(...domainName(api, model.DomainName));
  const functions = functionConfigurations(api, Object.fromEntries(membersOf(model.Functions)), sources.names);
  resources.push(...functions.resources);
  const byType = (model.Resolvers ?? {}) as Record<string, Record<string, JsonObject>>;
  resources.push(...resolvers(api, byType, functions.ids));
  if (functions.noneSource !== undefined) resources.push(functions.noneSource);
  return { resources };
}

function known(properties: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => Object.hasOwn(GRAPHQL_API.properties, name)));
}

function membersOf(map: Json | undefined): [string, JsonObject][] {
  return isMap(map) ? (Object.entries(map) as [string, JsonObject][]) : [];
}

interface ApiResources {
  readonly main: CfnResource;
  /** The permissions of authorizers. */
  readonly connectors: readonly CfnResource[];
  readonly role: CfnResource | undefined;
}

function apiResources(api: GraphqlApi, model: JsonObject): ApiResources {
  const copied = (name: string): Json | undefined => (isTruthy(model[name]) ? model[name] : undefined);
  const main = partOf(api, 'AWS::AppSync::GraphQLApi', '', {
    Name: copied('Name') ?? api.logicalId,
    Visibility: copied('Visibility'),
    OwnerContact: copied('OwnerContact'),
    XrayEnabled: model.XrayEnabled,
    IntrospectionConfig: copied('IntrospectionConfig'),
    QueryDepthLimit: copied('QueryDepthLimit'),
    ResolverCountLimit: copied('ResolverCountLimit'),
  });
  const functions = setAuthorizers(api.logicalId, main, model.Auth as JsonObject);
  main.properties.Tags = tagList({ ...((model.Tags ?? {}) as JsonObject), 'graphqlapi:createdBy': 'SAM' });
  const role = setLogging(api, main, model.Logging);
  return { main, connectors: functions.flatMap((arn, index) => authorizerPermission(api, arn, index + 1)), role };
}

/** Sets the authorizers, and gives the ARNs of their functions. */
function setAuthorizers(logicalId: string, main: CfnResource, auth: JsonObject): Json[] {
  const { Additional, ...own } = auth;
  const functions: Json[] = [];
  const note = (config: JsonObject): void => {
    if (isMap(config.LambdaAuthorizerConfig)) functions.push(config.LambdaAuthorizerConfig.AuthorizerUri as Json);
  };
  const config = authorizerConfig(logicalId, own, undefined);
  main.properties.AuthenticationType = auth.Type;
  Object.assign(main.properties, config);
  note(config);
  const others = (Array.isArray(Additional) ? (Additional as JsonObject[]) : []).map((each, index) => {
    const additional = authorizerConfig(logicalId, each, index);
    note(additional);
    return { AuthenticationType: each.Type as Json, ...additional };
  });
  if (others.length > 0) main.properties.AdditionalAuthenticationProviders = others;
  return functions;
}

const AUTHORIZERS: Readonly<Record<string, readonly [given: string, made: string]>> = {
  AWS_LAMBDA: ['LambdaAuthorizer', 'LambdaAuthorizerConfig'],
  OPENID_CONNECT: ['OpenIDConnect', 'OpenIDConnectConfig'],
  AMAZON_COGNITO_USER_POOLS: ['UserPool', 'UserPoolConfig'],
};

/** @param index of an additional authorizer */
function authorizerConfig(logicalId: string, auth: JsonObject, index: number | undefined): JsonObject {
  if (Object.keys(auth).length > 2) {
    // The first additional one is named like the main one, as in AWS's translator
    const place = index ? `'Auth.Additional.${index}'` : "'Auth'";
    throw new InvalidResource(logicalId, `${place} has more than one authentication configuration defined.`);
  }
  const type = auth.Type as string;
  const names = AUTHORIZERS[type];
  if (names === undefined) return {};
  const [given, made] = names;
  const message = `'${given}' must be defined if type is '${type}'.`;
  const config = expectPresent(auth[given], { resource: logicalId, path: given }, message) as JsonObject;
  if (index === undefined || type !== 'AMAZON_COGNITO_USER_POOLS') return { [made]: config };
  const { DefaultAction: _, ...rest } = config;
  return { [made]: rest };
}

function authorizerPermission(api: GraphqlApi, arn: Json, number: number): CfnResource[] {
  return connect(
    {
      logicalId: `${api.logicalId}ToLambdaAuthConnector${number}`,
      type: 'AWS::Serverless::Connector',
      properties: {
        Source: { Type: 'AWS::AppSync::GraphQLApi', Arn: ref(api.logicalId), ResourceId: api.apiId },
        Destination: { Type: 'AWS::Lambda::Function', Arn: arn },
        Permissions: ['Write'],
      },
      dependsOn: undefined,
      attributes: {},
      passedAttributes: {},
    },
    api.context,
  );
}

/** Sets LogConfig, unless logging is off; gives the role that is made for it. */
function setLogging(api: GraphqlApi, main: CfnResource, logging: Json | undefined): CfnResource | undefined {
  if (logging === false) return undefined;
  const given = isMap(logging) ? logging : {};
  const config: JsonObject = {
    ...(isTruthy(given.ExcludeVerboseContent) ? { ExcludeVerboseContent: given.ExcludeVerboseContent as Json } : {}),
    FieldLogLevel: isTruthy(given.FieldLogLevel) ? (given.FieldLogLevel as Json) : 'ALL',
  };
  main.properties.LogConfig = config;
  if (isTruthy(given.CloudWatchLogsRoleArn)) {
    config.CloudWatchLogsRoleArn = given.CloudWatchLogsRoleArn as Json;
    return undefined;
  }
  const arn = renderArn({
    partition: '${AWS::Partition}',
    service: 'iam',
    region: '',
    account: 'aws',
    resource: 'policy/service-role/AWSAppSyncPushToCloudWatchLogs',
  });
  const role = partOf(api, 'AWS::IAM::Role', 'CloudWatchRole', {
    AssumeRolePolicyDocument: assumeRolePolicy('appsync'),
    ManagedPolicyArns: [sub(arn)],
  });
  config.CloudWatchLogsRoleArn = arnOf(role);
  return role;
}

function schema(api: GraphqlApi, { SchemaInline, SchemaUri }: JsonObject): CfnResource {
  if (!isTruthy(SchemaInline) && !isTruthy(SchemaUri)) {
    throw new InvalidResource(api.logicalId, "One of 'SchemaInline' or 'SchemaUri' must be set.");
  }
  if (isTruthy(SchemaInline) && isTruthy(SchemaUri)) {
    throw new InvalidResource(api.logicalId, "Both 'SchemaInline' and 'SchemaUri' cannot be defined at the same time.");
  }
  const properties = { ApiId: api.apiId, Definition: SchemaInline, DefinitionS3Location: SchemaUri };
  return partOf(api, 'AWS::AppSync::GraphQLSchema', 'Schema', properties);
}

function apiKey(api: GraphqlApi, key: string, { ApiKeyId, Description, ExpiresOn }: JsonObject): CfnResource {
  const properties = { ApiId: api.apiId, ApiKeyId, Description, Expires: ExpiresOn };
  return partOf(api, 'AWS::AppSync::ApiKey', key, properties);
}

function domainName(api: GraphqlApi, domain: JsonObject): CfnResource[] {
  const made = partOf(api, 'AWS::AppSync::DomainName', 'DomainName', domain);
  const association = { ApiId: api.apiId, DomainName: refOf(made) };
  return [made, partOf(api, 'AWS::AppSync::DomainNameApiAssociation', 'DomainNameApiAssociation', association)];
}
