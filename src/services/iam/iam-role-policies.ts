/** IAM's operations on the inline and attached policies of roles. */
import { IAM_QUOTAS } from '../../protocol/iam-operations.ts';
import type { IamHandlers } from './iam-handlers.ts';
import { canAttach, requirePolicyArn, requireRole } from './iam-lookups.ts';
import { checkName, checkPolicyDocument, iamError, pageOf, policySize, renderDocument } from './iam-rules.ts';
import type { IamStore } from './iam-store.ts';

type RolePolicyOperation =
  | 'PutRolePolicy'
  | 'GetRolePolicy'
  | 'ListRolePolicies'
  | 'DeleteRolePolicy'
  | 'AttachRolePolicy'
  | 'DetachRolePolicy'
  | 'ListAttachedRolePolicies';

export function createRolePolicyHandlers(store: IamStore): Pick<IamHandlers, RolePolicyOperation> {
  return {
    PutRolePolicy(input, call) {
      checkName('policyName', input.PolicyName);
      store.transaction(() => {
        const role = requireRole(store, call.scope.account, input.RoleName);
        checkPolicyDocument(input.PolicyDocument, 'inline');
        const others = store.inlinePolicies(role).filter(({ name }) => name !== input.PolicyName);
        const size = others.reduce((sum, { document }) => sum + policySize(document), policySize(input.PolicyDocument));
        const quota = IAM_QUOTAS.inlinePolicyCharactersPerRole;
        if (size > quota) {
          throw iamError('LimitExceeded', `Maximum policy size of ${quota} bytes exceeded for role ${role.name}`);
        }
        store.saveInlinePolicy(role, input.PolicyName, input.PolicyDocument);
      });
      return undefined;
    },

    GetRolePolicy(input, call) {
      const role = requireRole(store, call.scope.account, input.RoleName);
      const policy = store.inlinePolicies(role).find(({ name }) => name === input.PolicyName);
      if (policy === undefined) throw inlinePolicyNotFound(input.PolicyName);
      return {
        RoleName: role.name,
        PolicyName: policy.name,
        PolicyDocument: renderDocument(policy.document),
      };
    },

    ListRolePolicies(input, call) {
      const names = store
        .inlinePolicies(requireRole(store, call.scope.account, input.RoleName))
        .map(({ name }) => name);
      const page = pageOf(names, input, (name) => name);
      return { ...page.end, PolicyNames: page.items };
    },

    DeleteRolePolicy(input, call) {
      const role = requireRole(store, call.scope.account, input.RoleName);
      if (!store.deleteInlinePolicy(role, input.PolicyName)) throw inlinePolicyNotFound(input.PolicyName);
      return undefined;
    },

    AttachRolePolicy(input, call) {
      store.transaction(() => {
        const role = requireRole(store, call.scope.account, input.RoleName);
        if (!canAttach(store, call.scope.account, input.PolicyArn)) {
          throw iamError('NoSuchEntity', `Policy ${input.PolicyArn} does not exist or is not attachable.`);
        }
        const attached = store.attachments(role);
        const quota = IAM_QUOTAS.attachedPoliciesPerRole;
        if (!attached.includes(input.PolicyArn) && attached.length >= quota) {
          throw iamError('LimitExceeded', `Cannot exceed quota for PoliciesPerRole: ${quota}`);
        }
        store.attach(role, input.PolicyArn);
      });
      return undefined;
    },

    DetachRolePolicy(input, call) {
      const role = requireRole(store, call.scope.account, input.RoleName);
      requirePolicyArn(input.PolicyArn);
      if (!store.detach(role, input.PolicyArn)) {
        throw iamError('NoSuchEntity', `Policy ${input.PolicyArn} was not found.`);
      }
      return undefined;
    },

    ListAttachedRolePolicies(input, call) {
      const policies = store
        .attachments(requireRole(store, call.scope.account, input.RoleName))
        .map((arn) => ({ arn, ...requirePolicyArn(arn) }))
        .filter(({ path }) => path.startsWith(input.PathPrefix ?? '/'));
      const page = pageOf(policies, input, ({ arn }) => arn);
      return {
        ...page.end,
        AttachedPolicies: page.items.map(({ name, arn }) => ({ PolicyName: name, PolicyArn: arn })),
      };
    },
  };
}

function inlinePolicyNotFound(name: string): Error {
  return iamError('NoSuchEntity', `The role policy with name ${name} cannot be found.`);
}
