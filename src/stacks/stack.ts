/**
 * What the service remembers of a stack: its document, its resources, its events and its change sets. Everything here is
 * JSON, and everything that an interrupted operation needs to go on is in it. `stack-store.ts` keeps it.
 */
import type { Scope } from '../protocol/names.ts';
import type { CreationPolicy, Json, PhysicalResource, Properties } from './providers/provider.ts';

export type StackStatus =
  | 'REVIEW_IN_PROGRESS'
  | 'CREATE_IN_PROGRESS'
  | 'CREATE_COMPLETE'
  | 'CREATE_FAILED'
  | 'ROLLBACK_IN_PROGRESS'
  | 'ROLLBACK_COMPLETE'
  | 'ROLLBACK_FAILED'
  | 'UPDATE_IN_PROGRESS'
  | 'UPDATE_COMPLETE_CLEANUP_IN_PROGRESS'
  | 'UPDATE_COMPLETE'
  | 'UPDATE_FAILED'
  | 'UPDATE_ROLLBACK_IN_PROGRESS'
  | 'UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS'
  | 'UPDATE_ROLLBACK_COMPLETE'
  | 'UPDATE_ROLLBACK_FAILED'
  | 'DELETE_IN_PROGRESS'
  | 'DELETE_COMPLETE'
  | 'DELETE_FAILED';

export type ResourceStatus =
  | `${'CREATE' | 'UPDATE' | 'DELETE'}_${'IN_PROGRESS' | 'COMPLETE' | 'FAILED'}`
  | 'DELETE_SKIPPED';

export type DeletionPolicy = 'Delete' | 'Retain' | 'RetainExceptOnCreate' | 'Snapshot';

export type Tags = Readonly<Record<string, string>>;

/** A parameter as the template declares it, with the value that the stack was given. */
export type StackParameter = {
  readonly key: string;
  readonly value: string;
  /** What Ref returns: a text or a list. */
  readonly ref: Json;
  /** The value of a parameter of an SSM type. */
  readonly resolvedValue?: string;
  readonly noEcho?: boolean;
};

export type StackOutput = {
  readonly key: string;
  readonly value: string;
  readonly description?: string;
  readonly exportName?: string;
};

/** What a stack was, is or will be made from. */
export type Deployment = {
  /** Exactly the text that the client sent. */
  readonly template: string;
  /** The template after its transforms, as JSON text. */
  readonly processed: string;
  /** Whether the template lists the transform AWS::LanguageExtensions. */
  readonly hasExtensions?: boolean;
  readonly parameters: readonly StackParameter[];
  readonly tags: Tags;
  readonly capabilities: readonly string[];
  readonly notificationArns: readonly string[];
  readonly roleArn?: string;
  readonly description?: string;
};

/** What `OnFailure` of CreateStack and `DisableRollback` ask for. */
export type FailureAction = 'ROLLBACK' | 'DO_NOTHING' | 'DELETE';

/** The operation that a stack is in. It is removed when the operation ends. */
export type Operation =
  | {
      readonly kind: 'create' | 'update';
      readonly target: Deployment;
      readonly token?: string;
      readonly onFailure: FailureAction;
      readonly changeSetId?: string;
      readonly timeoutMinutes?: number;
      readonly startedMs: number;
      readonly phase: 'forward' | 'cleanup' | 'rollback' | 'rollback-cleanup';
      /** Resources that ContinueUpdateRollback leaves as they are. */
      readonly skip?: readonly string[];
      /** The stack policy that the update obeys, as text. */
      readonly policy?: string;
      /** A rollback also deletes new resources with the DeletionPolicy Retain. */
      readonly retainExceptOnCreate?: boolean;
      /** Why it rolls back. */
      readonly reason?: string;
    }
  | {
      readonly kind: 'delete';
      readonly token?: string;
      /** The status that the stack returns to if it cannot be deleted because of its exports. */
      readonly from?: StackStatus;
      readonly retain: readonly string[];
      readonly startedMs: number;
    };

export type StackDocument = {
  readonly status: StackStatus;
  readonly statusReason?: string | undefined;
  /** The last deployment that was completed, or the one that the stack was created with. */
  readonly deployment?: Deployment | undefined;
  readonly operation?: Operation | undefined;
  /** What follows the running operation: a deletion that was asked for meanwhile. */
  readonly next?: Operation | undefined;
  readonly outputs: readonly StackOutput[];
  readonly updatedMs?: number | undefined;
  readonly changeSetId?: string | undefined;
  readonly disableRollback: boolean;
  /** What CreateStack asked for by name. With DO_NOTHING, a creation that failed cannot be continued by an update. */
  readonly onFailure?: FailureAction | undefined;
  /** Set while no creation and no update has ever completed: there is nothing to roll back to. */
  readonly isIncomplete?: boolean | undefined;
  readonly terminationProtection: boolean;
  readonly policy?: string | undefined;
  readonly parentId?: string | undefined;
  readonly rootId?: string | undefined;
  /** Names of the exports that the stack uses. */
  readonly imports: readonly string[];
  /** The time shown as DeletionTime: also that of a rollback. */
  readonly deletionMs?: number | undefined;
  /** The ClientRequestToken of the last operation. */
  readonly lastToken?: string | undefined;
};

export type Stack = {
  readonly id: string;
  readonly scope: Scope;
  readonly name: string;
  readonly createdMs: number;
  /** Set once it is gone: its name is free again. */
  readonly deletedMs: number | undefined;
  readonly document: StackDocument;
};

/** One physical incarnation of a resource with what it was last given. */
export type ResourceState = PhysicalResource & {
  /** As in the template, with functions resolved: without the stack's tags and without a generated name. */
  readonly properties: Properties;
  readonly tags: Tags;
  /** The name that the service made up. */
  readonly generatedName?: string;
  readonly metadata?: Json;
  readonly creationPolicy?: CreationPolicy;
  readonly deletionPolicy: DeletionPolicy;
  readonly updateReplacePolicy: DeletionPolicy;
  readonly dependsOn: readonly string[];
};

/** A step that is running. If it is still there when the service starts, it is repeated. */
export type ResourceStep = {
  readonly kind: 'create' | 'update';
  readonly token: string;
  /** The resource as it will be; `physicalId` is empty until the provider announces one. */
  readonly target: ResourceState;
};

export type ResourceRecord = {
  readonly logicalId: string;
  readonly type: string;
  readonly status: ResourceStatus;
  readonly reason?: string | undefined;
  readonly updatedMs: number;
  /** As shown. Empty before there is one. */
  readonly physicalId: string;
  /** What exists. Undefined before creation and after deletion. */
  readonly state?: ResourceState | undefined;
  readonly step?: ResourceStep | undefined;
  /** What has been done to it since the stack was last complete. Removed when an operation completes. */
  readonly change?: 'added' | 'updated' | 'replaced' | undefined;
  /** What it was when the stack was last complete, if it has been changed since. */
  readonly before?: ResourceState | undefined;
  /** Whether the change is that of an earlier operation, which failed without a rollback. */
  readonly isCarried?: boolean | undefined;
  /** What an update in place that failed was about to make of it. Parts of that may have been done. */
  readonly attempted?: ResourceState | undefined;
  /** Incarnations that are out of use, to be deleted in the cleanup. */
  readonly discarded?: readonly ResourceState[] | undefined;
};

export type StackEvent = {
  readonly eventId: string;
  readonly logicalId: string;
  readonly physicalId: string;
  readonly type: string;
  readonly atMs: number;
  readonly status: StackStatus | ResourceStatus;
  readonly reason?: string | undefined;
  /** JSON text. */
  readonly properties?: string;
  readonly token?: string;
};

export const STACK_TYPE = 'AWS::CloudFormation::Stack';

/** Whether an operation is running or being rolled back. */
export function isInProgress(status: StackStatus): boolean {
  return status.endsWith('_IN_PROGRESS') && status !== 'REVIEW_IN_PROGRESS';
}

/**
 * Whether a stack can be updated: a complete one, and one that failed with DisableRollback.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stack-failure-options.html
 */
export function isUpdatable({ status, onFailure }: StackDocument): boolean {
  if (status === 'CREATE_FAILED') return onFailure !== 'DO_NOTHING';
  return ['CREATE_COMPLETE', 'UPDATE_COMPLETE', 'UPDATE_ROLLBACK_COMPLETE', 'UPDATE_FAILED'].includes(status);
}
