import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../tree.ts';
import { transformSam } from '../transform.ts';

const CODE = { Runtime: 'provided.al2023', Handler: 'index.php', CodeUri: 's3://artifacts/shop.zip' };

function made(properties: JsonObject, rest: JsonObject = {}): Record<string, JsonObject> {
  const Resources = { Shop: { Type: 'AWS::Serverless::Function', Properties: { ...CODE, ...properties } } };
  const output = transformSam({ Resources, ...rest }, { region: 'eu-west-1', parameters: {} });
  return output.Resources as Record<string, JsonObject>;
}

function propertiesOf(properties: JsonObject, id: string): JsonObject {
  return made(properties)[id]?.Properties as JsonObject;
}

const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex').slice(0, 10);

describe('the function itself', () => {
  it('has its code, and the tag of SAM before its own', () => {
    expect(propertiesOf({ CodeUri: 's3://b/k.zip?versionId=7', Tags: { team: 'web' } }, 'Shop')).toEqual({
      Runtime: 'provided.al2023',
      Handler: 'index.php',
      Code: { S3Bucket: 'b', S3Key: 'k.zip', S3ObjectVersion: '7' },
      Role: { 'Fn::GetAtt': ['ShopRole', 'Arn'] },
      Tags: [
        { Key: 'lambda:createdBy', Value: 'SAM' },
        { Key: 'team', Value: 'web' },
      ],
    });
  });

  it('takes inline code before CodeUri', () => {
    expect(propertiesOf({ InlineCode: 'exit' }, 'Shop').Code).toEqual({ ZipFile: 'exit' });
  });

  it('has an image without runtime and handler', () => {
    const image = { PackageType: 'Image', ImageUri: 'registry/shop:1', Runtime: null, Handler: null, CodeUri: null };
    expect(propertiesOf(image, 'Shop')).toMatchObject({ PackageType: 'Image', Code: { ImageUri: 'registry/shop:1' } });
    expect(() => made({ ...image, Handler: 'h' })).toThrow(
      'Runtime, Handler, Layers cannot be present when PackageType is of type `Image`',
    );
  });

  it.each<[string, JsonObject, string]>([
    ['code', { CodeUri: null }, "Only one of 'InlineCode' or 'CodeUri' can be set."],
    ['a handler', { Handler: null }, 'Runtime and Handler needs to be present when PackageType is of type `Zip`'],
    [
      'an alias for concurrency',
      { ProvisionedConcurrencyConfig: { ProvisionedConcurrentExecutions: 1 } },
      'AutoPublishALias must be defined',
    ],
    [
      'a type of its dead-letter queue',
      { DeadLetterQueue: { TargetArn: 'a' } },
      "'DeadLetterQueue' requires Type and TargetArn",
    ],
    [
      'a property that another needs',
      { VersionDeletionPolicy: 'Delete' },
      "'VersionDeletionPolicy' requires 'AutoPublishAlias'.",
    ],
    ['an allowed tag', { Tags: { 'lambda:createdBy': 'me' } }, 'lambda:createdBy is a reserved Tag key name'],
  ])('is refused without %s', (_, properties, message) => {
    expect(() => made(properties)).toThrow(message);
  });
});

describe('the role', () => {
  it('has what tracing, a network and durable executions need', () => {
    const properties = { Tracing: 'Active', VpcConfig: { SubnetIds: ['s'] }, DurableConfig: { ExecutionTimeout: 60 } };
    expect(propertiesOf(properties, 'ShopRole').ManagedPolicyArns).toEqual([
      'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicDurableExecutionRolePolicy',
      'arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess',
      'arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole',
    ]);
  });

  it('names inline policies by their place among all policies', () => {
    const Policies = [
      'AmazonS3ReadOnlyAccess',
      'arn:aws:iam::123456789012:policy/own',
      { Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }] },
      { Ref: 'Managed' },
      { SQSPollerPolicy: { QueueName: { 'Fn::GetAtt': ['Jobs', 'QueueName'] } } },
    ];
    const role = propertiesOf({ Policies }, 'ShopRole');
    expect((role.ManagedPolicyArns as string[]).slice(1)).toEqual([
      'arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess',
      'arn:aws:iam::123456789012:policy/own',
      { Ref: 'Managed' },
    ]);
    expect(role.Policies).toEqual([
      { PolicyName: 'ShopRolePolicy2', PolicyDocument: Policies[2] },
      {
        PolicyName: 'ShopRolePolicy4',
        PolicyDocument: {
          Statement: [
            {
              Effect: 'Allow',
              Action: [
                'sqs:ChangeMessageVisibility',
                'sqs:ChangeMessageVisibilityBatch',
                'sqs:DeleteMessage',
                'sqs:DeleteMessageBatch',
                'sqs:GetQueueAttributes',
                'sqs:ReceiveMessage',
              ],
              Resource: {
                'Fn::Sub': [
                  'arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:${queueName}',
                  { queueName: { 'Fn::GetAtt': ['Jobs', 'QueueName'] } },
                ],
              },
            },
          ],
        },
      },
    ]);
  });

  it('is not made for a function with its own', () => {
    expect(
      Object.keys(made({ Role: 'arn:aws:iam::123456789012:role/own', Policies: ['AWSLambda_FullAccess'] })),
    ).toEqual(['Shop']);
  });

  it('is made under the condition under which the function has no other', () => {
    const Role = { 'Fn::If': ['HasRole', 'own', { Ref: 'AWS::NoValue' }] };
    const Conditions = { HasRole: { 'Fn::Equals': ['a', 'b'] } };
    const resources = made({ Role }, { Conditions });
    expect(resources.Shop?.Properties).toMatchObject({
      Role: { 'Fn::If': ['HasRole', 'own', { 'Fn::GetAtt': ['ShopRole', 'Arn'] }] },
    });
    expect(resources.ShopRole?.Condition).toBe('NOTHasRole');
  });

  it('is refused for a policy that is none', () => {
    expect(() => made({ Policies: [{ NoSuchPolicy: {} }] })).toThrow(
      "Policy at index 0 in the 'Policies' property is not valid",
    );
    expect(() => made({ Policies: [{ S3ReadPolicy: {} }] })).toThrow(
      "Following required parameters of template 'S3ReadPolicy' don't have values: ['BucketName']",
    );
  });
});

describe('the version and the alias', () => {
  it('are named after a hash of the code', () => {
    const hash = sha1('{"S3Bucket":"artifacts","S3Key":"shop.zip"}');
    const resources = made({ AutoPublishAlias: 'live' });
    expect(resources[`ShopVersion${hash}`]).toEqual({
      Type: 'AWS::Lambda::Version',
      DeletionPolicy: 'Retain',
      Properties: { FunctionName: { Ref: 'Shop' } },
    });
    expect(resources.ShopAliaslive?.Properties).toEqual({
      Name: 'live',
      FunctionName: { Ref: 'Shop' },
      FunctionVersion: { 'Fn::GetAtt': [`ShopVersion${hash}`, 'Version'] },
    });
  });

  it('change with the environment and the memory, but with other properties only if all count', () => {
    const idOf = (properties: JsonObject): string | undefined =>
      Object.keys(made({ AutoPublishAlias: 'live', ...properties })).find((id) => id.startsWith('ShopVersion'));
    expect(idOf({ Environment: { Variables: { A: '1' } } })).not.toBe(idOf({}));
    expect(idOf({ MemorySize: 512 })).not.toBe(idOf({}));
    expect(idOf({ Timeout: 9 })).toBe(idOf({}));
    const all = { AutoPublishAliasAllProperties: true };
    expect(idOf({ ...all, Timeout: 9 })).not.toBe(idOf(all));
  });

  it('use the hash of the code that is given, also in the description of the function', () => {
    const resources = made({
      AutoPublishAlias: 'live',
      AutoPublishCodeSha256: '6b86b273ff34fce19d6b',
      Description: 'a shop',
    });
    expect(resources).toHaveProperty('ShopVersion6b86b273ff');
    expect(resources.Shop?.Properties).toMatchObject({ Description: 'a shop 6b86b273ff34fce19d6b' });
  });

  it('refuse a name that Lambda would refuse', () => {
    expect(() => made({ AutoPublishAlias: '123' })).toThrow(
      "AutoPublishAlias name ('123') must contain only alphanumeric",
    );
  });
});

describe('DeploymentPreference', () => {
  it('makes the application, the role and a group, and the update policy of the alias', () => {
    const DeploymentPreference = {
      Type: 'Canary10Percent5Minutes',
      Alarms: [{ Ref: 'Errors' }],
      Hooks: { PreTraffic: { Ref: 'Check' } },
    };
    const resources = made({ AutoPublishAlias: 'live', DeploymentPreference });
    expect(resources.ShopAliaslive?.UpdatePolicy).toEqual({
      CodeDeployLambdaAliasUpdate: {
        ApplicationName: { Ref: 'ServerlessDeploymentApplication' },
        DeploymentGroupName: { Ref: 'ShopDeploymentGroup' },
        BeforeAllowTrafficHook: { Ref: 'Check' },
      },
    });
    expect(resources.ShopDeploymentGroup?.Properties).toMatchObject({
      AlarmConfiguration: { Enabled: true, Alarms: [{ Name: { Ref: 'Errors' } }] },
      DeploymentConfigName: {
        'Fn::Sub': ['CodeDeployDefault.Lambda${ConfigName}', { ConfigName: 'Canary10Percent5Minutes' }],
      },
      ServiceRoleArn: { 'Fn::GetAtt': ['CodeDeployServiceRole', 'Arn'] },
    });
    expect(resources).toHaveProperty('CodeDeployServiceRole');
  });

  it('makes nothing if it is off, and needs an alias if it is on', () => {
    expect(made({ DeploymentPreference: { Enabled: false } })).not.toHaveProperty('ServerlessDeploymentApplication');
    expect(() => made({ DeploymentPreference: { Type: 'AllAtOnce' } })).toThrow(
      "'DeploymentPreference' requires AutoPublishAlias property to be specified.",
    );
  });
});

describe('FunctionUrlConfig', () => {
  it('opens a URL without authorization with two permissions', () => {
    const resources = made({ FunctionUrlConfig: { AuthType: 'NONE', InvokeMode: 'BUFFERED' } });
    expect(resources.ShopUrl?.Properties).toEqual({
      AuthType: 'NONE',
      InvokeMode: 'BUFFERED',
      TargetFunctionArn: { Ref: 'Shop' },
    });
    expect(resources.ShopUrlPublicPermissions?.Properties).toEqual({
      Action: 'lambda:InvokeFunctionUrl',
      FunctionName: { Ref: 'Shop' },
      Principal: '*',
      FunctionUrlAuthType: 'NONE',
    });
    expect(resources.ShopURLInvokeAllowPublicAccess?.Properties).toEqual({
      Action: 'lambda:InvokeFunction',
      FunctionName: { Ref: 'Shop' },
      Principal: '*',
      InvokedViaFunctionUrl: true,
    });
  });

  it('makes no permission for a URL with authorization', () => {
    const resources = made({ FunctionUrlConfig: { AuthType: 'AWS_IAM' }, AutoPublishAlias: 'live' });
    expect(resources.ShopUrl?.Properties).toMatchObject({ TargetFunctionArn: { Ref: 'ShopAliaslive' } });
    expect(resources).not.toHaveProperty('ShopUrlPublicPermissions');
  });

  it('refuses settings of CORS that do not exist or have another type', () => {
    const cors = (Cors: JsonObject) => () => made({ FunctionUrlConfig: { AuthType: 'NONE', Cors } });
    expect(cors({ AllowOrigin: ['*'] })).toThrow('AllowOrigin is not a valid property for configuring Cors.');
    expect(cors({ AllowOrigins: '*' })).toThrow('AllowOrigins must be of type list.');
    expect(cors({ MaxAge: '5' })).toThrow('MaxAge must be of type int.');
  });
});

describe('EventInvokeConfig', () => {
  it('makes the queue that has no ARN, and lets the function send to both destinations', () => {
    const resources = made({
      EventInvokeConfig: {
        MaximumRetryAttempts: 0,
        DestinationConfig: {
          OnFailure: { Type: 'SQS' },
          OnSuccess: { Type: 'SNS', Destination: 'arn:aws:sns:eu-west-1:123456789012:done' },
        },
      },
    });
    expect(resources.ShopEventInvokeConfig?.Properties).toEqual({
      FunctionName: { Ref: 'Shop' },
      Qualifier: '$LATEST',
      MaximumRetryAttempts: 0,
      DestinationConfig: {
        OnSuccess: { Destination: 'arn:aws:sns:eu-west-1:123456789012:done' },
        OnFailure: { Destination: { 'Fn::GetAtt': ['ShopEventInvokeConfigOnFailureQueue', 'Arn'] } },
      },
    });
    expect(resources.ShopEventInvokeConfigOnFailureQueue?.Type).toBe('AWS::SQS::Queue');
    expect(resources.ShopRole?.Properties).toMatchObject({
      Policies: [
        { PolicyName: 'ShopEventInvokeConfigOnSuccessSNSPolicy' },
        { PolicyName: 'ShopEventInvokeConfigOnFailureSQSPolicy' },
      ],
    });
  });

  it('needs a destination of a type that it does not make', () => {
    const config = { EventInvokeConfig: { DestinationConfig: { OnFailure: { Type: 'Lambda' } } } };
    expect(() => made(config)).toThrow("Destination is required if Type is not ['SQS', 'SNS']");
  });
});
