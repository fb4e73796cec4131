/** The type of IAM's handlers, which `iam-api.ts` puts together. */
import type { IAM_OPERATIONS } from '../../protocol/iam-operations.ts';
import type { QueryService } from '../../wire/query-protocol.ts';

export type IamHandlers = QueryService<typeof IAM_OPERATIONS>['handlers'];
