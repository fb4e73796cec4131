/**
 * What Lamella does with each operation of Lambda's API. Refusals and docs/fidelity.md are written from this table; a
 * test holds it to the handlers.
 */
import type { OperationName } from '../../protocol/operations.ts';

export type Support =
  /** Answered as AWS does. */
  | { readonly kind: 'supported'; readonly remark?: string }
  /** Stored and given back, but nothing acts on it; `lacking` says what. */
  | { readonly kind: 'stored'; readonly lacking: string }
  /** Refused, because Lamella has nothing to run it with. */
  | { readonly kind: 'refused'; readonly reason: string };

const SUPPORTED: Support = { kind: 'supported' };
const DURABLE: Support = { kind: 'refused', reason: 'Durable executions need AWS: Lamella keeps no checkpoints.' };
const CAPACITY: Support = {
  kind: 'refused',
  reason: 'Capacity providers manage EC2 instances, of which this machine has none.',
};

const POLICY = stored('Callers are not judged by policies.');
const EVENT_SOURCE: Support = {
  kind: 'supported',
  remark: 'Of queues; streams and brokers are stored, and nothing polls them.',
};
const SIGNING = stored('Signatures of code are not checked.');
const RUNTIME_MANAGEMENT = stored('Lamella updates no runtimes.');
const SCALING = stored('There are no instances to scale.');

export const OPERATION_SUPPORT: Readonly<Record<OperationName, Support>> = {
  AddLayerVersionPermission: POLICY,
  AddPermission: POLICY,
  CheckpointDurableExecution: DURABLE,
  CreateAlias: SUPPORTED,
  CreateCapacityProvider: CAPACITY,
  CreateCodeSigningConfig: SIGNING,
  CreateEventSourceMapping: EVENT_SOURCE,
  CreateFunction: SUPPORTED,
  CreateFunctionUrlConfig: SUPPORTED,
  DeleteAlias: SUPPORTED,
  DeleteCapacityProvider: CAPACITY,
  DeleteCodeSigningConfig: SIGNING,
  DeleteEventSourceMapping: EVENT_SOURCE,
  DeleteFunction: SUPPORTED,
  DeleteFunctionCodeSigningConfig: SIGNING,
  DeleteFunctionConcurrency: SUPPORTED,
  DeleteFunctionEventInvokeConfig: SUPPORTED,
  DeleteFunctionUrlConfig: SUPPORTED,
  DeleteLayerVersion: SUPPORTED,
  DeleteProvisionedConcurrencyConfig: SUPPORTED,
  GetAccountSettings: SUPPORTED,
  GetAlias: SUPPORTED,
  GetCapacityProvider: CAPACITY,
  GetCodeSigningConfig: SIGNING,
  GetDurableExecution: DURABLE,
  GetDurableExecutionHistory: DURABLE,
  GetDurableExecutionState: DURABLE,
  GetEventSourceMapping: EVENT_SOURCE,
  GetFunction: SUPPORTED,
  GetFunctionCodeSigningConfig: SIGNING,
  GetFunctionConcurrency: SUPPORTED,
  GetFunctionConfiguration: SUPPORTED,
  GetFunctionEventInvokeConfig: SUPPORTED,
  GetFunctionRecursionConfig: SUPPORTED,
  GetFunctionScalingConfig: SCALING,
  GetFunctionUrlConfig: SUPPORTED,
  GetLayerVersion: SUPPORTED,
  GetLayerVersionByArn: SUPPORTED,
  GetLayerVersionPolicy: POLICY,
  GetPolicy: POLICY,
  GetProvisionedConcurrencyConfig: SUPPORTED,
  GetRuntimeManagementConfig: RUNTIME_MANAGEMENT,
  Invoke: SUPPORTED,
  InvokeAsync: SUPPORTED,
  InvokeWithResponseStream: SUPPORTED,
  ListAliases: SUPPORTED,
  ListCapacityProviders: CAPACITY,
  ListCodeSigningConfigs: SIGNING,
  ListDurableExecutionsByFunction: DURABLE,
  ListEventSourceMappings: EVENT_SOURCE,
  ListFunctionEventInvokeConfigs: SUPPORTED,
  ListFunctionUrlConfigs: SUPPORTED,
  ListFunctionVersionsByCapacityProvider: CAPACITY,
  ListFunctions: SUPPORTED,
  ListFunctionsByCodeSigningConfig: SIGNING,
  ListLayerVersions: SUPPORTED,
  ListLayers: SUPPORTED,
  ListProvisionedConcurrencyConfigs: SUPPORTED,
  ListTags: SUPPORTED,
  ListVersionsByFunction: SUPPORTED,
  PublishLayerVersion: SUPPORTED,
  PublishVersion: SUPPORTED,
  PutFunctionCodeSigningConfig: SIGNING,
  PutFunctionConcurrency: SUPPORTED,
  PutFunctionEventInvokeConfig: SUPPORTED,
  PutFunctionRecursionConfig: SUPPORTED,
  PutFunctionScalingConfig: SCALING,
  PutProvisionedConcurrencyConfig: SUPPORTED,
  PutRuntimeManagementConfig: RUNTIME_MANAGEMENT,
  RemoveLayerVersionPermission: POLICY,
  RemovePermission: POLICY,
  SendDurableExecutionCallbackFailure: DURABLE,
  SendDurableExecutionCallbackHeartbeat: DURABLE,
  SendDurableExecutionCallbackSuccess: DURABLE,
  StopDurableExecution: DURABLE,
  TagResource: SUPPORTED,
  UntagResource: SUPPORTED,
  UpdateAlias: SUPPORTED,
  UpdateCapacityProvider: CAPACITY,
  UpdateCodeSigningConfig: SIGNING,
  UpdateEventSourceMapping: EVENT_SOURCE,
  UpdateFunctionCode: SUPPORTED,
  UpdateFunctionConfiguration: SUPPORTED,
  UpdateFunctionEventInvokeConfig: SUPPORTED,
  UpdateFunctionUrlConfig: SUPPORTED,
};

function stored(lacking: string): Support {
  return { kind: 'stored', lacking };
}
