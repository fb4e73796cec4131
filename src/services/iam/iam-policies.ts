/**
 * IAM's operations on managed policies: those of the account and those that AWS manages. Their versions are in
 * `iam-policy-versions.ts`, their attachment to roles in `iam-role-policies.ts`.
 */
import type { Clock } from '../../clock.ts';
import { renderPolicyArn } from '../../protocol/arn.ts';
import { AWS_MANAGED_POLICIES } from '../../protocol/aws-managed-policies.ts';
import { renderIsoSeconds } from '../../protocol/dates.ts';
import type { XmlStructure } from '../../wire/xml.ts';
import type { IamHandlers } from './iam-handlers.ts';
import { requireOwnPolicy, requirePolicyArn } from './iam-lookups.ts';
import { checkManagedSize, MANAGED_POLICIES_DATE } from './iam-policy-versions.ts';
import {
  checkName,
  checkPath,
  checkPolicyDocument,
  compareKeys,
  createUniqueId,
  iamError,
  listTags,
  pageOf,
  renderTags,
  withoutTags,
  withTags,
} from './iam-rules.ts';
import type { IamStore, Policy } from './iam-store.ts';

type PolicyOperation =
  | 'CreatePolicy'
  | 'GetPolicy'
  | 'ListPolicies'
  | 'DeletePolicy'
  | 'TagPolicy'
  | 'UntagPolicy'
  | 'ListPolicyTags'
  | 'ListEntitiesForPolicy';

export function createPolicyHandlers(store: IamStore, clock: Clock): Pick<IamHandlers, PolicyOperation> {
  const nowMs = () => Math.trunc(clock.epochMs());

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
      const policy = requireOwnPolicy(store, call.scope.account, input.PolicyArn);
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
        const policy = requireOwnPolicy(store, call.scope.account, input.PolicyArn);
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

    TagPolicy(input, call) {
      const policy = requireOwnPolicy(store, call.scope.account, input.PolicyArn);
      store.savePolicy({ ...policy, tags: withTags(policy.tags, input.Tags, 'TagsPerPolicy') });
      return undefined;
    },

    UntagPolicy(input, call) {
      const policy = requireOwnPolicy(store, call.scope.account, input.PolicyArn);
      store.savePolicy({ ...policy, tags: withoutTags(policy.tags, input.TagKeys) });
      return undefined;
    },

    ListPolicyTags(input, call) {
      const page = pageOf(
        listTags(requireOwnPolicy(store, call.scope.account, input.PolicyArn).tags),
        input,
        ({ Key }) => Key,
      );
      return { ...page.end, Tags: page.items };
    },

    ListEntitiesForPolicy(input, call) {
      const { account } = call.scope;
      if (requirePolicyArn(input.PolicyArn).owner !== 'aws')
        requireOwnPolicy(store, call.scope.account, input.PolicyArn);
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
