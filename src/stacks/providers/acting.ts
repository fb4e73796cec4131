/** The resource types that act here, except for those that need something from the engine (`../open-stacks.ts`). */
import { HTTP_API_PROVIDERS } from './apigateway/http-api.ts';
import { REST_API_PROVIDERS } from './apigateway/rest-api.ts';
import { dynamodbTable } from './dynamodb.ts';
import { LOAD_BALANCER_PROVIDERS } from './elasticloadbalancingv2/load-balancers.ts';
import { eventsEventBus, eventsEventBusPolicy, eventsRule } from './events.ts';
import { iamManagedPolicy, iamPolicy, iamRole, iamRolePolicy } from './iam/iam.ts';
import {
  lambdaCodeSigningConfig,
  lambdaEventInvokeConfig,
  lambdaEventSourceMapping,
  lambdaPermission,
  lambdaUrl,
} from './lambda/access.ts';
import { lambdaFunction } from './lambda/function.ts';
import { lambdaAlias, lambdaLayerVersion, lambdaLayerVersionPermission, lambdaVersion } from './lambda/versions.ts';
import { logGroup, logStream, subscriptionFilter } from './logs.ts';
import type { ResourceProvider } from './provider.ts';
import { s3Bucket, s3BucketPolicy } from './s3.ts';
import { schedulerSchedule, schedulerScheduleGroup } from './scheduler.ts';
import { secretsManagerSecret, ssmParameter } from './secrets.ts';
import { snsSubscription, snsTopic, snsTopicPolicy } from './sns.ts';
import { sqsQueue, sqsQueuePolicy } from './sqs.ts';

export const ACTING_PROVIDERS: readonly ResourceProvider[] = [
  dynamodbTable,
  iamManagedPolicy,
  iamPolicy,
  iamRole,
  iamRolePolicy,
  lambdaAlias,
  lambdaCodeSigningConfig,
  lambdaEventInvokeConfig,
  lambdaEventSourceMapping,
  lambdaFunction,
  lambdaLayerVersion,
  lambdaLayerVersionPermission,
  lambdaPermission,
  lambdaUrl,
  lambdaVersion,
  logGroup,
  logStream,
  subscriptionFilter,
  eventsEventBus,
  eventsEventBusPolicy,
  eventsRule,
  s3Bucket,
  s3BucketPolicy,
  schedulerSchedule,
  schedulerScheduleGroup,
  secretsManagerSecret,
  snsSubscription,
  snsTopic,
  snsTopicPolicy,
  sqsQueue,
  sqsQueuePolicy,
  ssmParameter,
  ...HTTP_API_PROVIDERS,
  ...REST_API_PROVIDERS,
  ...LOAD_BALANCER_PROVIDERS,
];
