/** `kill -9` in the middle of an update: the operation goes on at the next start, to its end or back. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DescribeStackResourceCommand, UpdateStackCommand } from '@aws-sdk/client-cloudformation';
import { CloudWatchLogsClient, DescribeLogGroupsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { buildIfStale, type StartedService, startLamella } from '../support/built-cli.ts';
import { StackClient } from '../support/stack-client.ts';

let directory: string;
let service: StartedService;
let stacks: StackClient;
beforeEach(async () => {
  buildIfStale();
  directory = mkdtempSync(join(tmpdir(), 'lamella-stack-crash-'));
  await restart();
}, 120_000);
afterEach(async () => {
  stacks.client.destroy();
  await service.stop();
  rmSync(directory, { recursive: true });
});

async function restart(): Promise<void> {
  service = await startLamella(['--data-dir', directory]);
  stacks = new StackClient(service.url);
}

const GROUPS = 20;

/** Groups that are changed, one that is replaced, and a wait condition that stops the update in the middle. */
function template(days: number, name: string, waits: boolean) {
  const groups = Array.from({ length: GROUPS }, (_, index) => [
    `Group${index}`,
    { Type: 'AWS::Logs::LogGroup', Properties: { LogGroupName: `/crash/${index}`, RetentionInDays: days } },
  ]);
  const waiting = {
    Handle: { Type: 'AWS::CloudFormation::WaitConditionHandle' },
    Wait: {
      Type: 'AWS::CloudFormation::WaitCondition',
      DependsOn: ['Group0', 'Replaced'],
      Properties: { Handle: { Ref: 'Handle' }, Timeout: '600' },
    },
    Late: { Type: 'AWS::Logs::LogGroup', DependsOn: 'Wait', Properties: { LogGroupName: '/crash/late' } },
  };
  const Replaced = { Type: 'AWS::Logs::LogGroup', Properties: { LogGroupName: name } };
  return { Resources: { ...Object.fromEntries(groups), Replaced, ...(waits && waiting) } };
}

async function groupsOf(): Promise<Record<string, number | undefined>> {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const logs = new CloudWatchLogsClient({ endpoint: service.url, region: 'us-east-1', credentials });
  const { logGroups = [] } = await logs.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: '/crash' }));
  logs.destroy();
  return Object.fromEntries(logGroups.map(({ logGroupName = '', retentionInDays }) => [logGroupName, retentionInDays]));
}

function expectedGroups(days: number, name: string): Record<string, number | undefined> {
  const numbered = Array.from({ length: GROUPS }, (_, index) => [`/crash/${index}`, days] as const);
  return { ...Object.fromEntries(numbered), [name]: undefined };
}

/** Begins the update, waits until it waits for a signal, and kills the service. Returns the path of the handle's URL. */
async function killInTheMiddle(): Promise<string> {
  expect((await stacks.create('crash', template(1, '/crash/old', false))).StackStatus).toBe('CREATE_COMPLETE');
  const TemplateBody = JSON.stringify(template(3, '/crash/new', true));
  const response = stacks.client.send(new UpdateStackCommand({ StackName: 'crash', TemplateBody })).catch(() => {});
  while (!(await stacks.events('crash')).includes('Wait CREATE_IN_PROGRESS'));
  const { StackResourceDetail } = await stacks.client.send(
    new DescribeStackResourceCommand({ StackName: 'crash', LogicalResourceId: 'Handle' }),
  );
  await service.stop('SIGKILL');
  await response;
  stacks.client.destroy();
  return new URL(StackResourceDetail?.PhysicalResourceId ?? '').pathname;
}

const signal = (path: string, Status: string) =>
  fetch(service.url + path, {
    method: 'PUT',
    body: JSON.stringify({ Status, UniqueId: '1', Data: 'x', Reason: 'no' }),
  });

it('the update goes on to its end', async () => {
  const handle = await killInTheMiddle();
  await restart();
  expect((await signal(handle, 'SUCCESS')).status).toBe(200);
  expect((await stacks.settled('crash')).StackStatus).toBe('UPDATE_COMPLETE');
  expect(await groupsOf()).toEqual({ ...expectedGroups(3, '/crash/new'), '/crash/late': undefined });
}, 60_000);

it('the update rolls back to what was there', async () => {
  const handle = await killInTheMiddle();
  await restart();
  expect((await signal(handle, 'FAILURE')).status).toBe(200);
  const stack = await stacks.settled('crash');
  expect(stack.StackStatus).toBe('UPDATE_ROLLBACK_COMPLETE');
  expect(await groupsOf()).toEqual(expectedGroups(1, '/crash/old'));
  expect(await stacks.events('crash')).toContainEqual(
    expect.stringMatching(/^Wait CREATE_FAILED WaitCondition received failed message: 'no' for uniqueId: 1$/),
  );
}, 60_000);
