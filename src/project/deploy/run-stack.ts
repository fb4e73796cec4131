/**
 * One operation of a stack through a change set: create it, let the caller look at it, execute it, and follow the events to
 * the end. CloudFormation does the work and rolls back; this only watches. It continues where an earlier run was
 * interrupted: a stack in review gets another change set, and an operation under way is followed to its end first.
 */
import { randomUUID } from 'node:crypto';
import { sleepAwake } from '../../clock.ts';
import { OperatorError } from '../../operator-error.ts';
import { CloudFailure, type QueryInput } from '../cloud/cloud-client.ts';
import {
  type ChangeSetDescription,
  isMissingStack,
  type StackDescription,
  type StackEvent,
} from '../cloud/stack-api.ts';
import type { Deployer } from './deployer.ts';

export type StackRun = {
  readonly stackName: string;
  /** Template, parameters, tags and the rest of CreateChangeSet. */
  readonly input: QueryInput;
  readonly execution?: QueryInput;
};

/** A stack that can be changed: its type of change set, and its description if it exists. */
export type StackState =
  | { readonly kind: 'new'; readonly inReview: boolean }
  | { readonly kind: 'existing'; readonly stack: StackDescription }
  /** Its creation failed. Nothing can be done with it but deleting it. */
  | { readonly kind: 'failed'; readonly stack: StackDescription };

export type PreparedChange = {
  readonly changeSet: ChangeSetDescription;
  readonly stackId: string;
  /** Whether there is nothing to do. */
  readonly isEmpty: boolean;
  /** Removes the change set, and the stack that was made for it. */
  discard(): Promise<void>;
  /** Executes it and follows the stack to its end. @throws OperatorError 'deploy-failed', 'deploy-overtaken' */
  execute(): Promise<StackDescription>;
};

/** Begins the names of change sets, by which those of interrupted runs are recognized. */
const NAME_PREFIX = 'lamella-';
const FIRST_POLL_MS = 100;
const MAX_POLL_MS = 3_000;
/** Without an event of the stack itself, its status is read after this number of polls. */
const POLLS_PER_STATUS = 5;
const STALE_MS = 60 * 60_000;

/** Waits for an operation under way and returns what can be done next. @throws OperatorError 'stack-unusable' */
export async function settleStack(deployer: Deployer, stackName: string): Promise<StackState> {
  const { stacks, onStatus } = deployer;
  let stack = await stacks.describe(stackName);
  if (stack?.status.endsWith('_IN_PROGRESS') && stack.status !== 'REVIEW_IN_PROGRESS') {
    onStatus(`The stack ${stackName} is in ${stack.status}: waiting for the end of that operation`);
    const since = await newestEvent(deployer, stack.id);
    await follow(deployer, stack.id, since);
    stack = await stacks.describe(stackName);
  }
  if (stack === undefined || stack.status === 'DELETE_COMPLETE') return { kind: 'new', inReview: false };
  const { status } = stack;
  if (status === 'REVIEW_IN_PROGRESS') return { kind: 'new', inReview: true };
  if (/^(CREATE|UPDATE|UPDATE_ROLLBACK|IMPORT|IMPORT_ROLLBACK)_COMPLETE$|^UPDATE_FAILED$/.test(status))
    return { kind: 'existing', stack };
  if (status === 'ROLLBACK_COMPLETE' || status === 'CREATE_FAILED') return { kind: 'failed', stack };
  const remedy =
    status === 'UPDATE_ROLLBACK_FAILED'
      ? `Let CloudFormation finish the rollback: aws cloudformation continue-update-rollback --stack-name ${stackName}`
      : `Delete it: lamella destroy --stack-name ${stackName}`;
  throw new OperatorError('stack-unusable', { name: stackName, status, reason: reasonOf(stack), remedy });
}

/** Creates a change set and waits until CloudFormation knows what it changes. @throws CloudFailure, OperatorError */
export async function prepareChange(deployer: Deployer, run: StackRun, state: StackState): Promise<PreparedChange> {
  const { stacks, cleanup, client, signal } = deployer;
  const name = `${NAME_PREFIX}${client.clock.epochMs()}-${randomUUID().slice(0, 8)}`;
  const isNew = state.kind === 'new';
  if (state.kind !== 'new' || state.inReview) await removeStale(deployer, run.stackName);
  let created: { id: string; stackId: string } | undefined;
  const discard = async () => {
    if (created === undefined) return;
    await cleanup.deleteChangeSet(created.id).catch(ignoreMissing);
    if (isNew) await removeReview(deployer, created.stackId);
  };
  try {
    created = await stacks.createChangeSet({
      StackName: run.stackName,
      ChangeSetName: name,
      ChangeSetType: isNew ? 'CREATE' : 'UPDATE',
      ClientToken: name,
      ...run.input,
    });
    const changeSet = await settledChangeSet(deployer, created.id);
    const isEmpty = changeSet.status === 'FAILED' && EMPTY.test(changeSet.statusReason ?? '');
    if (changeSet.status === 'FAILED' && !isEmpty) {
      throw new OperatorError('change-set-failed', {
        name: run.stackName,
        reason: (changeSet.statusReason ?? 'no reason given').replace(/\.$/, ''),
      });
    }
    const { id, stackId } = created;
    return {
      changeSet,
      stackId,
      isEmpty,
      discard,
      async execute() {
        const since = await beforeExecution(deployer, stackId).catch(async (failure: unknown) => {
          await discard();
          throw failure;
        });
        return execute(deployer, run, { id, stackId, since });
      },
    };
  } catch (failure) {
    await discard();
    signal?.throwIfAborted();
    throw overtaken(failure, run.stackName) ?? failure;
  }
}

/** The error for a failure whose cause is another deployment of the same stack at the same time. */
function overtaken(failure: unknown, name: string): OperatorError | undefined {
  if (!(failure instanceof CloudFailure)) return undefined;
  const isOther =
    /^(InvalidChangeSetStatus|ChangeSetNotFound|AlreadyExistsException)/.test(failure.code) ||
    /already exists and cannot be created again|is in [A-Z_]+ state and can not be updated/.test(failure.message);
  if (!isOther) return undefined;
  return new OperatorError('deploy-overtaken', { name, reason: failure.message.replace(/\.$/, '') }, failure);
}

/** The whole run without a question: for stacks of Lamella's own. Returns the stack, also if there was nothing to do. */
export async function runStack(deployer: Deployer, run: StackRun): Promise<StackDescription> {
  const { stacks } = deployer;
  let state = await settleStack(deployer, run.stackName);
  if (state.kind === 'failed') {
    await removeStack(deployer, state.stack.id, run.stackName);
    state = { kind: 'new', inReview: false };
  }
  if (state.kind === 'existing') return state.stack;
  const change = await prepareChange(deployer, run, state);
  if (!change.isEmpty) return change.execute();
  await change.discard();
  const stack = await stacks.describe(run.stackName);
  if (stack === undefined) throw new Error(`the stack ${run.stackName} has gone`);
  return stack;
}

/** What CloudFormation says of a change set without changes; the last is that of SAM templates. */
const EMPTY = /didn't contain changes|No updates are to be performed|contains no changes/;

async function settledChangeSet({ stacks, client, signal }: Deployer, id: string): Promise<ChangeSetDescription> {
  for (let waitMs = FIRST_POLL_MS; ; waitMs = Math.min(waitMs * 2, MAX_POLL_MS)) {
    const changeSet = await stacks.describeChangeSet(id);
    if (changeSet.status === 'CREATE_COMPLETE' || changeSet.status === 'FAILED') return changeSet;
    await sleepAwake(client.clock, waitMs, signal);
    signal?.throwIfAborted();
  }
}

/** The last moment at which an interruption leaves nothing behind. Returns the newest event. */
async function beforeExecution(deployer: Deployer, stackId: string): Promise<string | undefined> {
  const newest = await newestEvent(deployer, stackId);
  deployer.signal?.throwIfAborted();
  return newest;
}

async function execute(
  deployer: Deployer,
  run: StackRun,
  { id, stackId, since }: { readonly id: string; readonly stackId: string; readonly since: string | undefined },
): Promise<StackDescription> {
  const { stacks } = deployer;
  try {
    await stacks.executeChangeSet(id, { ...run.execution, ClientRequestToken: `${NAME_PREFIX}${randomUUID()}` });
  } catch (failure) {
    throw overtaken(failure, run.stackName) ?? failure;
  }
  const failures = await follow(deployer, stackId, since);
  const stack = await stacks.describe(stackId);
  if (stack === undefined)
    throw new OperatorError('deploy-failed', {
      name: run.stackName,
      status: 'DELETE_COMPLETE',
      reasons: reasonsOf(failures),
    });
  if (/^(CREATE|UPDATE|IMPORT)_COMPLETE$/.test(stack.status)) return stack;
  throw new OperatorError('deploy-failed', { name: run.stackName, status: stack.status, reasons: reasonsOf(failures) });
}

function reasonsOf(failures: readonly StackEvent[]): string {
  const lines = failures.map(({ logicalId, status, reason = '' }) => `  ${logicalId} ${status}: ${reason}`);
  return lines.length === 0 ? ' no reason given' : `\n${lines.join('\n')}`;
}

function reasonOf({ statusReason }: StackDescription): string {
  return statusReason === undefined ? '' : `: ${statusReason.trim().replace(/\.$/, '')}`;
}

/** The newest event of a stack, or undefined if it has none. */
export async function newestEvent({ stacks }: Deployer, stackId: string): Promise<string | undefined> {
  let isFirst = true;
  const [newest] = await stacks.events(stackId, () => {
    const isLast = !isFirst;
    isFirst = false;
    return isLast;
  });
  return newest?.id;
}

/**
 * Reports events after `since`, oldest first, until the stack's own operation has ended. Returns those that failed for a
 * reason of their own.
 */
export async function follow(deployer: Deployer, stackId: string, since: string | undefined): Promise<StackEvent[]> {
  const { stacks, client, signal, onEvent } = deployer;
  const failures: StackEvent[] = [];
  let last = since;
  for (let poll = 1, waitMs = FIRST_POLL_MS; ; poll += 1) {
    const isTimeForStatus = poll % POLLS_PER_STATUS === 0;
    const status = isTimeForStatus ? ((await stacks.describe(stackId))?.status ?? 'DELETE_COMPLETE') : undefined;
    const events = (await eventsAfter(deployer, stackId, last)).reverse();
    for (const event of events) {
      onEvent(event);
      if (isFailure(event)) failures.push(event);
    }
    last = events.at(-1)?.id ?? last;
    if (events.some((event) => isEnd(event, stackId))) return failures;
    if (status !== undefined && !status.endsWith('_IN_PROGRESS')) return failures;
    waitMs = events.length > 0 ? FIRST_POLL_MS : Math.min(waitMs * 1.5, MAX_POLL_MS);
    await sleepAwake(client.clock, waitMs, signal);
    signal?.throwIfAborted();
  }
}

/** Newest first. A stack that has gone has none. */
async function eventsAfter({ stacks }: Deployer, stackId: string, last: string | undefined): Promise<StackEvent[]> {
  try {
    return await stacks.events(stackId, ({ id }) => id === last);
  } catch (failure) {
    if (isMissingStack(failure)) return [];
    throw failure;
  }
}

function isEnd({ physicalId, type, status }: StackEvent, stackId: string): boolean {
  return type === 'AWS::CloudFormation::Stack' && physicalId === stackId && !status.endsWith('_IN_PROGRESS');
}

function isFailure({ status, reason = '', type }: StackEvent): boolean {
  return status.endsWith('_FAILED') && type !== 'AWS::CloudFormation::Stack' && !/cancelled/i.test(reason);
}

/** Deletes a stack and follows its end. @throws OperatorError 'delete-failed' */
export async function removeStack(
  deployer: Deployer,
  stackId: string,
  name: string,
  input: QueryInput = {},
): Promise<void> {
  const since = await newestEvent(deployer, stackId);
  await deployer.stacks.deleteStack(stackId, { ClientRequestToken: `${NAME_PREFIX}${randomUUID()}`, ...input });
  const failures = await follow(deployer, stackId, since);
  const status = (await deployer.stacks.describe(stackId))?.status ?? 'DELETE_COMPLETE';
  if (status !== 'DELETE_COMPLETE')
    throw new OperatorError('delete-failed', { name, status, reasons: reasonsOf(failures) });
}

/** Change sets that interrupted runs have left. Young ones may belong to a run that asks its user right now. */
async function removeStale({ stacks, client }: Deployer, stackName: string): Promise<void> {
  const old = client.clock.epochMs() - STALE_MS;
  for (const { id, name, createdMs, executionStatus } of await stacks.listChangeSets(stackName)) {
    const isStale = name.startsWith(NAME_PREFIX) && createdMs < old && executionStatus !== 'EXECUTE_IN_PROGRESS';
    if (isStale) await stacks.deleteChangeSet(id).catch(ignoreMissing);
  }
}

/** A stack that has only been reviewed goes with its last change set. */
async function removeReview({ cleanup }: Deployer, stackId: string): Promise<void> {
  const stack = await cleanup.describe(stackId);
  if (stack?.status !== 'REVIEW_IN_PROGRESS') return;
  const others = await cleanup.listChangeSets(stackId).catch(() => undefined);
  if (others?.length === 0) await cleanup.deleteStack(stackId);
}

function ignoreMissing(failure: unknown): void {
  const isGone =
    failure instanceof CloudFailure && /^(ChangeSetNotFound|ValidationError|InvalidChangeSetStatus)/.test(failure.code);
  if (!isGone) throw failure;
}
