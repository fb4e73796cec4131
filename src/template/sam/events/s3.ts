/** S3 events: the notifications go into the bucket, which must stand in the same template. */
import type { Json, JsonObject } from '../../tree.ts';
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
import type { EventKind, EventTarget, SamEvent } from '../context.ts';
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
    return (event, target) => translate(event, target, bucketId, bucket as JsonObject);
  },
};

function translate(event: SamEvent, target: EventTarget, bucketId: string, bucket: JsonObject): CfnResource[] {
  const permission = invokePermission(target, {
    prefix: event.logicalId,
    principal: 's3.amazonaws.com',
    sourceAccount: ref('AWS::AccountId'),
  });
  if ('Condition' in permission.attributes) dependByTag(bucket, bucketId, permission);
  else dependOn(event, bucket, permission);
  addNotifications(event, target, bucket, bucketId);
  return [permission, foreignResource(bucketId, BUCKET, bucket)];
}

function dependOn({ logicalId }: SamEvent, bucket: JsonObject, permission: CfnResource): void {
  const given = bucket.DependsOn ?? ('DependsOn' in bucket ? null : []);
  const dependencies = typeof given === 'string' ? [given] : isMap(given) ? Object.keys(given) : given;
  if (!Array.isArray(dependencies) || dependencies.some((each) => typeof each === 'object' && each !== null)) {
    const problem = "Invalid type for field 'DependsOn'. Expected a string or list of strings.";
    throw new InvalidResource(logicalId, problem);
  }
  bucket.DependsOn = [...new Set([...dependencies, permission.logicalId])];
}

/** A dependency on a resource that may not exist: a tag whose value refers to it. */
function dependByTag(bucket: JsonObject, bucketId: string, permission: CfnResource): void {
  bucket.Properties ??= {};
  const properties = bucket.Properties as JsonObject;
  const tags = expectList(properties.Tags ?? [], { resource: bucketId, path: 'Tags' });
  const dependency = conditional(permission.attributes.Condition as Json, refOf(permission), 'no dependency');
  properties.Tags = [...tags, ...tagList({ [`sam:ConditionalDependsOn:${permission.logicalId}`]: dependency })];
}

function addNotifications(event: SamEvent, target: EventTarget, bucket: JsonObject, bucketId: string): void {
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
  const known = new Set(notifications.map((each) => JSON.stringify(each)));
  for (const type of typeof Events === 'string' ? [Events] : (Events as string[])) {
    const notification: JsonObject = {
      Function: structuredClone(target.arn),
      ...(Filter === undefined || Filter === null ? {} : { Filter: structuredClone(Filter) }),
      Event: type,
    };
    const { Condition } = target.attributes;
    const made = Condition === undefined ? notification : conditional(Condition, notification);
    if (!known.has(JSON.stringify(made))) notifications.push(made);
    known.add(JSON.stringify(made));
  }
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
