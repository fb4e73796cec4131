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
      /** Why it rolls back. */
      readonly reason?: string;
    }
  | {
      readonly kind: 'delete';
      readonly token?: string;
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
  /** What the running operation has done to it. Removed when the operation ends. */
  readonly change?: 'added' | 'updated' | 'replaced' | undefined;
  /** What it was when the running operation began, if the operation changed it. */
  readonly before?: ResourceState | undefined;
  /** What a rollback has taken out of use, to be deleted in the cleanup. */
  readonly discarded?: ResourceState | undefined;
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

/** States from which a stack can be updated. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html */
export function isUpdatable(status: StackStatus): boolean {
  return ['CREATE_COMPLETE', 'UPDATE_COMPLETE', 'UPDATE_ROLLBACK_COMPLETE', 'UPDATE_FAILED'].includes(status);
}
