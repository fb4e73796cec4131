/**
 * Resource policies of functions: one for the function, and one for each version and alias. Statements have AWS's form.
 * Messages, which differ by operation, were recorded on AWS (2025-11).
 */
import { randomUUID } from 'node:crypto';
import {
  addStatement,
  checkRevision,
  type PolicyStatement,
  type ResourcePolicy,
  removeStatement,
} from '../../layers/resource-policy.ts';
import { isPrincipalArn, renderAccountArn, renderFunctionArn } from '../../protocol/arn.ts';
import type { Scope } from '../../protocol/names.ts';
import { ServiceError } from '../../protocol/service-errors.ts';
import type { Database } from '../../storage/database.ts';
import type { FunctionDirectory } from '../function-directory.ts';
import { createSettingDocuments } from './setting-documents.ts';

/** The input of AddPermission. */
export type PermissionDraft = {
  readonly statementId: string;
  readonly action: string;
  readonly principal: string;
  readonly sourceArn: string | undefined;
  readonly sourceAccount: string | undefined;
  readonly eventSourceToken: string | undefined;
  readonly principalOrgId: string | undefined;
  readonly functionUrlAuthType: string | undefined;
  readonly invokedViaFunctionUrl: boolean | undefined;
};

export type FunctionPolicies = {
  add(
    scope: Scope,
    name: string,
    qualifier: string | undefined,
    draft: PermissionDraft,
    revisionId: string | undefined,
  ): PolicyStatement;
  get(scope: Scope, name: string, qualifier: string | undefined): ResourcePolicy;
  /** Like `get`, for evaluation: undefined without a policy. Throws nothing. */
  find(scope: Scope, name: string, qualifier: string | undefined): ResourcePolicy | undefined;
  remove(
    scope: Scope,
    name: string,
    qualifier: string | undefined,
    statementId: string,
    revisionId: string | undefined,
  ): void;
  /** Clears the cache. Call it when a function was deleted, which deletes its settings. */
  invalidate(): void;
};

/** All methods throw `ServiceError`s as AWS does. */
export function createFunctionPolicies({
  database,
  directory,
  revisionOf,
}: {
  database: Database;
  directory: FunctionDirectory;
  /** The revision of the policy's function, version or alias. AWS accepts it in place of the policy's own revision. */
  revisionOf: (scope: Scope, name: string, qualifier: string | undefined) => string;
}): FunctionPolicies {
  const documents = createSettingDocuments<ResourcePolicy>(database, 'policy');

  return {
    add(scope, name, qualifier, draft, revisionId) {
      if (qualifier === '$LATEST') throw refusal('We currently do not support adding policies for $LATEST.');
      directory.requireFunction(scope, name);
      if (qualifier !== undefined) directory.requireQualifier(scope, name, qualifier);
      const policy = documents.get(scope, name, qualifier ?? '');
      if (revisionId !== revisionOf(scope, name, qualifier)) checkRevision(revisionId, policy?.revisionId, 'GetPolicy');
      const statement = renderStatement(renderFunctionArn(scope, name, qualifier), scope, draft);
      documents.put(scope, name, qualifier ?? '', addStatement(policy, statement, randomUUID()));
      return statement;
    },
    get(scope, name, qualifier) {
      const policy = documents.get(scope, name, qualifier ?? '');
      if (policy === undefined) {
        throw new ServiceError('ResourceNotFoundException', 'The resource you requested does not exist.');
      }
      return policy;
    },
    find: (scope, name, qualifier) => documents.get(scope, name, qualifier ?? ''),
    remove(scope, name, qualifier, statementId, revisionId) {
      if (!directory.hasFunction(scope, name)) {
        const arn = renderFunctionArn(scope, name);
        throw new ServiceError('ResourceNotFoundException', `No policy found for: ${arn}`);
      }
      if (qualifier !== undefined) directory.requireQualifier(scope, name, qualifier);
      const policy = documents.get(scope, name, qualifier ?? '');
      if (policy === undefined) {
        throw new ServiceError('ResourceNotFoundException', 'No policy is associated with the given resource.');
      }
      if (revisionId !== revisionOf(scope, name, qualifier)) {
        checkRevision(revisionId, policy.revisionId, 'GetFunction/GetAlias');
      }
      const shrunk = removeStatement(policy, statementId, randomUUID());
      if (shrunk === undefined) documents.remove(scope, name, qualifier ?? '');
      else documents.put(scope, name, qualifier ?? '', shrunk);
    },
    invalidate: documents.invalidate,
  };
}

function renderStatement(resource: string, scope: Scope, draft: PermissionDraft): PolicyStatement {
  const equals = present({
    'AWS:SourceAccount': draft.sourceAccount,
    'lambda:EventSourceToken': draft.eventSourceToken,
    'lambda:FunctionUrlAuthType': draft.functionUrlAuthType,
    'aws:PrincipalOrgID': draft.principalOrgId,
  });
  const like = present({ 'AWS:SourceArn': draft.sourceArn });
  const truth = present({
    'lambda:InvokedViaFunctionUrl':
      draft.invokedViaFunctionUrl === undefined ? undefined : `${draft.invokedViaFunctionUrl}`,
  });
  const condition = present({ StringEquals: equals, ArnLike: like, Bool: truth });
  return {
    Sid: draft.statementId,
    Effect: 'Allow',
    Principal: renderPrincipal(draft.principal, scope),
    Action: draft.action,
    Resource: resource,
    ...(condition && { Condition: condition }),
  };
}

/** Renders an account as its root ARN and a service name as a service. */
function renderPrincipal(principal: string, scope: Scope): unknown {
  if (principal === '*') return '*';
  if (/^\d{12}$/.test(principal)) return { AWS: renderAccountArn({ ...scope, account: principal }) };
  if (isPrincipalArn(principal)) return { AWS: principal };
  if (/^[a-z0-9.-]+\.(amazonaws\.com(\.cn)?|amazon\.com)$/.test(principal)) return { Service: principal };
  throw refusal('The provided principal was invalid. Please check the principal and try again.');
}

/** Omits undefined members. Returns undefined when none is left. */
function present<Value>(members: Readonly<Record<string, Value | undefined>>): Record<string, Value> | undefined {
  const entries = Object.entries(members).filter((entry): entry is [string, Value] => entry[1] !== undefined);
  return entries.length > 0 ? Object.fromEntries(entries) : undefined;
}

function refusal(message: string): ServiceError {
  return new ServiceError('InvalidParameterValueException', message);
}
