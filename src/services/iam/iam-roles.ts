/**
 * IAM's operations on roles, their trust policies, permissions boundaries and tags. Inline and attached policies are in
 * `iam-role-policies.ts`. A role is a record: nothing evaluates what it allows.
 */
import type { Clock } from '../../clock.ts';
import { renderRoleArn } from '../../protocol/arn.ts';
import { renderIsoSeconds } from '../../protocol/dates.ts';
import { IAM_QUOTAS } from '../../protocol/iam-operations.ts';
import type { Scope } from '../../protocol/names.ts';
import type { CallContext } from '../../wire/api-call.ts';
import type { XmlStructure } from '../../wire/xml.ts';
import type { IamHandlers } from './iam-handlers.ts';
import { canAttach, requireRole } from './iam-lookups.ts';
import {
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
  | 'ListInstanceProfilesForRole';

const DEFAULT_SESSION_SECONDS = 3600;

export function createRoleHandlers(store: IamStore, clock: Clock): Pick<IamHandlers, RoleOperation> {
  const checkBoundary = (arn: string, { scope }: CallContext): void => {
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
      const role = requireRole(store, call.scope.account, input.RoleName);
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
        const role = requireRole(store, call.scope.account, input.RoleName);
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
      const role = requireRole(store, call.scope.account, input.RoleName);
      // Without a duration, AWS resets it to one hour.
      const maxSessionDuration = input.MaxSessionDuration ?? DEFAULT_SESSION_SECONDS;
      store.saveRole({ ...role, description: input.Description ?? role.description, maxSessionDuration });
      return {};
    },

    UpdateRoleDescription(input, call) {
      const role = { ...requireRole(store, call.scope.account, input.RoleName), description: input.Description };
      store.saveRole(role);
      return { Role: { ...describeRole(role, call.scope), ...describeExtras(role) } };
    },

    UpdateAssumeRolePolicy(input, call) {
      const role = requireRole(store, call.scope.account, input.RoleName);
      checkTrustPolicy(input.PolicyDocument);
      store.saveRole({ ...role, trustPolicy: input.PolicyDocument });
      return undefined;
    },

    PutRolePermissionsBoundary(input, call) {
      const role = requireRole(store, call.scope.account, input.RoleName);
      checkBoundary(input.PermissionsBoundary, call);
      store.saveRole({ ...role, permissionsBoundary: input.PermissionsBoundary });
      return undefined;
    },

    DeleteRolePermissionsBoundary(input, call) {
      store.saveRole({ ...requireRole(store, call.scope.account, input.RoleName), permissionsBoundary: undefined });
      return undefined;
    },

    TagRole(input, call) {
      const role = requireRole(store, call.scope.account, input.RoleName);
      store.saveRole({ ...role, tags: withTags(role.tags, input.Tags, 'TagsPerRole') });
      return undefined;
    },

    UntagRole(input, call) {
      const role = requireRole(store, call.scope.account, input.RoleName);
      store.saveRole({ ...role, tags: withoutTags(role.tags, input.TagKeys) });
      return undefined;
    },

    ListRoleTags(input, call) {
      const page = pageOf(
        listTags(requireRole(store, call.scope.account, input.RoleName).tags),
        input,
        ({ Key }) => Key,
      );
      return { ...page.end, Tags: page.items };
    },

    ListInstanceProfilesForRole(input, call) {
      requireRole(store, call.scope.account, input.RoleName);
      return { IsTruncated: false, InstanceProfiles: [] };
    },
  };
}

function checkTrustPolicy(document: string): void {
  checkPolicyDocument(document, 'trust');
  const quota = IAM_QUOTAS.trustPolicyCharacters;
  if (policySize(document) > quota) throw iamError('LimitExceeded', `Cannot exceed quota for ACLSizePerRole: ${quota}`);
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
