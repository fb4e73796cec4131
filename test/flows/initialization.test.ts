/** Initializations that fail, are repeated or run ahead, and the environment in which a function starts. */
import { CloudWatchLogsClient, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import {
  GetProvisionedConcurrencyConfigCommand,
  PublishVersionCommand,
  PutProvisionedConcurrencyConfigCommand,
} from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellRuntime } from '../support/function-zip.ts';
import { type RunningService, startService } from '../support/running-service.ts';

let service: RunningService;
let logs: CloudWatchLogsClient;

beforeAll(async () => {
  service = await startService();
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  logs = new CloudWatchLogsClient({ endpoint: service.url, region: 'us-east-1', credentials });
});
afterAll(async () => {
  logs.destroy();
  await service.close();
});

/** All messages in the log group of a function. */
async function logOf(name: string): Promise<string> {
  const { events } = await logs.send(new FilterLogEventsCommand({ logGroupName: `/aws/lambda/${name}` }));
  return (events ?? []).map(({ message }) => message).join('');
}

/** Publishes a version, provisions it, waits until that has ended, and returns the result. */
async function provision(FunctionName: string) {
  const { Version: Qualifier } = await service.client.send(new PublishVersionCommand({ FunctionName }));
  const of = { FunctionName, Qualifier };
  await service.client.send(new PutProvisionedConcurrencyConfigCommand({ ...of, ProvisionedConcurrentExecutions: 1 }));
  const status = () => service.client.send(new GetProvisionedConcurrencyConfigCommand(of));
  await expect.poll(async () => (await status()).Status, { timeout: 10_000 }).not.toBe('IN_PROGRESS');
  return { Qualifier: Qualifier ?? '', ...(await status()) };
}

/** Fails the first time, with these commands. */
const onceThen = (first: string, then = '') =>
  `if [ ! -e /tmp/again ]; then touch /tmp/again; ${first}; fi; echo initializing; ${then}`;

describe('an initialization that is repeated inside the invocation', () => {
  it('is part of its duration, is billed with it, and the log continues as usual', async () => {
    const bootstrap = shellRuntime('echo working; respond 1', onceThen('echo failing; exit 3', 'sleep 0.4'));
    await service.createFunction('recovers', { bootstrap });
    const { log, payload, functionError } = await service.invoke('recovers');
    expect([payload, functionError]).toEqual(['1', undefined]);
    const [, duration, billed] =
      /^failing\nINIT_REPORT Init Duration: [\d.]+ ms\tPhase: init\tStatus: error\tError Type: Runtime\.ExitError\ninitializing\nSTART .*\nworking\nEND .*\nREPORT .*\tDuration: ([\d.]+) ms\tBilled Duration: (\d+) ms\tMemory Size: 128 MB\tMax Memory Used: \d+ MB\t\n$/.exec(
        log,
      ) ?? [];
    expect(Number(duration)).toBeGreaterThan(400);
    expect(Number(billed)).toBe(Math.ceil(Number(duration)));
  });

  it("has the function's timeout, and exceeding it is reported as a timeout", async () => {
    const bootstrap = shellRuntime('respond 1', onceThen('exit 3', 'sleep 60'));
    await service.createFunction('never-recovers', { bootstrap }, { Timeout: 1 });
    const { log, payload } = await service.invoke('never-recovers');
    expect(JSON.parse(payload)).toEqual({
      errorType: 'Sandbox.Timedout',
      errorMessage: expect.stringMatching(/^RequestId: \S+ Error: Task timed out after 1\.00 seconds$/),
    });
    expect(log).toMatch(
      /\ninitializing\nINIT_REPORT Init Duration: (?:9\d\d|1\d\d\d)\.\d\d ms\tPhase: invoke\tStatus: timeout\nSTART .*\nEND .*\nREPORT .*\tDuration: 1000\.00 ms\tBilled Duration: 1000 ms\tMemory Size: 128 MB\tMax Memory Used: \d+ MB\tStatus: timeout\n$/,
    );
  });
});

describe('an initialization of provisioned concurrency', () => {
  it('is logged also when it succeeds', async () => {
    await service.createFunction('prepared', { bootstrap: shellRuntime('respond 1', 'echo initializing') });
    expect((await provision('prepared')).Status).toBe('READY');
    expect(await logOf('prepared')).toMatch(/^INIT_START .*\ninitializing\nINIT_REPORT Init Duration: [\d.]+ ms\n$/);
  });

  it('that fails is logged with its error, and the configuration reports it', async () => {
    await service.createFunction('unprepared', { bootstrap: '#!/bin/sh\nexit 3\n' });
    expect(await provision('unprepared')).toMatchObject({
      Status: 'FAILED',
      StatusReason: 'FUNCTION_ERROR_INIT_FAILURE',
    });
    expect(await logOf('unprepared')).toMatch(
      /^INIT_START .*\nINIT_REPORT Init Duration: [\d.]+ ms\tPhase: init\tStatus: error\tError Type: Runtime\.ExitError\n$/,
    );
  });
});

describe('a function that starts', () => {
  it('has directories with the modes of AWS, and a custom runtime ignores a wrapper script', async () => {
    const bootstrap = shellRuntime('respond "$(stat -c %a /var/task /opt /tmp | xargs) $AWS_LAMBDA_EXEC_WRAPPER"');
    const Variables = { AWS_LAMBDA_EXEC_WRAPPER: '/opt/none' };
    await service.createFunction('looks-round', { bootstrap }, { Environment: { Variables } });
    expect((await service.invoke('looks-round')).payload).toBe('755 755 1777 /opt/none');
  });
});
