/** IAM's operations on the versions of managed policies. A policy that AWS manages has one version here. */
import type { Clock } from '../../clock.ts';
import { AWS_MANAGED_POLICIES } from '../../protocol/aws-managed-policies.ts';
import { renderIsoSeconds } from '../../protocol/dates.ts';
import { IAM_QUOTAS } from '../../protocol/iam-operations.ts';
import type { XmlStructure } from '../../wire/xml.ts';
import type { IamHandlers } from './iam-handlers.ts';
import { requireOwnPolicy, requirePolicyArn } from './iam-lookups.ts';
import { checkPolicyDocument, iamError, pageOf, policySize, renderDocument } from './iam-rules.ts';
import type { IamStore, Policy, PolicyVersion } from './iam-store.ts';

type VersionOperation =
  | 'CreatePolicyVersion'
  | 'GetPolicyVersion'
  | 'ListPolicyVersions'
  | 'DeletePolicyVersion'
  | 'SetDefaultPolicyVersion';

/**
 * The creation date of every policy that AWS manages: the day on which IAM got managed policies. The real dates differ
 * by policy.
 */
export const MANAGED_POLICIES_DATE = '2015-02-06T18:39:46Z';

/** @throws QueryError for a document beyond the quota of managed policies */
export function checkManagedSize(document: string): void {
  if (policySize(document) <= IAM_QUOTAS.managedPolicyCharacters) return;
  throw iamError('LimitExceeded', `Cannot exceed quota for PolicySize: ${IAM_QUOTAS.managedPolicyCharacters}`);
}

export function createPolicyVersionHandlers(store: IamStore, clock: Clock): Pick<IamHandlers, VersionOperation> {
  const nowMs = () => Math.trunc(clock.epochMs());

  const versionOf = (policy: Policy, versionId: string): PolicyVersion => {
    const version = store.versions(policy).find(({ version }) => `v${version}` === versionId);
    if (version === undefined) throw versionNotFound(policy.arn, versionId);
    return version;
  };

  return {
    CreatePolicyVersion(input, call) {
      checkPolicyDocument(input.PolicyDocument, 'permissions');
      checkManagedSize(input.PolicyDocument);
      return store.transaction(() => {
        const policy = requireOwnPolicy(store, call.scope.account, input.PolicyArn);
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
      const policy = requireOwnPolicy(store, call.scope.account, input.PolicyArn);
      const version = versionOf(policy, input.VersionId);
      return { PolicyVersion: { Document: renderDocument(version.document), ...describeVersion(policy, version) } };
    },

    ListPolicyVersions(input, call) {
      const { owner } = requirePolicyArn(input.PolicyArn);
      if (owner === 'aws') {
        const version = { VersionId: 'v1', IsDefaultVersion: true, CreateDate: MANAGED_POLICIES_DATE };
        return { IsTruncated: false, Versions: [version] };
      }
      const policy = requireOwnPolicy(store, call.scope.account, input.PolicyArn);
      // Newest first, so the key that has to rise along the list counts downwards.
      const page = pageOf(store.versions(policy), input, ({ version }) => String(1e9 - version));
      return { ...page.end, Versions: page.items.map((version) => describeVersion(policy, version)) };
    },

    DeletePolicyVersion(input, call) {
      store.transaction(() => {
        const policy = requireOwnPolicy(store, call.scope.account, input.PolicyArn);
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
        const policy = requireOwnPolicy(store, call.scope.account, input.PolicyArn);
        const { version } = versionOf(policy, input.VersionId);
        store.savePolicy({ ...policy, defaultVersion: version, updatedMs: nowMs() });
      });
      return undefined;
    },
  };
}

function describeVersion(policy: Policy, { version, createdMs }: PolicyVersion): XmlStructure {
  return {
    VersionId: `v${version}`,
    IsDefaultVersion: version === policy.defaultVersion,
    CreateDate: renderIsoSeconds(createdMs),
  };
}

function versionNotFound(arn: string, versionId: string): Error {
  return iamError('NoSuchEntity', `Policy ${arn} version ${versionId} does not exist or is not attachable.`);
}
