/**
 * One operation of one stack while it runs: its records in memory, and the changes that it writes. Every change of a
 * record and its event are one transaction, so that a crash never leaves one without the other.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { ServiceCall } from '../../wire/service-call.ts';
import { type Properties, ResourceFailure } from '../providers/provider.ts';
import type { ProviderRegistry } from '../providers/registry.ts';
import {
  type Operation,
  type ResourceRecord,
  type ResourceStatus,
  STACK_TYPE,
  type Stack,
  type StackDocument,
  type StackStatus,
} from '../stack.ts';
import type { StackStore } from '../stack-store.ts';
import { notifyTopics } from './notifications.ts';

export type EngineDependencies = {
  readonly store: StackStore;
  readonly registry: ProviderRegistry;
  readonly call: ServiceCall;
  readonly clock: Clock;
  readonly log: Log;
  /** Resolves `{{resolve:...}}` in the texts of properties. */
  readonly resolveDynamic: (properties: Properties, scope: Stack['scope']) => Promise<Properties>;
};

export type Run = EngineDependencies & {
  readonly stackId: string;
  stack(): Stack;
  readonly records: ReadonlyMap<string, ResourceRecord>;
  /** Aborts when the running phase shall end early. */
  signal(): AbortSignal;
  /** Ends the running phase early: steps that wait give up, and no new ones begin. */
  cancel(reason: string): void;
  /** Begins another phase, which is not canceled. */
  beginPhase(): void;
  /** Whether the service is closing: nothing more is written, and the operation goes on at the next start. */
  isClosing(): boolean;
  /** Changes the stack. */
  update(change: Partial<StackDocument>): void;
  /** Changes the stack's status and reports it as an event. `change` is written with it. */
  transition(status: StackStatus, reason?: string, change?: Partial<StackDocument>): void;
  /** Changes a record, or adds one. With `event`, reports its status. */
  save(record: ResourceRecord, event?: { readonly properties?: Properties }): ResourceRecord;
  /** Reports a status that the record does not keep, such as that of an old incarnation. */
  report(record: ResourceRecord, properties: Properties): void;
  remove(logicalId: string): void;
};

/** What an operation that ended tells about it. */
export const ENDED: Partial<StackDocument> = Object.freeze({ operation: undefined });

export function createRun(dependencies: EngineDependencies, stackId: string, isClosing: () => boolean): Run {
  const { store, clock } = dependencies;
  const stored = store.get(stackId);
  if (stored === undefined) throw new Error(`the stack ${stackId} is not in the database`);
  let stack = stored;
  let phase = new AbortController();
  const records = new Map(store.resources(stackId).map((record) => [record.logicalId, record]));

  const update = (change: Partial<StackDocument>) => {
    const isDeleted = change.status === 'DELETE_COMPLETE';
    stack = {
      ...stack,
      deletedMs: isDeleted ? clock.epochMs() : stack.deletedMs,
      document: { ...stack.document, ...change },
    };
    store.update(stack);
  };

  const reportResource = (record: ResourceRecord, properties: Properties | undefined) => {
    const { logicalId, physicalId, type, status, reason } = record;
    report(dependencies, stack, stack.document.operation, {
      eventId: (atMs) => `${logicalId}-${status}-${new Date(atMs).toISOString()}`,
      logicalId,
      physicalId,
      type,
      status,
      ...(reason !== undefined && { reason }),
      ...(properties !== undefined && { properties: JSON.stringify(properties) }),
    });
  };

  return {
    ...dependencies,
    stackId,
    stack: () => stack,
    records,
    signal: () => phase.signal,
    cancel: (reason) => phase.abort(new ResourceFailure(reason)),
    beginPhase() {
      if (!isClosing()) phase = new AbortController();
    },
    isClosing,
    update,
    transition(status, reason, change = {}) {
      store.transaction(() => {
        // The last event of an operation belongs to it, too.
        const operation = change.operation ?? stack.document.operation;
        const { statusReason: _, ...document } = stack.document;
        stack = { ...stack, document };
        update({ ...change, status, ...(isShown(status) && reason !== undefined && { statusReason: reason }) });
        reportStack(dependencies, stack, reason, operation);
      });
    },
    save(record, event) {
      const atMs = clock.epochMs();
      const saved = { ...record, updatedMs: atMs };
      store.transaction(() => {
        store.putResource(stackId, saved);
        records.set(record.logicalId, saved);
        if (event !== undefined) reportResource(saved, event.properties);
      });
      return saved;
    },
    report: reportResource,
    remove(logicalId) {
      store.removeResource(stackId, logicalId);
      records.delete(logicalId);
    },
  };
}

/** AWS shows the reason of failures, and of a stack in review. */
function isShown(status: StackStatus): boolean {
  return /FAILED|ROLLBACK|REVIEW/.test(status);
}

type Report = {
  readonly eventId: (atMs: number) => string;
  readonly logicalId: string;
  readonly physicalId: string;
  readonly type: string;
  readonly status: StackStatus | ResourceStatus;
  readonly reason?: string;
  readonly properties?: string;
};

/** Writes an event about the stack itself. */
export function reportStack(
  dependencies: Pick<EngineDependencies, 'store' | 'clock' | 'call' | 'log'>,
  stack: Stack,
  reason: string | undefined,
  operation: Operation | undefined = stack.document.operation,
): void {
  const { id, name, document } = stack;
  report(dependencies, stack, operation, {
    eventId: () => randomUUID(),
    logicalId: name,
    physicalId: id,
    type: STACK_TYPE,
    status: document.status,
    ...(reason !== undefined && { reason }),
  });
}

/**
 * Writes an event and publishes it to the stack's topics. Each event of a stack is later than the one before it: clients
 * sort by time, and the ids of a resource's events contain it.
 */
function report(
  { store, clock, call, log }: Pick<EngineDependencies, 'store' | 'clock' | 'call' | 'log'>,
  stack: Stack,
  operation: Operation | undefined,
  { properties, eventId, ...given }: Report,
): void {
  const token = operation?.token;
  const atMs = Math.max(clock.epochMs(), store.lastEventMs(stack.id) + 1);
  const event = {
    ...given,
    eventId: eventId(atMs),
    atMs,
    ...(properties !== undefined && { properties }),
    ...(token !== undefined && { token }),
  };
  store.addEvent(stack.id, event);
  const target = operation !== undefined && operation.kind !== 'delete' ? operation.target : stack.document.deployment;
  notifyTopics({ call, log }, stack, target?.notificationArns ?? [], event);
}
