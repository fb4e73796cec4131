/** Operations of event source mappings. The rules are in `event-sources/event-source-mappings.ts`. */
import type { EventSourceMappings } from '../../event-sources/event-source-mappings.ts';
import type { EventSourceMapping, MappingMembers } from '../../event-sources/mapping-rules.ts';
import type { FunctionSettings } from '../../functions/settings/open-settings.ts';
import { refuseTenantIsolated } from '../../functions/tenancy.ts';
import { parseArn } from '../../protocol/arn.ts';
import type { FunctionName, Scope } from '../../protocol/names.ts';
import type { OperationInput } from '../../protocol/operations.ts';
import { ServiceError } from '../../protocol/service-errors.ts';
import type { OperationHandlers } from './operation-handler.ts';
import { pageRequestOf } from './operation-handler.ts';
import { resolveFunctionReference } from './references.ts';

/** Why a queue cannot feed a function with this timeout, in AWS's wording; undefined when it can. */
export type FindSourceProblem = (queueArn: string, timeoutSeconds: number) => string | undefined;

export function eventSourceOperations({
  mappings,
  settings,
  findSourceProblem,
}: {
  mappings: EventSourceMappings;
  settings: Pick<FunctionSettings, 'directory' | 'get'>;
  findSourceProblem?: FindSourceProblem | undefined;
}): OperationHandlers {
  const checkSource = (scope: Scope, arn: string | undefined, name: FunctionName, qualifier: string | undefined) => {
    if (!settings.directory.has(scope, name, qualifier)) return;
    const version = settings.get(scope, name, qualifier);
    refuseTenantIsolated(version, 'Event source mappings are');
    if (arn === undefined || parseArn(arn)?.service !== 'sqs') return;
    const { timeoutSeconds } = version.configuration;
    const problem = findSourceProblem?.(arn, timeoutSeconds);
    if (problem !== undefined) throw new ServiceError('InvalidParameterValueException', problem);
  };
  return {
    CreateEventSourceMapping(input, { scope }) {
      const { name, qualifier } = resolveFunctionReference(scope, input.FunctionName);
      checkSource(scope, input.EventSourceArn, name, qualifier);
      const mapping = mappings.create(
        scope,
        {
          functionName: name,
          qualifier,
          eventSourceArn: input.EventSourceArn,
          enabled: input.Enabled,
          members: membersOf(input),
        },
        input.Tags ?? {},
      );
      return { body: renderMapping(mapping, 'Creating') };
    },

    UpdateEventSourceMapping(input, { scope }) {
      const target = input.FunctionName && resolveFunctionReference(scope, input.FunctionName);
      const { state: before, eventSourceArn } = mappings.get(scope, input.UUID);
      if (target) checkSource(scope, eventSourceArn, target.name, target.qualifier);
      const mapping = mappings.update(scope, input.UUID, {
        functionName: target ? target.name : undefined,
        qualifier: target ? target.qualifier : undefined,
        enabled: input.Enabled,
        members: membersOf(input),
      });
      const transition = mapping.state === 'Enabled' ? 'Enabling' : 'Disabling';
      return { body: renderMapping(mapping, mapping.state === before ? 'Updating' : transition) };
    },

    GetEventSourceMapping: (input, { scope }) => ({ body: renderMapping(mappings.get(scope, input.UUID)) }),

    DeleteEventSourceMapping: (input, { scope }) => ({
      body: renderMapping(mappings.remove(scope, input.UUID), 'Deleting'),
    }),

    ListEventSourceMappings(input, { scope }) {
      const target = input.FunctionName && resolveFunctionReference(scope, input.FunctionName);
      const { items, nextMarker } = mappings.list(scope, {
        ...pageRequestOf(input),
        eventSourceArn: input.EventSourceArn,
        functionName: target ? target.name : undefined,
      });
      return { body: { NextMarker: nextMarker, EventSourceMappings: items.map((mapping) => renderMapping(mapping)) } };
    },
  };
}

/** Input members that are not stored among the mapping's members. */
const HANDLED: ReadonlySet<string> = new Set(['FunctionName', 'EventSourceArn', 'Enabled', 'Tags', 'UUID']);

function membersOf(
  input: OperationInput<'CreateEventSourceMapping'> | OperationInput<'UpdateEventSourceMapping'>,
): MappingMembers {
  return Object.fromEntries(Object.entries(input).filter(([name]) => !HANDLED.has(name)));
}

/** `state` names a transition. AWS's responses show transitions that it has just begun; here they are complete. */
function renderMapping(mapping: EventSourceMapping, state?: string): Record<string, unknown> {
  const isStream = mapping.source === 'kinesis' || mapping.source === 'dynamodb';
  const { FilterCriteria, ...members } = mapping.members;
  const filters = FilterCriteria as { readonly Filters?: readonly unknown[] } | undefined;
  return {
    UUID: mapping.uuid,
    EventSourceArn: mapping.eventSourceArn,
    EventSourceMappingArn: mapping.source === 'self-managed-kafka' ? undefined : mapping.arn,
    FunctionArn: mapping.functionArn,
    ...members,
    // Recorded on AWS: criteria without filters are omitted.
    FilterCriteria: filters?.Filters?.length ? filters : undefined,
    LastModified: mapping.lastModifiedMs / 1000,
    LastProcessingResult: mapping.source === 'sqs' ? undefined : 'No records processed',
    State: state ?? mapping.state,
    StateTransitionReason: isStream ? 'User action' : 'USER_INITIATED',
  };
}
