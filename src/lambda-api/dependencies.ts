/**
 * What the Lambda API needs of the areas below it, and what its operations have in common: the form of a handler and
 * of its answer.
 */
import type { Clock } from '../clock.ts';
import type { Invocation, Outcome } from '../environment/invocation.ts';
import type {
  Architecture,
  CodeDraft,
  ConfigurationDraft,
  FunctionDraft,
  FunctionVersion,
  Page,
} from '../functions/function.ts';
import type { ApiCall } from '../http/api-call.ts';
import type { Layers } from '../layers/layers.ts';
import type { Log } from '../log.ts';
import type { Scope } from '../protocol/names.ts';
import type { OperationInput, OperationName } from '../protocol/operations.ts';

export type PageRequest = { readonly marker: string | undefined; readonly maxItems: number };

export type CodeUpdate = {
  /** Undefined for a dry run without code. */
  readonly code: CodeDraft;
  readonly architecture: Architecture | undefined;
  readonly publish: boolean;
  readonly dryRun: boolean;
  readonly revisionId: string | undefined;
};

export type VersionDraft = {
  readonly codeSha256: string | undefined;
  readonly revisionId: string | undefined;
  readonly description: string | undefined;
};

/** Functions, their versions and aliases. Refuses with `ServiceError`s in AWS's words. */
export interface FunctionsDoor {
  create(scope: Scope, draft: FunctionDraft): Promise<FunctionVersion>;
  updateCode(scope: Scope, name: string, update: CodeUpdate): Promise<FunctionVersion>;
  updateConfiguration(
    scope: Scope,
    name: string,
    draft: ConfigurationDraft,
    revisionId: string | undefined,
  ): Promise<FunctionVersion>;
  publishVersion(scope: Scope, name: string, draft: VersionDraft): Promise<FunctionVersion>;
  /** Without a qualifier the whole function goes. */
  delete(scope: Scope, name: string, qualifier?: string): void | Promise<void>;
  get(scope: Scope, name: string, qualifier?: string): FunctionVersion | undefined;
  list(scope: Scope, page: PageRequest & { readonly all: boolean }): Page<FunctionVersion>;
  listVersions(scope: Scope, name: string, page: PageRequest): Page<FunctionVersion>;
  /** The version that an invocation runs: as `get`, but an alias with weights chooses anew each time. */
  resolve(scope: Scope, name: string, qualifier?: string): FunctionVersion | undefined;
  tags(scope: Scope, name: string): Readonly<Record<string, string>>;
}

export type LambdaApiDependencies = {
  readonly layers: Pick<Layers, 'publish' | 'get' | 'listVersions' | 'list' | 'delete' | 'contentPath'>;
  readonly functions: FunctionsDoor;
  /** Runs a version; rejects only when this machine could not. */
  readonly invoke: (version: FunctionVersion, invocation: Invocation) => Promise<Outcome>;
  readonly clock: Clock;
  readonly log: Log;
};

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

/** The page that a client asked for with Marker and MaxItems. */
export function pageOf(input: {
  readonly Marker?: string | undefined;
  readonly MaxItems?: number | undefined;
}): PageRequest {
  return { marker: input.Marker || undefined, maxItems: input.MaxItems ?? 50 };
}
