/** The properties of events that become event source mappings. */
import {
  ANY,
  BOOLEAN,
  INTEGER,
  LIST,
  MAP,
  optional,
  PASSED,
  type PropertyTable,
  requiredStrict,
  STRING,
  strict,
} from '../checks.ts';

const COMMON: PropertyTable = {
  BatchSize: optional(INTEGER),
  StartingPosition: PASSED,
  StartingPositionTimestamp: PASSED,
  Enabled: optional(BOOLEAN),
  MaximumBatchingWindowInSeconds: optional(INTEGER),
  MaximumRetryAttempts: optional(INTEGER),
  BisectBatchOnFunctionError: optional(BOOLEAN),
  MaximumRecordAgeInSeconds: optional(INTEGER),
  DestinationConfig: optional(MAP),
  ParallelizationFactor: optional(INTEGER),
  Topics: optional(LIST),
  Queues: optional(LIST),
  SourceAccessConfigurations: optional(LIST),
  SecretsManagerKmsKeyId: optional(STRING),
  TumblingWindowInSeconds: optional(INTEGER),
  FunctionResponseTypes: optional(LIST),
  KafkaBootstrapServers: optional(LIST),
  FilterCriteria: optional(MAP),
  KmsKeyArn: PASSED,
  ConsumerGroupId: optional(STRING),
  ScalingConfig: optional(MAP),
  ProvisionedPollerConfig: optional(MAP),
  SchemaRegistryConfig: optional(MAP),
  MetricsConfig: optional(MAP),
  LoggingConfig: optional(MAP),
};

/** The properties that become properties of AWS::Lambda::EventSourceMapping under the same name. */
export const COPIED_TO_MAPPING = [
  'StartingPosition',
  'StartingPositionTimestamp',
  'BatchSize',
  'Enabled',
  'MaximumBatchingWindowInSeconds',
  'MaximumRetryAttempts',
  'BisectBatchOnFunctionError',
  'MaximumRecordAgeInSeconds',
  'ParallelizationFactor',
  'Topics',
  'Queues',
  'SourceAccessConfigurations',
  'TumblingWindowInSeconds',
  'FunctionResponseTypes',
  'FilterCriteria',
  'KmsKeyArn',
  'ScalingConfig',
  'ProvisionedPollerConfig',
  'MetricsConfig',
  'LoggingConfig',
] as const;

const NEEDED = requiredStrict(ANY);
const STREAM: PropertyTable = { ...COMMON, Stream: NEEDED, StartingPosition: NEEDED };

export const PULL_PROPERTIES = {
  Kinesis: STREAM,
  DynamoDB: STREAM,
  MSK: STREAM,
  SQS: { ...COMMON, Queue: NEEDED },
  MQ: { ...COMMON, Broker: NEEDED, DynamicPolicyName: strict(BOOLEAN) },
  SelfManagedKafka: COMMON,
  DocumentDB: {
    ...COMMON,
    Cluster: NEEDED,
    DatabaseName: NEEDED,
    CollectionName: PASSED,
    FullDocument: PASSED,
  },
} satisfies Readonly<Record<string, PropertyTable>>;

export type PullType = keyof typeof PULL_PROPERTIES;
