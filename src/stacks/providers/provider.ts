/**
 * The contract between the stack engine and resource types. A provider makes, changes and removes physical resources of
 * one type through the operations that a client would call. It does not know about stacks, ordering, rollback or state:
 * `../engine/` decides what happens and stores what a provider returns. `registry.ts` lists the providers; every other
 * type gets the one of `recorded.ts`.
 *
 * After `kill -9` the engine repeats the step that was running, so each function must accept a half-finished earlier run:
 * `update` sets everything that differs, and `delete` succeeds when the resource does not exist.
 */
import type { Scope } from '../../protocol/names.ts';
import type { OperationMembers } from '../../wire/api-call.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/**
 * A resource's properties with all functions resolved. The engine has checked the required ones against the type table,
 * has added a physical name if the type has one (`Naming`), and has merged the stack's tags into the tags property; the
 * resource's own tags win.
 */
export type Properties = { readonly [name: string]: Json };

/** A physical resource as a provider made it. */
export type PhysicalResource = {
  /** What `Ref` returns, and what operations of stacks show as PhysicalResourceId. */
  readonly physicalId: string;
  /** What `Fn::GetAtt` returns, by attribute. Nested ones have dots in their names (`Endpoint.Address`). */
  readonly attributes: Readonly<Record<string, Json>>;
};

/** An existing resource with the properties that it was last given. */
export type ExistingResource = PhysicalResource & { readonly properties: Properties };

export type CreationPolicy = { readonly ResourceSignal?: { readonly Count?: Json; readonly Timeout?: Json } };

export type ResourceContext = {
  readonly scope: Scope;
  readonly stack: { readonly id: string; readonly name: string };
  readonly logicalId: string;
  readonly type: string;
  /** Unique for this step of this resource. It stays the same when the step is repeated after a crash. */
  readonly token: string;
  /** Aborts when another resource has failed, an update is canceled or the service closes. */
  readonly signal: AbortSignal;
  /** The CreationPolicy attribute, if the template has one. */
  readonly creationPolicy?: CreationPolicy | undefined;
  /**
   * Performs an operation of an AWS service as a client would. @throws ServiceCallFailure, which the engine turns into
   * the reason of the event. Let it through unless the code is expected.
   */
  call(service: string, operation: string, input: OperationMembers): Promise<OperationMembers>;
  /**
   * Tells the engine that the resource exists. Call it right after the operation that creates it, before any others:
   * a rollback then removes it, whatever happens next.
   */
  created(physicalId: string): void;
  /** Waits for `ms` milliseconds of the clock. @throws the signal's reason */
  wait(ms: number): Promise<void>;
};

/** How CloudFormation names a resource whose template does not: `STACK-LOGICAL-RANDOM12`. */
export type Naming = {
  /** The property that holds the name. The engine fills it in; the name survives updates. */
  readonly property: string;
  readonly maxLength: number;
  /** For S3's buckets and others whose names have no upper case. */
  readonly lowerCase?: boolean;
  /** Overrides the form, for example for SSM parameters (`CFN-LOGICAL-RANDOM12`). */
  readonly prefix?: string;
  /** An ending that the properties require, for example `.fifo`. */
  readonly suffix?: (properties: Properties) => string;
};

export type ResourceProvider = {
  /** `AWS::Lambda::Function`; `Custom::*` stands for every type with that prefix. */
  readonly type: string;
  readonly naming?: Naming;
  /** Properties whose change replaces the resource. Defaults to the type table's. */
  readonly createOnly?: readonly string[];
  /** Whether a change that the table says may replace the resource does, or one beyond the table. */
  readonly replaces?: (before: Properties, after: Properties) => boolean;
  /** Whether the type has no effect here. Its properties are not checked. */
  readonly isRecorded?: true;
  /** Attributes beyond those of the type table; `*` allows every name. */
  readonly attributes?: readonly string[];
  /** Resource creation fails with this message before anything is made. */
  readonly check?: (properties: Properties) => string | undefined;
  create(properties: Properties, context: ResourceContext): Promise<PhysicalResource>;
  /**
   * Changes the resource in place. A result with another physical id means that it was replaced: the engine deletes the
   * old one at the end. Without this function, every change replaces the resource.
   */
  update?(existing: ExistingResource, properties: Properties, context: ResourceContext): Promise<PhysicalResource>;
  delete(existing: ExistingResource, context: ResourceContext): Promise<void>;
  /**
   * Continues a creation or update that a crash interrupted, if it must not be repeated from the start. Without it the
   * engine deletes what `created` announced and calls `create` again.
   */
  resume?(existing: ExistingResource, context: ResourceContext): Promise<PhysicalResource>;
};

/** A reason in the provider's own words, for failures that no service reported. */
export class ResourceFailure extends Error {}
