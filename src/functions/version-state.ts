/**
 * The states of a version: Pending until it is created, then Active. An update of `$LATEST` goes through InProgress to
 * Successful. Each step gives the version a new revision. Pure; `settling.ts` and `function-changes.ts` apply the
 * steps.
 * https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
 */
import { ServiceError } from '../protocol/service-errors.ts';
import type { FunctionVersion } from './function.ts';

/** Recorded on AWS: updates have this reason too. */
const REASON = 'The function is being created.';
const REASON_CODE = 'Creating';

/** The state of a version that is being created. */
export const PENDING = {
  state: 'Pending',
  stateReason: REASON,
  stateReasonCode: REASON_CODE,
  lastUpdateStatus: undefined,
  lastUpdateStatusReason: undefined,
  lastUpdateStatusReasonCode: undefined,
} as const satisfies Partial<FunctionVersion>;

/** Starts a change of `$LATEST`. */
export function inProgress(
  latest: FunctionVersion,
  change: Partial<Pick<FunctionVersion, 'code' | 'configuration'>>,
  at: { readonly revisionId: string; readonly lastModified: string },
): FunctionVersion {
  return {
    ...latest,
    ...change,
    ...at,
    lastUpdateStatus: 'InProgress',
    lastUpdateStatusReason: REASON,
    lastUpdateStatusReasonCode: REASON_CODE,
  };
}

/** Completes the creation or change of a version. */
export function settled(version: FunctionVersion, revisionId: string): FunctionVersion {
  return {
    ...version,
    state: 'Active',
    stateReason: undefined,
    stateReasonCode: undefined,
    lastUpdateStatus: 'Successful',
    lastUpdateStatusReason: undefined,
    lastUpdateStatusReasonCode: undefined,
    revisionId,
  };
}

/** Whether the version's creation or change has not completed yet. */
export function isSettling({ state, lastUpdateStatus }: FunctionVersion): boolean {
  return state === 'Pending' || lastUpdateStatus === 'InProgress';
}

/** @throws ServiceError ResourceConflictException unless the version can be invoked */
export function refuseUnlessActive({ state }: FunctionVersion): void {
  if (state === 'Active') return;
  throw new ServiceError(
    'ResourceConflictException',
    `The operation cannot be performed at this time. The function is currently in the following state: ${state}`,
  );
}

/** @throws ServiceError ResourceConflictException while `$LATEST` cannot be changed or published */
export function refuseWhileSettling(latest: FunctionVersion): void {
  if (latest.state === 'Pending') refuseUnlessActive(latest);
  if (latest.lastUpdateStatus !== 'InProgress') return;
  throw new ServiceError(
    'ResourceConflictException',
    `The operation cannot be performed at this time. An update is in progress for resource: ${latest.arn}`,
  );
}

/** @throws ServiceError PreconditionFailedException when the client expects another revision */
export function refuseOtherRevision(latest: FunctionVersion, revisionId: string | undefined): void {
  if (revisionId === undefined || revisionId === latest.revisionId) return;
  throw new ServiceError(
    'PreconditionFailedException',
    'The Revision Id provided does not match the latest Revision Id. ' +
      'Call the GetFunction/GetAlias API to retrieve the latest Revision Id',
  );
}
