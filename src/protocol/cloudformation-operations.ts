/**
 * The part of CloudFormation's API that deployment tools call, with the constraints of its model (2010-05-15).
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/
 */
import { CHANGE_SET_NAME_PATTERN, STACK_NAME_PATTERN } from './arn.ts';
import type { Members } from './member-constraints.ts';
import { required } from './member-constraints.ts';

export const CLOUDFORMATION_VERSION = '2010-05-15';
export const CLOUDFORMATION_NAMESPACE = 'http://cloudformation.amazonaws.com/doc/2010-05-15/';

/** Wire code -> HTTP status. */
export const CLOUDFORMATION_ERRORS = {
  AlreadyExistsException: 400,
  ChangeSetNotFound: 404,
  InsufficientCapabilitiesException: 400,
  InvalidChangeSetStatus: 400,
  LimitExceededException: 400,
  NotImplementedException: 501,
  TokenAlreadyExistsException: 400,
  ValidationError: 400,
} as const;

/** https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html */
export const CLOUDFORMATION_QUOTAS = {
  templateBodyCharacters: 51_200,
  templateObjectBytes: 1_048_576,
  pageEvents: 100,
  pageItems: 100,
  stackPolicyBytes: 16_384,
} as const;

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const texts = { type: 'list', of: text } as const;
/** Names of new stacks. */
const newName = { type: 'string', min: 1, max: 128, pattern: STACK_NAME_PATTERN } as const;
/** Names and ids of stacks that should exist. */
const stackName = { type: 'string', min: 1, pattern: STACK_NAME_PATTERN } as const;
const anyStack = { type: 'string', min: 1 } as const;
const changeSetName = { type: 'string', min: 1, max: 1600, pattern: CHANGE_SET_NAME_PATTERN } as const;
const token = { type: 'string', min: 1, max: 128, pattern: '[a-zA-Z0-9][-a-zA-Z0-9]*' } as const;
const nextToken = { type: 'string', min: 1, max: 1024 } as const;
const url = { type: 'string', min: 1, max: 5120 } as const;
const body = { type: 'string', min: 1, max: CLOUDFORMATION_QUOTAS.templateBodyCharacters } as const;
const roleArn = { type: 'string', min: 20, max: 2048 } as const;
const policyBody = { type: 'string', min: 1, max: CLOUDFORMATION_QUOTAS.stackPolicyBytes } as const;
const parameters = {
  type: 'list',
  of: {
    type: 'structure',
    members: { ParameterKey: text, ParameterValue: text, UsePreviousValue: flag, ResolvedValue: text },
  },
} as const;
const tags = {
  type: 'list',
  max: 50,
  of: {
    type: 'structure',
    members: {
      Key: required({ type: 'string', min: 1, max: 128 }),
      Value: required({ type: 'string', min: 1, max: 256 }),
    },
  },
} as const;
const capabilities = {
  type: 'list',
  of: { type: 'string', values: ['CAPABILITY_IAM', 'CAPABILITY_NAMED_IAM', 'CAPABILITY_AUTO_EXPAND'] },
} as const;
const rollback = {
  type: 'structure',
  members: {
    RollbackTriggers: {
      type: 'list',
      max: 5,
      of: { type: 'structure', members: { Arn: required(text), Type: required(text) } },
    },
    MonitoringTimeInMinutes: { type: 'integer', min: 0, max: 180 },
  },
} as const;

/** What a stack is made from, in every operation that makes or changes one. */
const deployment = {
  TemplateBody: body,
  TemplateURL: url,
  Parameters: parameters,
  Capabilities: capabilities,
  ResourceTypes: { type: 'list', of: { type: 'string', min: 1, max: 256 } },
  RoleARN: roleArn,
  RollbackConfiguration: rollback,
  NotificationARNs: { type: 'list', max: 5, of: text },
  Tags: tags,
} as const;

export const CLOUDFORMATION_OPERATIONS = {
  CancelUpdateStack: { StackName: required(stackName), ClientRequestToken: token },
  ContinueUpdateRollback: {
    StackName: required(stackName),
    RoleARN: roleArn,
    ResourcesToSkip: {
      type: 'list',
      of: { type: 'string', pattern: '[a-zA-Z0-9]+|[a-zA-Z][-a-zA-Z0-9]*\\.[a-zA-Z0-9]+' },
    },
    ClientRequestToken: token,
  },
  CreateChangeSet: {
    StackName: required(newName),
    ...deployment,
    UsePreviousTemplate: flag,
    ChangeSetName: required({ type: 'string', min: 1, max: 128, pattern: '[a-zA-Z][-a-zA-Z0-9]*' }),
    ClientToken: { type: 'string', min: 1, max: 128 },
    Description: { type: 'string', min: 1, max: 1024 },
    ChangeSetType: { type: 'string', values: ['CREATE', 'UPDATE', 'IMPORT'] },
    IncludeNestedStacks: flag,
    OnStackFailure: { type: 'string', values: ['DO_NOTHING', 'ROLLBACK', 'DELETE'] },
    ImportExistingResources: flag,
  },
  CreateStack: {
    StackName: required(newName),
    ...deployment,
    DisableRollback: flag,
    TimeoutInMinutes: { type: 'integer', min: 1 },
    OnFailure: { type: 'string', values: ['DO_NOTHING', 'ROLLBACK', 'DELETE'] },
    StackPolicyBody: policyBody,
    StackPolicyURL: url,
    ClientRequestToken: token,
    EnableTerminationProtection: flag,
    RetainExceptOnCreate: flag,
  },
  DeleteChangeSet: { ChangeSetName: required(changeSetName), StackName: anyStack },
  DeleteStack: {
    StackName: required(anyStack),
    RetainResources: texts,
    RoleARN: roleArn,
    ClientRequestToken: token,
    DeletionMode: { type: 'string', values: ['STANDARD', 'FORCE_DELETE_STACK'] },
  },
  DescribeChangeSet: {
    ChangeSetName: required(changeSetName),
    StackName: anyStack,
    NextToken: nextToken,
    IncludePropertyValues: flag,
  },
  DescribeStackEvents: { StackName: anyStack, NextToken: nextToken },
  DescribeStackResource: { StackName: required(anyStack), LogicalResourceId: required(text) },
  DescribeStackResources: { StackName: text, LogicalResourceId: text, PhysicalResourceId: text },
  DescribeStacks: { StackName: anyStack, NextToken: nextToken },
  ExecuteChangeSet: {
    ChangeSetName: required(changeSetName),
    StackName: anyStack,
    ClientRequestToken: token,
    DisableRollback: flag,
    RetainExceptOnCreate: flag,
  },
  GetStackPolicy: { StackName: required(anyStack) },
  GetTemplate: {
    StackName: anyStack,
    ChangeSetName: changeSetName,
    TemplateStage: { type: 'string', values: ['Original', 'Processed'] },
  },
  GetTemplateSummary: { TemplateBody: body, TemplateURL: url, StackName: anyStack, StackSetName: text },
  ListChangeSets: { StackName: required(anyStack), NextToken: nextToken },
  ListExports: { NextToken: nextToken },
  ListImports: { ExportName: required(text), NextToken: nextToken },
  ListStackResources: { StackName: required(anyStack), NextToken: nextToken },
  ListStacks: { NextToken: nextToken, StackStatusFilter: texts },
  RollbackStack: {
    StackName: required(anyStack),
    RoleARN: roleArn,
    ClientRequestToken: token,
    RetainExceptOnCreate: flag,
  },
  SetStackPolicy: { StackName: required(anyStack), StackPolicyBody: policyBody, StackPolicyURL: url },
  SignalResource: {
    StackName: required(anyStack),
    LogicalResourceId: required(text),
    UniqueId: required({ type: 'string', min: 1, max: 64 }),
    Status: required({ type: 'string', values: ['SUCCESS', 'FAILURE'] }),
  },
  UpdateStack: {
    StackName: required(newName),
    ...deployment,
    UsePreviousTemplate: flag,
    StackPolicyDuringUpdateBody: policyBody,
    StackPolicyDuringUpdateURL: url,
    StackPolicyBody: policyBody,
    StackPolicyURL: url,
    DisableRollback: flag,
    ClientRequestToken: token,
    RetainExceptOnCreate: flag,
  },
  UpdateTerminationProtection: { EnableTerminationProtection: required(flag), StackName: required(anyStack) },
  ValidateTemplate: { TemplateBody: body, TemplateURL: url },
} as const satisfies Record<string, Members>;

export type CloudFormationOperation = keyof typeof CLOUDFORMATION_OPERATIONS;

/** Operations whose response has no result element. */
export const CLOUDFORMATION_WITHOUT_RESULT: ReadonlySet<string> = new Set([
  'CancelUpdateStack',
  'DeleteStack',
  'SetStackPolicy',
  'SignalResource',
]);

/** Operations of CloudFormation that Lamella refuses by name: drift, stack sets, the registry, generated templates ... */
export const CLOUDFORMATION_REFUSED: ReadonlySet<string> = new Set(
  `ActivateOrganizationsAccess ActivateType BatchDescribeTypeConfigurations CreateGeneratedTemplate CreateStackInstances
  CreateStackRefactor CreateStackSet DeactivateOrganizationsAccess DeactivateType DeleteGeneratedTemplate
  DeleteStackInstances DeleteStackSet DeregisterType DescribeAccountLimits DescribeChangeSetHooks DescribeEvents
  DescribeGeneratedTemplate DescribeOrganizationsAccess DescribePublisher DescribeResourceScan
  DescribeStackDriftDetectionStatus DescribeStackInstance DescribeStackRefactor DescribeStackResourceDrifts
  DescribeStackSet DescribeStackSetOperation DescribeType DescribeTypeRegistration DetectStackDrift
  DetectStackResourceDrift DetectStackSetDrift EstimateTemplateCost ExecuteStackRefactor GetGeneratedTemplate
  GetHookResult ImportStacksToStackSet ListGeneratedTemplates ListHookResults ListResourceScanRelatedResources
  ListResourceScanResources ListResourceScans ListStackInstanceResourceDrifts ListStackInstances
  ListStackRefactorActions ListStackRefactors ListStackSetAutoDeploymentTargets ListStackSetOperationResults
  ListStackSetOperations ListStackSets ListTypeRegistrations ListTypeVersions ListTypes PublishType
  RecordHandlerProgress RegisterPublisher RegisterType SetTypeConfiguration SetTypeDefaultVersion StartResourceScan
  StopStackSetOperation TestType UpdateGeneratedTemplate UpdateStackInstances UpdateStackSet`.split(/\s+/),
);
