/**
 * The part of IAM that Lambda's users need: the actions that clients, Terraform, CDK and Serverless call for execution
 * roles, with the constraints of IAM's API model (2010-05-08), and IAM's error codes.
 * https://docs.aws.amazon.com/IAM/latest/APIReference/
 */
import type { Members } from './member-constraints.ts';
import { required } from './member-constraints.ts';

export const IAM_VERSION = '2010-05-08';
export const IAM_NAMESPACE = 'https://iam.amazonaws.com/doc/2010-05-08/';

/** Wire code -> HTTP status. */
export const IAM_ERRORS = {
  ConcurrentModification: 409,
  DeleteConflict: 409,
  EntityAlreadyExists: 409,
  InvalidInput: 400,
  LimitExceeded: 409,
  MalformedPolicyDocument: 400,
  NoSuchEntity: 404,
  PolicyNotAttachable: 400,
  ServiceFailure: 500,
  UnmodifiableEntity: 400,
  ValidationError: 400,
} as const;

export type IamErrorCode = keyof typeof IAM_ERRORS;

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html */
export const IAM_QUOTAS = {
  attachedPoliciesPerRole: 10,
  policyVersions: 5,
  tags: 50,
  managedPolicyCharacters: 6144,
  trustPolicyCharacters: 2048,
  inlinePolicyCharactersPerRole: 10240,
  pageItems: 100,
} as const;

/** Not in the table: IAM has its own message for them (`The specified value for roleName is invalid.`). */
export const IAM_NAME = /^[\w+=,.@-]+$/;
export const IAM_PATH = /^\/(?:[!-~]+\/)?$/;

const name = (max: number) => ({ type: 'string', min: 1, max }) as const;
const roleName = name(64);
const policyName = name(128);
const policyArn = { type: 'string', min: 20, max: 2048 } as const;
const path = { type: 'string', min: 1, max: 512 } as const;
const pathPrefix = { type: 'string', min: 1, max: 512, pattern: '\\u002F[\\u0021-\\u007F]*' } as const;
const document = {
  type: 'string',
  min: 1,
  max: 131072,
  pattern: '[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+',
} as const;
const roleDescription = {
  type: 'string',
  max: 1000,
  pattern: '[\\u0009\\u000A\\u000D\\u0020-\\u007E\\u00A1-\\u00FF]*',
} as const;
const sessionDuration = { type: 'integer', min: 3600, max: 43200 } as const;
const tagKey = { type: 'string', min: 1, max: 128, pattern: '[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+' } as const;
const tagValue = { type: 'string', min: 0, max: 256, pattern: '[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*' } as const;
const tags = {
  type: 'list',
  max: 50,
  of: { type: 'structure', members: { Key: required(tagKey), Value: required(tagValue) } },
} as const;
const tagKeys = { type: 'list', max: 50, of: tagKey } as const;
const versionId = { type: 'string', pattern: 'v[1-9][0-9]*(\\.[A-Za-z0-9-]*)?' } as const;
const page = {
  Marker: { type: 'string', min: 1, max: 320, pattern: '[\\u0020-\\u00FF]+' },
  MaxItems: { type: 'integer', min: 1, max: 1000 },
} as const;
const usageFilter = { type: 'string', values: ['PermissionsPolicy', 'PermissionsBoundary'] } as const;

export const IAM_OPERATIONS = {
  CreateRole: {
    Path: path,
    RoleName: required(roleName),
    AssumeRolePolicyDocument: required(document),
    Description: roleDescription,
    MaxSessionDuration: sessionDuration,
    PermissionsBoundary: policyArn,
    Tags: tags,
  },
  GetRole: { RoleName: required(roleName) },
  ListRoles: { PathPrefix: pathPrefix, ...page },
  DeleteRole: { RoleName: required(roleName) },
  UpdateRole: { RoleName: required(roleName), Description: roleDescription, MaxSessionDuration: sessionDuration },
  UpdateRoleDescription: { RoleName: required(roleName), Description: required(roleDescription) },
  UpdateAssumeRolePolicy: { RoleName: required(roleName), PolicyDocument: required(document) },
  PutRolePermissionsBoundary: { RoleName: required(roleName), PermissionsBoundary: required(policyArn) },
  DeleteRolePermissionsBoundary: { RoleName: required(roleName) },
  TagRole: { RoleName: required(roleName), Tags: required(tags) },
  UntagRole: { RoleName: required(roleName), TagKeys: required(tagKeys) },
  ListRoleTags: { RoleName: required(roleName), ...page },
  PutRolePolicy: {
    RoleName: required(roleName),
    PolicyName: required(policyName),
    PolicyDocument: required(document),
  },
  GetRolePolicy: { RoleName: required(roleName), PolicyName: required(policyName) },
  ListRolePolicies: { RoleName: required(roleName), ...page },
  DeleteRolePolicy: { RoleName: required(roleName), PolicyName: required(policyName) },
  AttachRolePolicy: { RoleName: required(roleName), PolicyArn: required(policyArn) },
  DetachRolePolicy: { RoleName: required(roleName), PolicyArn: required(policyArn) },
  ListAttachedRolePolicies: { RoleName: required(roleName), PathPrefix: pathPrefix, ...page },
  ListInstanceProfilesForRole: { RoleName: required(roleName), ...page },
  CreatePolicy: {
    PolicyName: required(policyName),
    Path: path,
    PolicyDocument: required(document),
    Description: { type: 'string', max: 1000 },
    Tags: tags,
  },
  GetPolicy: { PolicyArn: required(policyArn) },
  ListPolicies: {
    Scope: { type: 'string', values: ['All', 'AWS', 'Local'] },
    OnlyAttached: { type: 'boolean' },
    PathPrefix: pathPrefix,
    PolicyUsageFilter: usageFilter,
    ...page,
  },
  DeletePolicy: { PolicyArn: required(policyArn) },
  CreatePolicyVersion: {
    PolicyArn: required(policyArn),
    PolicyDocument: required(document),
    SetAsDefault: { type: 'boolean' },
  },
  GetPolicyVersion: { PolicyArn: required(policyArn), VersionId: required(versionId) },
  ListPolicyVersions: { PolicyArn: required(policyArn), ...page },
  DeletePolicyVersion: { PolicyArn: required(policyArn), VersionId: required(versionId) },
  SetDefaultPolicyVersion: { PolicyArn: required(policyArn), VersionId: required(versionId) },
  TagPolicy: { PolicyArn: required(policyArn), Tags: required(tags) },
  UntagPolicy: { PolicyArn: required(policyArn), TagKeys: required(tagKeys) },
  ListPolicyTags: { PolicyArn: required(policyArn), ...page },
  ListEntitiesForPolicy: {
    PolicyArn: required(policyArn),
    EntityFilter: { type: 'string', values: ['User', 'Role', 'Group', 'LocalManagedPolicy', 'AWSManagedPolicy'] },
    PathPrefix: pathPrefix,
    PolicyUsageFilter: usageFilter,
    ...page,
  },
  ListAccountAliases: { ...page },
  GetUser: { UserName: { type: 'string', min: 1, max: 128 } },
} as const satisfies Record<string, Members>;
