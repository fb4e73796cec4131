/**
 * AWS::S3::Bucket and AWS::S3::BucketPolicy. Versioning, notifications, tags, the policy and the block of public access reach
 * S3; other properties of a bucket, such as its encryption, are kept by the stack and have no effect.
 */
import { partitionOf, renderBucketArn } from '../../protocol/arn.ts';
import { documentText, tagMap, tolerateMissing } from './members.ts';
import type { Json, Properties, ResourceContext, ResourceProvider } from './provider.ts';

export const s3Bucket: ResourceProvider = {
  type: 'AWS::S3::Bucket',
  naming: { property: 'BucketName', maxLength: 63, lowerCase: true },
  async create(properties, context) {
    const Bucket = String(properties.BucketName);
    await context.call('s3', 'CreateBucket', { Bucket });
    context.created(Bucket);
    await configure(Bucket, {}, properties, context);
    return { physicalId: Bucket, attributes: attributesOf(Bucket, context) };
  },
  async update({ physicalId, attributes, properties: before }, properties, context) {
    await configure(physicalId, before, properties, context);
    return { physicalId, attributes };
  },
  delete: ({ physicalId }, context) => tolerateMissing(context.call('s3', 'DeleteBucket', { Bucket: physicalId })),
};

async function configure(
  Bucket: string,
  before: Properties,
  after: Properties,
  context: ResourceContext,
): Promise<void> {
  const isChanged = (name: string) => JSON.stringify(before[name]) !== JSON.stringify(after[name]);
  const { VersioningConfiguration, PublicAccessBlockConfiguration } = after;
  if (isChanged('VersioningConfiguration')) {
    // A bucket that had versions keeps them; CloudFormation suspends versioning.
    const given = VersioningConfiguration ?? { Status: 'Suspended' };
    await context.call('s3', 'PutBucketVersioning', { Bucket, VersioningConfiguration: given });
  }
  if (isChanged('PublicAccessBlockConfiguration')) {
    if (PublicAccessBlockConfiguration === undefined) await context.call('s3', 'DeletePublicAccessBlock', { Bucket });
    else await context.call('s3', 'PutPublicAccessBlock', { Bucket, PublicAccessBlockConfiguration });
  }
  if (isChanged('NotificationConfiguration')) {
    const NotificationConfiguration = notificationMembers(after.NotificationConfiguration);
    await context.call('s3', 'PutBucketNotificationConfiguration', { Bucket, NotificationConfiguration });
  }
  if (isChanged('Tags')) {
    const TagSet = Object.entries(tagMap(after.Tags)).map(([Key, Value]) => ({ Key, Value }));
    if (TagSet.length === 0) await context.call('s3', 'DeleteBucketTagging', { Bucket });
    else await context.call('s3', 'PutBucketTagging', { Bucket, Tagging: { TagSet } });
  }
}

/**
 * Templates give each event a configuration of its own, and spell the members in another way than S3's API.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-s3-bucket-notificationconfiguration.html
 */
function notificationMembers(given: Json | undefined): Record<string, unknown> {
  const configuration = objectOf(given);
  const list = (name: string, arn: string, to: string) =>
    (Array.isArray(configuration[name]) ? (configuration[name] as readonly Properties[]) : []).map((one) => {
      const key = objectOf(objectOf(one.Filter).S3Key);
      return {
        Events: [one.Event],
        [to]: one[arn],
        ...(Array.isArray(key.Rules) && { Filter: { Key: { FilterRules: key.Rules } } }),
      };
    });
  const bridge = configuration.EventBridgeConfiguration;
  const isBridged = bridge !== undefined && String(objectOf(bridge).EventBridgeEnabled ?? true) === 'true';
  return {
    TopicConfigurations: list('TopicConfigurations', 'Topic', 'TopicArn'),
    QueueConfigurations: list('QueueConfigurations', 'Queue', 'QueueArn'),
    LambdaFunctionConfigurations: list('LambdaConfigurations', 'Function', 'LambdaFunctionArn'),
    ...(isBridged && { EventBridgeConfiguration: {} }),
  };
}

function objectOf(value: Json | undefined): Properties {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Properties) : {};
}

/** https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html */
function attributesOf(name: string, { scope }: ResourceContext): Record<string, Json> {
  const suffix = partitionOf(scope.region) === 'aws-cn' ? 'amazonaws.com.cn' : 'amazonaws.com';
  return {
    Arn: renderBucketArn(scope.region, name),
    DomainName: `${name}.s3.${suffix}`,
    RegionalDomainName: `${name}.s3.${scope.region}.${suffix}`,
    DualStackDomainName: `${name}.s3.dualstack.${scope.region}.${suffix}`,
    WebsiteURL: `http://${name}.s3-website-${scope.region}.${suffix}`,
  };
}

export const s3BucketPolicy: ResourceProvider = {
  type: 'AWS::S3::BucketPolicy',
  async create(properties, context) {
    const Bucket = String(properties.Bucket);
    await context.call('s3', 'PutBucketPolicy', { Bucket, Policy: documentText(properties.PolicyDocument) });
    return { physicalId: Bucket, attributes: { Id: Bucket } };
  },
  async update({ physicalId, attributes }, properties, context) {
    await context.call('s3', 'PutBucketPolicy', {
      Bucket: physicalId,
      Policy: documentText(properties.PolicyDocument),
    });
    return { physicalId, attributes };
  },
  delete: ({ physicalId }, context) =>
    tolerateMissing(context.call('s3', 'DeleteBucketPolicy', { Bucket: physicalId })),
};
