/**
 * Event source mappings: which queue or stream feeds which function, and how. Stored and checked here; the pollers in
 * `event-sources/` obey them. A mapping outlives its function. Recorded on AWS (2025-11).
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { FunctionDirectory } from '../functions/function-directory.ts';
import { parseArn, renderEventSourceMappingArn, renderFunctionArn } from '../protocol/arn.ts';
import { InvalidPattern, parseEventPattern } from '../protocol/event-pattern.ts';
import type { Scope } from '../protocol/names.ts';
import { ServiceError } from '../protocol/service-errors.ts';
import type { Database } from '../storage/database.ts';
import { type Page, pageOf, parseMarker } from '../storage/page.ts';

/** Members of AWS's model that a client may set, in its own names. */
export type MappingMembers = Readonly<Record<string, unknown>>;

export type EventSourceMapping = {
  readonly uuid: string;
  readonly arn: string;
  /** With a qualifier when the client gave one. */
  readonly functionArn: string;
  readonly functionName: string;
  readonly eventSourceArn: string | undefined;
  readonly source: EventSource;
  readonly state: 'Enabled' | 'Disabled';
  readonly lastModifiedMs: number;
  /** All else, defaults filled in. */
  readonly members: MappingMembers;
  readonly tags: Readonly<Record<string, string>>;
};

export type EventSource = 'sqs' | 'kinesis' | 'dynamodb' | 'kafka' | 'self-managed-kafka' | 'mq' | 'documentdb';

export type MappingDraft = {
  readonly functionName: string | undefined;
  readonly qualifier: string | undefined;
  readonly enabled: boolean | undefined;
  readonly members: MappingMembers;
};

export type MappingListRequest = {
  readonly marker: string | undefined;
  readonly maxItems: number;
  readonly eventSourceArn: string | undefined;
  readonly functionName: string | undefined;
};

export type EventSourceMappings = {
  create(
    scope: Scope,
    draft: MappingDraft & { readonly eventSourceArn: string | undefined },
    tags: Readonly<Record<string, string>>,
  ): EventSourceMapping;
  update(scope: Scope, uuid: string, draft: MappingDraft): EventSourceMapping;
  get(scope: Scope, uuid: string): EventSourceMapping;
  remove(scope: Scope, uuid: string): EventSourceMapping;
  list(scope: Scope, request: MappingListRequest): Page<EventSourceMapping>;
  setTags(scope: Scope, uuid: string, tags: Readonly<Record<string, string>>): void;
  /** Those of every scope. */
  everywhere(): { readonly scope: Scope; readonly mapping: EventSourceMapping }[];
  /** Calls `listener` after each change, without a mapping when it was removed; gives back how to end that. */
  onChange(listener: MappingListener): () => void;
};

export type MappingListener = (scope: Scope, uuid: string, mapping: EventSourceMapping | undefined) => void;

type SourceRow = {
  readonly batchSize: { readonly default: number; readonly max: number };
  /** It has a position to start from, which must be said. */
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

/** What differs by source. https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html */
const SOURCES: Readonly<Record<EventSource, SourceRow>> = {
  sqs: {
    batchSize: { default: 10, max: 10_000 },
    positions: undefined,
    defaults: { MaximumBatchingWindowInSeconds: 0, FunctionResponseTypes: [] },
    takesDestination: false,
  },
  kinesis: {
    batchSize: { default: 100, max: 10_000 },
    positions: ['TRIM_HORIZON', 'LATEST', 'AT_TIMESTAMP'],
    defaults: STREAM_DEFAULTS,
    takesDestination: true,
  },
  dynamodb: {
    batchSize: { default: 100, max: 10_000 },
    positions: ['TRIM_HORIZON', 'LATEST'],
    defaults: STREAM_DEFAULTS,
    takesDestination: true,
  },
  kafka: {
    batchSize: { default: 100, max: 10_000 },
    positions: ['TRIM_HORIZON', 'LATEST', 'AT_TIMESTAMP'],
    defaults: {},
    takesDestination: true,
  },
  'self-managed-kafka': {
    batchSize: { default: 100, max: 10_000 },
    positions: ['TRIM_HORIZON', 'LATEST', 'AT_TIMESTAMP'],
    defaults: {},
    takesDestination: true,
  },
  mq: { batchSize: { default: 100, max: 10_000 }, positions: undefined, defaults: {}, takesDestination: false },
  documentdb: {
    batchSize: { default: 100, max: 10_000 },
    positions: ['TRIM_HORIZON', 'LATEST', 'AT_TIMESTAMP'],
    defaults: {},
    takesDestination: false,
  },
};

type Row = { uuid: string; document: string };

/** All of them throw `ServiceError`s where AWS does. */
export function createEventSourceMappings({
  database,
  directory,
  clock,
}: {
  database: Database;
  directory: FunctionDirectory;
  clock: Clock;
}): EventSourceMappings {
  const ofScope = 'region = :region AND account = :account';
  const get = database.prepare<Row>(`SELECT * FROM event_source_mapping WHERE ${ofScope} AND uuid = :uuid`);
  const put = database.prepare(
    'INSERT OR REPLACE INTO event_source_mapping VALUES (:region, :account, :uuid, :document)',
  );
  const remove = database.prepare(`DELETE FROM event_source_mapping WHERE ${ofScope} AND uuid = :uuid`);
  const list = database.prepare<Row>(`SELECT * FROM event_source_mapping WHERE ${ofScope} ORDER BY uuid`);
  const everywhere = database.prepare<Row & { region: string; account: string }>('SELECT * FROM event_source_mapping');
  const listeners = new Set<MappingListener>();
  const tell: MappingListener = (scope, uuid, mapping) => {
    for (const listener of listeners) listener(scope, uuid, mapping);
  };

  const mappingOf = (row: Row): EventSourceMapping => JSON.parse(row.document);
  const found = ({ region, account }: Scope, uuid: string): EventSourceMapping => {
    const row = get.get({ region, account, uuid: uuid.toLowerCase() });
    if (row !== undefined) return mappingOf(row);
    throw new ServiceError('ResourceNotFoundException', 'The resource you requested does not exist.');
  };
  const save = ({ region, account }: Scope, mapping: EventSourceMapping) => {
    put.run({ region, account, uuid: mapping.uuid, document: JSON.stringify(mapping) });
    return mapping;
  };
  const all = ({ region, account }: Scope) => list.all({ region, account }).map(mappingOf);

  function requireTarget(scope: Scope, name: string | undefined, qualifier: string | undefined): string {
    if (name === undefined || !directory.has(scope, name, qualifier)) throw refusal('Function does not exist');
    return name;
  }

  return {
    create(scope, draft, tags) {
      const { eventSourceArn, members, qualifier } = draft;
      const source = sourceOf(eventSourceArn, members);
      const row = SOURCES[source];
      checkPosition(row, eventSourceArn, members);
      checkMembers(row, source, members);
      const functionName = requireTarget(scope, draft.functionName, qualifier);
      const functionArn = renderFunctionArn(scope, functionName, qualifier);
      const uuid = randomUUID();
      const mapping: EventSourceMapping = {
        uuid,
        arn: renderEventSourceMappingArn(scope, uuid),
        functionArn,
        functionName,
        eventSourceArn,
        source,
        state: draft.enabled === false ? 'Disabled' : 'Enabled',
        lastModifiedMs: clock.epochMs(),
        members: { BatchSize: row.batchSize.default, ...row.defaults, ...consumerGroup(source, uuid), ...members },
        tags,
      };
      const duplicate = all(scope).find((other) => feedsTheSame(other, mapping));
      if (duplicate !== undefined) throw alreadyMapped(duplicate);
      tell(scope, uuid, save(scope, mapping));
      return mapping;
    },
    update(scope, uuid, draft) {
      const present = found(scope, uuid);
      const members = { ...present.members, ...draft.members };
      checkMembers(SOURCES[present.source], present.source, members);
      const functionName =
        draft.functionName === undefined
          ? present.functionName
          : requireTarget(scope, draft.functionName, draft.qualifier);
      const mapping = save(scope, {
        ...present,
        functionName,
        functionArn:
          draft.functionName === undefined
            ? present.functionArn
            : renderFunctionArn(scope, functionName, draft.qualifier),
        state: draft.enabled === undefined ? present.state : draft.enabled ? 'Enabled' : 'Disabled',
        lastModifiedMs: clock.epochMs(),
        members,
      });
      tell(scope, mapping.uuid, mapping);
      return mapping;
    },
    get: found,
    remove(scope, uuid) {
      const mapping = found(scope, uuid);
      remove.run({ region: scope.region, account: scope.account, uuid: mapping.uuid });
      tell(scope, mapping.uuid, undefined);
      return mapping;
    },
    list(scope, { marker, maxItems, eventSourceArn, functionName }) {
      const [after] = (marker === undefined ? undefined : parseMarker(marker, [''] as const)) ?? [''];
      const matching = all(scope).filter(
        (mapping) =>
          mapping.uuid > after &&
          (eventSourceArn === undefined || mapping.eventSourceArn === eventSourceArn) &&
          (functionName === undefined || mapping.functionName === functionName),
      );
      return pageOf(matching.slice(0, maxItems + 1), maxItems, ({ uuid }) => [uuid]);
    },
    setTags(scope, uuid, tags) {
      save(scope, { ...found(scope, uuid), tags });
    },
    everywhere: () =>
      everywhere.all().map((row) => ({ scope: { region: row.region, account: row.account }, mapping: mappingOf(row) })),
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
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

function checkPosition({ positions }: SourceRow, arn: string | undefined, members: MappingMembers): void {
  const position = members.StartingPosition;
  if (positions === undefined) {
    if (position !== undefined) throw refusal('StartingPosition is not valid for this event source.');
    return;
  }
  if (position === undefined) {
    throw refusal(
      "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: " +
        'Member must not be null.',
    );
  }
  if (!positions.includes(position as string)) throw refusal(`Unsupported starting position for arn type: ${arn}`);
}

function checkMembers({ takesDestination, batchSize }: SourceRow, source: EventSource, members: MappingMembers): void {
  const destination = members.DestinationConfig as
    | { readonly OnSuccess?: { readonly Destination?: string } }
    | undefined;
  if (destination !== undefined && (!takesDestination || destination.OnSuccess?.Destination !== undefined)) {
    throw refusal('Unsupported DestinationConfig parameter for given event source mapping type.');
  }
  const size = (members.BatchSize as number | undefined) ?? batchSize.default;
  const window = (members.MaximumBatchingWindowInSeconds as number | undefined) ?? 0;
  if (source === 'sqs' && size > 10 && window === 0) {
    throw refusal('Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10');
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

function feedsTheSame(one: EventSourceMapping, other: EventSourceMapping): boolean {
  if (one.functionName !== other.functionName || one.functionArn !== other.functionArn) return false;
  if (one.source !== other.source || one.eventSourceArn !== other.eventSourceArn) return false;
  const topics = (mapping: EventSourceMapping) =>
    JSON.stringify(mapping.members.Topics ?? mapping.members.Queues ?? []);
  if (topics(one) !== topics(other)) return false;
  if (one.source !== 'self-managed-kafka') return true;
  // Recorded on AWS: one server in common is enough.
  const servers = new Set(serversOf(other));
  return serversOf(one).some((server) => servers.has(server));
}

function serversOf({ members }: EventSourceMapping): readonly string[] {
  const source = members.SelfManagedEventSource as
    | { readonly Endpoints?: Record<string, readonly string[]> }
    | undefined;
  return Object.values(source?.Endpoints ?? {}).flat();
}

function alreadyMapped(mapping: EventSourceMapping): ServiceError {
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

function refusal(message: string): ServiceError {
  return new ServiceError('InvalidParameterValueException', message);
}
