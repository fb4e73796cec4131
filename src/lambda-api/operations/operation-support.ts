/**
 * How Lamella supports each operation of Lambda's API. Error messages and docs/fidelity.md are generated from this
 * table. A test compares it with the handlers.
 */
import type { OperationName } from '../../protocol/operations.ts';

export type Support =
  /** Works as on AWS, except for the note. */
  | { readonly kind: 'supported'; readonly note?: string }
  /** Stored and returned, but without effect, as the note explains. */
  | { readonly kind: 'stored'; readonly note: string }
  /** Not implemented. */
  | { readonly kind: 'refused'; readonly reason: string };

const SUPPORTED: Support = { kind: 'supported' };
const DURABLE: Support = { kind: 'refused', reason: 'Durable executions are available only on AWS.' };
const CAPACITY: Support = {
  kind: 'refused',
  reason: 'Capacity providers manage EC2 instances, which do not exist here.',
};

const RESOURCE_POLICY: Support = {
  kind: 'refused',
  reason: 'Use AddPermission, GetPolicy and RemovePermission for the policy of a function.',
};
const POLICY = stored('HTTP gateways evaluate the policy with `--strict policies`; other callers need no permission.');
const LAYER_POLICY = stored('Policies of layers are stored but not evaluated.');
const EVENT_SOURCE: Support = {
  kind: 'supported',
  note: 'Lamella polls SQS queues. Mappings of streams and brokers are stored but not polled.',
};
const SIGNING = stored('Signatures of code are not verified.');
const RUNTIME_MANAGEMENT = stored('Lamella does not update runtimes.');
const SCALING = stored('Lamella has no instances to scale.');

export const OPERATION_SUPPORT: Readonly<Record<OperationName, Support>> = {
  AddLayerVersionPermission: LAYER_POLICY,
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
  DeleteResourcePolicy: RESOURCE_POLICY,
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
  GetLayerVersionPolicy: LAYER_POLICY,
  GetPolicy: POLICY,
  GetProvisionedConcurrencyConfig: SUPPORTED,
  GetResourcePolicy: RESOURCE_POLICY,
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
  PutResourcePolicy: RESOURCE_POLICY,
  PutRuntimeManagementConfig: RUNTIME_MANAGEMENT,
  RemoveLayerVersionPermission: LAYER_POLICY,
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

function stored(note: string): Support {
  return { kind: 'stored', note };
}
