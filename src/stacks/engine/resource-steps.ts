/**
 * The three steps of a resource: create, update, delete. Each writes what it is about to do, calls the provider and
 * writes what came of it, so that a step that was interrupted can be repeated (`resume`). The order of steps is decided
 * by `deploy.ts`, `roll-back.ts` and `clean-up.ts`.
 */
import { randomUUID } from 'node:crypto';
import { sleep } from '../../clock.ts';
import { ServiceCallFailure } from '../../wire/service-call.ts';
import { createPhysicalName } from '../providers/physical-names.ts';
import {
  type ExistingResource,
  type PhysicalResource,
  type Properties,
  type ResourceContext,
  ResourceFailure,
  type ResourceProvider,
} from '../providers/provider.ts';
import { resourceType, withTags } from '../providers/type-table.ts';
import { unknownProperties } from '../providers/unknown-properties.ts';
import type { DeletionPolicy, ResourceRecord, ResourceState, ResourceStatus, ResourceStep, Tags } from '../stack.ts';
import type { DesiredResource } from './desired-stack.ts';
import type { Run } from './run.ts';

export const REPLACING = 'Requested update requires the creation of a new physical resource; hence creating one.';
const INITIATED = 'Resource creation Initiated';

/** The closing service interrupted a step. Nothing is written: the step is repeated at the next start. */
export class Interrupted extends Error {}

/** What a resource will be, before it exists. */
export function plannedState(
  run: Run,
  provider: ResourceProvider,
  desired: DesiredResource,
  { properties, tags, kept }: { readonly properties: Properties; readonly tags: Tags; readonly kept?: ResourceState },
): ResourceState {
  const { naming } = provider;
  const isNamed = naming === undefined || properties[naming.property] !== undefined;
  const generatedName = isNamed
    ? undefined
    : (kept?.generatedName ??
      createPhysicalName({
        stackName: naming.prefix ?? run.stack().name,
        logicalId: desired.logicalId,
        maxLength: naming.maxLength,
        lowerCase: naming.lowerCase,
        suffix: naming.suffix?.(properties),
      }));
  return {
    physicalId: kept?.physicalId ?? '',
    attributes: kept?.attributes ?? {},
    properties,
    tags,
    ...(generatedName !== undefined && { generatedName }),
    ...(desired.metadata !== undefined && { metadata: desired.metadata }),
    ...(desired.creationPolicy !== undefined && { creationPolicy: desired.creationPolicy }),
    deletionPolicy: desired.deletionPolicy,
    updateReplacePolicy: desired.updateReplacePolicy,
    dependsOn: desired.dependsOn,
  };
}

/**
 * Creates a resource. `replaced` is the one that it takes the place of. Returns whether it succeeded.
 * @throws Interrupted
 */
export async function createResource(
  run: Run,
  provider: ResourceProvider,
  { logicalId, type }: Pick<DesiredResource, 'logicalId' | 'type'>,
  target: ResourceState,
  replaced?: ResourceState,
): Promise<boolean> {
  const step: ResourceStep = { kind: 'create', token: randomUUID(), target };
  const record = run.save(
    {
      logicalId,
      type,
      status: replaced ? 'UPDATE_IN_PROGRESS' : 'CREATE_IN_PROGRESS',
      ...(replaced && { reason: REPLACING }),
      updatedMs: 0,
      physicalId: replaced?.physicalId ?? '',
      step,
      ...(replaced ? replacementMarks(run.records.get(logicalId), replaced) : { change: 'added' }),
    },
    { properties: target.properties },
  );
  return runCreation(run, provider, record, step);
}

/** A resource that a failed operation has changed before goes back to what it was before that. */
function replacementMarks(record: ResourceRecord | undefined, replaced: ResourceState): Partial<ResourceRecord> {
  if (record?.isCarried !== true) return { change: 'replaced', before: replaced };
  const { change, before, discarded = [] } = record;
  if (change === 'updated') return { change: 'replaced', before, isCarried: true, discarded };
  // The incarnation that is replaced is the failed operation's own.
  return { change, before, isCarried: true, discarded: [...discarded, replaced] };
}

async function runCreation(
  run: Run,
  provider: ResourceProvider,
  started: ResourceRecord,
  step: ResourceStep,
  resumed = false,
): Promise<boolean> {
  let record = started;
  const verb = record.status.startsWith('UPDATE') ? 'UPDATE' : 'CREATE';
  let announced = step.target.physicalId;
  const created = (physicalId: string) => {
    if (announced === physicalId) return;
    announced = physicalId;
    const target = { ...step.target, physicalId };
    const { properties } = step.target;
    record = run.save({ ...record, physicalId, reason: INITIATED, step: { ...step, target } }, { properties });
  };
  const context = { ...contextOf(run, record, step.token, created), creationPolicy: step.target.creationPolicy };
  try {
    const properties = await effectiveProperties(run, provider, step.target, record.logicalId);
    refuseInvalid(provider, record.type, properties);
    const existing = { ...step.target, physicalId: announced, properties };
    const made =
      resumed && provider.resume !== undefined && announced !== ''
        ? await provider.resume(existing, context)
        : await provider.create(properties, context);
    created(made.physicalId);
    if (run.signal().aborted && !run.isClosing()) throw new ResourceFailure(cancelled(verb));
    finish(run, record, step, made, `${verb}_COMPLETE`);
    return true;
  } catch (failure) {
    if (run.isClosing()) throw new Interrupted();
    // What was announced exists, at least in part: the rollback deletes it.
    const state = announced === '' ? undefined : { ...step.target, physicalId: announced };
    fail(run, { ...record, ...(state && { state }) }, `${verb}_FAILED`, failure);
    return false;
  }
}

/** Changes a resource in place. Returns whether it succeeded. @throws Interrupted */
export async function updateResource(
  run: Run,
  provider: ResourceProvider,
  given: ResourceRecord & { readonly state: ResourceState },
  target: ResourceState,
  { before }: { readonly before: ResourceState | undefined },
): Promise<boolean> {
  const { reason: _, ...rest } = given;
  const step: ResourceStep = { kind: 'update', token: randomUUID(), target };
  const isFirst = before !== undefined && given.isCarried !== true;
  const change = isFirst ? { change: given.change ?? ('updated' as const), before } : {};
  const record = run.save(
    { ...rest, status: 'UPDATE_IN_PROGRESS', step, ...change },
    { properties: target.properties },
  );
  return runUpdate(run, provider, { ...record, state: given.state }, step);
}

async function runUpdate(
  run: Run,
  provider: ResourceProvider,
  started: ResourceRecord & { readonly state: ResourceState },
  step: ResourceStep,
  resumed = false,
): Promise<boolean> {
  let record: ResourceRecord = started;
  const { state } = started;
  const context = contextOf(run, started, step.token, (physicalId) => {
    if (physicalId === record.physicalId) return;
    // A replacement that the provider decided on.
    record = run.save({ ...record, physicalId, reason: INITIATED }, { properties: step.target.properties });
  });
  try {
    const { logicalId } = record;
    const properties = await effectiveProperties(run, provider, step.target, logicalId);
    refuseInvalid(provider, record.type, properties);
    const existing = { ...state, properties: await effectiveProperties(run, provider, state, logicalId) };
    await undoAttempt(run, provider, started, existing, context);
    record = { ...record, attempted: step.target };
    const made =
      resumed && provider.resume !== undefined
        ? await provider.resume({ ...existing, properties }, context)
        : await provider.update?.(existing, properties, context);
    const isReplaced = made !== undefined && made.physicalId !== state.physicalId;
    const changed = isReplaced ? { ...record, change: 'replaced' as const } : record;
    if (run.signal().aborted && !run.isClosing()) throw new ResourceFailure(cancelled('UPDATE'));
    finish(run, changed, step, made ?? state, 'UPDATE_COMPLETE');
    return true;
  } catch (failure) {
    if (run.isClosing()) throw new Interrupted();
    fail(run, record, 'UPDATE_FAILED', failure);
    return false;
  }
}

/**
 * Takes back what an update that failed may have done, one property after the other: providers change only what differs.
 * A value that the service refuses was never set.
 */
async function undoAttempt(
  run: Run,
  provider: ResourceProvider,
  { attempted, logicalId }: ResourceRecord,
  existing: ExistingResource,
  context: ResourceContext,
): Promise<void> {
  if (attempted === undefined) return;
  const tried = await effectiveProperties(run, provider, attempted, logicalId);
  const before = existing.properties;
  const names = [...new Set([...Object.keys(tried), ...Object.keys(before)])];
  for (const name of names) {
    if (JSON.stringify(tried[name]) === JSON.stringify(before[name])) continue;
    const { [name]: _, ...others } = before;
    const value = tried[name];
    const properties = { ...others, ...(value !== undefined && { [name]: value }) };
    try {
      await provider.update?.({ ...existing, properties }, before, context);
    } catch (failure) {
      if (!(failure instanceof ServiceCallFailure) || !/Validation|Invalid/.test(failure.code)) throw failure;
    }
  }
}

/** Records that nothing but metadata, policies or dependencies of a resource changed. */
export function adoptTarget(run: Run, record: ResourceRecord, target: ResourceState, before: ResourceState): void {
  run.save({ ...record, state: target, ...(record.isCarried !== true && { change: 'updated', before }) });
}

/** Which incarnation is deleted, and what becomes of the record: see `deleteResource`. */
export type DeletionRole =
  /** The record stays and shows that the resource is gone: in a stack that is deleted. */
  | 'shown'
  /** The record goes with the resource: it is no longer part of the stack. */
  | 'removed'
  /** Another incarnation has taken its place, which the record shows. */
  | 'superseded';

/** Deletes one incarnation of a resource, or skips it by its policy. Returns whether it is gone. @throws Interrupted */
export async function deleteResource(
  run: Run,
  { logicalId, type, reason: _, step: __, ...record }: ResourceRecord,
  state: ResourceState,
  { policy, role }: { readonly policy: DeletionPolicy | 'Skip'; readonly role: DeletionRole },
): Promise<boolean> {
  const show = (status: ResourceStatus, change: Partial<ResourceRecord> = {}) => {
    const shown = { ...record, logicalId, type, physicalId: state.physicalId, status, ...change };
    if (role === 'superseded') run.report(shown, state.properties);
    else run.save(shown, { properties: state.properties });
  };
  const settle = (status: 'DELETE_COMPLETE' | 'DELETE_SKIPPED') => {
    run.store.transaction(() => {
      show(status, { state: undefined });
      if (role === 'removed') run.remove(logicalId);
    });
    return true;
  };
  if (policy === 'Retain' || policy === 'Skip') return settle('DELETE_SKIPPED');
  show('DELETE_IN_PROGRESS');
  const provider = run.registry.find(type);
  try {
    if (provider !== undefined) {
      const context = contextOf(run, { logicalId, type }, randomUUID(), () => undefined);
      const properties = await effectiveProperties(run, provider, state, logicalId).catch(() => state.properties);
      await provider.delete({ ...state, properties }, context);
    }
    return settle('DELETE_COMPLETE');
  } catch (failure) {
    if (run.isClosing()) throw new Interrupted();
    if (!isExpected(failure)) run.log.error({ err: failure, type }, 'a resource was not deleted');
    show('DELETE_FAILED', { reason: reasonOf(failure) });
    return false;
  }
}

/** Repeats a step that a crash interrupted. @throws Interrupted */
export async function resumeResource(run: Run, record: ResourceRecord, step: ResourceStep): Promise<boolean> {
  const provider = run.registry.find(record.type);
  if (provider === undefined) throw new Error(`no provider for ${record.type}`);
  if (step.kind === 'update' && record.state !== undefined) {
    return runUpdate(run, provider, { ...record, state: record.state }, step, true);
  }
  const { physicalId } = step.target;
  if (physicalId !== '' && provider.resume === undefined) {
    // It is half made. Begin again without it.
    const context = contextOf(run, record, step.token, () => undefined);
    const properties = await effectiveProperties(run, provider, step.target, record.logicalId);
    await provider.delete({ ...step.target, properties }, context).catch(() => undefined);
    const target = { ...step.target, physicalId: '' };
    return runCreation(run, provider, { ...record, step: { ...step, target } }, { ...step, target }, true);
  }
  return runCreation(run, provider, record, step, true);
}

/** The properties that the provider gets: with the physical name, the tags, and dynamic references resolved. */
async function effectiveProperties(
  run: Run,
  provider: ResourceProvider,
  { properties, tags, generatedName }: ResourceState,
  logicalId: string,
): Promise<Properties> {
  const { name, id, scope } = run.stack();
  const { naming } = provider;
  const named =
    naming === undefined || generatedName === undefined
      ? properties
      : { ...properties, [naming.property]: generatedName };
  const type = resourceType(provider.type);
  const own = { 'aws:cloudformation:stack-name': name, 'aws:cloudformation:stack-id': id };
  const all = { ...tags, ...own, 'aws:cloudformation:logical-id': logicalId };
  return run.resolveDynamic(withTags(type, named, all), scope);
}

function refuseInvalid(provider: ResourceProvider, type: string, properties: Properties): void {
  // A custom resource takes any property. What is only recorded has no effect anyway.
  const isCustom = type.startsWith('Custom::') || type === 'AWS::CloudFormation::CustomResource';
  const unknown = isCustom || provider.isRecorded === true ? undefined : unknownProperties(type, properties);
  if (unknown !== undefined) throw new ResourceFailure(unknown);
  const missing = (resourceType(type)?.required ?? []).filter((name) => properties[name] === undefined);
  if (missing.length > 0) {
    const list = missing.map((name) => `The property {/${name}} is required`);
    throw new ResourceFailure(`Property validation failure: [${list.join(', ')}]`);
  }
  const reason = provider.check?.(properties);
  if (reason !== undefined) throw new ResourceFailure(reason);
}

function contextOf(
  run: Run,
  { logicalId, type }: Pick<ResourceRecord, 'logicalId' | 'type'>,
  token: string,
  created: (physicalId: string) => void,
): ResourceContext {
  const { id, name, scope } = run.stack();
  const signal = run.signal();
  return {
    scope,
    stack: { id, name },
    logicalId,
    type,
    token,
    signal,
    created,
    call: (service, operation, input) => run.call(scope, service, operation, input),
    wait: (ms) =>
      new Promise<void>((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        const abort = () => reject(signal.reason);
        signal.addEventListener('abort', abort);
        sleep(run.clock, ms).then(() => {
          signal.removeEventListener('abort', abort);
          resolve();
        }, reject);
      }),
  };
}

function finish(
  run: Run,
  record: ResourceRecord,
  step: ResourceStep,
  made: PhysicalResource,
  status: 'CREATE_COMPLETE' | 'UPDATE_COMPLETE',
): void {
  const { step: _, reason: __, attempted: ___, ...rest } = record;
  const { physicalId, attributes } = made;
  const state = { ...step.target, physicalId, attributes };
  run.save({ ...rest, status, physicalId, state }, { properties: step.target.properties });
}

function fail(run: Run, record: ResourceRecord, status: 'CREATE_FAILED' | 'UPDATE_FAILED', failure: unknown): void {
  const { step, ...rest } = record;
  const { aborted, reason: end } = run.signal();
  const isCancelled = aborted && (failure === end || !(failure instanceof ResourceFailure));
  const reason = isCancelled ? cancelled(status.startsWith('CREATE') ? 'CREATE' : 'UPDATE') : reasonOf(failure);
  if (!isExpected(failure) && !isCancelled)
    run.log.error({ err: failure, type: record.type }, 'a resource step failed');
  run.save({ ...rest, status, reason }, { properties: step?.target.properties ?? {} });
}

function cancelled(verb: 'CREATE' | 'UPDATE'): string {
  return verb === 'CREATE' ? 'Resource creation cancelled' : 'Resource update cancelled';
}

function isExpected(failure: unknown): boolean {
  return failure instanceof ResourceFailure || failure instanceof ServiceCallFailure || isTemplateError(failure);
}

function isTemplateError(failure: unknown): boolean {
  return failure instanceof Error && failure.name === 'TemplateError';
}

/** The reason that an event shows. AWS ends a service's message with the service, the status and the request. */
export function reasonOf(failure: unknown): string {
  if (failure instanceof ServiceCallFailure) {
    const { message, service, status, requestId } = failure;
    const name = SERVICE_NAMES[service] ?? service;
    return `${message} (Service: ${name}, Status Code: ${status}, Request ID: ${requestId})`;
  }
  return isExpected(failure) ? (failure as Error).message : 'Internal Failure';
}

/** As they appear in the reasons of AWS's events. */
const SERVICE_NAMES: Readonly<Record<string, string>> = {
  apigateway: 'ApiGateway',
  apigatewayv2: 'ApiGatewayV2',
  dynamodb: 'DynamoDb',
  ecr: 'Ecr',
  elasticloadbalancing: 'ElasticLoadBalancingV2',
  events: 'EventBridge',
  iam: 'Iam',
  lambda: 'Lambda',
  logs: 'CloudWatchLogs',
  s3: 'S3',
  scheduler: 'Scheduler',
  secretsmanager: 'SecretsManager',
  sns: 'Sns',
  sqs: 'Sqs',
  ssm: 'Ssm',
};
