/**
 * The part of IAM that Lambda's users need: stores and validates roles and policies, and never evaluates them. IAM is
 * global: roles and policies belong to the account, not to a region. Puts together the handlers of `iam-roles.ts`,
 * `iam-role-policies.ts`, `iam-policies.ts` and `iam-policy-versions.ts`.
 */
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { parseRoleArn, renderAccountArn } from '../../protocol/arn.ts';
import { renderIsoSeconds } from '../../protocol/dates.ts';
import { IAM_NAMESPACE, IAM_OPERATIONS, IAM_VERSION } from '../../protocol/iam-operations.ts';
import type { Scope } from '../../protocol/names.ts';
import type { Database } from '../../storage/database.ts';
import type { CallContext, ServiceApi } from '../../wire/api-call.ts';
import { createQueryApi } from '../../wire/query-protocol.ts';
import { createPolicyHandlers } from './iam-policies.ts';
import { createPolicyVersionHandlers } from './iam-policy-versions.ts';
import { createRolePolicyHandlers } from './iam-role-policies.ts';
import { createRoleHandlers } from './iam-roles.ts';
import { checkName, iamError } from './iam-rules.ts';
import { createIamStore } from './iam-store.ts';

export type IamApi = ServiceApi & {
  /** Whether `arn`, including its path, is the ARN of an existing role of the scope's account. */
  roleExists(scope: Scope, arn: string): boolean;
  /** The id (`AROA...`) of that role. */
  roleId(scope: Scope, arn: string): string | undefined;
};

export type IamApiOptions = { readonly database: Database; readonly clock: Clock; readonly log: Log };

/** Creates the handler of IAM's requests. */
export function createIamApi({ database, clock, log }: IamApiOptions): IamApi {
  const store = createIamStore(database);
  const startedMs = clock.epochMs();
  const roleId = (scope: Scope, arn: string): string | undefined => {
    const reference = parseRoleArn(arn);
    if (reference?.account !== scope.account) return undefined;
    const role = store.role(scope.account, reference.name);
    return role?.path === reference.path ? role.roleId : undefined;
  };
  const api = createQueryApi({
    name: 'IAM',
    version: IAM_VERSION,
    namespace: IAM_NAMESPACE,
    operations: IAM_OPERATIONS,
    handlers: {
      ...createRoleHandlers(store, clock),
      ...createRolePolicyHandlers(store),
      ...createPolicyHandlers(store, clock),
      ...createPolicyVersionHandlers(store, clock),
      ListAccountAliases: () => ({ IsTruncated: false, AccountAliases: [] }),
      GetUser: (input, { scope }: CallContext) => {
        // There are no users. Without a name, the caller is the account's root.
        if (input.UserName !== undefined) {
          checkName('userName', input.UserName);
          throw iamError('NoSuchEntity', `The user with name ${input.UserName} cannot be found.`);
        }
        const arn = renderAccountArn(scope);
        return { User: { UserId: scope.account, Arn: arn, Path: '/', CreateDate: renderIsoSeconds(startedMs) } };
      },
    },
    log,
  });
  return { ...api, roleId, roleExists: (scope, arn) => roleId(scope, arn) !== undefined };
}
