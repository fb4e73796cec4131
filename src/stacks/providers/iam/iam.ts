/** AWS::IAM::Role, Policy, RolePolicy and ManagedPolicy. Users and groups do not exist here. */
import { renderPolicyArn, renderRoleArn } from '../../../protocol/arn.ts';
import type { OperationMembers } from '../../../wire/api-call.ts';
import { documentText, pick, tagChanges, tagList, tagMap, texts, tolerateMissing } from '../members.ts';
import { createPhysicalName } from '../physical-names.ts';
import {
  type Json,
  type PhysicalResource,
  type Properties,
  type ResourceContext,
  ResourceFailure,
  type ResourceProvider,
} from '../provider.ts';

const call = (context: ResourceContext, operation: string, members: OperationMembers) =>
  context.call('iam', operation, members);

export const iamRole: ResourceProvider = {
  type: 'AWS::IAM::Role',
  naming: { property: 'RoleName', maxLength: 64 },
  async create(properties, context) {
    const RoleName = String(properties.RoleName);
    const { MaxSessionDuration, AssumeRolePolicyDocument } = properties;
    const { Role } = await call(context, 'CreateRole', {
      RoleName,
      ...pick(properties, ['Path', 'Description', 'PermissionsBoundary']),
      ...(MaxSessionDuration !== undefined && { MaxSessionDuration: Number(MaxSessionDuration) }),
      AssumeRolePolicyDocument: documentText(AssumeRolePolicyDocument),
      Tags: tagList(tagMap(properties.Tags)),
    });
    context.created(RoleName);
    await applyPolicies(RoleName, {}, properties, context);
    return { physicalId: RoleName, attributes: attributesOf(RoleName, properties, context, Role as Properties) };
  },
  async update({ physicalId: RoleName, attributes, properties: before }, properties, context) {
    const isChanged = (name: string) => JSON.stringify(before[name]) !== JSON.stringify(properties[name]);
    if (isChanged('AssumeRolePolicyDocument')) {
      const PolicyDocument = documentText(properties.AssumeRolePolicyDocument);
      await call(context, 'UpdateAssumeRolePolicy', { RoleName, PolicyDocument });
    }
    if (isChanged('Description') || isChanged('MaxSessionDuration')) {
      const { Description = '', MaxSessionDuration = 3600 } = properties;
      await call(context, 'UpdateRole', { RoleName, Description, MaxSessionDuration: Number(MaxSessionDuration) });
    }
    if (isChanged('PermissionsBoundary')) {
      const { PermissionsBoundary } = properties;
      if (PermissionsBoundary === undefined) await call(context, 'DeleteRolePermissionsBoundary', { RoleName });
      else await call(context, 'PutRolePermissionsBoundary', { RoleName, PermissionsBoundary });
    }
    await applyPolicies(RoleName, before, properties, context);
    const { set, removed } = tagChanges(tagMap(before.Tags), tagMap(properties.Tags));
    if (removed.length > 0) await call(context, 'UntagRole', { RoleName, TagKeys: removed });
    if (Object.keys(set).length > 0) await call(context, 'TagRole', { RoleName, Tags: tagList(set) });
    return { physicalId: RoleName, attributes };
  },
  async delete({ physicalId: RoleName, properties }, context) {
    await tolerateMissing(removeRole(RoleName, properties, context));
  },
};

/** What the template gave to the role goes with it; what others attached must be removed by them, as on AWS. */
async function removeRole(RoleName: string, properties: Properties, context: ResourceContext): Promise<void> {
  for (const PolicyArn of texts(properties.ManagedPolicyArns)) {
    await tolerateMissing(call(context, 'DetachRolePolicy', { RoleName, PolicyArn }));
  }
  for (const { PolicyName } of inlinePolicies(properties)) {
    await tolerateMissing(call(context, 'DeleteRolePolicy', { RoleName, PolicyName }));
  }
  await call(context, 'DeleteRole', { RoleName });
}

function attributesOf(
  name: string,
  { Path }: Properties,
  { scope }: ResourceContext,
  role: Properties,
): Record<string, Json> {
  return { Arn: renderRoleArn(scope, String(Path ?? '/'), name), RoleId: String(role.RoleId) };
}

function inlinePolicies({ Policies }: Properties): readonly Properties[] {
  return Array.isArray(Policies) ? (Policies as readonly Properties[]) : [];
}

async function applyPolicies(
  RoleName: string,
  before: Properties,
  after: Properties,
  context: ResourceContext,
): Promise<void> {
  const [had, has] = [texts(before.ManagedPolicyArns), texts(after.ManagedPolicyArns)];
  for (const PolicyArn of had.filter((arn) => !has.includes(arn))) {
    await tolerateMissing(call(context, 'DetachRolePolicy', { RoleName, PolicyArn }));
  }
  for (const PolicyArn of has.filter((arn) => !had.includes(arn))) {
    await call(context, 'AttachRolePolicy', { RoleName, PolicyArn });
  }
  const documents = new Map(
    inlinePolicies(before).map(({ PolicyName, PolicyDocument }) => [PolicyName, documentText(PolicyDocument)]),
  );
  for (const { PolicyName, PolicyDocument } of inlinePolicies(after)) {
    const document = documentText(PolicyDocument);
    if (documents.get(PolicyName) !== document) {
      await call(context, 'PutRolePolicy', { RoleName, PolicyName, PolicyDocument: document });
    }
    documents.delete(PolicyName);
  }
  for (const PolicyName of documents.keys()) {
    await tolerateMissing(call(context, 'DeleteRolePolicy', { RoleName, PolicyName }));
  }
}

/** @throws ResourceFailure */
function rolesOf({ Roles, Users, Groups }: Properties): readonly string[] {
  if (texts(Users).length > 0 || texts(Groups).length > 0) {
    throw new ResourceFailure('Lamella has no IAM users and groups: attach the policy to Roles only.');
  }
  return texts(Roles);
}

export const iamPolicy: ResourceProvider = {
  type: 'AWS::IAM::Policy',
  async create(properties, context) {
    const { stack, logicalId } = context;
    const physicalId = createPhysicalName({ stackName: stack.name, logicalId, maxLength: 64 });
    context.created(physicalId);
    await applyInline({}, properties, context);
    return { physicalId, attributes: { Id: physicalId } };
  },
  async update({ physicalId, attributes, properties: before }, properties, context) {
    await applyInline(before, properties, context);
    return { physicalId, attributes };
  },
  delete: ({ properties }, context) => applyInline(properties, {}, context),
};

/** Puts the policy where it shall be and removes it where it was. */
async function applyInline(before: Properties, after: Properties, context: ResourceContext): Promise<void> {
  const target = new Set(rolesOf(after).map((role) => `${role} ${String(after.PolicyName)}`));
  for (const RoleName of rolesOf(before)) {
    if (target.has(`${RoleName} ${String(before.PolicyName)}`)) continue;
    await tolerateMissing(call(context, 'DeleteRolePolicy', { RoleName, PolicyName: before.PolicyName }));
  }
  const { PolicyName, PolicyDocument } = after;
  for (const RoleName of rolesOf(after)) {
    await call(context, 'PutRolePolicy', { RoleName, PolicyName, PolicyDocument: documentText(PolicyDocument) });
  }
}

export const iamRolePolicy: ResourceProvider = {
  type: 'AWS::IAM::RolePolicy',
  async create(properties, context) {
    await putRolePolicy(properties, context);
    return { physicalId: `${String(properties.PolicyName)}|${String(properties.RoleName)}`, attributes: {} };
  },
  async update({ physicalId, attributes }, properties, context) {
    await putRolePolicy(properties, context);
    return { physicalId, attributes };
  },
  delete: ({ properties }, context) =>
    tolerateMissing(call(context, 'DeleteRolePolicy', pick(properties, ['RoleName', 'PolicyName']))),
};

async function putRolePolicy({ RoleName, PolicyName, PolicyDocument }: Properties, context: ResourceContext) {
  await call(context, 'PutRolePolicy', { RoleName, PolicyName, PolicyDocument: documentText(PolicyDocument) });
}

export const iamManagedPolicy: ResourceProvider = {
  type: 'AWS::IAM::ManagedPolicy',
  naming: { property: 'ManagedPolicyName', maxLength: 128 },
  async create(properties, context) {
    const { ManagedPolicyName, PolicyDocument, Path } = properties;
    const { Policy } = await call(context, 'CreatePolicy', {
      PolicyName: ManagedPolicyName,
      ...pick(properties, ['Path', 'Description']),
      PolicyDocument: documentText(PolicyDocument),
    });
    const PolicyArn = renderPolicyArn(context.scope, String(Path ?? '/'), String(ManagedPolicyName));
    context.created(PolicyArn);
    await attach(PolicyArn, {}, properties, context);
    return managedPolicy(PolicyArn, Policy as Properties);
  },
  async update({ physicalId: PolicyArn, attributes, properties: before }, properties, context) {
    const document = documentText(properties.PolicyDocument);
    if (documentText(before.PolicyDocument) !== document) {
      await removeOldestVersion(PolicyArn, context);
      await call(context, 'CreatePolicyVersion', { PolicyArn, PolicyDocument: document, SetAsDefault: true });
    }
    await attach(PolicyArn, before, properties, context);
    return { physicalId: PolicyArn, attributes };
  },
  async delete({ physicalId: PolicyArn, properties }, context) {
    await attach(PolicyArn, properties, {}, context);
    await tolerateMissing(removePolicy(PolicyArn, context));
  },
};

function managedPolicy(PolicyArn: string, { PolicyId }: Properties): PhysicalResource {
  const counts = { AttachmentCount: 0, PermissionsBoundaryUsageCount: 0, IsAttachable: true, DefaultVersionId: 'v1' };
  return { physicalId: PolicyArn, attributes: { PolicyArn, PolicyId: String(PolicyId), ...counts } };
}

async function attach(
  PolicyArn: string,
  before: Properties,
  after: Properties,
  context: ResourceContext,
): Promise<void> {
  const [had, has] = [rolesOf(before), rolesOf(after)];
  for (const RoleName of had.filter((role) => !has.includes(role))) {
    await tolerateMissing(call(context, 'DetachRolePolicy', { RoleName, PolicyArn }));
  }
  for (const RoleName of has.filter((role) => !had.includes(role))) {
    await call(context, 'AttachRolePolicy', { RoleName, PolicyArn });
  }
}

/** The versions that are not the default one, oldest first. */
async function otherVersions(PolicyArn: string, context: ResourceContext): Promise<readonly string[]> {
  const { Versions } = await call(context, 'ListPolicyVersions', { PolicyArn });
  return (Versions as readonly Properties[])
    .filter(({ IsDefaultVersion }) => IsDefaultVersion !== true)
    .map(({ VersionId }) => String(VersionId))
    .sort((one, other) => Number(one.slice(1)) - Number(other.slice(1)));
}

/** IAM keeps at most five. */
async function removeOldestVersion(PolicyArn: string, context: ResourceContext): Promise<void> {
  const versions = await otherVersions(PolicyArn, context);
  const [VersionId] = versions;
  if (versions.length >= 4) await call(context, 'DeletePolicyVersion', { PolicyArn, VersionId });
}

async function removePolicy(PolicyArn: string, context: ResourceContext): Promise<void> {
  for (const VersionId of await otherVersions(PolicyArn, context)) {
    await call(context, 'DeletePolicyVersion', { PolicyArn, VersionId });
  }
  await call(context, 'DeletePolicy', { PolicyArn });
}
