/**
 * Events that Lambda polls: each becomes an AWS::Lambda::EventSourceMapping, and gives the function's role what it needs to read
 * the source.
 */
import type { Json, JsonObject } from '../../tree.ts';
import { expectMap, isMap } from '../checks.ts';
import type { EventKind, EventTarget, SamContext, SamEvent } from '../context.ts';
import { InvalidEvent } from '../errors.ts';
import { isIntrinsic } from '../intrinsics.ts';
import { isTruthy } from '../python.ts';
import { type CfnResource, cfnResource } from '../resources.ts';
import { awsPolicyArn, destinationPolicies } from '../roles.ts';
import { accessPolicies } from './pull-access.ts';
import { COPIED_TO_MAPPING, PULL_PROPERTIES, type PullType } from './pull-properties.ts';

/** The property that names the source. */
const SOURCES: Readonly<Record<PullType, string | undefined>> = {
  Kinesis: 'Stream',
  DynamoDB: 'Stream',
  MSK: 'Stream',
  SQS: 'Queue',
  MQ: 'Broker',
  SelfManagedKafka: undefined,
  DocumentDB: 'Cluster',
};

/** AWS's policies for reading a source. */
const MANAGED_POLICIES: Readonly<Partial<Record<PullType, string>>> = {
  Kinesis: 'service-role/AWSLambdaKinesisExecutionRole',
  DynamoDB: 'service-role/AWSLambdaDynamoDBExecutionRole',
  MSK: 'service-role/AWSLambdaMSKExecutionRole',
  SQS: 'service-role/AWSLambdaSQSQueueExecutionRole',
};

export const PULL_EVENTS: Readonly<Record<PullType, EventKind>> = {
  Kinesis: pullKind('Kinesis'),
  DynamoDB: pullKind('DynamoDB'),
  MSK: pullKind('MSK'),
  SQS: pullKind('SQS'),
  MQ: pullKind('MQ'),
  SelfManagedKafka: pullKind('SelfManagedKafka'),
  DocumentDB: pullKind('DocumentDB'),
};

function pullKind(type: PullType): EventKind {
  return {
    properties: PULL_PROPERTIES[type],
    link: (_, context) => (event, target) => [eventSourceMapping(type, event, target, context)],
  };
}

/**
 * The mapping of an event, whose properties need not have been checked; it also extends the target's role.
 *
 * @throws InvalidEvent for settings that do not fit the type
 */
export function eventSourceMapping(
  type: PullType,
  event: SamEvent,
  target: EventTarget,
  context: SamContext,
): CfnResource {
  const { properties } = event;
  const mapping = cfnResource('AWS::Lambda::EventSourceMapping', event.logicalId, target.passedAttributes, {
    FunctionName: target.name,
  });
  const made = mapping.properties;
  const source = SOURCES[type];
  if (source !== undefined) made.EventSourceArn = properties[source];
  for (const name of COPIED_TO_MAPPING) made[name] = properties[name];
  checkFilterCriteria(event);
  if (isTruthy(properties.KafkaBootstrapServers)) {
    made.SelfManagedEventSource = { Endpoints: { KafkaBootstrapServers: properties.KafkaBootstrapServers as Json } };
  }
  addKafkaConfig(type, event, made);
  const destination = failureDestination(event);
  if (isTruthy(properties.DestinationConfig)) made.DestinationConfig = properties.DestinationConfig;
  if (type === 'DocumentDB') made.DocumentDBEventSourceConfig = documentDbConfig(properties);
  extendRole(type, event, target, context, destination);
  return mapping;
}

function checkFilterCriteria({ eventId, properties: { FilterCriteria } }: SamEvent): void {
  if (!isMap(FilterCriteria) || isIntrinsic(FilterCriteria)) return;
  const names = Object.keys(FilterCriteria);
  if (names.length === 0 || (names.length === 1 && names[0] === 'Filters')) return;
  throw new InvalidEvent(eventId, 'FilterCriteria field has a wrong format');
}

/** The property for settings of Kafka clients. */
const KAFKA_CONFIGS: Readonly<Partial<Record<PullType, string>>> = {
  MSK: 'AmazonManagedKafkaEventSourceConfig',
  SelfManagedKafka: 'SelfManagedKafkaEventSourceConfig',
};

function addKafkaConfig(type: PullType, event: SamEvent, made: CfnResource['properties']): void {
  const { ConsumerGroupId, SchemaRegistryConfig } = event.properties;
  const name = KAFKA_CONFIGS[type];
  if (isTruthy(ConsumerGroupId) && name === undefined) {
    const problem = `Property ConsumerGroupId not defined for resource of type ${type}.`;
    throw new InvalidEvent(event.logicalId, problem);
  }
  if (name === undefined || (!isTruthy(ConsumerGroupId) && !isTruthy(SchemaRegistryConfig))) return;
  made[name] = {
    ...(isTruthy(ConsumerGroupId) ? { ConsumerGroupId: ConsumerGroupId as Json } : {}),
    ...(isTruthy(SchemaRegistryConfig) ? { SchemaRegistryConfig: SchemaRegistryConfig as Json } : {}),
  };
}

function documentDbConfig({ DatabaseName, CollectionName, FullDocument }: JsonObject): JsonObject {
  return {
    DatabaseName: DatabaseName as Json,
    ...(isTruthy(CollectionName) ? { CollectionName: CollectionName as Json } : {}),
    ...(isTruthy(FullDocument) ? { FullDocument: FullDocument as Json } : {}),
  };
}

/** Removes `Type` from the destination, in place, and gives the policy for it. */
function failureDestination({ logicalId, properties }: SamEvent): JsonObject | undefined {
  const config = properties.DestinationConfig;
  if (!isMap(config) || !isTruthy(config)) return undefined;
  const onFailure = expectMap(config.OnFailure, { event: logicalId, path: 'DestinationConfig.OnFailure' });
  const type = onFailure.Type;
  if (!isTruthy(type)) return undefined;
  delete onFailure.Type;
  const destination = onFailure.Destination ?? null;
  if (type === 'SQS' || type === 'SNS' || type === 'S3') return destinationPolicies[type](destination, logicalId);
  if (type === 'Kafka') return undefined;
  throw new InvalidEvent(logicalId, "The only valid values for 'Type' are 'SQS', 'SNS', 'S3', and 'Kafka'");
}

function extendRole(
  type: PullType,
  event: SamEvent,
  target: EventTarget,
  context: SamContext,
  destination: JsonObject | undefined,
): void {
  const policies = accessPolicies(type, event, context);
  const { role } = target;
  if (role === undefined) return;
  const managed = MANAGED_POLICIES[type];
  if (managed !== undefined) {
    const arn = awsPolicyArn(context.partition, managed);
    const arns = role.properties.ManagedPolicyArns as Json[];
    if (!arns.includes(arn)) arns.push(arn);
  }
  const documents = target.roleDocuments ?? new Set<string>();
  for (const policy of [...policies, ...(destination === undefined ? [] : [destination])]) {
    addPolicy(role, policy, documents);
  }
}

/** Adds a named document unless the role has the same one under any name. */
function addPolicy(role: CfnResource, policy: JsonObject, documents: Set<string>): void {
  const policies = (role.properties.Policies ?? []) as Json[];
  if (documents.size === 0) {
    for (const each of policies) if (isMap(each)) documents.add(JSON.stringify(each.PolicyDocument ?? null));
  }
  const document = JSON.stringify(policy.PolicyDocument);
  if (!documents.has(document)) policies.push(policy);
  documents.add(document);
  role.properties.Policies = policies;
}
