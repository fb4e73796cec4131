/**
 * The part of Systems Manager that Lambda's users need: Parameter Store, with the constraints of the API model
 * (2014-11-06). https://docs.aws.amazon.com/systems-manager/latest/APIReference/
 */
import type { Members } from './member-constraints.ts';
import { required } from './member-constraints.ts';

/** `X-Amz-Target: AmazonSSM.GetParameter` */
export const SSM_TARGET_PREFIX = 'AmazonSSM';

/** https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html */
export const SSM_QUOTAS = {
  standardValueBytes: 4096,
  advancedValueBytes: 8192,
  /** Levels of a hierarchy: `/1/2/.../15`. */
  levels: 15,
  /** Older versions are deleted. */
  versions: 100,
  labelsPerVersion: 10,
  tags: 50,
} as const;

export const PARAMETER_TYPES = ['String', 'StringList', 'SecureString'] as const;

const name = { type: 'string', min: 1, max: 2048 } as const;
const names = { type: 'list', min: 1, max: 10, of: name } as const;
const withDecryption = { type: 'boolean' } as const;
const nextToken = { type: 'string' } as const;
const version = { type: 'integer' } as const;
const labels = { type: 'list', min: 1, max: 10, of: { type: 'string', min: 1, max: 100 } } as const;
const tagKey = { type: 'string', min: 1, max: 128, pattern: '([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)' } as const;
const tagValue = { type: 'string', min: 0, max: 256, pattern: '([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)' } as const;
const tags = {
  type: 'list',
  max: 1000,
  of: { type: 'structure', members: { Key: required(tagKey), Value: required(tagValue) } },
} as const;
const resource = { ResourceType: required({ type: 'string' }), ResourceId: required({ type: 'string' }) } as const;
const filters = {
  type: 'list',
  of: {
    type: 'structure',
    members: {
      Key: required({ type: 'string', min: 1, max: 132, pattern: 'tag:.+|Name|Type|KeyId|Path|Label|Tier|DataType' }),
      Option: { type: 'string', min: 1, max: 10 },
      Values: { type: 'list', min: 1, max: 50, of: { type: 'string', min: 1, max: 1024 } },
    },
  },
} as const;

export const SSM_OPERATIONS = {
  PutParameter: {
    Name: required(name),
    Description: { type: 'string', min: 0, max: 1024 },
    Value: required({ type: 'string' }),
    Type: { type: 'string', values: PARAMETER_TYPES },
    KeyId: { type: 'string', min: 1, max: 256 },
    Overwrite: { type: 'boolean' },
    AllowedPattern: { type: 'string', min: 0, max: 1024 },
    Tags: tags,
    Tier: { type: 'string', values: ['Standard', 'Advanced', 'Intelligent-Tiering'] },
    Policies: { type: 'string', min: 1, max: 4096 },
    DataType: { type: 'string', min: 0, max: 128 },
  },
  GetParameter: { Name: required(name), WithDecryption: withDecryption },
  GetParameters: { Names: required(names), WithDecryption: withDecryption },
  GetParametersByPath: {
    Path: required(name),
    Recursive: { type: 'boolean' },
    ParameterFilters: filters,
    WithDecryption: withDecryption,
    MaxResults: { type: 'integer', min: 1, max: 10 },
    NextToken: nextToken,
  },
  GetParameterHistory: {
    Name: required(name),
    WithDecryption: withDecryption,
    MaxResults: { type: 'integer', min: 1, max: 50 },
    NextToken: nextToken,
  },
  DeleteParameter: { Name: required(name) },
  DeleteParameters: { Names: required(names) },
  DescribeParameters: {
    Filters: {
      type: 'list',
      of: {
        type: 'structure',
        members: {
          Key: required({ type: 'string', values: ['Name', 'Type', 'KeyId'] }),
          Values: required({ type: 'list', min: 1, max: 50, of: { type: 'string', min: 1, max: 1024 } }),
        },
      },
    },
    ParameterFilters: filters,
    MaxResults: { type: 'integer', min: 1, max: 50 },
    NextToken: nextToken,
  },
  LabelParameterVersion: { Name: required(name), ParameterVersion: version, Labels: required(labels) },
  UnlabelParameterVersion: { Name: required(name), ParameterVersion: required(version), Labels: required(labels) },
  AddTagsToResource: { ...resource, Tags: required(tags) },
  RemoveTagsFromResource: { ...resource, TagKeys: required({ type: 'list', of: tagKey }) },
  ListTagsForResource: resource,
} as const satisfies Record<string, Members>;
