/**
 * The states of a version, in AWS's words: Pending until it is created, then Active; a `$LATEST` that is changed goes
 * through InProgress to Successful. Each step gives the version a new revision. Pure; who takes the steps, and when,
 * is in `functions.ts`. https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
 */
import { ServiceError } from '../protocol/service-errors.ts';
import type { FunctionVersion } from './function.ts';

/** As recorded on AWS: it says that the function is being created of an update, too. */
const REASON = 'The function is being created.';
const REASON_CODE = 'Creating';

/** The state of a version that is being made. */
export const PENDING = {
  state: 'Pending',
  stateReason: REASON,
  stateReasonCode: REASON_CODE,
  lastUpdateStatus: undefined,
  lastUpdateStatusReason: undefined,
  lastUpdateStatusReasonCode: undefined,
} as const satisfies Partial<FunctionVersion>;

/** A `$LATEST` with a change on its way. */
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

/** The version when everything about it is done. */
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

/** Whether the version will change its state by itself. */
export function isSettling({ state, lastUpdateStatus }: FunctionVersion): boolean {
  return state === 'Pending' || lastUpdateStatus === 'InProgress';
}

/** @throws ServiceError ResourceConflictException when the version cannot be invoked now */
export function refuseUnlessActive({ state }: FunctionVersion): void {
  if (state === 'Active') return;
  throw new ServiceError(
    'ResourceConflictException',
    `The operation cannot be performed at this time. The function is currently in the following state: ${state}`,
  );
}

/** @throws ServiceError ResourceConflictException when a `$LATEST` cannot be changed or published now */
export function refuseWhileSettling(latest: FunctionVersion): void {
  if (latest.state === 'Pending') refuseUnlessActive(latest);
  if (latest.lastUpdateStatus !== 'InProgress') return;
  throw new ServiceError(
    'ResourceConflictException',
    `The operation cannot be performed at this time. An update is in progress for resource: ${latest.arn}`,
  );
}

/** @throws ServiceError PreconditionFailedException when the client saw another revision */
export function refuseOtherRevision(latest: FunctionVersion, revisionId: string | undefined): void {
  if (revisionId === undefined || revisionId === latest.revisionId) return;
  throw new ServiceError(
    'PreconditionFailedException',
    'The Revision Id provided does not match the latest Revision Id. ' +
      'Call the GetFunction/GetAlias API to retrieve the latest Revision Id',
  );
}
