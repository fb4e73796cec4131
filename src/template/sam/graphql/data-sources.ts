/** DataSources of a GraphQL API: tables and functions, each with a role that may use them. */
import { renderArn } from '../../../protocol/arn.ts';
import type { Json, JsonObject } from '../../tree.ts';
import { connect } from '../connectors/connector.ts';
import { getAtt, ref, sub } from '../intrinsics.ts';
import { isTruthy } from '../python.ts';
import { arnOf, type CfnResource, cfnResource, refOf } from '../resources.ts';
import { assumeRolePolicy } from '../roles.ts';
import type { GraphqlApi } from './graphql-parts.ts';

export interface DataSources {
  readonly resources: readonly CfnResource[];
  /** The names by their keys in the template. */
  readonly names: Map<string, Json>;
}

export function dataSources(api: GraphqlApi, given: JsonObject): DataSources {
  const names = new Map<string, Json>();
  const resources: CfnResource[] = [];
  const add = (key: string, source: JsonObject, kind: SourceKind): void => {
    const made = cfnResource('AWS::AppSync::DataSource', `${api.logicalId}${key}${kind.suffix}`, api.attributes, {
      Name: isTruthy(source.Name) ? source.Name : key,
      Type: kind.type,
      ApiId: api.apiId,
      Description: source.Description,
      ...kind.config(source),
    });
    made.dependsOn = api.dependsOn;
    const role = isTruthy(source.ServiceRoleArn) ? [] : roleOf(api, made, source, kind);
    made.properties.ServiceRoleArn = role[0] === undefined ? source.ServiceRoleArn : arnOf(role[0]);
    names.set(key, getAtt(made.logicalId, 'Name'));
    resources.push(made, ...role);
  };
  for (const [key, source] of Object.entries((given.DynamoDb ?? {}) as Record<string, JsonObject>)) {
    add(key, source, DYNAMODB);
  }
  for (const [key, source] of Object.entries((given.Lambda ?? {}) as Record<string, JsonObject>)) {
    add(key, source, LAMBDA);
  }
  return { resources, names };
}

interface SourceKind {
  readonly type: string;
  readonly suffix: string;
  readonly config: (source: JsonObject) => JsonObject;
  readonly connector: string;
  readonly destinationType: string;
  readonly destination: (source: JsonObject) => Json;
  readonly permissions: (source: JsonObject) => Json;
}

const DYNAMODB: SourceKind = {
  type: 'AMAZON_DYNAMODB',
  suffix: 'DynamoDBDataSource',
  config: (source) => ({ DynamoDBConfig: tableConfig(source) }),
  connector: 'ToTableConnector',
  destinationType: 'AWS::DynamoDB::Table',
  destination: (source) => (isTruthy(source.TableArn) ? (source.TableArn as Json) : tableArn(source)),
  permissions: (source) => (isTruthy(source.Permissions) ? (source.Permissions as Json) : ['Read', 'Write']),
};

const LAMBDA: SourceKind = {
  type: 'AWS_LAMBDA',
  suffix: 'LambdaDataSource',
  config: (source) => ({ LambdaConfig: { LambdaFunctionArn: source.FunctionArn as Json } }),
  connector: 'ToLambdaConnector',
  destinationType: 'AWS::Lambda::Function',
  destination: (source) => source.FunctionArn as Json,
  permissions: () => ['Write'],
};

const regionOf = (source: JsonObject): Json => (isTruthy(source.Region) ? (source.Region as Json) : ref('AWS::Region'));

function tableConfig(source: JsonObject): JsonObject {
  return {
    AwsRegion: regionOf(source),
    TableName: source.TableName as Json,
    ...(isTruthy(source.UseCallerCredentials) ? { UseCallerCredentials: source.UseCallerCredentials as Json } : {}),
    ...(isTruthy(source.Versioned) ? { Versioned: source.Versioned as Json } : {}),
    ...(isTruthy(source.DeltaSync) ? { DeltaSyncConfig: source.DeltaSync as Json } : {}),
  };
}

function tableArn(source: JsonObject): JsonObject {
  const arn = renderArn({
    partition: '${AWS::Partition}',
    service: 'dynamodb',
    region: '${__Region__}',
    account: '${AWS::AccountId}',
    resource: 'table/${__TableName__}',
  });
  return sub(arn, { __TableName__: source.TableName as Json, __Region__: regionOf(source) });
}

/** The role of the source, and what lets it use the table or the function. */
function roleOf(api: GraphqlApi, made: CfnResource, source: JsonObject, kind: SourceKind): CfnResource[] {
  const role = cfnResource('AWS::IAM::Role', `${made.logicalId}Role`, api.attributes, {
    AssumeRolePolicyDocument: assumeRolePolicy('appsync'),
  });
  role.dependsOn = api.dependsOn;
  const connector = {
    logicalId: `${made.logicalId}${kind.connector}`,
    type: 'AWS::Serverless::Connector',
    properties: {
      Source: {
        Type: 'AWS::AppSync::DataSource',
        Arn: getAtt(made.logicalId, 'DataSourceArn'),
        RoleName: refOf(role),
      },
      Destination: { Type: kind.destinationType, Arn: kind.destination(source) },
      Permissions: kind.permissions(source),
    },
    dependsOn: undefined,
    attributes: {},
    passedAttributes: {},
  };
  return [role, ...connect(connector, api.context)];
}
