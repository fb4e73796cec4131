/** AWS::Logs::LogGroup, AWS::Logs::LogStream and AWS::Logs::SubscriptionFilter. */
import { renderLogGroupArn } from '../../protocol/arn.ts';
import { pick, tagChanges, tagMap, tolerateMissing } from './members.ts';
import type { Properties, ResourceContext, ResourceProvider } from './provider.ts';

export const logGroup: ResourceProvider = {
  type: 'AWS::Logs::LogGroup',
  naming: { property: 'LogGroupName', maxLength: 512 },
  async create(properties, context) {
    const logGroupName = String(properties.LogGroupName);
    await context.call('logs', 'CreateLogGroup', { logGroupName, tags: tagMap(properties.Tags) });
    context.created(logGroupName);
    await applyRetention(logGroupName, properties, context);
    return { physicalId: logGroupName, attributes: { Arn: `${renderLogGroupArn(context.scope, logGroupName)}:*` } };
  },
  async update({ physicalId, attributes, properties: before }, properties, context) {
    if (String(before.RetentionInDays) !== String(properties.RetentionInDays)) {
      await applyRetention(physicalId, properties, context);
    }
    const resourceArn = renderLogGroupArn(context.scope, physicalId);
    const { set, removed } = tagChanges(tagMap(before.Tags), tagMap(properties.Tags));
    if (removed.length > 0) await context.call('logs', 'UntagResource', { resourceArn, tagKeys: removed });
    if (Object.keys(set).length > 0) await context.call('logs', 'TagResource', { resourceArn, tags: set });
    return { physicalId, attributes };
  },
  delete: ({ physicalId }, context) =>
    tolerateMissing(context.call('logs', 'DeleteLogGroup', { logGroupName: physicalId })),
};

async function applyRetention(
  logGroupName: string,
  { RetentionInDays }: Properties,
  context: ResourceContext,
): Promise<void> {
  if (RetentionInDays === undefined) await context.call('logs', 'DeleteRetentionPolicy', { logGroupName });
  else {
    const retentionInDays = Number(RetentionInDays);
    await context.call('logs', 'PutRetentionPolicy', { logGroupName, retentionInDays });
  }
}

export const logStream: ResourceProvider = {
  type: 'AWS::Logs::LogStream',
  naming: { property: 'LogStreamName', maxLength: 512 },
  async create(properties, context) {
    await context.call('logs', 'CreateLogStream', streamOf(properties));
    return { physicalId: String(properties.LogStreamName), attributes: {} };
  },
  delete: ({ properties }, context) => tolerateMissing(context.call('logs', 'DeleteLogStream', streamOf(properties))),
};

function streamOf(properties: Properties) {
  const { LogGroupName: logGroupName, LogStreamName: logStreamName } = pick(properties, [
    'LogGroupName',
    'LogStreamName',
  ]);
  return { logGroupName, logStreamName };
}

export const subscriptionFilter: ResourceProvider = {
  type: 'AWS::Logs::SubscriptionFilter',
  naming: { property: 'FilterName', maxLength: 512 },
  async create(properties, context) {
    await putFilter(properties, context);
    return { physicalId: String(properties.FilterName), attributes: {} };
  },
  async update({ physicalId, attributes }, properties, context) {
    await putFilter(properties, context);
    return { physicalId, attributes };
  },
  delete: ({ properties: { LogGroupName, FilterName } }, context) =>
    tolerateMissing(
      context.call('logs', 'DeleteSubscriptionFilter', {
        logGroupName: String(LogGroupName),
        filterName: String(FilterName),
      }),
    ),
};

/** How long a filter waits for the permission that lets CloudWatch Logs invoke its function, in milliseconds. */
const PERMISSION_WAIT_MS = 5_000;
const PERMISSION_POLL_MS = 50;

/**
 * Templates rarely say that a filter depends on the permission of its function. On AWS the permission is there in time, as
 * a rule; here both are made at once.
 */
async function putFilter(properties: Properties, context: ResourceContext): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += PERMISSION_POLL_MS) {
    try {
      return await putFilterOnce(properties, context);
    } catch (failure) {
      const isRefused = (failure as Error).message.startsWith('Could not execute the lambda function');
      if (!isRefused || waitedMs >= PERMISSION_WAIT_MS) throw failure;
      await context.wait(PERMISSION_POLL_MS);
    }
  }
}

async function putFilterOnce(properties: Properties, context: ResourceContext): Promise<void> {
  const { ApplyOnTransformedLogs: isTransformed, DestinationArn, FilterName, FilterPattern, LogGroupName } = properties;
  await context.call('logs', 'PutSubscriptionFilter', {
    logGroupName: String(LogGroupName),
    filterName: String(FilterName),
    filterPattern: String(FilterPattern),
    destinationArn: String(DestinationArn),
    roleArn: properties.RoleArn,
    distribution: properties.Distribution,
    ...(isTransformed !== undefined && { applyOnTransformedLogs: String(isTransformed) === 'true' }),
    fieldSelectionCriteria: properties.FieldSelectionCriteria,
    emitSystemFields: properties.EmitSystemFields,
  });
}
