/**
 * What Lamella does with each operation of Lambda's API. Refusals and docs/fidelity.md are written from this table; a
 * test holds it to the handlers.
 */
import type { OperationName } from '../protocol/operations.ts';

export type Support =
  /** Answered as AWS does. */
  | { readonly kind: 'supported' }
  /** Stored and given back, but nothing acts on it; `lacking` says what. */
  | { readonly kind: 'stored'; readonly lacking: string }
  /** Refused, because Lamella has nothing to run it with. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** Refused until it is built. */
  | { readonly kind: 'planned' };

const SUPPORTED: Support = { kind: 'supported' };
const PLANNED: Support = { kind: 'planned' };
const DURABLE: Support = { kind: 'refused', reason: 'Durable executions need AWS: Lamella keeps no checkpoints.' };
const CAPACITY: Support = {
  kind: 'refused',
  reason: 'Capacity providers manage EC2 instances, of which this machine has none.',
};

export const OPERATION_SUPPORT: Readonly<Record<OperationName, Support>> = {
  AddLayerVersionPermission: PLANNED,
  AddPermission: PLANNED,
  CheckpointDurableExecution: DURABLE,
  CreateAlias: PLANNED,
  CreateCapacityProvider: CAPACITY,
  CreateCodeSigningConfig: PLANNED,
  CreateEventSourceMapping: PLANNED,
  CreateFunction: SUPPORTED,
  CreateFunctionUrlConfig: PLANNED,
  DeleteAlias: PLANNED,
  DeleteCapacityProvider: CAPACITY,
  DeleteCodeSigningConfig: PLANNED,
  DeleteEventSourceMapping: PLANNED,
  DeleteFunction: SUPPORTED,
  DeleteFunctionCodeSigningConfig: PLANNED,
  DeleteFunctionConcurrency: PLANNED,
  DeleteFunctionEventInvokeConfig: PLANNED,
  DeleteFunctionUrlConfig: PLANNED,
  DeleteLayerVersion: SUPPORTED,
  DeleteProvisionedConcurrencyConfig: PLANNED,
  GetAccountSettings: PLANNED,
  GetAlias: PLANNED,
  GetCapacityProvider: CAPACITY,
  GetCodeSigningConfig: PLANNED,
  GetDurableExecution: DURABLE,
  GetDurableExecutionHistory: DURABLE,
  GetDurableExecutionState: DURABLE,
  GetEventSourceMapping: PLANNED,
  GetFunction: SUPPORTED,
  GetFunctionCodeSigningConfig: PLANNED,
  GetFunctionConcurrency: PLANNED,
  GetFunctionConfiguration: SUPPORTED,
  GetFunctionEventInvokeConfig: PLANNED,
  GetFunctionRecursionConfig: PLANNED,
  GetFunctionScalingConfig: PLANNED,
  GetFunctionUrlConfig: PLANNED,
  GetLayerVersion: SUPPORTED,
  GetLayerVersionByArn: SUPPORTED,
  GetLayerVersionPolicy: PLANNED,
  GetPolicy: PLANNED,
  GetProvisionedConcurrencyConfig: PLANNED,
  GetRuntimeManagementConfig: PLANNED,
  Invoke: SUPPORTED,
  InvokeAsync: PLANNED,
  InvokeWithResponseStream: PLANNED,
  ListAliases: PLANNED,
  ListCapacityProviders: CAPACITY,
  ListCodeSigningConfigs: PLANNED,
  ListDurableExecutionsByFunction: DURABLE,
  ListEventSourceMappings: PLANNED,
  ListFunctionEventInvokeConfigs: PLANNED,
  ListFunctionUrlConfigs: PLANNED,
  ListFunctionVersionsByCapacityProvider: CAPACITY,
  ListFunctions: SUPPORTED,
  ListFunctionsByCodeSigningConfig: PLANNED,
  ListLayerVersions: SUPPORTED,
  ListLayers: SUPPORTED,
  ListProvisionedConcurrencyConfigs: PLANNED,
  ListTags: PLANNED,
  ListVersionsByFunction: SUPPORTED,
  PublishLayerVersion: SUPPORTED,
  PublishVersion: SUPPORTED,
  PutFunctionCodeSigningConfig: PLANNED,
  PutFunctionConcurrency: PLANNED,
  PutFunctionEventInvokeConfig: PLANNED,
  PutFunctionRecursionConfig: PLANNED,
  PutFunctionScalingConfig: PLANNED,
  PutProvisionedConcurrencyConfig: PLANNED,
  PutRuntimeManagementConfig: PLANNED,
  RemoveLayerVersionPermission: PLANNED,
  RemovePermission: PLANNED,
  SendDurableExecutionCallbackFailure: DURABLE,
  SendDurableExecutionCallbackHeartbeat: DURABLE,
  SendDurableExecutionCallbackSuccess: DURABLE,
  StopDurableExecution: DURABLE,
  TagResource: PLANNED,
  UntagResource: PLANNED,
  UpdateAlias: PLANNED,
  UpdateCapacityProvider: CAPACITY,
  UpdateCodeSigningConfig: PLANNED,
  UpdateEventSourceMapping: PLANNED,
  UpdateFunctionCode: SUPPORTED,
  UpdateFunctionConfiguration: SUPPORTED,
  UpdateFunctionEventInvokeConfig: PLANNED,
  UpdateFunctionUrlConfig: PLANNED,
};
