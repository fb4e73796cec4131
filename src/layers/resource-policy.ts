/**
 * Resource policies of functions and layer versions: documents with statements that clients add and remove by id.
 * `gateways/permissions/` evaluates those of functions. Pure.
 */
import { QUOTAS } from '../protocol/quotas.ts';
import { ServiceError } from '../protocol/service-errors.ts';

/** A statement with its members in AWS's order. */
export type PolicyStatement = Readonly<Record<string, unknown>> & { readonly Sid: string };

export type ResourcePolicy = {
  readonly statements: readonly PolicyStatement[];
  readonly revisionId: string;
};

/** Adds a statement. @throws ServiceError when its id exists or the policy becomes too large */
export function addStatement(
  policy: ResourcePolicy | undefined,
  statement: PolicyStatement,
  revisionId: string,
): ResourcePolicy {
  const present = policy?.statements ?? [];
  if (present.some(({ Sid }) => Sid === statement.Sid)) {
    throw new ServiceError(
      'ResourceConflictException',
      `The statement id (${statement.Sid}) provided already exists. ` +
        'Please provide a new statement id, or remove the existing statement.',
    );
  }
  const grown = { statements: [...present, statement], revisionId };
  const size = Buffer.byteLength(renderPolicy(grown));
  if (size > QUOTAS.policyBytes) {
    throw new ServiceError(
      'PolicyLengthExceededException',
      `The final policy size (${size}) is bigger than the limit (${QUOTAS.policyBytes}).`,
    );
  }
  return grown;
}

/** Removes a statement. Returns undefined if it was the last one. @throws ServiceError when it does not exist */
export function removeStatement(
  policy: ResourcePolicy,
  statementId: string,
  revisionId: string,
): ResourcePolicy | undefined {
  const statements = policy.statements.filter(({ Sid }) => Sid !== statementId);
  if (statements.length === policy.statements.length) {
    throw new ServiceError('ResourceNotFoundException', `Statement ${statementId} is not found in resource policy.`);
  }
  return statements.length === 0 ? undefined : { statements, revisionId };
}

/** Renders the document as JSON text, as GetPolicy returns it. */
export function renderPolicy({ statements }: ResourcePolicy): string {
  return JSON.stringify({ Version: '2012-10-17', Id: 'default', Statement: statements });
}

/**
 * Checks the revision that a client expects, if any. `source` is the operation that AWS's message refers to.
 * @throws ServiceError when it differs
 */
export function checkRevision(expected: string | undefined, present: string | undefined, source: string): void {
  if (expected !== undefined && expected !== present) {
    throw new ServiceError(
      'PreconditionFailedException',
      'The Revision Id provided does not match the latest Revision Id. ' +
        `Call the ${source} API to retrieve the latest Revision Id`,
    );
  }
}
