/**
 * What the Lambda API needs of the areas below it, and what its operations have in common: the form of a handler and
 * of its answer.
 */
import type { Clock } from '../../clock.ts';
import type { Invocation, Outcome } from '../../environment/invocation.ts';
import type { EventSourceMappings } from '../../event-sources/event-source-mappings.ts';
import type { FunctionVersion } from '../../functions/function.ts';
import type { Functions } from '../../functions/functions.ts';
import type { FunctionSettings } from '../../functions/settings/open-settings.ts';
import type { AsyncRequest } from '../../invocation/async/async-invocations.ts';
import type { Provisioner } from '../../invocation/provisioner.ts';
import type { LayerPolicies } from '../../layers/layer-policies.ts';
import type { Layers } from '../../layers/layers.ts';
import type { Log } from '../../log.ts';
import type { Scope } from '../../protocol/names.ts';
import type { OperationInput, OperationName } from '../../protocol/operations.ts';
import { QUOTAS } from '../../protocol/quotas.ts';
import type { ApiCall } from '../../wire/api-call.ts';

export type LambdaApiDependencies = {
  readonly layers: Layers;
  readonly layerPolicies: LayerPolicies;
  readonly functions: Functions;
  readonly settings: FunctionSettings;
  readonly eventSourceMappings: EventSourceMappings;
  readonly provisioner: Provisioner;
  /** Runs a version; rejects only when this machine could not. */
  readonly invoke: (version: FunctionVersion, invocation: Invocation) => Promise<Outcome>;
  /** Takes an event for a function; resolves once it is durable. */
  readonly acceptEvent: (request: AsyncRequest) => Promise<void>;
  /** Reads an object that holds code: its bytes, or S3's error. */
  readonly readObject: (bucket: string, key: string, versionId?: string) => Promise<ObjectContent>;
  /** Why a queue cannot feed a function with this time-out, in AWS's words. */
  readonly findSourceProblem?: (queueArn: string, timeoutSeconds: number) => string | undefined;
  /** Where the URL of a function with this id is to be found; by default where it would be on AWS. */
  readonly renderFunctionUrl?: (id: string, scope: Scope) => string;
  readonly clock: Clock;
  readonly log: Log;
};

export type ObjectContent = { readonly bytes: Buffer } | { readonly errorCode: string; readonly errorMessage: string };

export type OperationAnswer = {
  /** Becomes the JSON body; undefined sends none. */
  readonly body?: Readonly<Record<string, unknown>>;
  /** Instead of the operation's own status. */
  readonly status?: number;
};

export type OperationHandler<Name extends OperationName> = (
  input: OperationInput<Name>,
  call: ApiCall,
) => OperationAnswer | Promise<OperationAnswer>;

export type OperationHandlers = { readonly [Name in OperationName]?: OperationHandler<Name> };

type PageInput = { readonly Marker?: string | undefined; readonly MaxItems?: number | undefined };

/** The page that a client asked for with Marker and MaxItems. */
export function pageOf({ Marker, MaxItems }: PageInput): {
  readonly marker: string | undefined;
  readonly maxItems: number;
} {
  return { marker: Marker || undefined, maxItems: Math.min(MaxItems ?? QUOTAS.pageItems, QUOTAS.pageItems) };
}
