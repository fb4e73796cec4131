/** What a client asks a stack to become, and what that comes to with a template's own rules. */
import type { DesiredStack } from './engine/desired-stack.ts';
import type { Deployment, FailureAction, Stack, Tags } from './stack.ts';

export type GivenParameter = {
  readonly key: string;
  readonly value?: string | undefined;
  readonly usePrevious?: boolean | undefined;
};

export type StackRequest = {
  /** The template's text. Undefined for the previous one. */
  readonly template: string | undefined;
  readonly parameters: readonly GivenParameter[];
  /** Undefined for the previous ones, as `NotificationARNs` and `Capabilities`. */
  readonly tags?: Tags | undefined;
  readonly notificationArns?: readonly string[] | undefined;
  readonly capabilities?: readonly string[] | undefined;
  readonly roleArn?: string | undefined;
  /** Whether a stack is made from it without a change set: transforms then need CAPABILITY_AUTO_EXPAND. */
  readonly isDirect: boolean;
  /** Patterns of the types that the client allows. */
  readonly resourceTypes?: readonly string[] | undefined;
};

export type OperationOptions = {
  readonly token?: string | undefined;
  readonly onFailure?: FailureAction | undefined;
  /** Whether `onFailure` was given by name and not as DisableRollback. */
  readonly isNamed?: boolean | undefined;
  /** A rollback also deletes new resources with the DeletionPolicy Retain. */
  readonly retainExceptOnCreate?: boolean | undefined;
  /** The stack policy that the update obeys. Defaults to the stack's. */
  readonly policy?: string | undefined;
  readonly timeoutMinutes?: number | undefined;
  readonly changeSetId?: string | undefined;
};

export type CreateOptions = OperationOptions & {
  readonly terminationProtection?: boolean | undefined;
  readonly parent?: Pick<Stack, 'id' | 'document'> | undefined;
};

export type StackIdentity = Pick<Stack, 'id' | 'name' | 'scope'>;

export type Prepared = { readonly deployment: Deployment; readonly desired: DesiredStack };

/**
 * Reads a template, applies its transforms and checks everything that AWS checks before it begins.
 * @throws StackError, TemplateError, or TransformFailure
 */
export type Prepare = (
  stack: StackIdentity,
  request: StackRequest,
  previous: Deployment | undefined,
) => Promise<Prepared>;
