import { describe, expect, it } from 'vitest';
import { cpuGrowth, LINEAR } from '../../../test/support/cpu-growth.ts';
import type { Json, JsonObject } from '../tree.ts';
import { InvalidDocument } from './errors.ts';
import { type TransformOptions, transformSam } from './transform.ts';

const CODE = { Runtime: 'provided.al2023', Handler: 'index.php', CodeUri: 's3://artifacts/shop.zip' };

function fn(properties: JsonObject = {}, attributes: JsonObject = {}): JsonObject {
  return { Type: 'AWS::Serverless::Function', ...attributes, Properties: { ...CODE, ...properties } };
}

function transform(template: JsonObject, options: Partial<TransformOptions> = {}): JsonObject {
  return transformSam(
    { Transform: 'AWS::Serverless-2016-10-31', ...template },
    {
      region: 'eu-west-1',
      parameters: {},
      ...options,
    },
  );
}

function resourcesOf(resources: JsonObject, rest: JsonObject = {}): Record<string, JsonObject> {
  return transform({ Resources: resources, ...rest }).Resources as Record<string, JsonObject>;
}

function messageOf(template: JsonObject): string {
  try {
    transform(template);
  } catch (error) {
    if (error instanceof InvalidDocument) return error.message;
    throw error;
  }
  return 'no error';
}

const invalid = (count: number, ...details: string[]): string =>
  [`Invalid Serverless Application Specification document. Number of errors found: ${count}.`, ...details].join(' ');

describe('the template as a whole', () => {
  it('keeps what is not SAM, and removes Transform and Globals', () => {
    const bucket = { Type: 'AWS::S3::Bucket', DeletionPolicy: 'Retain' };
    const output = transform({
      Description: 'a shop',
      Globals: { Function: { Timeout: 5 } },
      Resources: { Bucket: bucket },
      Outputs: { Name: { Value: { Ref: 'Bucket' } } },
    });
    expect(output).toEqual({
      Description: 'a shop',
      Resources: { Bucket: bucket },
      Outputs: { Name: { Value: { Ref: 'Bucket' } } },
    });
  });

  it('does not change the template that it gets', () => {
    const source = {
      Resources: { Shop: fn({ AutoPublishAlias: { Ref: 'Stage' } }) },
      Parameters: { Stage: { Default: 'live' } },
    };
    const before = structuredClone(source);
    transform(source);
    expect(source).toEqual(before);
  });

  it('puts the managed policies of another partition into its roles', () => {
    const output = transform({ Resources: { Shop: fn() } }, { region: 'cn-north-1' });
    const role = (output.Resources as Record<string, JsonObject>).ShopRole;
    expect(role?.Properties).toMatchObject({
      ManagedPolicyArns: ['arn:aws-cn:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole'],
    });
  });

  it('passes Condition to all that a resource makes, DependsOn and Metadata to the main resource only', () => {
    const made = resourcesOf(
      {
        Shop: fn({}, { Condition: 'IsProduction', DependsOn: 'Bucket', Metadata: { Owner: 'web' } }),
        Bucket: { Type: 'AWS::S3::Bucket' },
      },
      { Conditions: { IsProduction: { 'Fn::Equals': ['a', 'a'] } } },
    );
    expect(made.Shop).toMatchObject({ Condition: 'IsProduction', DependsOn: 'Bucket', Metadata: { Owner: 'web' } });
    expect(made.ShopRole?.Condition).toBe('IsProduction');
    expect(made.ShopRole).not.toHaveProperty('DependsOn');
    expect(made.ShopRole).not.toHaveProperty('Metadata');
  });
});

describe('references to what the transform makes', () => {
  const aliased = { Shop: fn({ AutoPublishAlias: 'live' }) };

  it('resolves Ref, Fn::Sub and Fn::GetAtt of F.Alias and F.Version', () => {
    const output = transform({
      Resources: aliased,
      Outputs: {
        Alias: { Value: { Ref: 'Shop.Alias' } },
        Version: { Value: { 'Fn::GetAtt': ['Shop.Version', 'Version'] } },
        Text: { Value: { 'Fn::Sub': 'is ${Shop.Alias} of ${Shop.Arn}' } },
      },
    });
    const version = Object.keys(output.Resources as JsonObject).find((id) => id.startsWith('ShopVersion'));
    expect(output.Outputs).toEqual({
      Alias: { Value: { Ref: 'ShopAliaslive' } },
      Version: { Value: { 'Fn::GetAtt': [version, 'Version'] } },
      Text: { Value: { 'Fn::Sub': 'is ${ShopAliaslive} of ${Shop.Arn}' } },
    });
  });

  it('renames a layer wherever the template names it, DependsOn included', () => {
    const output = transform({
      Resources: {
        Tools: { Type: 'AWS::Serverless::LayerVersion', Properties: { ContentUri: 's3://artifacts/tools.zip' } },
        Shop: fn({ Layers: [{ Ref: 'Tools' }] }, { DependsOn: ['Tools'] }),
      },
      Outputs: { Layer: { Value: { 'Fn::Sub': '${Tools}' } } },
    });
    const made = output.Resources as Record<string, JsonObject>;
    const layer = Object.keys(made).find((id) => id.startsWith('Tools')) as string;
    expect(layer).toMatch(/^Tools[0-9a-f]{10}$/);
    expect(made[layer]).toMatchObject({ DeletionPolicy: 'Retain', Properties: { LayerName: 'Tools' } });
    expect(made.Shop).toMatchObject({ DependsOn: [layer], Properties: { Layers: [{ Ref: layer }] } });
    expect(output.Outputs).toEqual({ Layer: { Value: { 'Fn::Sub': `\${${layer}}` } } });
  });
});

describe('errors', () => {
  it('reports all resources that are wrong, ordered by logical id', () => {
    const message = messageOf({
      Resources: {
        Second: fn({ CodeUri: 'src/' }),
        First: fn({ Memory: 1 }),
        Third: { Type: 'AWS::Serverless::SimpleTable', Properties: { PrimaryKey: { Name: 'id' } } },
      },
    });
    expect(message).toBe(
      invalid(
        3,
        'Resource with id [First] is invalid. property Memory not defined for resource of type AWS::Serverless::Function',
        "Resource with id [Second] is invalid. 'CodeUri' is not a valid S3 Uri of the form 's3://bucket/key' with optional versionId query parameter.",
        "Resource with id [Third] is invalid. Property 'PrimaryKey.Type' is required.",
      ),
    );
  });

  it('names the resource and its event', () => {
    const Events = {
      Upload: { Type: 'S3', Properties: { Bucket: { Ref: 'Elsewhere' }, Events: 's3:ObjectCreated:*' } },
    };
    expect(messageOf({ Resources: { Shop: fn({ Events }) } })).toBe(
      invalid(
        1,
        'Resource with id [Shop] is invalid. Event with id [Upload] is invalid. S3 events must reference an S3 bucket in the same template.',
      ),
    );
  });

  it('refuses a generated resource whose logical id is taken', () => {
    const message = messageOf({ Resources: { Shop: fn(), ShopRole: { Type: 'AWS::S3::Bucket' } } });
    expect(message).toBe(
      invalid(
        1,
        'Transforming resource with id [Shop] attempts to create a new resource with id [ShopRole] and type "AWS::IAM::Role". A resource with that id already exists within this template. Please use a different id for that resource.',
      ),
    );
  });

  it.each<[string, Json, string]>([
    ['no resources', {}, "'Resources' section is required"],
    [
      'a resource that is not a map',
      { Shop: 'function' },
      "All 'Resources' must be Objects. If you're using YAML, this may be an indentation issue.",
    ],
    [
      'a condition that is not text',
      { Shop: fn({}, { Condition: { a: 1 } }) },
      'Every Condition member must be a string.',
    ],
  ])('refuses a template with %s at once', (_, resources, problem) => {
    expect(messageOf({ Resources: resources })).toBe(
      invalid(1, `Structure of the SAM template is invalid. ${problem}`),
    );
  });

  it('says in which type of property a value does not fit', () => {
    expect(messageOf({ Resources: { Shop: fn({ Tags: 'blue', Role: ['a'] }) } })).toBe(
      invalid(1, "Resource with id [Shop] is invalid. Property 'Role' should be a string."),
    );
  });

  it('treats names of methods of objects as any other name', () => {
    const Events = {
      Upload: { Type: 'S3', Properties: { Bucket: { Ref: 'constructor' }, Events: 's3:ObjectCreated:*' } },
    };
    expect(messageOf({ Resources: { Shop: fn({ Events }) } })).toContain('S3 events must reference an S3 bucket');
    expect(messageOf({ Resources: { Shop: fn({ toString: 1 }) } })).toContain('property toString not defined');
  });
});

describe('parameters', () => {
  it('takes given values before defaults, and leaves placeholders of nested stacks alone', () => {
    const template = {
      Parameters: { Stage: { Type: 'String', Default: 'live' } },
      Resources: { Shop: fn({ AutoPublishAlias: { Ref: 'Stage' } }) },
    };
    const idsOf = (options: Partial<TransformOptions>): string[] =>
      Object.keys(transform(template, options).Resources as JsonObject);
    expect(idsOf({})).toContain('ShopAliaslive');
    expect(idsOf({ parameters: { Stage: 'test-1' } })).toContain('ShopAliastestD1');
    expect(() => idsOf({ parameters: { Stage: '{{IntrinsicFunction:x/Y.Outputs.Z/Fn::GetAtt}}' } })).toThrow(
      "'AutoPublishAlias' must be a string or a Ref to a template parameter",
    );
  });
});

describe('the time that a template takes', () => {
  it('grows with its size, not with its square', async () => {
    const template = (count: number): JsonObject => {
      const properties = { AutoPublishAlias: 'live', Policies: [{ SQSPollerPolicy: { QueueName: 'q' } }] };
      const functions = Array.from({ length: count }, (_, at) => [`Shop${at}`, fn(properties)] as const);
      return { Resources: Object.fromEntries(functions), Globals: { Function: { Tags: { team: 'web' } } } };
    };
    const transformed = (count: number) => {
      const given = template(count);
      return () => transform(given);
    };
    expect(await cpuGrowth(transformed, 25)).toBeLessThan(LINEAR);
  });
});
