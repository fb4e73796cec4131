import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../tree.ts';
import { transformSam } from './transform.ts';

function made(type: string, properties: JsonObject, options: JsonObject = {}): Record<string, JsonObject> {
  const Resources = { Thing: { Type: `AWS::Serverless::${type}`, Properties: properties } };
  return transformSam({ Resources }, { region: 'eu-west-1', parameters: {}, ...options }).Resources as Record<
    string,
    JsonObject
  >;
}

describe('SimpleTable', () => {
  it('has the key id, and is paid per request', () => {
    expect(made('SimpleTable', {}).Thing).toEqual({
      Type: 'AWS::DynamoDB::Table',
      Properties: {
        AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
        KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
        BillingMode: 'PAY_PER_REQUEST',
      },
    });
  });

  it('refuses a key of an unknown type', () => {
    expect(() => made('SimpleTable', { PrimaryKey: { Name: 'a', Type: 'Date' } })).toThrow(`Invalid 'Type' "Date".`);
  });
});

describe('LayerVersion', () => {
  it('is kept, unless its policy says otherwise', () => {
    const policyOf = (properties: JsonObject): unknown =>
      Object.values(made('LayerVersion', { ContentUri: 's3://a/b', ...properties }))[0]?.DeletionPolicy;
    expect(policyOf({})).toBe('Retain');
    expect(policyOf({ RetentionPolicy: 'delete' })).toBe('Delete');
    expect(() => policyOf({ RetentionPolicy: 'Sometimes' })).toThrow(
      "'RetentionPolicy' must be one of the following options: ['Retain', 'Delete'].",
    );
  });

  it('gets a new logical id with new content', () => {
    const idOf = (ContentUri: string): string | undefined => Object.keys(made('LayerVersion', { ContentUri }))[0];
    expect(idOf('s3://a/b')).toBe(idOf('s3://a/b'));
    expect(idOf('s3://a/b')).not.toBe(idOf('s3://a/c'));
  });
});

describe('Application', () => {
  it('is a nested stack', () => {
    expect(made('Application', { Location: 'https://s3.amazonaws.com/a/b', Parameters: { A: '1' } }).Thing).toEqual({
      Type: 'AWS::CloudFormation::Stack',
      Properties: {
        TemplateURL: 'https://s3.amazonaws.com/a/b',
        Parameters: { A: '1' },
        Tags: [{ Key: 'lambda:createdBy', Value: 'SAM' }],
      },
    });
  });

  it('of the repository is refused, unless the caller finds its template', () => {
    const Location = { ApplicationId: 'arn:aws:serverlessrepo:a:b:applications/c', SemanticVersion: '1.0.0' };
    expect(() => made('Application', { Location })).toThrow(
      'Serverless Application Repository is not available in this region.',
    );
    const serverlessApplication = (id: string, version: string): string => `https://found/${id.slice(-1)}/${version}`;
    const found = made('Application', { Location }, { serverlessApplication } as unknown as JsonObject);
    expect(found.Thing?.Properties).toMatchObject({ TemplateURL: 'https://found/c/1.0.0' });
  });
});

describe('CapacityProvider', () => {
  it('has a role that operates it', () => {
    const resources = made('CapacityProvider', {
      VpcConfig: { SubnetIds: ['subnet-1'] },
      ScalingConfig: { MaxVCpuCount: '8' },
    });
    expect(resources.Thing?.Properties).toEqual({
      VpcConfig: { SubnetIds: ['subnet-1'] },
      PermissionsConfig: { CapacityProviderOperatorRoleArn: { 'Fn::GetAtt': ['ThingOperatorRole', 'Arn'] } },
      CapacityProviderScalingConfig: { MaxVCpuCount: 8, ScalingMode: 'Auto' },
      Tags: [{ Key: 'lambda:createdBy', Value: 'SAM' }],
    });
  });

  it('reports all that is wrong with its properties', () => {
    const properties = { VpcConfig: { Subnets: [] }, ScalingConfig: { MaxVCpuCount: 'many' } };
    expect(() => made('CapacityProvider', properties)).toThrow(
      "Property 'VpcConfig.SubnetIds' is required. Property 'VpcConfig.Subnets' is an invalid property. Property 'ScalingConfig.MaxVCpuCount' value must be dictionary or integer.",
    );
  });
});

describe('GraphQLApi', () => {
  const api = { Auth: { Type: 'API_KEY' }, SchemaInline: 'type Query { a: String }', Logging: false };

  it('has its schema, keys, and resolvers of functions', () => {
    const resources = made('GraphQLApi', {
      ...api,
      ApiKeys: { Key: { Description: 'k' } },
      DataSources: { DynamoDb: { Posts: { TableName: { Ref: 'Table' } } } },
      Functions: { Get: { DataSource: 'Posts', InlineCode: 'c', Runtime: { Name: 'APPSYNC_JS', Version: '1.0.0' } } },
      Resolvers: { Query: { a: { Pipeline: ['Get'] } } },
    });
    expect(Object.keys(resources).sort()).toEqual([
      'Thing',
      'ThingGet',
      'ThingKey',
      'ThingPostsDynamoDBDataSource',
      'ThingPostsDynamoDBDataSourceRole',
      'ThingPostsDynamoDBDataSourceToTableConnectorPolicy',
      'ThingQuerya',
      'ThingSchema',
    ]);
    expect(resources.ThingQuerya?.Properties).toMatchObject({
      FieldName: 'a',
      Kind: 'PIPELINE',
      PipelineConfig: { Functions: [{ 'Fn::GetAtt': ['ThingGet', 'FunctionId'] }] },
    });
  });

  it('names the first property that does not fit', () => {
    expect(() => made('GraphQLApi', { ...api, Auth: { Type: 'PASSWORD' } })).toThrow(
      "Property 'Auth.Type' is invalid.",
    );
    expect(() => made('GraphQLApi', { ...api, Resolvers: { Query: { a: { Pipeline: ['Nobody'] } } } })).toThrow(
      "Function 'Nobody' does not exist.",
    );
  });
});
