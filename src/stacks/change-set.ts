/** What the service remembers of a change set. */
import type { Deployment, FailureAction } from './stack.ts';

export type ChangeSetStatus = 'CREATE_IN_PROGRESS' | 'CREATE_COMPLETE' | 'FAILED';
export type ExecutionStatus =
  | 'UNAVAILABLE'
  | 'AVAILABLE'
  | 'EXECUTE_IN_PROGRESS'
  | 'EXECUTE_COMPLETE'
  | 'EXECUTE_FAILED'
  | 'OBSOLETE';

/** One change, as DescribeChangeSet shows it below `ResourceChange`. */
export type ResourceChange = {
  readonly action: 'Add' | 'Modify' | 'Remove';
  readonly logicalId: string;
  readonly physicalId?: string | undefined;
  readonly type: string;
  readonly policyAction?: 'Delete' | 'Retain' | 'Snapshot' | 'ReplaceAndDelete' | 'ReplaceAndRetain' | undefined;
  readonly replacement?: 'True' | 'False' | 'Conditional' | undefined;
  readonly scope: readonly string[];
  readonly details: readonly ChangeDetail[];
  /** JSON text, for IncludePropertyValues. */
  readonly before?: string | undefined;
  readonly after?: string | undefined;
};

export type ChangeDetail = {
  readonly attribute: string;
  readonly name?: string | undefined;
  readonly requiresRecreation: 'Never' | 'Always' | 'Conditionally';
  readonly evaluation: 'Static' | 'Dynamic';
  readonly source: string;
  readonly causingEntity?: string | undefined;
  readonly path?: string | undefined;
  readonly before?: string | undefined;
  readonly after?: string | undefined;
  readonly attributeChange?: 'Add' | 'Remove' | 'Modify' | undefined;
};

export type ChangeSet = {
  readonly id: string;
  readonly stackId: string;
  readonly name: string;
  readonly createdMs: number;
  readonly type: 'CREATE' | 'UPDATE';
  readonly status: ChangeSetStatus;
  readonly statusReason?: string | undefined;
  readonly execution: ExecutionStatus;
  readonly description?: string | undefined;
  /** Undefined if the template could not be processed. */
  readonly deployment?: Deployment | undefined;
  readonly changes: readonly ResourceChange[];
  readonly onFailure?: FailureAction | undefined;
  readonly token?: string | undefined;
  readonly includeNestedStacks?: boolean | undefined;
};
