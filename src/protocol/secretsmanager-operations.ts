/**
 * Secrets Manager without rotation and replicas, with the constraints of the API model (2017-10-17).
 * https://docs.aws.amazon.com/secretsmanager/latest/apireference/
 */
import type { Members } from './member-constraints.ts';
import { required } from './member-constraints.ts';

/** `X-Amz-Target: secretsmanager.GetSecretValue` */
export const SECRETS_TARGET_PREFIX = 'secretsmanager';

/** https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html */
export const SECRETS_QUOTAS = { valueBytes: 65_536, tags: 50, stagesPerVersion: 20, defaultRecoveryDays: 30 } as const;

const secretId = { type: 'string', min: 1, max: 2048 } as const;
const token = { type: 'string', min: 32, max: 64 } as const;
const description = { type: 'string', min: 0, max: 2048 } as const;
const keyId = { type: 'string', min: 0, max: 2048 } as const;
const secretString = { type: 'string', min: 1, max: 65_536 } as const;
/** Base64 text of 1 to 65,536 bytes. */
const secretBinary = { type: 'string', min: 1, max: 87_384 } as const;
const stage = { type: 'string', min: 1, max: 256 } as const;
const stages = { type: 'list', min: 1, max: 20, of: stage } as const;
const policy = { type: 'string', min: 1, max: 20_480 } as const;
const pageSize = { type: 'integer', min: 1, max: 100 } as const;
const nextToken = { type: 'string', min: 1, max: 4096 } as const;
const flag = { type: 'boolean' } as const;
const tagKey = { type: 'string', min: 1, max: 128 } as const;
const tags = {
  type: 'list',
  of: { type: 'structure', members: { Key: tagKey, Value: { type: 'string', min: 0, max: 256 } } },
} as const;
const filters = {
  type: 'list',
  max: 10,
  of: {
    type: 'structure',
    members: {
      Key: required({
        type: 'string',
        values: ['description', 'name', 'tag-key', 'tag-value', 'primary-region', 'owning-service', 'all'],
      }),
      Values: required({ type: 'list', min: 1, max: 10, of: { type: 'string', min: 1, max: 512 } }),
    },
  },
} as const;

export const SECRETS_OPERATIONS = {
  CreateSecret: {
    Name: required({ type: 'string', min: 1, max: 512 }),
    ClientRequestToken: token,
    Description: description,
    KmsKeyId: keyId,
    SecretBinary: secretBinary,
    SecretString: secretString,
    Tags: tags,
    AddReplicaRegions: { type: 'list', of: { type: 'structure', members: { Region: { type: 'string' } } } },
    ForceOverwriteReplicaSecret: flag,
  },
  GetSecretValue: { SecretId: required(secretId), VersionId: token, VersionStage: stage },
  BatchGetSecretValue: {
    SecretIdList: { type: 'list', min: 1, max: 20, of: secretId },
    Filters: filters,
    MaxResults: { type: 'integer', min: 1, max: 20 },
    NextToken: nextToken,
  },
  PutSecretValue: {
    SecretId: required(secretId),
    ClientRequestToken: token,
    SecretBinary: secretBinary,
    SecretString: secretString,
    VersionStages: stages,
  },
  UpdateSecret: {
    SecretId: required(secretId),
    ClientRequestToken: token,
    Description: description,
    KmsKeyId: keyId,
    SecretBinary: secretBinary,
    SecretString: secretString,
  },
  UpdateSecretVersionStage: {
    SecretId: required(secretId),
    VersionStage: required(stage),
    RemoveFromVersionId: token,
    MoveToVersionId: token,
  },
  DescribeSecret: { SecretId: required(secretId) },
  ListSecrets: {
    IncludePlannedDeletion: flag,
    MaxResults: pageSize,
    NextToken: nextToken,
    Filters: filters,
    SortOrder: { type: 'string', values: ['asc', 'desc'] },
  },
  ListSecretVersionIds: {
    SecretId: required(secretId),
    MaxResults: pageSize,
    NextToken: nextToken,
    IncludeDeprecated: flag,
  },
  DeleteSecret: {
    SecretId: required(secretId),
    RecoveryWindowInDays: { type: 'integer' },
    ForceDeleteWithoutRecovery: flag,
  },
  RestoreSecret: { SecretId: required(secretId) },
  TagResource: { SecretId: required(secretId), Tags: required(tags) },
  UntagResource: { SecretId: required(secretId), TagKeys: required({ type: 'list', of: tagKey }) },
  GetRandomPassword: {
    PasswordLength: { type: 'integer', min: 1, max: 4096 },
    ExcludeCharacters: { type: 'string', min: 0, max: 4096 },
    ExcludeNumbers: flag,
    ExcludePunctuation: flag,
    ExcludeUppercase: flag,
    ExcludeLowercase: flag,
    IncludeSpace: flag,
    RequireEachIncludedType: flag,
  },
  PutResourcePolicy: { SecretId: required(secretId), ResourcePolicy: required(policy), BlockPublicPolicy: flag },
  GetResourcePolicy: { SecretId: required(secretId) },
  DeleteResourcePolicy: { SecretId: required(secretId) },
} as const satisfies Record<string, Members>;
