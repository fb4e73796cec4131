/** Opens the AWS services beside Lambda on one database: IAM, STS, S3, SQS, SNS, CloudWatch Logs, Parameter Store,
 * Secrets Manager, API Gateway and event buses. */
import type { ApiServices } from '../api-port/api-port.ts';
import type { Clock } from '../clock.ts';
import type { Lifetime } from '../lifetime.ts';
import type { Log } from '../log.ts';
import { createQueues, type Queues } from '../queues/queue.ts';
import { type ApiGatewayApi, createApiGatewayApi } from '../services/apigateway/api-gateway-api.ts';
import type { Publisher } from '../services/apigateway/publish.ts';
import {
  createLoadBalancingApi,
  type LoadBalancingApi,
} from '../services/elasticloadbalancingv2/load-balancing-api.ts';
import { createEventBus, type EventBus } from '../services/events/event-bus.ts';
import type { EventSender } from '../services/events/schedules.ts';
import { createIamApi, type IamApi } from '../services/iam/iam-api.ts';
import { createStsApi, type StsApi, type StsApiOptions } from '../services/iam/sts-api.ts';
import { createLogStore, type LogStore } from '../services/logs/log-store.ts';
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
import type { PerformOperation } from '../wire/api-call.ts';

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
  readonly functionIdentityOf?: StsApiOptions['functionIdentityOf'];
  /** Invokes a function that subscribes to a topic. */
  readonly sendEvent: EventSender;
  /** The HTTP gateways, which serve the APIs of API Gateway. */
  readonly publisher: Publisher;
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
  const s3 = createS3Api({ database, clock, log, root });
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
  const logs = createLogsApi({ logStore, clock, log, closing });
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
  return {
    iam,
    sts,
    s3,
    logStore,
    queues,
    sqsQueues,
    queueAccess,
    topics,
    eventBus: createEventBus({ database, clock: backgroundClock }),
    apiGateway,
    loadBalancing,
    handlers: {
      iam: iam.handle,
      sts: sts.handle,
      s3: s3.handle,
      logs: logs.handle,
      sqs: sqs.handle,
      sns: sns.handle,
      ssm: ssm.handle,
      secretsmanager: secretsmanager.handle,
      apigateway: apiGateway.handle,
      elasticloadbalancing: loadBalancing.handle,
    },
    operations: {
      iam: iam.perform,
      sts: sts.perform,
      logs: logs.perform,
      sqs: sqs.perform,
      sns: sns.perform,
      ssm: ssm.perform,
      secretsmanager: secretsmanager.perform,
      elasticloadbalancing: loadBalancing.perform,
      apigateway: apiGateway.perform,
      apigatewayv2: apiGateway.performV2,
    },
  };
}
