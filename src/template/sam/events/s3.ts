/** S3 events: the notifications go into the bucket, which must stand in the same template. */
import { copy, type Json, type JsonObject } from '../../tree.ts';
import {
  expectList,
  expectMap,
  isMap,
  listOf,
  mapOf,
  member,
  oneOf,
  optional,
  PASSED,
  required,
  requiredStrict,
  STRING,
} from '../checks.ts';
import type { EventKind, EventTarget, SamContext, SamEvent } from '../context.ts';
import { InvalidEvent, InvalidResource } from '../errors.ts';
import { conditional, ref } from '../intrinsics.ts';
import { type CfnResource, refOf, tagList } from '../resources.ts';
import { foreignResource } from './foreign-resource.ts';
import { invokePermission } from './permission.ts';

export const S3: EventKind = {
  properties: {
    Bucket: required(STRING),
    Events: requiredStrict(oneOf(STRING, listOf(STRING))),
    Filter: optional(mapOf(STRING)),
  },
  link: ({ eventId, properties: { Bucket } }, context) => {
    const bucketId = isMap(Bucket) ? Bucket.Ref : undefined;
    if (bucketId !== undefined && typeof bucketId !== 'string') {
      throw new InvalidEvent(eventId, "'Ref' value in S3 events is not a valid string.");
    }
    const bucket = bucketId === undefined ? undefined : member(context.resources, bucketId);
    if (bucketId === undefined || bucket === undefined) {
      throw new InvalidEvent(eventId, 'S3 events must reference an S3 bucket in the same template.');
    }
    return (event, target) => translate(event, target, { id: bucketId, definition: bucket as JsonObject }, context);
  },
};

interface Bucket {
  readonly id: string;
  readonly definition: JsonObject;
}

function translate(
  event: SamEvent,
  target: EventTarget,
  { id: bucketId, definition: bucket }: Bucket,
  context: SamContext,
): CfnResource[] {
  const permission = invokePermission(target, {
    prefix: event.logicalId,
    principal: 's3.amazonaws.com',
    sourceAccount: ref('AWS::AccountId'),
  });
  if ('Condition' in permission.attributes) dependByTag(bucket, bucketId, permission);
  else dependOn(event, bucket, permission, context);
  addNotifications(event, target, bucket, bucketId, context);
  return [permission, foreignResource(bucketId, BUCKET, bucket)];
}

function dependOn({ logicalId }: SamEvent, bucket: JsonObject, permission: CfnResource, context: SamContext): void {
  const given = 'DependsOn' in bucket ? bucket.DependsOn : [];
  if (!Array.isArray(given) || !context.listItems.has(given))
    bucket.DependsOn = [...new Set(dependencies(logicalId, given))];
  addOnce(bucket.DependsOn as Json[], permission.logicalId, context);
}

function dependencies(logicalId: string, given: Json | undefined): Json[] {
  if (typeof given === 'string') return [given];
  if (isMap(given)) return Object.keys(given);
  if (Array.isArray(given) && given.every((each) => typeof each !== 'object' || each === null)) return given;
  const problem = "Invalid type for field 'DependsOn'. Expected a string or list of strings.";
  throw new InvalidResource(logicalId, problem);
}

/** A dependency on a resource that may not exist: a tag whose value refers to it. */
function dependByTag(bucket: JsonObject, bucketId: string, permission: CfnResource): void {
  bucket.Properties ??= {};
  const properties = bucket.Properties as JsonObject;
  const tags = expectList(properties.Tags ?? [], { resource: bucketId, path: 'Tags' });
  const dependency = conditional(permission.attributes.Condition as Json, refOf(permission), 'no dependency');
  properties.Tags = [...tags, ...tagList({ [`sam:ConditionalDependsOn:${permission.logicalId}`]: dependency })];
}

function addNotifications(
  event: SamEvent,
  target: EventTarget,
  bucket: JsonObject,
  bucketId: string,
  context: SamContext,
): void {
  const { Events, Filter } = event.properties;
  const place = { resource: bucketId, path: '' };
  const properties = expectMap('Properties' in bucket ? bucket.Properties : {}, place, 'Properties should be a map.');
  bucket.Properties = properties;
  properties.NotificationConfiguration ??= {};
  const path = 'NotificationConfiguration';
  const configuration = expectMap(properties.NotificationConfiguration, { resource: bucketId, path });
  configuration.LambdaConfigurations ??= [];
  const notifications = configuration.LambdaConfigurations;
  if (!Array.isArray(notifications)) {
    throw new InvalidResource(bucketId, 'Invalid type for LambdaConfigurations. Must be a list.');
  }
  for (const type of typeof Events === 'string' ? [Events] : (Events as string[])) {
    const notification: JsonObject = {
      Function: copy(target.arn),
      ...(Filter === undefined || Filter === null ? {} : { Filter: copy(Filter) }),
      Event: type,
    };
    const { Condition } = target.attributes;
    addOnce(notifications, Condition === undefined ? notification : conditional(Condition, notification), context);
  }
}

function addOnce(list: Json[], item: Json, context: SamContext): void {
  const items = context.listItems.get(list) ?? new Set(list.map((each) => JSON.stringify(each)));
  context.listItems.set(list, items);
  const text = JSON.stringify(item);
  if (!items.has(text)) list.push(item);
  items.add(text);
}

/** The properties that AWS's translator knows. */
const BUCKET = {
  type: 'AWS::S3::Bucket',
  properties: Object.fromEntries(
    (
      'AccessControl AccelerateConfiguration AnalyticsConfigurations BucketEncryption BucketName CorsConfiguration ' +
      'IntelligentTieringConfigurations InventoryConfigurations LifecycleConfiguration LoggingConfiguration ' +
      'MetricsConfigurations NotificationConfiguration ObjectLockConfiguration ObjectLockEnabled OwnershipControls ' +
      'PublicAccessBlockConfiguration ReplicationConfiguration Tags VersioningConfiguration WebsiteConfiguration'
    )
      .split(' ')
      .map((name) => [name, PASSED] as const),
  ),
};
