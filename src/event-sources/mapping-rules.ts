/**
 * Lambda's rules for event source mappings, by source: members, defaults and duplicates, with AWS's messages. Pure.
 * Recorded on AWS (2025-11). https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
 */

import { parseArn } from '../protocol/arn.ts';
import { InvalidPattern, parseEventPattern } from '../protocol/event-pattern.ts';
import { ServiceError } from '../protocol/service-errors.ts';

/** Members of AWS's model that a client can set, by name. */
export type MappingMembers = Readonly<Record<string, unknown>>;

export type EventSourceMapping = {
  readonly uuid: string;
  readonly arn: string;
  /** With a qualifier if the client sent one. */
  readonly functionArn: string;
  readonly functionName: string;
  readonly eventSourceArn: string | undefined;
  readonly source: EventSource;
  readonly state: 'Enabled' | 'Disabled';
  readonly lastModifiedMs: number;
  /** All other members, with defaults. */
  readonly members: MappingMembers;
  readonly tags: Readonly<Record<string, string>>;
};

export type EventSource = 'sqs' | 'kinesis' | 'dynamodb' | 'kafka' | 'self-managed-kafka' | 'mq' | 'documentdb';

type SourceRow = {
  readonly defaultBatchSize: number;
  /** Valid starting positions. Undefined for a source without one. */
  readonly positions: readonly string[] | undefined;
  readonly defaults: MappingMembers;
  readonly takesDestination: boolean;
};

const STREAM_DEFAULTS: MappingMembers = {
  MaximumBatchingWindowInSeconds: 0,
  ParallelizationFactor: 1,
  BisectBatchOnFunctionError: false,
  MaximumRecordAgeInSeconds: -1,
  MaximumRetryAttempts: -1,
  TumblingWindowInSeconds: 0,
  FunctionResponseTypes: [],
  DestinationConfig: { OnFailure: {} },
};

const SOURCES: Readonly<Record<EventSource, SourceRow>> = {
  sqs: {
    defaultBatchSize: 10,
    positions: undefined,
    defaults: { MaximumBatchingWindowInSeconds: 0, FunctionResponseTypes: [] },
    takesDestination: false,
  },
  kinesis: {
    defaultBatchSize: 100,
    positions: ['TRIM_HORIZON', 'LATEST', 'AT_TIMESTAMP'],
    defaults: STREAM_DEFAULTS,
    takesDestination: true,
  },
  dynamodb: {
    defaultBatchSize: 100,
    positions: ['TRIM_HORIZON', 'LATEST'],
    defaults: STREAM_DEFAULTS,
    takesDestination: true,
  },
  kafka: {
    defaultBatchSize: 100,
    positions: ['TRIM_HORIZON', 'LATEST', 'AT_TIMESTAMP'],
    defaults: {},
    takesDestination: true,
  },
  'self-managed-kafka': {
    defaultBatchSize: 100,
    positions: ['TRIM_HORIZON', 'LATEST', 'AT_TIMESTAMP'],
    defaults: {},
    takesDestination: true,
  },
  mq: { defaultBatchSize: 100, positions: undefined, defaults: {}, takesDestination: false },
  documentdb: {
    defaultBatchSize: 100,
    positions: ['TRIM_HORIZON', 'LATEST', 'AT_TIMESTAMP'],
    defaults: {},
    takesDestination: false,
  },
};

/** Checks a new mapping and determines its source. @throws ServiceError */
export function checkNewMapping(eventSourceArn: string | undefined, members: MappingMembers): EventSource {
  const source = sourceOf(eventSourceArn, members);
  checkPosition(source, eventSourceArn, members);
  checkMembers(source, eventSourceArn, members);
  return source;
}

/** The members that a client omits, with AWS's defaults. */
export function defaultMembers(source: EventSource, uuid: string): MappingMembers {
  const { defaultBatchSize, defaults } = SOURCES[source];
  return { BatchSize: defaultBatchSize, ...defaults, ...consumerGroup(source, uuid) };
}

function sourceOf(arn: string | undefined, members: MappingMembers): EventSource {
  if (arn === undefined) {
    if (members.SelfManagedEventSource === undefined) throw refusal('Unrecognized event source.');
    if (members.SourceAccessConfigurations === undefined) {
      throw refusal("Required 'sourceAccessConfigurations' parameter is missing.");
    }
    return 'self-managed-kafka';
  }
  const service = parseArn(arn)?.service;
  const sources: Readonly<Record<string, EventSource>> = {
    sqs: 'sqs',
    kinesis: 'kinesis',
    dynamodb: 'dynamodb',
    kafka: 'kafka',
    mq: 'mq',
    rds: 'documentdb',
  };
  const source = service === undefined ? undefined : sources[service];
  if (source === undefined) throw refusal('Unrecognized event source.');
  return source;
}

function checkPosition(source: EventSource, arn: string | undefined, members: MappingMembers): void {
  const { positions } = SOURCES[source];
  const position = members.StartingPosition;
  if (positions === undefined) {
    if (position !== undefined) throw refusal('StartingPosition is not valid for this event source.');
    return;
  }
  if (position === undefined) {
    // Recorded on AWS: a self-managed cluster needs no position.
    if (source === 'self-managed-kafka') return;
    throw refusal(
      "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: " +
        'Member must not be null.',
    );
  }
  if (!positions.includes(position as string)) throw refusal(`Unsupported starting position for arn type: ${arn}`);
}

/** Checks the members of a new or changed mapping. @throws ServiceError */
export function checkMembers(source: EventSource, eventSourceArn: string | undefined, members: MappingMembers): void {
  const { takesDestination, defaultBatchSize } = SOURCES[source];
  const destination = members.DestinationConfig as
    | { readonly OnSuccess?: { readonly Destination?: string } }
    | undefined;
  if (destination !== undefined && (!takesDestination || destination.OnSuccess?.Destination !== undefined)) {
    throw refusal('Unsupported DestinationConfig parameter for given event source mapping type.');
  }
  const size = (members.BatchSize as number | undefined) ?? defaultBatchSize;
  const window = (members.MaximumBatchingWindowInSeconds as number | undefined) ?? 0;
  if (source === 'sqs' && size > 10 && window === 0) {
    throw refusal('Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10');
  }
  if (source === 'sqs' && window > 0 && eventSourceArn?.endsWith('.fifo')) {
    throw refusal('Batching window is not supported for FIFO queues');
  }
  const filters = members.FilterCriteria as { readonly Filters?: readonly { readonly Pattern?: string }[] } | undefined;
  for (const { Pattern } of filters?.Filters ?? []) {
    if (Pattern !== undefined && !isFilterPattern(Pattern)) throw refusal('Invalid filter pattern definition.');
  }
}

function isFilterPattern(text: string): boolean {
  try {
    parseEventPattern(text);
    return true;
  } catch (failure) {
    if (failure instanceof InvalidPattern) return false;
    throw failure;
  }
}

function consumerGroup(source: EventSource, uuid: string): MappingMembers {
  if (source === 'self-managed-kafka') return { SelfManagedKafkaEventSourceConfig: { ConsumerGroupId: uuid } };
  if (source === 'kafka') return { AmazonManagedKafkaEventSourceConfig: { ConsumerGroupId: uuid } };
  return {};
}

/** Whether AWS refuses `one` when `other` exists. */
export function isDuplicate(one: EventSourceMapping, other: EventSourceMapping): boolean {
  if (one.functionName !== other.functionName || one.functionArn !== other.functionArn) return false;
  if (one.source !== other.source || one.eventSourceArn !== other.eventSourceArn) return false;
  const topics = (mapping: EventSourceMapping) =>
    JSON.stringify(mapping.members.Topics ?? mapping.members.Queues ?? []);
  if (topics(one) !== topics(other)) return false;
  if (one.source !== 'self-managed-kafka') return true;
  // Recorded on AWS: one common server is enough.
  const servers = new Set(serversOf(other));
  return serversOf(one).some((server) => servers.has(server));
}

function serversOf({ members }: EventSourceMapping): readonly string[] {
  const source = members.SelfManagedEventSource as
    | { readonly Endpoints?: Record<string, readonly string[]> }
    | undefined;
  return Object.values(source?.Endpoints ?? {}).flat();
}

/** AWS's error for a duplicate of `mapping`. */
export function alreadyMapped(mapping: EventSourceMapping): ServiceError {
  const { uuid, source, eventSourceArn, functionArn, functionName, members } = mapping;
  const update = `Please update or delete the existing mapping with UUID ${uuid}`;
  const subject =
    source === 'sqs'
      ? `SQS arn (" ${eventSourceArn} ") and function (" ${functionName} ")`
      : `event source ("${eventSourceArn ?? serversOf(mapping).join(',')}"), function ("${functionArn}")` +
        (members.Topics === undefined ? '' : `, topics ("${(members.Topics as readonly string[]).join(',')}")`);
  return new ServiceError(
    'ResourceConflictException',
    `An event source mapping with ${subject} already exists. ${update}`,
  );
}

export function refusal(message: string): ServiceError {
  return new ServiceError('InvalidParameterValueException', message);
}
