import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../tree.ts';
import { transformSam } from '../transform.ts';

const CODE = { Runtime: 'provided.al2023', Handler: 'index.php', CodeUri: 's3://artifacts/shop.zip' };
const Shop = { Type: 'AWS::Serverless::Function', Properties: CODE };
const Jobs = { Type: 'AWS::SQS::Queue' };

function made(resources: JsonObject): Record<string, JsonObject> {
  return transformSam({ Resources: resources }, { region: 'eu-west-1', parameters: {} }).Resources as Record<
    string,
    JsonObject
  >;
}

const connector = (properties: JsonObject): JsonObject => ({
  Type: 'AWS::Serverless::Connector',
  Properties: properties,
});

describe('a connector', () => {
  it('lets the role of a function use a queue', () => {
    const Link = connector({ Source: { Id: 'Shop' }, Destination: { Id: 'Jobs' }, Permissions: ['Write'] });
    expect(made({ Shop, Jobs, Link }).LinkPolicy).toEqual({
      Type: 'AWS::IAM::ManagedPolicy',
      Metadata: {
        'aws:sam:connectors': {
          Link: { Source: { Type: 'AWS::Serverless::Function' }, Destination: { Type: 'AWS::SQS::Queue' } },
        },
      },
      Properties: {
        Roles: [{ Ref: 'ShopRole' }],
        PolicyDocument: {
          Version: '2012-10-17',
          Statement: [
            {
              Effect: 'Allow',
              Action: ['sqs:DeleteMessage', 'sqs:SendMessage', 'sqs:ChangeMessageVisibility', 'sqs:PurgeQueue'],
              Resource: [{ 'Fn::GetAtt': ['Jobs', 'Arn'] }],
            },
          ],
        },
      },
    });
  });

  it('stands inside its source too', () => {
    const source = {
      ...Shop,
      Connectors: { Link: { Properties: { Destination: { Id: 'Jobs' }, Permissions: ['Read'] } } },
    };
    const resources = made({ Shop: source, Jobs });
    expect(resources).toHaveProperty('ShopLinkPolicy');
    expect(resources.Shop).not.toHaveProperty('Connectors');
  });

  it('numbers what it makes for several destinations', () => {
    const Link = connector({
      Source: { Id: 'Shop' },
      Destination: [{ Id: 'Jobs' }, { Id: 'Jobs' }],
      Permissions: ['Read'],
    });
    expect(Object.keys(made({ Shop, Jobs, Link }))).toEqual(
      expect.arrayContaining(['LinkPolicyDestination0', 'LinkPolicyDestination1']),
    );
  });

  it('opens a function to a source by permission, and a queue by its policy', () => {
    const News = { Type: 'AWS::SNS::Topic' };
    const toFunction = connector({ Source: { Id: 'News' }, Destination: { Id: 'Shop' }, Permissions: ['Write'] });
    const toQueue = connector({ Source: { Id: 'News' }, Destination: { Id: 'Jobs' }, Permissions: ['Write'] });
    const resources = made({ Shop, Jobs, News, A: toFunction, B: toQueue });
    expect(resources.AWriteLambdaPermission?.Properties).toEqual({
      Action: 'lambda:InvokeFunction',
      FunctionName: { 'Fn::GetAtt': ['Shop', 'Arn'] },
      Principal: 'sns.amazonaws.com',
      SourceArn: { Ref: 'News' },
    });
    expect(resources.BQueuePolicy?.Properties).toMatchObject({ Queues: [{ Ref: 'Jobs' }] });
  });

  it('lets the mapping between queue and function, and what depends on the connector, wait for its policy', () => {
    const Events = { Job: { Type: 'SQS', Properties: { Queue: { 'Fn::GetAtt': ['Jobs', 'Arn'] } } } };
    const reader = { ...Shop, Properties: { ...CODE, Events } };
    const Link = connector({ Source: { Id: 'Jobs' }, Destination: { Id: 'Shop' }, Permissions: ['Read', 'Write'] });
    const After = { Type: 'AWS::SNS::Topic', DependsOn: 'Link' };
    const resources = made({ Shop: reader, Jobs, Link, After });
    expect(resources.ShopJob?.DependsOn).toEqual(['LinkPolicy']);
    expect(resources.After?.DependsOn).toEqual(['LinkPolicy']);
  });

  it.each<[JsonObject, string]>([
    [
      { Source: { Id: 'Jobs' }, Destination: { Id: 'Jobs' }, Permissions: ['Read'] },
      "Unable to create connector from AWS::SQS::Queue to AWS::SQS::Queue; it's not supported or the template is invalid.",
    ],
    [
      { Source: { Id: 'Jobs' }, Destination: { Id: 'Shop' }, Permissions: ['Read'] },
      "Unsupported 'Permissions' provided for connector from AWS::SQS::Queue to AWS::Lambda::Function; valid combinations are: Read + Write.",
    ],
    [
      { Source: { Id: 'Nobody' }, Destination: { Id: 'Jobs' }, Permissions: ['Read'] },
      "Unable to find resource with logical ID 'Nobody'.",
    ],
    [
      { Source: { Type: 'AWS::Lambda::Function' }, Destination: { Id: 'Jobs' }, Permissions: ['Read'] },
      "Unable to get IAM role name from 'Source' resource.",
    ],
    [
      { Source: { Id: 'Shop' }, Destination: { Type: 'AWS::SQS::Queue' }, Permissions: ['Read'] },
      'Destination.Arn is missing.',
    ],
    [{ Source: { Id: 'Shop' }, Destination: [], Permissions: ['Read'] }, "'Destination' is an empty list"],
  ])('is refused as %j', (properties, message) => {
    expect(() => made({ Shop, Jobs, Link: connector(properties) })).toThrow(message);
  });
});
