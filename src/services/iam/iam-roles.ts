/**
 * IAM's operations on roles: the roles themselves, their trust policies, inline policies, attached policies, tags and
 * permissions boundaries. A role here is a record: nobody evaluates what it allows.
 */
import type { Clock } from '../../clock.ts';
import { renderRoleArn } from '../../protocol/arn.ts';
import { renderIsoSeconds } from '../../protocol/dates.ts';
import { IAM_QUOTAS } from '../../protocol/iam-operations.ts';
import type { Scope } from '../../protocol/names.ts';
import type { ApiCall } from '../../wire/api-call.ts';
import type { XmlStructure } from '../../wire/xml.ts';
import type { IamHandlers } from './iam-handlers.ts';
import {
  canAttach,
  checkName,
  checkPath,
  checkPolicyDocument,
  createUniqueId,
  iamError,
  listTags,
  pageOf,
  parseMarker,
  policySize,
  renderDocument,
  renderMarker,
  renderTags,
  requirePolicyArn,
  withoutTags,
  withTags,
} from './iam-rules.ts';
import type { IamStore, Role } from './iam-store.ts';

type RoleOperation =
  | 'CreateRole'
  | 'GetRole'
  | 'ListRoles'
  | 'DeleteRole'
  | 'UpdateRole'
  | 'UpdateRoleDescription'
  | 'UpdateAssumeRolePolicy'
  | 'PutRolePermissionsBoundary'
  | 'DeleteRolePermissionsBoundary'
  | 'TagRole'
  | 'UntagRole'
  | 'ListRoleTags'
  | 'PutRolePolicy'
  | 'GetRolePolicy'
  | 'ListRolePolicies'
  | 'DeleteRolePolicy'
  | 'AttachRolePolicy'
  | 'DetachRolePolicy'
  | 'ListAttachedRolePolicies'
  | 'ListInstanceProfilesForRole';

const DEFAULT_SESSION_SECONDS = 3600;

export function createRoleHandlers(store: IamStore, clock: Clock): Pick<IamHandlers, RoleOperation> {
  const roleNamed = (name: string, { scope }: ApiCall): Role => {
    checkName('roleName', name);
    const role = store.role(scope.account, name);
    if (role === undefined) throw iamError('NoSuchEntity', `The role with name ${name} cannot be found.`);
    return role;
  };
  const checkBoundary = (arn: string, { scope }: ApiCall): void => {
    if (canAttach(store, scope.account, arn)) return;
    throw iamError('NoSuchEntity', `Scope ARN: ${arn} does not exist or is not attachable.`);
  };

  return {
    CreateRole(input, call) {
      checkName('roleName', input.RoleName);
      const path = input.Path ?? '/';
      checkPath(path);
      checkTrustPolicy(input.AssumeRolePolicyDocument);
      if (input.PermissionsBoundary !== undefined) checkBoundary(input.PermissionsBoundary, call);
      const role: Role = {
        account: call.scope.account,
        name: input.RoleName,
        path,
        roleId: createUniqueId('AROA'),
        trustPolicy: input.AssumeRolePolicyDocument,
        description: input.Description,
        maxSessionDuration: input.MaxSessionDuration ?? DEFAULT_SESSION_SECONDS,
        permissionsBoundary: input.PermissionsBoundary,
        createdMs: Math.trunc(clock.epochMs()),
        tags: withTags({}, input.Tags ?? [], 'TagsPerRole'),
      };
      store.transaction(() => {
        if (store.role(role.account, role.name) !== undefined) {
          throw iamError('EntityAlreadyExists', `Role with name ${role.name} already exists.`);
        }
        store.saveRole(role);
      });
      return { Role: { ...describeRole(role, call.scope), ...describeExtras(role) } };
    },

    GetRole(input, call) {
      const role = roleNamed(input.RoleName, call);
      return {
        Role: {
          ...describeRole(role, call.scope),
          MaxSessionDuration: role.maxSessionDuration,
          ...describeExtras(role),
          RoleLastUsed: {},
        },
      };
    },

    ListRoles(input, { scope }) {
      const limit = input.MaxItems ?? IAM_QUOTAS.pageItems;
      const after = input.Marker === undefined ? '' : parseMarker(input.Marker);
      const roles = store.roles(scope.account, input.PathPrefix ?? '/', after, limit + 1);
      const page = roles.slice(0, limit);
      const last = roles.length > limit ? page.at(-1) : undefined;
      return {
        ...(last ? renderMarker(last.name) : { IsTruncated: false }),
        Roles: page.map((role) => ({
          ...describeRole(role, scope),
          Description: role.description,
          MaxSessionDuration: role.maxSessionDuration,
        })),
      };
    },

    DeleteRole(input, call) {
      store.transaction(() => {
        const role = roleNamed(input.RoleName, call);
        if (store.attachments(role).length > 0) {
          throw iamError('DeleteConflict', 'Cannot delete entity, must detach all policies first.');
        }
        if (store.inlinePolicies(role).length > 0) {
          throw iamError('DeleteConflict', 'Cannot delete entity, must delete policies first.');
        }
        store.deleteRole(role);
      });
      return undefined;
    },

    UpdateRole(input, call) {
      const role = roleNamed(input.RoleName, call);
      // Without a duration AWS goes back to an hour.
      const maxSessionDuration = input.MaxSessionDuration ?? DEFAULT_SESSION_SECONDS;
      store.saveRole({ ...role, description: input.Description ?? role.description, maxSessionDuration });
      return {};
    },

    UpdateRoleDescription(input, call) {
      const role = { ...roleNamed(input.RoleName, call), description: input.Description };
      store.saveRole(role);
      return { Role: { ...describeRole(role, call.scope), ...describeExtras(role) } };
    },

    UpdateAssumeRolePolicy(input, call) {
      const role = roleNamed(input.RoleName, call);
      checkTrustPolicy(input.PolicyDocument);
      store.saveRole({ ...role, trustPolicy: input.PolicyDocument });
      return undefined;
    },

    PutRolePermissionsBoundary(input, call) {
      const role = roleNamed(input.RoleName, call);
      checkBoundary(input.PermissionsBoundary, call);
      store.saveRole({ ...role, permissionsBoundary: input.PermissionsBoundary });
      return undefined;
    },

    DeleteRolePermissionsBoundary(input, call) {
      store.saveRole({ ...roleNamed(input.RoleName, call), permissionsBoundary: undefined });
      return undefined;
    },

    TagRole(input, call) {
      const role = roleNamed(input.RoleName, call);
      store.saveRole({ ...role, tags: withTags(role.tags, input.Tags, 'TagsPerRole') });
      return undefined;
    },

    UntagRole(input, call) {
      const role = roleNamed(input.RoleName, call);
      store.saveRole({ ...role, tags: withoutTags(role.tags, input.TagKeys) });
      return undefined;
    },

    ListRoleTags(input, call) {
      const page = pageOf(listTags(roleNamed(input.RoleName, call).tags), input, ({ Key }) => Key);
      return { ...page.end, Tags: page.items };
    },

    PutRolePolicy(input, call) {
      checkName('policyName', input.PolicyName);
      store.transaction(() => {
        const role = roleNamed(input.RoleName, call);
        checkPolicyDocument(input.PolicyDocument, 'permissions');
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
      const role = roleNamed(input.RoleName, call);
      const policy = store.inlinePolicies(role).find(({ name }) => name === input.PolicyName);
      if (policy === undefined) throw inlinePolicyNotFound(input.PolicyName);
      return {
        RoleName: role.name,
        PolicyName: policy.name,
        PolicyDocument: renderDocument(policy.document),
      };
    },

    ListRolePolicies(input, call) {
      const names = store.inlinePolicies(roleNamed(input.RoleName, call)).map(({ name }) => name);
      const page = pageOf(names, input, (name) => name);
      return { ...page.end, PolicyNames: page.items };
    },

    DeleteRolePolicy(input, call) {
      const role = roleNamed(input.RoleName, call);
      if (!store.deleteInlinePolicy(role, input.PolicyName)) throw inlinePolicyNotFound(input.PolicyName);
      return undefined;
    },

    AttachRolePolicy(input, call) {
      store.transaction(() => {
        const role = roleNamed(input.RoleName, call);
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
      const role = roleNamed(input.RoleName, call);
      requirePolicyArn(input.PolicyArn);
      if (!store.detach(role, input.PolicyArn)) {
        throw iamError('NoSuchEntity', `Policy ${input.PolicyArn} was not found.`);
      }
      return undefined;
    },

    ListAttachedRolePolicies(input, call) {
      const policies = store
        .attachments(roleNamed(input.RoleName, call))
        .map((arn) => ({ arn, ...requirePolicyArn(arn) }))
        .filter(({ path }) => path.startsWith(input.PathPrefix ?? '/'));
      const page = pageOf(policies, input, ({ arn }) => arn);
      return {
        ...page.end,
        AttachedPolicies: page.items.map(({ name, arn }) => ({ PolicyName: name, PolicyArn: arn })),
      };
    },

    ListInstanceProfilesForRole(input, call) {
      roleNamed(input.RoleName, call);
      return { IsTruncated: false, InstanceProfiles: [] };
    },
  };
}

function checkTrustPolicy(document: string): void {
  checkPolicyDocument(document, 'trust');
  const quota = IAM_QUOTAS.trustPolicyCharacters;
  if (policySize(document) > quota) throw iamError('LimitExceeded', `Cannot exceed quota for ACLSizePerRole: ${quota}`);
}

function inlinePolicyNotFound(name: string): Error {
  return iamError('NoSuchEntity', `The role policy with name ${name} cannot be found.`);
}

function describeRole(role: Role, scope: Scope): XmlStructure {
  return {
    Path: role.path,
    RoleName: role.name,
    RoleId: role.roleId,
    Arn: renderRoleArn(scope, role.path, role.name),
    CreateDate: renderIsoSeconds(role.createdMs),
    AssumeRolePolicyDocument: renderDocument(role.trustPolicy),
  };
}

function describeExtras(role: Role): XmlStructure {
  return {
    Description: role.description,
    PermissionsBoundary: role.permissionsBoundary && {
      PermissionsBoundaryType: 'Policy',
      PermissionsBoundaryArn: role.permissionsBoundary,
    },
    Tags: renderTags(role.tags),
  };
}
