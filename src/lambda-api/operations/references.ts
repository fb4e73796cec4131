/**
 * What clients write where the API says FunctionName or LayerName: a name, a partial ARN or an ARN, for functions maybe
 * qualified. Answers the name within the caller's scope, or refuses what points elsewhere, in AWS's words.
 */
import type { FunctionName, LayerName, Qualifier, Scope } from '../../protocol/names.ts';
import { parseFunctionReference, parseLayerName, partitionOf, renderFunctionArn } from '../../protocol/names.ts';
import type { OperationName } from '../../protocol/operations.ts';
import { ServiceError } from '../../protocol/service-errors.ts';

export type FunctionTarget = { readonly name: FunctionName; readonly qualifier: Qualifier | undefined };

/** The function that a request means. `text` and `qualifier` have passed the model's patterns. */
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

/** `Function not found: arn:...:function:name[:qualifier]` */
export function functionNotFound(scope: Scope, name: string, qualifier?: string): ServiceError {
  return new ServiceError(
    'ResourceNotFoundException',
    `Function not found: ${renderFunctionArn(scope, name, qualifier)}`,
  );
}

/** The layer that a request means. `text` has passed the model's pattern. */
export function resolveLayerName(scope: Scope, text: string): { readonly scope: Scope; readonly name: LayerName } {
  const layer = parseLayerName(text);
  if (layer === undefined) throw resourceNotFound();
  if (layer.scope !== undefined && (layer.scope.account !== scope.account || layer.scope.region !== scope.region)) {
    throw new ForeignResource(text);
  }
  return { scope, name: layer.name };
}

/** AWS's plainest refusal. */
export function resourceNotFound(): ServiceError {
  return new ServiceError('ResourceNotFoundException', 'The resource you requested does not exist.');
}

/** A request names a resource of another account or region, whose policies nobody here knows. */
export class ForeignResource extends Error {
  readonly arn: string;

  constructor(arn: string) {
    super(`${arn} belongs to another account or region`);
    this.name = 'ForeignResource';
    this.arn = arn;
  }
}

/** AWS's refusal of an operation on a resource that is not the caller's. */
export function accessDenied(scope: Scope, operation: OperationName, resource: string): ServiceError {
  // Recorded on AWS: CreateFunction says nothing at all.
  if (operation === 'CreateFunction') return new ServiceError('AccessDeniedException', null);
  const caller = `arn:${partitionOf(scope.region)}:iam::${scope.account}:root`;
  const action = `lambda:${ACTIONS[operation] ?? operation}`;
  return new ServiceError(
    'AccessDeniedException',
    `User: ${caller} is not authorized to perform: ${action} on resource: ${resource} ` +
      `because no resource-based policy allows the ${action} action`,
  );
}

/** The actions of policies that are not named as their operation is. */
const ACTIONS: Partial<Record<OperationName, string>> = {
  Invoke: 'InvokeFunction',
  InvokeWithResponseStream: 'InvokeFunction',
  GetLayerVersionByArn: 'GetLayerVersion',
};
