/**
 * Resolves the FunctionName and LayerName of a request: a name, a partial ARN or an ARN, for functions with an optional
 * qualifier. References to other accounts and regions are refused in AWS's wording.
 */
import { functionNotFound } from '../../functions/function-rules.ts';
import { parseFunctionReference, parseLayerName, renderAccountArn, renderFunctionArn } from '../../protocol/arn.ts';
import type { FunctionName, LayerName, Qualifier, Scope } from '../../protocol/names.ts';
import type { OperationName } from '../../protocol/operations.ts';
import { ServiceError } from '../../protocol/service-errors.ts';

export type FunctionTarget = { readonly name: FunctionName; readonly qualifier: Qualifier | undefined };

/** Resolves a function reference. `text` and `qualifier` match the model's patterns. @throws ServiceError */
export function resolveFunctionReference(scope: Scope, text: string, qualifier?: string): FunctionTarget {
  const reference = parseFunctionReference(text);
  if (reference === undefined) throw functionNotFound(scope, text, qualifier);
  if (reference.region !== undefined && reference.region !== scope.region) {
    throw new ServiceError(
      'ResourceNotFoundException',
      `Functions from '${reference.region}' are not reachable in this region ('${scope.region}')`,
    );
  }
  if (reference.account !== undefined && reference.account !== scope.account) {
    throw new ForeignResource(renderFunctionArn({ ...scope, account: reference.account }, reference.name));
  }
  if (qualifier !== undefined && reference.qualifier !== undefined && qualifier !== reference.qualifier) {
    throw new ServiceError(
      'InvalidParameterValueException',
      'The derived qualifier from the function name does not match the specified qualifier.',
    );
  }
  return { name: reference.name, qualifier: reference.qualifier ?? (qualifier as Qualifier | undefined) };
}

/** Resolves a reference where AWS accepts only whole functions. @throws ServiceError */
export function resolveUnqualifiedName(scope: Scope, text: string): FunctionName {
  const { name, qualifier } = resolveFunctionReference(scope, text);
  if (qualifier !== undefined) {
    throw new ServiceError(
      'InvalidParameterValueException',
      'This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. ' +
        'Please specify either a function name or an unqualified function ARN.',
    );
  }
  return name;
}

/** Resolves a layer reference. `text` matches the model's pattern. @throws ServiceError */
export function resolveLayerName(scope: Scope, text: string): { readonly scope: Scope; readonly name: LayerName } {
  const layer = parseLayerName(text);
  if (layer === undefined) throw resourceNotFound();
  if (layer.scope !== undefined && (layer.scope.account !== scope.account || layer.scope.region !== scope.region)) {
    throw new ForeignResource(text);
  }
  return { scope, name: layer.name };
}

/** AWS's generic ResourceNotFoundException. */
export function resourceNotFound(): ServiceError {
  return new ServiceError('ResourceNotFoundException', 'The resource you requested does not exist.');
}

/** A request names a resource of another account or region. */
export class ForeignResource extends Error {
  readonly arn: string;

  constructor(arn: string) {
    super(`${arn} belongs to another account or region`);
    this.name = 'ForeignResource';
    this.arn = arn;
  }
}

/** AWS's error for an operation on a resource of another account. */
export function accessDenied(scope: Scope, operation: OperationName, resource: string): ServiceError {
  // Recorded on AWS: the error of CreateFunction has no message.
  if (operation === 'CreateFunction') return new ServiceError('AccessDeniedException', null);
  const caller = renderAccountArn(scope);
  const action = `lambda:${ACTIONS[operation] ?? operation}`;
  return new ServiceError(
    'AccessDeniedException',
    `User: ${caller} is not authorized to perform: ${action} on resource: ${resource} ` +
      `because no resource-based policy allows the ${action} action`,
  );
}

/** IAM actions whose name differs from the operation's. */
const ACTIONS: Partial<Record<OperationName, string>> = {
  Invoke: 'InvokeFunction',
  InvokeWithResponseStream: 'InvokeFunction',
  GetLayerVersionByArn: 'GetLayerVersion',
};
