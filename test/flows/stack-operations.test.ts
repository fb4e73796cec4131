/**
 * What can be done to a stack beside creating, updating and deleting it: canceling, rolling back by hand, failing without a
 * rollback, protecting, retaining, exporting, notifying, listing. Through the AWS SDK.
 */
import {
  CancelUpdateStackCommand,
  ContinueUpdateRollbackCommand,
  CreateChangeSetCommand,
  CreateStackCommand,
  DeleteStackCommand,
  DescribeChangeSetCommand,
  DescribeStackEventsCommand,
  DescribeStackResourcesCommand,
  DescribeStacksCommand,
  ExecuteChangeSetCommand,
  GetStackPolicyCommand,
  ListChangeSetsCommand,
  ListExportsCommand,
  ListImportsCommand,
  ListStackResourcesCommand,
  ListStacksCommand,
  paginateDescribeStackEvents,
  RollbackStackCommand,
  SetStackPolicyCommand,
  type StackEvent,
  UpdateStackCommand,
  UpdateTerminationProtectionCommand,
} from '@aws-sdk/client-cloudformation';
import {
  CloudWatchLogsClient,
  CreateLogGroupCommand,
  DeleteLogGroupCommand,
  DescribeLogGroupsCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { CreateTopicCommand, SNSClient, SubscribeCommand } from '@aws-sdk/client-sns';
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningService, startService } from '../support/running-service.ts';
import { StackClient, TRUST } from '../support/stack-client.ts';
import { until } from '../support/until.ts';

let service: RunningService;
let stacks: StackClient;
let logs: CloudWatchLogsClient;
let s3: S3Client;
let sns: SNSClient;
let sqs: SQSClient;

beforeAll(async () => {
  service = await startService();
  stacks = new StackClient(service.url);
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const options = { endpoint: service.url, region: 'us-east-1', credentials, maxAttempts: 1 };
  logs = new CloudWatchLogsClient(options);
  s3 = new S3Client({ ...options, forcePathStyle: true });
  sns = new SNSClient(options);
  sqs = new SQSClient(options);
});
afterAll(async () => {
  for (const client of [stacks.client, logs, s3, sns, sqs]) client.destroy();
  await service.close();
});

type Send = StackClient['client']['send'];
const send = ((command) => stacks.client.send(command)) as Send;
const logGroup = (LogGroupName: unknown, properties: object = {}, attributes: object = {}) => ({
  Type: 'AWS::Logs::LogGroup',
  Properties: { LogGroupName, ...properties },
  ...attributes,
});
/** Fails when it is created or updated. */
const broken = (name: string, ...DependsOn: string[]) => logGroup(name, { RetentionInDays: 4 }, { DependsOn });
const handle = { Type: 'AWS::CloudFormation::WaitConditionHandle' };
/** Keeps an operation going until it is canceled. */
const waiting = (...DependsOn: string[]) => ({
  Handle: handle,
  Waiting: {
    Type: 'AWS::CloudFormation::WaitCondition',
    Properties: { Handle: { Ref: 'Handle' }, Timeout: '3600' },
    DependsOn,
  },
});

/** The days that a log group is kept; undefined if it does not exist, 0 for ever. */
async function retention(logGroupName: string): Promise<number | undefined> {
  const { logGroups = [] } = await logs.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: logGroupName }));
  const found = logGroups.find((group) => group.logGroupName === logGroupName);
  return found && (found.retentionInDays ?? 0);
}

/** Begins an update that `Waiting` keeps going. `ended` resolves with the stack after its end. */
async function beginUpdate(StackName: string, template: object) {
  const TemplateBody = JSON.stringify(template);
  const response = send(new UpdateStackCommand({ StackName, TemplateBody }));
  await until(async () => (await stacks.events(StackName)).includes('Waiting CREATE_IN_PROGRESS'));
  return { ended: () => response.then(() => stacks.settled(StackName)) };
}

const cancel = (StackName: string) => send(new CancelUpdateStackCommand({ StackName }));
const remove = async (StackName: string, more: object = {}) => {
  const { StackId = '' } = await stacks.describe(StackName);
  await send(new DeleteStackCommand({ StackName, ...more }));
  return stacks.settled(StackId);
};

describe('an update', () => {
  it('is canceled by CancelUpdateStack, and what was there comes back', async () => {
    await stacks.create('canceled', { Resources: { Group: logGroup('/canceled', { RetentionInDays: 3 }) } });
    await expect(cancel('canceled')).rejects.toMatchObject({
      message: 'CancelUpdateStack cannot be called from current stack status',
    });
    const update = await beginUpdate('canceled', {
      Resources: { Group: logGroup('/canceled', { RetentionInDays: 7 }), ...waiting('Group') },
    });
    expect(await retention('/canceled')).toBe(7);
    await cancel('canceled');
    expect((await update.ended()).StackStatus).toBe('UPDATE_ROLLBACK_COMPLETE');
    expect(await retention('/canceled')).toBe(3);
    const events = await stacks.events('canceled');
    expect(events).toContain('canceled UPDATE_ROLLBACK_IN_PROGRESS User Initiated');
    expect(events).toContain('Waiting CREATE_FAILED Resource creation cancelled');
  });

  it('whose rollback fails is continued, also without the resources that cannot be restored', async () => {
    const before = {
      Resources: {
        One: logGroup('/continued/one', { RetentionInDays: 3 }),
        Two: logGroup('/continued/two', { RetentionInDays: 3 }),
      },
    };
    await stacks.create('continued', before);
    const update = await beginUpdate('continued', {
      Resources: {
        One: logGroup('/continued/one', { RetentionInDays: 7 }),
        Two: logGroup('/continued/two', { RetentionInDays: 7 }),
        ...waiting('One', 'Two'),
      },
    });
    for (const logGroupName of ['/continued/one', '/continued/two']) {
      await logs.send(new DeleteLogGroupCommand({ logGroupName }));
    }
    await cancel('continued');
    expect(await update.ended()).toMatchObject({
      StackStatus: 'UPDATE_ROLLBACK_FAILED',
      StackStatusReason: 'The following resource(s) failed to update: [One, Two]. ',
    });
    await expect(stacks.update('continued', before)).rejects.toThrow(/UPDATE_ROLLBACK_FAILED state and can not be/);

    const go = (ResourcesToSkip?: string[]) =>
      send(new ContinueUpdateRollbackCommand({ StackName: 'continued', ResourcesToSkip })).then(() =>
        stacks.settled('continued'),
      );
    await expect(go(['Handle'])).rejects.toThrow('are not in the UPDATE_FAILED state: [Handle]');
    await logs.send(new CreateLogGroupCommand({ logGroupName: '/continued/one' }));
    expect(await go()).toMatchObject({
      StackStatus: 'UPDATE_ROLLBACK_FAILED',
      StackStatusReason: 'The following resource(s) failed to update: [Two]. ',
    });
    expect(await retention('/continued/one')).toBe(3);
    expect((await go(['Two'])).StackStatus).toBe('UPDATE_ROLLBACK_COMPLETE');
    await expect(go()).rejects.toThrow(/can not continue update rollback/);
  });

  it('that fails half way through a resource takes back the half', async () => {
    const group = (days: number, Tags: object[]) => ({
      Resources: { Group: logGroup('/half', { RetentionInDays: days, Tags }) },
    });
    await stacks.create('half', group(3, [{ Key: 'a', Value: '1' }]));
    // The retention is set before the tags.
    const update = await stacks.update('half', group(7, [{ Key: 'x'.repeat(129), Value: '1' }]));
    expect(update.StackStatus).toBe('UPDATE_ROLLBACK_COMPLETE');
    const failures = (await stacks.events('half')).filter((event) => event.startsWith('Group UPDATE_FAILED'));
    expect(failures).toEqual([expect.stringContaining("at 'tags.key' failed to satisfy constraint")]);
    expect(await retention('/half')).toBe(3);
  });
});

describe('without a rollback', () => {
  const template = (days: number, more: object = {}) => ({
    Resources: { Group: logGroup('/kept', { RetentionInDays: days }), ...more },
  });
  const failing = { Broken: broken('/kept/broken', 'Group') };

  it('a creation that failed is rolled back by RollbackStack, continued by an update, or deleted', async () => {
    const create = async (more: object) => stacks.create('kept', template(3, failing), more);
    expect(await create({ DisableRollback: true })).toMatchObject({
      StackStatus: 'CREATE_FAILED',
      StackStatusReason: 'The following resource(s) failed to create: [Broken]. ',
      DisableRollback: true,
    });
    expect(await retention('/kept')).toBe(3);
    await send(new RollbackStackCommand({ StackName: 'kept' }));
    expect((await stacks.settled('kept')).StackStatus).toBe('ROLLBACK_COMPLETE');
    expect(await retention('/kept')).toBeUndefined();
    await expect(stacks.update('kept', template(3))).rejects.toThrow(/ROLLBACK_COMPLETE state and can not be updated/);
    await remove('kept');

    await create({ DisableRollback: true });
    expect((await stacks.update('kept', template(3))).StackStatus).toBe('UPDATE_COMPLETE');
    await remove('kept');

    await create({ DisableRollback: true });
    // There is nothing to roll back to.
    expect((await stacks.update('kept', template(7, failing))).StackStatus).toBe('ROLLBACK_COMPLETE');
    expect(await retention('/kept')).toBeUndefined();
    await remove('kept');

    await create({ OnFailure: 'DO_NOTHING' });
    await expect(stacks.update('kept', template(3))).rejects.toThrow(
      'This stack cannot be updated from [CREATE_FAILED] state because it contains [on-failure: DO_NOTHING].',
    );
    await remove('kept');

    await expect(create({ OnFailure: 'DELETE', DisableRollback: false })).rejects.toThrow('but not both');
    await expect(create({ OnFailure: 'DELETE' })).rejects.toThrow('Stack with id kept does not exist');
    const { StackSummaries = [] } = await send(new ListStacksCommand({ StackStatusFilter: ['DELETE_COMPLETE'] }));
    const { StackId = '' } = StackSummaries.find(({ StackName }) => StackName === 'kept') ?? {};
    const events = await stacks.events(StackId);
    expect(events).toContain(
      'kept DELETE_IN_PROGRESS The following resource(s) failed to create: [Broken]. Delete requested by user.',
    );
    expect(await retention('/kept')).toBeUndefined();
  });

  it('updates that failed one after the other are rolled back to the last complete state', async () => {
    const one = logGroup('/twice/one', { RetentionInDays: 3 });
    const group = (name: string, days: number) => ({
      Resources: {
        Changed: { ...one, Properties: { ...one.Properties, RetentionInDays: days } },
        Replaced: logGroup(name),
        ...(days > 3 && { Added: logGroup(`/twice/added-${days}`), Broken: broken('/twice/broken', 'Replaced') }),
      },
    });
    await stacks.create('twice', group('/twice/first', 3));
    for (const [name, days] of [
      ['/twice/second', 5],
      ['/twice/third', 7],
    ] as const) {
      const update = await stacks.update('twice', group(name, days), { DisableRollback: true });
      expect(update.StackStatus).toBe('UPDATE_FAILED');
      expect([await retention('/twice/one'), await retention(name)]).toEqual([days, 0]);
    }
    await send(new RollbackStackCommand({ StackName: 'twice' }));
    expect((await stacks.settled('twice')).StackStatus).toBe('UPDATE_ROLLBACK_COMPLETE');
    const { logGroups = [] } = await logs.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: '/twice/' }));
    expect(logGroups.map(({ logGroupName }) => logGroupName).sort()).toEqual(['/twice/first', '/twice/one']);
    expect(await retention('/twice/one')).toBe(3);
    await expect(stacks.update('twice', group('/twice/first', 3))).rejects.toThrow('No updates are to be performed.');
    expect((await remove('twice')).StackStatus).toBe('DELETE_COMPLETE');
  });

  it('an update that succeeds after one that failed leaves nothing of either', async () => {
    const group = (name: string, more: object = {}) => ({ Resources: { Group: logGroup(name), ...more } });
    await stacks.create('retried', group('/retried/first'));
    const failed = group('/retried/second', { Broken: broken('/retried/broken', 'Group') });
    await stacks.update('retried', failed, { DisableRollback: true });
    expect((await stacks.update('retried', group('/retried/third'))).StackStatus).toBe('UPDATE_COMPLETE');
    const { logGroups = [] } = await logs.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: '/retried/' }));
    expect(logGroups.map(({ logGroupName }) => logGroupName)).toEqual(['/retried/third']);
  });
});

describe('a policy of a resource', () => {
  const retained = (name: string, DeletionPolicy: string, UpdateReplacePolicy = 'Delete') =>
    logGroup(name, {}, { DeletionPolicy, UpdateReplacePolicy });

  it('keeps it when it is replaced, when it is left out, and when its stack is deleted', async () => {
    const template = (name: string, more: object = {}) => ({
      Resources: { Group: retained(name, 'Delete', 'Retain'), ...more },
    });
    await stacks.create('policies', template('/policies/one', { Other: retained('/policies/other', 'Retain') }));
    await stacks.update('policies', template('/policies/two', { Last: retained('/policies/last', 'Retain') }));
    expect(await stacks.events('policies')).toEqual(
      expect.arrayContaining(['Group DELETE_SKIPPED', 'Other DELETE_SKIPPED']),
    );
    const deleted = await remove('policies');
    expect((await stacks.events(deleted.StackId ?? '')).slice(-5)).toEqual(
      expect.arrayContaining(['Last DELETE_SKIPPED', 'Group DELETE_COMPLETE', 'policies DELETE_COMPLETE']),
    );
    const { logGroups = [] } = await logs.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: '/policies/' }));
    expect(logGroups.map(({ logGroupName }) => logGroupName)).toEqual([
      '/policies/last',
      '/policies/one',
      '/policies/other',
    ]);
  });

  it('counts in the rollback of its creation, except for RetainExceptOnCreate', async () => {
    const template = {
      Resources: {
        Kept: retained('/new/kept', 'Retain'),
        Gone: retained('/new/gone', 'RetainExceptOnCreate'),
        Broken: broken('/new/broken', 'Kept', 'Gone'),
      },
    };
    await stacks.create('new', template);
    expect([await retention('/new/kept'), await retention('/new/gone')]).toEqual([0, undefined]);
    await remove('new');
    await logs.send(new DeleteLogGroupCommand({ logGroupName: '/new/kept' }));
    await stacks.create('new', template, { RetainExceptOnCreate: true });
    expect([await retention('/new/kept'), await retention('/new/gone')]).toEqual([undefined, undefined]);
    await remove('new');
    await stacks.create('new', { Resources: { Gone: retained('/new/gone', 'RetainExceptOnCreate') } });
    await remove('new');
    expect(await retention('/new/gone')).toBe(0);
  });

  it('asks for snapshots only of types that have them', async () => {
    await expect(stacks.create('snapshots', { Resources: { A: retained('/a', 'Snapshot') } })).rejects.toThrow(
      'Template error: resource type AWS::Logs::LogGroup does not support deletion policy Snapshot',
    );
    const database = { Type: 'AWS::RDS::DBInstance', DeletionPolicy: 'Snapshot', Properties: {} };
    await stacks.create('snapshots', { Resources: { Database: database } });
    expect((await remove('snapshots')).StackStatus).toBe('DELETE_COMPLETE');
  });
});

describe('deletion', () => {
  it('fails for a bucket that is not empty, and succeeds when that is retained', async () => {
    await stacks.create('full', {
      Resources: { Bucket: { Type: 'AWS::S3::Bucket', Properties: { BucketName: 'full' } }, Group: logGroup('/full') },
    });
    await s3.send(new PutObjectCommand({ Bucket: 'full', Key: 'a', Body: 'a' }));
    const retain = (...RetainResources: string[]) => remove('full', { RetainResources });
    await expect(retain('Bucket')).rejects.toThrow(/only when the stack is in the DELETE_FAILED state\.$/);
    expect(await remove('full')).toMatchObject({
      StackStatus: 'DELETE_FAILED',
      StackStatusReason: 'The following resource(s) failed to delete: [Bucket]. ',
    });
    await expect(retain('Bucket', 'Group')).rejects.toThrow(
      'The specified resources to retain must be in a valid state. Do not specify resources that are in the DELETE_COMPLETE state.',
    );
    const gone = await retain('Bucket');
    expect(gone.StackStatus).toBe('DELETE_COMPLETE');
    expect(await stacks.events(gone.StackId ?? '')).toContain('Bucket DELETE_SKIPPED');
  });

  it('is refused while the stack is protected', async () => {
    const protect = (EnableTerminationProtection: boolean) =>
      send(new UpdateTerminationProtectionCommand({ StackName: 'protected', EnableTerminationProtection }));
    await stacks.create('protected', { Resources: { Handle: handle } }, { EnableTerminationProtection: true });
    expect((await stacks.describe('protected')).EnableTerminationProtection).toBe(true);
    await expect(remove('protected')).rejects.toMatchObject({
      name: 'ValidationError',
      message: 'Stack [protected] cannot be deleted while TerminationProtection is enabled',
    });
    await protect(false);
    await remove('protected');
    await expect(protect(true)).rejects.toThrow('Stack with id protected does not exist');
  });

  it('is canceled while another stack imports an export, which cannot change either', async () => {
    const exporter = (value: string, name = 'shared') => ({
      Resources: { Handle: handle },
      Outputs: { Shared: { Value: value, Export: { Name: name } } },
    });
    const importer = (value: unknown = { 'Fn::ImportValue': 'shared' }) => ({ Resources: { Group: logGroup(value) } });
    expect((await stacks.create('importer', importer())).StackStatus).toBe('ROLLBACK_COMPLETE');
    expect((await stacks.events('importer')).join()).toContain('No export named shared found.');
    await remove('importer');
    await stacks.create('exporter', exporter('/shared'));
    await stacks.create('importer', importer());
    await stacks.create('other', {
      Resources: { Handle: handle },
      Outputs: { Value: { Value: { 'Fn::ImportValue': 'shared' } } },
    });
    expect(await retention('/shared')).toBe(0);
    expect((await send(new ListImportsCommand({ ExportName: 'shared' }))).Imports).toEqual(['importer', 'other']);

    const taken = await stacks.create('second', exporter('/x'));
    expect(taken.StackStatus).toBe('ROLLBACK_COMPLETE');
    expect((await stacks.events('second')).join()).toContain(
      'Export with name shared is already exported by stack exporter.',
    );

    const canceled = 'Delete canceled. Cannot delete export shared as it is in use by importer and other.';
    // As on AWS, the stack has the status that it had before.
    expect(await remove('exporter')).toMatchObject({
      StackStatus: 'CREATE_COMPLETE',
      StackStatusReason: canceled,
    });
    const changed = await stacks.update('exporter', exporter('/changed'));
    expect(changed.StackStatus).toBe('UPDATE_ROLLBACK_COMPLETE');
    await stacks.update('exporter', exporter('/shared', 'renamed'));
    const events = await stacks.events('exporter');
    expect(events).toContain(
      'exporter UPDATE_ROLLBACK_IN_PROGRESS Cannot update export shared as it is in use by importer and other.',
    );
    expect(events).toContain(`exporter UPDATE_ROLLBACK_IN_PROGRESS ${canceled}`);

    await stacks.update('importer', importer('/own'));
    await remove('other');
    await expect(send(new ListImportsCommand({ ExportName: 'shared' }))).rejects.toThrow(
      "Export 'shared' is not imported by any stack.",
    );
    expect((await remove('exporter')).StackStatus).toBe('DELETE_COMPLETE');
    expect((await send(new ListExportsCommand({}))).Exports).toEqual([]);
  });
});

it('a stack policy denies updates of resources, for one update or for all', async () => {
  const statement = (Effect: string, Action: string, more: object = { Resource: '*' }) => ({
    Effect,
    Action,
    Principal: '*',
    ...more,
  });
  const policyOf = (...Statement: object[]) => JSON.stringify({ Statement });
  const template = (name: string, days: number, more: object = {}) => ({
    Resources: { Group: logGroup(name, { RetentionInDays: days }), ...more },
  });
  const other = { Other: logGroup('/guarded/other') };
  const set = (StackPolicyBody: string) => send(new SetStackPolicyCommand({ StackName: 'guarded', StackPolicyBody }));
  const lastFailure = async () =>
    (await stacks.events('guarded')).findLast((event) => event.includes(' UPDATE_FAILED ')) ?? '';
  const allow = statement('Allow', 'Update:*');
  const allowed = policyOf(allow);
  const guarded = policyOf(
    allow,
    statement('Deny', 'Update:Replace', { Resource: 'LogicalResourceId/Group' }),
    statement('Deny', 'Update:Delete', {
      Resource: '*',
      Condition: { StringEquals: { ResourceType: ['AWS::Logs::LogGroup'] } },
    }),
  );
  await stacks.create('guarded', template('/guarded/one', 3, other), { StackPolicyBody: guarded });
  expect((await send(new GetStackPolicyCommand({ StackName: 'guarded' }))).StackPolicyBody).toBe(guarded);

  expect((await stacks.update('guarded', template('/guarded/one', 5, other))).StackStatus).toBe('UPDATE_COMPLETE');
  expect((await stacks.update('guarded', template('/guarded/two', 5, other))).StackStatus).toBe(
    'UPDATE_ROLLBACK_COMPLETE',
  );
  expect(await lastFailure()).toBe(
    'Group UPDATE_FAILED Action denied by stack policy: Statement [#2] does not allow [Update:Replace] for resource ' +
      '[LogicalResourceId/Group];',
  );
  await stacks.update('guarded', template('/guarded/one', 5));
  expect(await lastFailure()).toMatch(/^Other UPDATE_FAILED .*Statement \[#3\] does not allow \[Update:Delete\]/);
  expect(await retention('/guarded/other')).toBe(0);

  // For this update alone.
  const during = { StackPolicyDuringUpdateBody: allowed };
  expect((await stacks.update('guarded', template('/guarded/two', 5), during)).StackStatus).toBe('UPDATE_COMPLETE');
  expect((await send(new GetStackPolicyCommand({ StackName: 'guarded' }))).StackPolicyBody).toBe(guarded);
  // The new policy counts for the next one.
  const next = { StackPolicyBody: policyOf(statement('Allow', 'Update:Replace')) };
  expect((await stacks.update('guarded', template('/guarded/two', 3), next)).StackStatus).toBe('UPDATE_COMPLETE');
  await stacks.update('guarded', template('/guarded/two', 5));
  expect(await lastFailure()).toBe('Group UPDATE_FAILED Action not allowed by stack policy');

  for (const invalid of [
    'text',
    policyOf(statement('Deny', 'Delete:*')),
    policyOf({ ...allow, Principal: 'me' }),
    policyOf(statement('Allow', 'Update:*', { Resource: 'Group' })),
    policyOf(statement('Allow', 'Update:*', { Resource: '*', Condition: { Bool: { ResourceType: 'true' } } })),
  ]) {
    await expect(set(invalid)).rejects.toThrow('Error validating stack policy: Invalid stack policy');
    await expect(stacks.update('guarded', template('/x', 1), { StackPolicyBody: invalid })).rejects.toThrow(
      'Error validating stack policy: Invalid stack policy',
    );
  }
  await set('{}');
  expect((await stacks.update('guarded', template('/guarded/two', 5))).StackStatus).toBe('UPDATE_COMPLETE');
});

it('the events of a stack are published to its topics', async () => {
  const { TopicArn = '' } = await sns.send(new CreateTopicCommand({ Name: 'stack-events' }));
  const { QueueUrl = '' } = await sqs.send(new CreateQueueCommand({ QueueName: 'stack-events' }));
  const Endpoint = 'arn:aws:sqs:us-east-1:123456789012:stack-events';
  const Attributes = { RawMessageDelivery: 'true' };
  await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint, Attributes }));
  const template = { Resources: { Group: logGroup('/notified') } };
  const stack = await stacks.create('notified', template, {
    NotificationARNs: [TopicArn],
    ClientRequestToken: 'first',
  });
  expect(stack.NotificationARNs).toEqual([TopicArn]);
  const received: string[] = [];
  await until(async () => {
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
    received.push(...Messages.map(({ Body = '' }) => Body));
    return received.length >= 5;
  });
  const facts = received.map((body) =>
    Object.fromEntries([...body.matchAll(/^(\w+)='(.*)'$/gm)].map(([, name, value]) => [name, value])),
  );
  expect(facts.map(({ LogicalResourceId, ResourceStatus }) => `${LogicalResourceId} ${ResourceStatus}`).sort()).toEqual(
    [
      'Group CREATE_COMPLETE',
      'Group CREATE_IN_PROGRESS',
      'Group CREATE_IN_PROGRESS',
      'notified CREATE_COMPLETE',
      'notified CREATE_IN_PROGRESS',
    ],
  );
  expect(facts.find(({ ResourceStatus }) => ResourceStatus === 'CREATE_COMPLETE')).toMatchObject({
    StackId: stack.StackId,
    Namespace: '123456789012',
    StackName: 'notified',
    ClientRequestToken: 'first',
  });
});

it('a request with the token of the last one does nothing again', async () => {
  const template = (days: number) => ({ Resources: { Group: logGroup('/token', { RetentionInDays: days }) } });
  const made = await stacks.create('token', template(3), { ClientRequestToken: 'create' });
  expect((await stacks.create('token', template(3), { ClientRequestToken: 'create' })).StackId).toBe(made.StackId);
  await expect(stacks.create('token', template(3), { ClientRequestToken: 'again' })).rejects.toMatchObject({
    name: 'AlreadyExistsException',
    message: 'Stack [token] already exists',
  });
  await stacks.update('token', template(5), { ClientRequestToken: 'update' });
  await stacks.update('token', template(5), { ClientRequestToken: 'update' });
  await expect(stacks.update('token', template(5))).rejects.toThrow('No updates are to be performed.');
  const changes = (await stacks.events('token')).filter((event) => event === 'token UPDATE_IN_PROGRESS User Initiated');
  expect(changes).toHaveLength(1);
  const { StackEvents = [] } = await send(new DescribeStackEventsCommand({ StackName: 'token' }));
  expect([...new Set(StackEvents.map(({ ClientRequestToken }) => ClientRequestToken))]).toEqual(['update', 'create']);
});

it('IAM resources and transforms need the capabilities that CloudFormation asks for', async () => {
  const role = (more: object = {}) => ({
    Type: 'AWS::IAM::Role',
    Properties: { AssumeRolePolicyDocument: TRUST, ...more },
  });
  const attempt = (resource: object, Capabilities: ('CAPABILITY_IAM' | 'CAPABILITY_NAMED_IAM')[], more: object = {}) =>
    stacks.create('capable', { ...more, Resources: { Resource: resource } }, { Capabilities });
  const refused = (needed: string) => ({
    name: 'InsufficientCapabilitiesException',
    message: `Requires capabilities : [${needed}]`,
  });
  await expect(attempt(role(), [])).rejects.toMatchObject(refused('CAPABILITY_IAM'));
  await expect(attempt(role({ RoleName: 'mine' }), ['CAPABILITY_IAM'])).rejects.toMatchObject(
    refused('CAPABILITY_NAMED_IAM'),
  );
  await expect(
    attempt(handle, ['CAPABILITY_NAMED_IAM'], { Transform: 'AWS::LanguageExtensions' }),
  ).rejects.toMatchObject(refused('CAPABILITY_AUTO_EXPAND'));
  expect((await attempt(role(), ['CAPABILITY_IAM'])).Capabilities).toEqual(['CAPABILITY_IAM']);
  const roleArn = 'arn:aws:iam::123456789012:role/nobody';
  await expect(send(new DeleteStackCommand({ StackName: 'capable', RoleARN: roleArn }))).rejects.toThrow(
    `Role ${roleArn} is invalid or cannot be assumed`,
  );
});

it('imports are refused by name', async () => {
  const TemplateBody = JSON.stringify({
    Resources: { Group: logGroup('/imported', {}, { DeletionPolicy: 'Retain' }) },
  });
  const ResourcesToImport = [
    {
      ResourceType: 'AWS::Logs::LogGroup',
      LogicalResourceId: 'Group',
      ResourceIdentifier: { LogGroupName: '/imported' },
    },
  ];
  const input = { StackName: 'imported', ChangeSetName: 'import', ChangeSetType: 'IMPORT' as const };
  await expect(send(new CreateChangeSetCommand({ ...input, TemplateBody, ResourcesToImport }))).rejects.toMatchObject({
    $metadata: { httpStatusCode: 501 },
    message: expect.stringContaining('Lamella does not support change sets of type IMPORT'),
  });
  await expect(stacks.describe('imported')).rejects.toThrow('does not exist');
});

it('all lists have pages, and the events of a stack rise strictly in time', async () => {
  const COUNT = 101;
  const names = Array.from({ length: COUNT }, (_, index) => `H${index}`);
  const template = {
    Resources: Object.fromEntries(names.map((name) => [name, handle])),
    Outputs: Object.fromEntries(names.map((name) => [name, { Value: name, Export: { Name: `listed-${name}` } }])),
  };
  const StackName = 'listed';
  const TemplateBody = JSON.stringify(template);
  await send(new CreateChangeSetCommand({ StackName, TemplateBody, ChangeSetName: 'all', ChangeSetType: 'CREATE' }));
  const pages = async (
    list: (token: string | undefined) => Promise<{ readonly count: number; readonly next?: string | undefined }>,
  ) => {
    const counts: number[] = [];
    let token: string | undefined;
    do {
      const { count, next } = await list(token);
      counts.push(count);
      token = next;
    } while (token !== undefined);
    return counts;
  };
  const changes = await pages(async (NextToken) => {
    const set = await send(new DescribeChangeSetCommand({ StackName, ChangeSetName: 'all', NextToken }));
    return { count: set.Changes?.length ?? 0, next: set.NextToken };
  });
  expect(changes).toEqual([100, 1]);
  const small = JSON.stringify({ Resources: { Handle: handle } });
  for (let index = 0; index < COUNT - 1; index += 1) {
    const set = { StackName, TemplateBody: small, ChangeSetName: `set-${index}`, ChangeSetType: 'CREATE' as const };
    await send(new CreateChangeSetCommand(set));
  }
  const sets = await pages(async (NextToken) => {
    const { Summaries = [], NextToken: next } = await send(new ListChangeSetsCommand({ StackName, NextToken }));
    return { count: Summaries.length, next };
  });
  expect(sets).toEqual([100, 1]);
  await send(new ExecuteChangeSetCommand({ StackName, ChangeSetName: 'all' }));
  expect((await stacks.settled(StackName)).StackStatus).toBe('CREATE_COMPLETE');

  const resources = await pages(async (NextToken) => {
    const page = await send(new ListStackResourcesCommand({ StackName, NextToken }));
    return { count: page.StackResourceSummaries?.length ?? 0, next: page.NextToken };
  });
  expect(resources).toEqual([100, 1]);
  // AWS returns the first hundred here.
  const { StackResources = [] } = await send(new DescribeStackResourcesCommand({ StackName }));
  expect(StackResources).toHaveLength(100);
  const exports = await pages(async (NextToken) => {
    const page = await send(new ListExportsCommand({ NextToken }));
    return { count: page.Exports?.length ?? 0, next: page.NextToken };
  });
  expect(exports).toEqual([100, 1]);

  const all: StackEvent[] = [];
  for await (const { StackEvents = [] } of paginateDescribeStackEvents({ client: stacks.client }, { StackName })) {
    all.push(...StackEvents);
  }
  const times = all.map(({ Timestamp }) => Timestamp?.getTime() ?? 0);
  expect(times.every((time, index) => index === 0 || time < (times[index - 1] ?? 0))).toBe(true);
  expect(new Set(all.map(({ EventId }) => EventId)).size).toBe(all.length);
  expect(all.length).toBeGreaterThan(COUNT * 2);
  await expect(send(new ListStackResourcesCommand({ StackName, NextToken: 'page two' }))).rejects.toThrow(
    'Invalid NextToken.',
  );

  const importing = JSON.stringify({
    Resources: { Handle: handle },
    Outputs: { Value: { Value: { 'Fn::ImportValue': 'listed-H0' } } },
  });
  for (let index = 0; index < COUNT; index += 1) {
    await send(new CreateStackCommand({ StackName: `importer-${index}`, TemplateBody: importing }));
  }
  const imports = await pages(async (NextToken) => {
    const page = await send(new ListImportsCommand({ ExportName: 'listed-H0', NextToken }));
    return { count: page.Imports?.length ?? 0, next: page.NextToken };
  });
  expect(imports).toEqual([100, 1]);
  const described = await pages(async (NextToken) => {
    const page = await send(new DescribeStacksCommand({ NextToken }));
    return { count: page.Stacks?.length ?? 0, next: page.NextToken };
  });
  expect(described[0]).toBe(100);
  expect(described).toHaveLength(2);
  const filter = { StackStatusFilter: ['CREATE_COMPLETE' as const] };
  const listed = await pages(async (NextToken) => {
    const page = await send(new ListStacksCommand({ ...filter, NextToken }));
    return { count: page.StackSummaries?.length ?? 0, next: page.NextToken };
  });
  expect(listed[0]).toBe(100);
  expect(listed).toHaveLength(2);
}, 60_000);
