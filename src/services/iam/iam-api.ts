/**
 * IAM, as far as Lambda's users need it: roles and policies are stored and validated, never evaluated. IAM knows no
 * regions: everything belongs to the account. The operations are in `iam-roles.ts` and `iam-policies.ts`.
 */
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { parseRoleArn, renderAccountArn } from '../../protocol/arn.ts';
import { renderIsoSeconds } from '../../protocol/dates.ts';
import { IAM_NAMESPACE, IAM_OPERATIONS, IAM_VERSION } from '../../protocol/iam-operations.ts';
import type { Scope } from '../../protocol/names.ts';
import type { Database } from '../../storage/database.ts';
import type { ApiCall, ServiceHandler } from '../../wire/api-call.ts';
import { createQueryHandler } from '../../wire/query-protocol.ts';
import { createPolicyHandlers } from './iam-policies.ts';
import { createPolicyVersionHandlers } from './iam-policy-versions.ts';
import { createRolePolicyHandlers } from './iam-role-policies.ts';
import { createRoleHandlers } from './iam-roles.ts';
import { checkName, iamError } from './iam-rules.ts';
import { createIamStore } from './iam-store.ts';

export type IamApi = {
  readonly handle: ServiceHandler;
  /** Whether `arn` names a role of the scope's account that exists, path included. */
  roleExists(scope: Scope, arn: string): boolean;
  /** The id (`AROA...`) of that role. */
  roleId(scope: Scope, arn: string): string | undefined;
};

export type IamApiOptions = { readonly database: Database; readonly clock: Clock; readonly log: Log };

/** Answers for IAM. */
export function createIamApi({ database, clock, log }: IamApiOptions): IamApi {
  const store = createIamStore(database);
  const startedMs = clock.epochMs();
  const roleId = (scope: Scope, arn: string): string | undefined => {
    const reference = parseRoleArn(arn);
    if (reference?.account !== scope.account) return undefined;
    const role = store.role(scope.account, reference.name);
    return role?.path === reference.path ? role.roleId : undefined;
  };
  const handle = createQueryHandler({
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
      GetUser: (input, { scope }: ApiCall) => {
        // There are no users; whoever asks for the caller is told of the account's root.
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
  return { handle, roleId, roleExists: (scope, arn) => roleId(scope, arn) !== undefined };
}
