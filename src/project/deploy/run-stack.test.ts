/** What a deployment does with a stack that it finds in the middle of something, by a CloudFormation that follows a script. */
import { expect, it } from 'vitest';
import { systemClock } from '../../clock.ts';
import { CloudFailure } from '../cloud/cloud-client.ts';
import type { StackApi, StackDescription, StackEvent } from '../cloud/stack-api.ts';
import type { Deployer } from './deployer.ts';
import { destroyStack } from './destroy-stack.ts';
import { prepareChange, settleStack } from './run-stack.ts';

const ID = 'stack-id';
const NOW = Date.UTC(2026, 11, 1);

const stackIn = (status: string): StackDescription => ({
  id: ID,
  name: 'shop',
  status,
  statusReason: undefined,
  outputs: [],
  parameters: [],
  tags: new Map(),
  isProtected: false,
});
const event = (id: number, status: string, more: Partial<StackEvent> = {}): StackEvent => ({
  id: `e${id}`,
  logicalId: 'shop',
  physicalId: ID,
  type: 'AWS::CloudFormation::Stack',
  status,
  reason: undefined,
  timestamp: '',
  ...more,
});

/** Its responses in order; the last one stays. Times pass at once. */
function scripted(script: { statuses: (string | undefined)[]; events?: StackEvent[][]; api?: Partial<StackApi> }) {
  const calls: string[] = [];
  const reported: string[] = [];
  const next = <Item>(items: Item[]): Item => (items.length > 1 ? (items.shift() as Item) : (items[0] as Item));
  const api = {
    async describe() {
      const status = next(script.statuses);
      return status === undefined ? undefined : stackIn(status);
    },
    async events(_: string, isLast: (each: StackEvent) => boolean) {
      const newestFirst = [...next(script.events ?? [[]])].reverse();
      const end = newestFirst.findIndex(isLast);
      return end < 0 ? newestFirst : newestFirst.slice(0, end);
    },
    listChangeSets: async () => [],
    async deleteChangeSet(id: string) {
      calls.push(`delete ${id}`);
    },
    ...script.api,
  } as Partial<StackApi> as StackApi;
  const clock = {
    ...systemClock,
    epochMs: () => NOW,
    after: (_: number, action: () => void) => systemClock.after(0, action),
  };
  const client = { target: { region: 'us-east-1' }, clock } as Deployer['client'];
  const deployer: Deployer = {
    client,
    stacks: api,
    cleanup: api,
    signal: undefined,
    onStatus: (line) => calls.push(line),
    onEvent: ({ id }) => reported.push(id),
  };
  return { deployer, calls, reported };
}

it('an operation under way is followed to its end, with each new event once, oldest first', async () => {
  const before = [event(1, 'CREATE_COMPLETE'), event(2, 'UPDATE_IN_PROGRESS')];
  const during = [...before, event(3, 'UPDATE_IN_PROGRESS', { logicalId: 'F', physicalId: 'f', type: 'T' })];
  const after = [...during, event(4, 'UPDATE_COMPLETE_CLEANUP_IN_PROGRESS'), event(5, 'UPDATE_COMPLETE')];
  const { deployer, calls, reported } = scripted({
    statuses: ['UPDATE_IN_PROGRESS', 'UPDATE_COMPLETE'],
    events: [before, during, during, after],
  });
  expect(await settleStack(deployer, 'shop')).toMatchObject({ kind: 'existing', stack: { status: 'UPDATE_COMPLETE' } });
  expect(calls).toEqual(['The stack shop is in UPDATE_IN_PROGRESS: waiting for the end of that operation']);
  expect(reported).toEqual(['e3', 'e4', 'e5']);
});

it('an operation that ended between two looks does not keep the deployment waiting', async () => {
  const all = [event(1, 'DELETE_IN_PROGRESS'), event(2, 'DELETE_COMPLETE')];
  const { deployer, reported } = scripted({ statuses: ['DELETE_IN_PROGRESS', undefined], events: [all] });
  expect(await settleStack(deployer, 'shop')).toEqual({ kind: 'new', inReview: false });
  expect(reported).toEqual([]);
});

it.each([
  [undefined, { kind: 'new', inReview: false }],
  ['DELETE_COMPLETE', { kind: 'new', inReview: false }],
  ['REVIEW_IN_PROGRESS', { kind: 'new', inReview: true }],
  ['CREATE_COMPLETE', { kind: 'existing' }],
  ['UPDATE_ROLLBACK_COMPLETE', { kind: 'existing' }],
  ['ROLLBACK_COMPLETE', { kind: 'failed' }],
  ['CREATE_FAILED', { kind: 'failed' }],
])('a stack in %s can be %o', async (status, expected) => {
  expect(await settleStack(scripted({ statuses: [status] }).deployer, 'shop')).toMatchObject(expected);
});

it.each([
  ['UPDATE_ROLLBACK_FAILED', /continue-update-rollback/],
  ['DELETE_FAILED', /lamella destroy --stack-name shop/],
  ['ROLLBACK_FAILED', /lamella destroy --stack-name shop/],
])('a stack in %s is refused with what helps', async (status, remedy) => {
  const settled = settleStack(scripted({ statuses: [status] }).deployer, 'shop');
  await expect(settled).rejects.toMatchObject({ code: 'stack-unusable', remedy: expect.stringMatching(remedy) });
});

it('a deletion that an interrupted run has begun is followed, and the stack is not deleted once more', async () => {
  const started = [event(1, 'DELETE_IN_PROGRESS')];
  const { deployer, calls, reported } = scripted({
    statuses: ['DELETE_IN_PROGRESS', 'DELETE_COMPLETE'],
    events: [started, [...started, event(2, 'DELETE_COMPLETE')]],
    api: {
      resources: async () => [],
      async deleteStack() {
        calls.push('delete the stack');
      },
    },
  });
  const body = Buffer.from('<R><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult></R>');
  const client = { ...deployer.client, call: async () => ({ status: 200, headers: {}, body }) } as Deployer['client'];
  const request = { stackName: 'shop', roleArn: undefined, retainResources: [], bucket: undefined, prefix: undefined };
  const agreed = { delete: async () => true, emptyBuckets: async () => false };
  const result = await destroyStack({ ...deployer, client }, request, agreed);
  expect(result.status).toBe('deleted');
  expect(calls).toEqual(['The stack shop is in DELETE_IN_PROGRESS: waiting for the end of that operation']);
  expect(reported).toEqual(['e2']);
});

const changeSet = {
  id: 'new',
  status: 'CREATE_COMPLETE',
  executionStatus: 'AVAILABLE',
  statusReason: undefined,
  changes: [],
};
const working: Partial<StackApi> = {
  createChangeSet: async () => ({ id: 'new', stackId: ID }),
  describeChangeSet: async () => changeSet,
};

it('change sets that interrupted runs have left are removed, but not those of others, nor young ones', async () => {
  const set = (name: string, ageMs: number, executionStatus = 'AVAILABLE') => ({
    id: name,
    name,
    createdMs: NOW - ageMs,
    executionStatus,
  });
  const { deployer, calls } = scripted({
    statuses: ['CREATE_COMPLETE'],
    api: {
      ...working,
      listChangeSets: async () => [
        set('lamella-1-old', 7_200_000),
        set('lamella-2-young', 60_000),
        set('samcli-deploy1', 7_200_000),
        set('lamella-3-running', 7_200_000, 'EXECUTE_IN_PROGRESS'),
      ],
    },
  });
  const state = await settleStack(deployer, 'shop');
  await prepareChange(deployer, { stackName: 'shop', input: {} }, state);
  expect(calls).toEqual(['delete lamella-1-old']);
});

it('a change set that another deployment has made obsolete is an error of its own', async () => {
  const response = { status: 404, headers: {}, body: Buffer.alloc(0) };
  const { deployer } = scripted({
    statuses: ['CREATE_COMPLETE'],
    api: {
      ...working,
      async executeChangeSet() {
        throw new CloudFailure('ExecuteChangeSet', 'ChangeSetNotFound', 'ChangeSet [new] does not exist', response);
      },
    },
  });
  const change = await prepareChange(deployer, { stackName: 'shop', input: {} }, await settleStack(deployer, 'shop'));
  await expect(change.execute()).rejects.toMatchObject({ code: 'deploy-overtaken' });
});

it('a change set that CloudFormation cannot make is removed, with the reason in the error', async () => {
  const { deployer, calls } = scripted({
    statuses: ['CREATE_COMPLETE'],
    api: {
      ...working,
      describeChangeSet: async () => ({ ...changeSet, status: 'FAILED', statusReason: 'Transform failed with: x.' }),
    },
  });
  const prepared = prepareChange(deployer, { stackName: 'shop', input: {} }, await settleStack(deployer, 'shop'));
  await expect(prepared).rejects.toMatchObject({
    code: 'change-set-failed',
    message: 'CloudFormation cannot plan the changes of shop: Transform failed with: x.',
  });
  expect(calls).toEqual(['delete new']);
});
