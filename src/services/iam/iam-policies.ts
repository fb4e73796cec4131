/**
 * IAM's operations on managed policies: the account's own, with versions and tags, and those that AWS manages.
 * Attaching them to roles is `iam-roles.ts`'s.
 */
import type { Clock } from '../../clock.ts';
import { renderPolicyArn } from '../../protocol/arn.ts';
import { AWS_MANAGED_POLICIES } from '../../protocol/aws-managed-policies.ts';
import { renderIsoSeconds } from '../../protocol/dates.ts';
import { IAM_QUOTAS } from '../../protocol/iam-operations.ts';
import type { ApiCall } from '../../wire/api-call.ts';
import type { XmlStructure } from '../../wire/xml.ts';
import type { IamHandlers } from './iam-handlers.ts';
import {
  checkName,
  checkPath,
  checkPolicyDocument,
  compareKeys,
  createUniqueId,
  iamError,
  listTags,
  pageOf,
  policySize,
  renderDocument,
  renderTags,
  requirePolicyArn,
  withoutTags,
  withTags,
} from './iam-rules.ts';
import type { IamStore, Policy, PolicyVersion } from './iam-store.ts';

type PolicyOperation =
  | 'CreatePolicy'
  | 'GetPolicy'
  | 'ListPolicies'
  | 'DeletePolicy'
  | 'CreatePolicyVersion'
  | 'GetPolicyVersion'
  | 'ListPolicyVersions'
  | 'DeletePolicyVersion'
  | 'SetDefaultPolicyVersion'
  | 'TagPolicy'
  | 'UntagPolicy'
  | 'ListPolicyTags'
  | 'ListEntitiesForPolicy';

export function createPolicyHandlers(store: IamStore, clock: Clock): Pick<IamHandlers, PolicyOperation> {
  const nowMs = () => Math.trunc(clock.epochMs());

  const ownPolicy = (arn: string, { scope }: ApiCall): Policy => {
    const { owner } = requirePolicyArn(arn);
    const policy = store.policy(scope.account, arn);
    if (policy !== undefined) return policy;
    if (owner === 'aws') {
      throw iamError('InvalidInput', `Policy ${arn} is managed by AWS and cannot be changed.`);
    }
    throw notFound(arn);
  };
  const usage = (account: string, arn: string): XmlStructure => ({
    AttachmentCount: store.attachedRoles(account, arn).length,
    PermissionsBoundaryUsageCount: store.boundedRoles(account, arn).length,
    IsAttachable: true,
  });
  const describe = (policy: Policy): XmlStructure => ({
    PolicyName: policy.name,
    PolicyId: policy.policyId,
    Arn: policy.arn,
    Path: policy.path,
    DefaultVersionId: `v${policy.defaultVersion}`,
    ...usage(policy.account, policy.arn),
    CreateDate: renderIsoSeconds(policy.createdMs),
    UpdateDate: renderIsoSeconds(policy.updatedMs),
  });
  const describeManaged = (account: string, arn: string): XmlStructure => {
    const { path, name } = requirePolicyArn(arn);
    return {
      PolicyName: name,
      PolicyId: createUniqueId('ANPA', arn),
      Arn: arn,
      Path: path,
      DefaultVersionId: 'v1',
      ...usage(account, arn),
      CreateDate: MANAGED_POLICIES_DATE,
      UpdateDate: MANAGED_POLICIES_DATE,
    };
  };
  const versionOf = (policy: Policy, versionId: string): PolicyVersion => {
    const version = store.versions(policy).find(({ version }) => `v${version}` === versionId);
    if (version === undefined) throw versionNotFound(policy.arn, versionId);
    return version;
  };

  return {
    CreatePolicy(input, { scope }) {
      checkName('policyName', input.PolicyName);
      const path = input.Path ?? '/';
      checkPath(path);
      checkPolicyDocument(input.PolicyDocument, 'permissions');
      checkManagedSize(input.PolicyDocument);
      const policy: Policy = {
        account: scope.account,
        name: input.PolicyName,
        path,
        arn: renderPolicyArn(scope, path, input.PolicyName),
        policyId: createUniqueId('ANPA'),
        description: input.Description,
        defaultVersion: 1,
        lastVersion: 1,
        createdMs: nowMs(),
        updatedMs: nowMs(),
        tags: withTags({}, input.Tags ?? [], 'TagsPerPolicy'),
      };
      store.transaction(() => {
        if (store.policyNamed(scope.account, policy.name) !== undefined) {
          throw iamError(
            'EntityAlreadyExists',
            `A policy called ${policy.name} already exists. Duplicate names are not allowed.`,
          );
        }
        store.savePolicy(policy);
        store.saveVersion(policy, { version: 1, document: input.PolicyDocument, createdMs: policy.createdMs });
      });
      return { Policy: { ...describe(policy), Tags: renderTags(policy.tags) } };
    },

    GetPolicy(input, call) {
      const { owner } = requirePolicyArn(input.PolicyArn);
      if (owner === 'aws') return { Policy: describeManaged(call.scope.account, input.PolicyArn) };
      const policy = ownPolicy(input.PolicyArn, call);
      return {
        Policy: { ...describe(policy), Description: policy.description, Tags: renderTags(policy.tags) },
      };
    },

    ListPolicies(input, { scope }) {
      const aws = { ...scope, account: 'aws' };
      const own = input.Scope === 'AWS' ? [] : store.policies(scope.account).map(describe);
      const attached = store.attachedArns(scope.account).filter((arn) => requirePolicyArn(arn).owner === 'aws');
      const known = Object.keys(AWS_MANAGED_POLICIES).map((name) => renderPolicyArn(aws, '/', name));
      const managed =
        input.Scope === 'Local'
          ? []
          : [...new Set([...known, ...attached])].map((arn) => describeManaged(scope.account, arn));
      const counted =
        input.PolicyUsageFilter === 'PermissionsBoundary' ? 'PermissionsBoundaryUsageCount' : 'AttachmentCount';
      const policies = [...own, ...managed]
        .filter((policy) => String(policy.Path).startsWith(input.PathPrefix ?? '/'))
        .filter((policy) =>
          input.OnlyAttached || input.PolicyUsageFilter === 'PermissionsBoundary' ? Number(policy[counted]) > 0 : true,
        )
        .sort((a, b) => compareKeys(String(a.Arn), String(b.Arn)));
      const page = pageOf(policies, input, ({ Arn }) => String(Arn));
      return { ...page.end, Policies: page.items };
    },

    DeletePolicy(input, call) {
      store.transaction(() => {
        const policy = ownPolicy(input.PolicyArn, call);
        const { account, arn } = policy;
        if (store.attachedRoles(account, arn).length + store.boundedRoles(account, arn).length > 0) {
          throw iamError('DeleteConflict', 'Cannot delete a policy attached to entities.');
        }
        if (store.versions(policy).length > 1) {
          throw iamError(
            'DeleteConflict',
            'This policy has more than one version. Before you delete a policy, you must delete the ' +
              "policy's versions. The default version is deleted with the policy.",
          );
        }
        store.deletePolicy(policy);
      });
      return undefined;
    },

    CreatePolicyVersion(input, call) {
      checkPolicyDocument(input.PolicyDocument, 'permissions');
      checkManagedSize(input.PolicyDocument);
      return store.transaction(() => {
        const policy = ownPolicy(input.PolicyArn, call);
        if (store.versions(policy).length >= IAM_QUOTAS.policyVersions) {
          throw iamError(
            'LimitExceeded',
            `A managed policy can have up to ${IAM_QUOTAS.policyVersions} versions. ` +
              'Before you create a new version, you must delete an existing version.',
          );
        }
        const version = policy.lastVersion + 1;
        const isDefault = input.SetAsDefault ?? false;
        store.savePolicy({
          ...policy,
          lastVersion: version,
          defaultVersion: isDefault ? version : policy.defaultVersion,
          updatedMs: nowMs(),
        });
        store.saveVersion(policy, { version, document: input.PolicyDocument, createdMs: nowMs() });
        return {
          PolicyVersion: {
            VersionId: `v${version}`,
            IsDefaultVersion: isDefault,
            CreateDate: renderIsoSeconds(nowMs()),
          },
        };
      });
    },

    GetPolicyVersion(input, call) {
      const { owner, path, name } = requirePolicyArn(input.PolicyArn);
      if (owner === 'aws') {
        const statements = AWS_MANAGED_POLICIES[`${path}${name}`.slice(1)];
        if (statements === undefined || input.VersionId !== 'v1')
          throw versionNotFound(input.PolicyArn, input.VersionId);
        const document = JSON.stringify({ Version: '2012-10-17', Statement: statements });
        return {
          PolicyVersion: {
            Document: renderDocument(document),
            VersionId: 'v1',
            IsDefaultVersion: true,
            CreateDate: MANAGED_POLICIES_DATE,
          },
        };
      }
      const policy = ownPolicy(input.PolicyArn, call);
      const version = versionOf(policy, input.VersionId);
      return { PolicyVersion: { Document: renderDocument(version.document), ...describeVersion(policy, version) } };
    },

    ListPolicyVersions(input, call) {
      const { owner } = requirePolicyArn(input.PolicyArn);
      if (owner === 'aws') {
        const version = { VersionId: 'v1', IsDefaultVersion: true, CreateDate: MANAGED_POLICIES_DATE };
        return { IsTruncated: false, Versions: [version] };
      }
      const policy = ownPolicy(input.PolicyArn, call);
      // Newest first, so the key that has to rise along the list counts downwards.
      const page = pageOf(store.versions(policy), input, ({ version }) => String(1e9 - version));
      return { ...page.end, Versions: page.items.map((version) => describeVersion(policy, version)) };
    },

    DeletePolicyVersion(input, call) {
      store.transaction(() => {
        const policy = ownPolicy(input.PolicyArn, call);
        const { version } = versionOf(policy, input.VersionId);
        if (version === policy.defaultVersion) {
          throw iamError('DeleteConflict', 'Cannot delete the default version of a policy.');
        }
        store.deleteVersion(policy, version);
      });
      return undefined;
    },

    SetDefaultPolicyVersion(input, call) {
      store.transaction(() => {
        const policy = ownPolicy(input.PolicyArn, call);
        const { version } = versionOf(policy, input.VersionId);
        store.savePolicy({ ...policy, defaultVersion: version, updatedMs: nowMs() });
      });
      return undefined;
    },

    TagPolicy(input, call) {
      const policy = ownPolicy(input.PolicyArn, call);
      store.savePolicy({ ...policy, tags: withTags(policy.tags, input.Tags, 'TagsPerPolicy') });
      return undefined;
    },

    UntagPolicy(input, call) {
      const policy = ownPolicy(input.PolicyArn, call);
      store.savePolicy({ ...policy, tags: withoutTags(policy.tags, input.TagKeys) });
      return undefined;
    },

    ListPolicyTags(input, call) {
      const page = pageOf(listTags(ownPolicy(input.PolicyArn, call).tags), input, ({ Key }) => Key);
      return { ...page.end, Tags: page.items };
    },

    ListEntitiesForPolicy(input, call) {
      const { account } = call.scope;
      if (requirePolicyArn(input.PolicyArn).owner !== 'aws') ownPolicy(input.PolicyArn, call);
      const isAskedFor = input.EntityFilter === undefined || input.EntityFilter === 'Role';
      const attached =
        input.PolicyUsageFilter === 'PermissionsBoundary' ? [] : store.attachedRoles(account, input.PolicyArn);
      const bounded =
        input.PolicyUsageFilter === 'PermissionsPolicy' ? [] : store.boundedRoles(account, input.PolicyArn);
      const roles = [...new Map([...attached, ...bounded].map((role) => [role.name, role])).values()]
        .filter(({ path }) => isAskedFor && path.startsWith(input.PathPrefix ?? '/'))
        .sort((a, b) => compareKeys(a.name, b.name));
      const page = pageOf(roles, input, ({ name }) => name);
      return {
        ...page.end,
        PolicyGroups: [],
        PolicyUsers: [],
        PolicyRoles: page.items.map(({ name, roleId }) => ({ RoleName: name, RoleId: roleId })),
      };
    },
  };
}

/** When AWS's policies came into being is not ours to know; the day IAM got managed policies is a fair answer. */
const MANAGED_POLICIES_DATE = '2015-02-06T18:39:46Z';

function describeVersion(policy: Policy, { version, createdMs }: PolicyVersion): XmlStructure {
  return {
    VersionId: `v${version}`,
    IsDefaultVersion: version === policy.defaultVersion,
    CreateDate: renderIsoSeconds(createdMs),
  };
}

function checkManagedSize(document: string): void {
  if (policySize(document) <= IAM_QUOTAS.managedPolicyCharacters) return;
  throw iamError('LimitExceeded', `Cannot exceed quota for PolicySize: ${IAM_QUOTAS.managedPolicyCharacters}`);
}

function notFound(arn: string): Error {
  return iamError('NoSuchEntity', `Policy ${arn} was not found.`);
}

function versionNotFound(arn: string, versionId: string): Error {
  return iamError('NoSuchEntity', `Policy ${arn} version ${versionId} does not exist or is not attachable.`);
}
