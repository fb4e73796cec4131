/** Opens the AWS services beside Lambda on one database: IAM, STS, S3, SQS, SNS, CloudWatch Logs, Parameter Store,
 * Secrets Manager, API Gateway, event buses and ECR. */

import { randomUUID } from 'node:crypto';

import type { ApiServices } from '../api-port/api-port.ts';
import type { Clock } from '../clock.ts';
import type { Lifetime } from '../lifetime.ts';
import type { Log } from '../log.ts';
import { parseArn, parseLogGroupArn } from '../protocol/arn.ts';
import { createQueues, type Queues } from '../queues/queue.ts';
import { type ApiGatewayApi, createApiGatewayApi } from '../services/apigateway/api-gateway-api.ts';
import type { Publisher } from '../services/apigateway/publish.ts';
import { createCloudTrailApi } from '../services/cloudtrail/cloudtrail-api.ts';
import type { DynamoApi, DynamoApiOptions, RemoteDynamo } from '../services/dynamodb/dynamodb-api.ts';
import { createEcrApi } from '../services/ecr/ecr-api.ts';
import {
  createLoadBalancingApi,
  type LoadBalancingApi,
} from '../services/elasticloadbalancingv2/load-balancing-api.ts';
import { createEventBus, type EventBus } from '../services/events/event-bus.ts';
import { createEventRules, type EventRules } from '../services/events/event-rules.ts';
import { createEventsApi } from '../services/events/events-api.ts';
import { createRuleStore } from '../services/events/rule-store.ts';
import { createScheduleRunner, type RunSchedule } from '../services/events/scheduler/schedule-runner.ts';
import { createSchedulerApi } from '../services/events/scheduler/scheduler-api.ts';
import { createSchedulerStore, timerName } from '../services/events/scheduler/scheduler-store.ts';
import type { EventSender, Schedules } from '../services/events/schedules.ts';
import { createIamApi, type IamApi } from '../services/iam/iam-api.ts';
import { createStsApi, type StsApi, type StsApiOptions } from '../services/iam/sts-api.ts';
import { createLogStore, type LogStore } from '../services/logs/log-store.ts';
import { createLogSubscriptions } from '../services/logs/log-subscriptions.ts';
import { createLogsApi } from '../services/logs/logs-api.ts';
import { createS3Api, type S3Api } from '../services/s3/s3-api.ts';
import { createSecretStore } from '../services/secretsmanager/secret-store.ts';
import { createSecretsApi, currentText } from '../services/secretsmanager/secrets-api.ts';
import { createSnsApi } from '../services/sns/sns-api.ts';
import { createSnsTopics, type SnsTopics } from '../services/sns/sns-topics.ts';
import { createQueueAccess, type QueueAccess } from '../services/sqs/queue-access.ts';
import { createRemoteQueues, type RemoteQueuesOptions } from '../services/sqs/remote-queues.ts';
import { createSqsApi } from '../services/sqs/sqs-api.ts';
import { createSqsMessages } from '../services/sqs/sqs-messages.ts';
import { createSqsQueues, type SqsQueues } from '../services/sqs/sqs-queues.ts';
import { createParameterStore } from '../services/ssm/parameter-store.ts';
import { createSsmApi } from '../services/ssm/ssm-api.ts';
import type { Database } from '../storage/database.ts';
import type { PerformOperation, ServiceApi } from '../wire/api-call.ts';
import type { ServiceCall } from '../wire/service-call.ts';
import type { MayInvoke } from './invoke-grants.ts';

export type ServicesOptions = {
  readonly database: Database;
  /** The data directory; S3 keeps objects in it. */
  readonly root: string;
  readonly clock: Clock;
  /** Time of visibility timeouts and event buses. */
  readonly backgroundClock: Clock;
  readonly log: Log;
  /** Another SQS that event source mappings, topics and destinations use instead of this one. */
  readonly remoteSqs: Omit<RemoteQueuesOptions, 'clock'> | undefined;
  /** Another DynamoDB that gets all requests for tables. */
  readonly remoteDynamo: RemoteDynamo | undefined;
  readonly functionIdentityOf?: StsApiOptions['functionIdentityOf'];
  /** Invokes a function that subscribes to a topic, or that is the target of a rule. */
  readonly sendEvent: EventSender;
  /** The log group of a function; undefined if it does not exist. */
  readonly logGroupOf: (functionArn: string) => string | undefined;
  /** Whether a function's policy lets a service invoke it. */
  readonly mayInvoke: MayInvoke;
  /** Performs operations of all services, Lambda included, once the service is open. */
  readonly call: ServiceCall;
  /** The HTTP gateways, which serve the APIs of API Gateway. */
  readonly publisher: Publisher;
  /** The schedules of this service, once it is open: rules and EventBridge Scheduler put theirs there. */
  readonly schedules: () => Pick<Schedules, 'put' | 'remove'>;
  /** Aborts when the service closes: ends requests that wait for messages or log events. */
  readonly closing: AbortSignal;
};

export type Services = {
  readonly iam: IamApi;
  readonly sts: StsApi;
  readonly s3: S3Api;
  readonly logStore: LogStore;
  /** Messages of SQS queues, and events of asynchronous invocations. `openBackground` closes it. */
  readonly queues: Queues;
  readonly sqsQueues: SqsQueues;
  /** The queues of this service, or of the remote one. */
  readonly queueAccess: QueueAccess;
  readonly topics: SnsTopics;
  readonly eventBus: EventBus;
  readonly apiGateway: ApiGatewayApi;
  readonly loadBalancing: LoadBalancingApi;
  readonly eventRules: EventRules;
  /** Calls the target of a schedule of EventBridge Scheduler. */
  readonly runSchedule: RunSchedule;
  /** Handlers for the API port. */
  readonly handlers: Omit<ApiServices, 'lambda'>;
  /** The same operations for callers inside this process, by the service's name in a credential scope. */
  readonly operations: Readonly<Record<string, PerformOperation>>;
};

/** Opens all of it; `lifetime` closes the log store. */
export function openServices(options: ServicesOptions, lifetime: Lifetime): Services {
  const { database, root, clock, backgroundClock, log, remoteSqs, closing } = options;
  const logStore = lifetime.own(createLogStore({ database, clock, log }));
  const iam = createIamApi({ database, clock, log });
  const sts = createStsApi({ database, clock, log, iam, functionIdentityOf: options.functionIdentityOf });
  const queues = createQueues({ database, clock: backgroundClock, log });
  const sqsQueues = createSqsQueues({ database, clock: backgroundClock });
  const sqsMessages = createSqsMessages({ queues, sqsQueues, clock: backgroundClock });
  const queueAccess = remoteSqs
    ? createRemoteQueues({ ...remoteSqs, clock })
    : createQueueAccess({ sqsQueues, sqsMessages });
  const topics = createSnsTopics({
    database,
    senders: {
      invoke: options.sendEvent,
      send: (arn, body, attributes, traceId, ids) => queueAccess.send(arn, { ...ids, body, attributes, traceId }),
    },
    clock: backgroundClock,
    log,
  });
  const subscriptions = createLogSubscriptions({
    database,
    logStore,
    invoke: options.sendEvent,
    logGroupOf: options.logGroupOf,
    clock,
    closing,
    log,
  });
  const logs = createLogsApi({
    logStore,
    subscriptions,
    logGroupOf: options.logGroupOf,
    mayInvoke: (arn, principal, sourceArn, account) => options.mayInvoke(arn, { principal, sourceArn, account }),
    clock,
    log,
    closing,
  });
  const sqs = createSqsApi({ sqsQueues, sqsMessages, clock: backgroundClock, log, closing });
  const sns = createSnsApi({ topics, log });
  const secretStore = createSecretStore({ database, clock });
  const secretsmanager = createSecretsApi({ secrets: secretStore, clock, log });
  const ssm = createSsmApi({
    parameters: createParameterStore({ database, clock }),
    secretOf: (scope, id) => currentText(secretStore, scope, id),
    log,
  });
  const apiGateway = createApiGatewayApi({ database, publisher: options.publisher, clock, log });
  const loadBalancing = createLoadBalancingApi({ database, publish: options.publisher.publish, clock, log });
  const eventBus = createEventBus({ database, clock: backgroundClock });
  const ruleStore = createRuleStore({ database, clock });
  const eventRules = createEventRules({
    store: ruleStore,
    eventBus,
    senders: {
      invoke: options.sendEvent,
      send: (arn, body, { groupId, traceId }) =>
        queueAccess.send(arn, { body, attributes: {}, traceId, groupId, deduplicationId: groupId && randomUUID() }),
      async publish(arn, message) {
        const topic = topics.find(arn);
        if (topic === undefined) throw new Error(`the topic ${arn} does not exist`);
        await topics.publish(topic, { message, subject: undefined, attributes: {}, traceId: undefined });
      },
      writeLog: async (arn, message) => writeEventLog(logStore, clock, arn, message),
    },
    schedules: options.schedules,
    clock: backgroundClock,
    log,
  });
  const s3 = createS3Api({
    database,
    clock,
    log,
    root,
    destinations: {
      invoke: options.sendEvent,
      send: (arn, body, traceId) => queueAccess.send(arn, { body, attributes: {}, traceId }),
      async publish(arn, message, traceId) {
        const topic = topics.find(arn);
        if (topic === undefined) throw new Error(`the topic ${arn} does not exist`);
        await topics.publish(topic, { message, subject: 'Amazon S3 Notification', attributes: {}, traceId });
      },
      putEvent: eventRules.put,
      queueExists: (arn) =>
        queueAccess.visibilitySeconds(arn).then(
          () => true,
          () => false,
        ),
      topicExists: (arn) => topics.find(arn) !== undefined,
      mayInvoke: (arn, sourceArn, account) =>
        options.mayInvoke(arn, { principal: 's3.amazonaws.com', sourceArn, account }),
    },
  });
  const dynamodb = openDynamoLater({ database, root, remote: options.remoteDynamo, clock, log }, lifetime);
  const events = createEventsApi({ store: ruleStore, rules: eventRules, clock, log });
  const schedulerStore = createSchedulerStore({ database, clock });
  const scheduler = createSchedulerApi({
    store: schedulerStore,
    schedules: options.schedules,
    clock: backgroundClock,
    log,
  });
  const runSchedule = createScheduleRunner({
    store: schedulerStore,
    deliver: eventRules.deliver,
    sendToQueue: (arn, body, attributes) => queueAccess.send(arn, { body, attributes, traceId: undefined }),
    call: options.call,
    remove(scope, group, name) {
      options.schedules().remove(scope, timerName(group, name));
      schedulerStore.removeSchedule(scope, group, name);
    },
    clock: backgroundClock,
    closing,
    log,
  });
  return {
    iam,
    sts,
    s3,
    logStore,
    queues,
    sqsQueues,
    queueAccess,
    topics,
    eventBus,
    eventRules,
    runSchedule,
    apiGateway,
    loadBalancing,
    handlers: {
      iam: iam.handle,
      sts: sts.handle,
      s3: s3.handle,
      logs: logs.handle,
      sqs: sqs.handle,
      sns: sns.handle,
      events: events.handle,
      scheduler: scheduler.handle,
      ssm: ssm.handle,
      secretsmanager: secretsmanager.handle,
      apigateway: apiGateway.handle,
      elasticloadbalancing: loadBalancing.handle,
      ecr: createEcrApi({ log }).handle,
      dynamodb: dynamodb.handle,
      cloudtrail: createCloudTrailApi({ log }).handle,
    },
    operations: {
      iam: iam.perform,
      sts: sts.perform,
      s3: s3.perform,
      logs: logs.perform,
      sqs: sqs.perform,
      sns: sns.perform,
      events: events.perform,
      scheduler: scheduler.perform,
      dynamodb: dynamodb.perform,
      ssm: ssm.perform,
      secretsmanager: secretsmanager.perform,
      elasticloadbalancing: loadBalancing.perform,
      apigateway: apiGateway.perform,
      apigatewayv2: apiGateway.performV2,
    },
  };
}

/** DynamoDB is loaded with the first request for a table. */
function openDynamoLater(options: DynamoApiOptions, lifetime: Lifetime): ServiceApi {
  let opened: Promise<DynamoApi> | undefined;
  const open = () => {
    opened ??= import('../services/dynamodb/dynamodb-api.ts').then(({ createDynamoApi }) => createDynamoApi(options));
    return opened;
  };
  lifetime.onClose(async () => (await opened)?.close());
  return {
    handle: async (call) => (await open()).handle(call),
    perform: async (...operation) => (await open()).perform(...operation),
  };
}

/** A rule writes each event into a stream of its own. */
function writeEventLog(logStore: LogStore, clock: Clock, arn: string, message: string): void {
  const { region, account } = parseArn(arn) ?? {};
  const name = parseLogGroupArn(arn);
  if (!region || !account || name === undefined) throw new Error(`"${arn}" is not the ARN of a log group`);
  const scope = { region, account };
  const group = logStore.group(scope, name);
  if (group === undefined) throw new Error(`the log group ${name} does not exist`);
  const logStream = randomUUID();
  logStore.createStream(group, logStream);
  logStore.append({ scope, logGroup: name, logStream, epochMs: Math.trunc(clock.epochMs()), message });
}
