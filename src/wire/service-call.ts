/**
 * Calls of AWS operations inside this process: the same handlers, checks and errors that a client of the API port meets,
 * without HTTP. Resource providers of stacks use it, and so may any service that feeds another one.
 */
import { randomUUID } from 'node:crypto';
import type { RequestId, Scope } from '../protocol/names.ts';
import { OperationFailure, type OperationMembers, type PerformOperation } from './api-call.ts';

/**
 * Performs `operation` of the service with this name in a credential scope (`lambda`, `iam`, `logs`), with the members
 * that an AWS SDK would pass and return; blobs are base64 text. @throws ServiceCallFailure
 */
export type ServiceCall = (
  scope: Scope,
  service: string,
  operation: string,
  input: OperationMembers,
) => Promise<OperationMembers>;

/** The service responded with an error. */
export class ServiceCallFailure extends Error {
  readonly service: string;
  readonly operation: string;
  /** The wire code: `ResourceConflictException`. */
  readonly code: string;
  readonly status: number;
  readonly requestId: string;

  constructor(service: string, operation: string, failure: OperationFailure, requestId: string) {
    super(failure.message, { cause: failure });
    this.name = 'ServiceCallFailure';
    this.service = service;
    this.operation = operation;
    this.code = failure.code;
    this.status = failure.status;
    this.requestId = requestId;
  }
}

export type ServiceCallOptions = {
  /** The services, by their names in a credential scope. */
  readonly operations: Readonly<Record<string, PerformOperation>>;
  /** The service's own URL, for URLs in results. */
  readonly baseUrl: () => string;
};

export function createServiceCall({ operations, baseUrl }: ServiceCallOptions): ServiceCall {
  return async (scope, service, operation, input) => {
    const requestId = randomUUID() as RequestId;
    try {
      const perform = Object.hasOwn(operations, service) ? operations[service] : undefined;
      if (perform === undefined) {
        throw new OperationFailure('NotImplementedException', 501, `Lamella does not offer the service '${service}'.`);
      }
      // As on the wire: members that are undefined are absent.
      const members = JSON.parse(JSON.stringify(input)) as OperationMembers;
      return await perform(operation, members, { requestId, scope, baseUrl: baseUrl(), accessKeyId: undefined });
    } catch (failure) {
      if (!(failure instanceof OperationFailure)) throw failure;
      throw new ServiceCallFailure(service, operation, failure, requestId);
    }
  };
}
