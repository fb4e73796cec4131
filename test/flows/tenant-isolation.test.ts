/** Tenant isolation through the whole service: sandboxes, the managed Node.js runtime, the SDK. */
import { CloudWatchLogsClient, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import * as sdk from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { zipOf } from '../support/function-zip.ts';
import { ROLE, type RunningService, startService } from '../support/running-service.ts';
import { until } from '../support/until.ts';

const FunctionName = 'isolated';
const TENANCY = { TenancyConfig: { TenantIsolationMode: 'PER_TENANT' } } as const;
const FILES = {
  'index.mjs': `
    let count = 0;
    export const handler = async (event, context) => {
      console.log('speaks');
      if (event.ms) await new Promise((resolve) => setTimeout(resolve, event.ms));
      return { tenant: context.tenantId ?? null, count: ++count };
    };`,
};
const NODE = { Runtime: 'nodejs22.x', Handler: 'index.handler' } as const;
const REQUIRED = {
  name: 'InvalidParameterValueException',
  message:
    'The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your request and try again.',
  $metadata: { httpStatusCode: 400 },
};

let service: RunningService;
let logs: CloudWatchLogsClient;
beforeAll(async () => {
  service = await startService();
  logs = new CloudWatchLogsClient({
    endpoint: service.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  await service.createFunction(FunctionName, FILES, { ...NODE, ...TENANCY, LoggingConfig: { LogFormat: 'JSON' } });
});
afterAll(async () => {
  logs.destroy();
  await service.close();
});

async function invokeAs(TenantId: string | undefined, event: object = {}): Promise<unknown> {
  const { Payload } = await service.client.send(
    new sdk.InvokeCommand({ FunctionName, TenantId, Payload: JSON.stringify(event) }),
  );
  return JSON.parse(Buffer.from(Payload ?? []).toString());
}

async function recordsOf(type: string): Promise<Record<string, unknown>[]> {
  const { events } = await logs.send(new FilterLogEventsCommand({ logGroupName: `/aws/lambda/${FunctionName}` }));
  return (events ?? []).map(({ message }) => JSON.parse(message ?? '')).filter((line) => (line.type ?? 'app') === type);
}

describe('a function with tenant isolation', () => {
  it('serves each tenant from environments of its own, also those that wait for another tenant', async () => {
    expect(await invokeAs('blue')).toEqual({ tenant: 'blue', count: 1 });
    expect(await invokeAs('green')).toEqual({ tenant: 'green', count: 1 });
    expect(await invokeAs('blue')).toEqual({ tenant: 'blue', count: 2 });
    // A tenant's name may contain what separates the parts of a pool's key.
    expect(await invokeAs('blue:1')).toEqual({ tenant: 'blue:1', count: 1 });
    const seen = await Promise.all(['a', 'b', 'a', 'b'].map((tenant) => invokeAs(tenant, { ms: 100 })));
    expect(seen.map((result) => (result as { tenant: string }).tenant)).toEqual(['a', 'b', 'a', 'b']);
    expect(await invokeAs('green')).toEqual({ tenant: 'green', count: 2 });
  });

  it('requires a tenant in every kind of invocation', async () => {
    const { client } = service;
    await expect(invokeAs(undefined)).rejects.toMatchObject(REQUIRED);
    for (const InvocationType of ['Event', 'DryRun'] as const) {
      const refused = client.send(new sdk.InvokeCommand({ FunctionName, InvocationType }));
      await expect(refused).rejects.toMatchObject(REQUIRED);
    }
    const streamed = client.send(new sdk.InvokeWithResponseStreamCommand({ FunctionName }));
    await expect(streamed).rejects.toMatchObject(REQUIRED);
    await expect(invokeAs('no/{braces}')).rejects.toMatchObject({ name: 'ValidationException' });
    await expect(invokeAs('x'.repeat(257))).rejects.toMatchObject({ name: 'ValidationException' });
  });

  it('has the tenant in JSON log lines of the function and the platform', async () => {
    await invokeAs('logged');
    await until(async () => (await recordsOf('app')).some(({ tenantId }) => tenantId === 'logged'));
    const started = await recordsOf('platform.start');
    expect(started.map(({ record }) => (record as { tenantId?: string }).tenantId)).toContain('logged');
  });

  it('keeps the tenant of an asynchronous event', async () => {
    const queued = await service.client.send(
      new sdk.InvokeCommand({ FunctionName, TenantId: 'later', InvocationType: 'Event' }),
    );
    expect(queued.StatusCode).toBe(202);
    await until(async () => (await recordsOf('app')).some(({ tenantId }) => tenantId === 'later'));
  });

  it('takes no function URL, provisioned concurrency, SnapStart or event source mapping', async () => {
    const { client } = service;
    const refused = (message: RegExp) => ({
      name: 'InvalidParameterValueException',
      message: expect.stringMatching(message),
    });
    await expect(
      client.send(new sdk.CreateFunctionUrlConfigCommand({ FunctionName, AuthType: 'NONE' })),
    ).rejects.toMatchObject(refused(/^Function URLs are not supported/));
    const { Version = '' } = await client.send(new sdk.PublishVersionCommand({ FunctionName }));
    await expect(
      client.send(
        new sdk.PutProvisionedConcurrencyConfigCommand({
          FunctionName,
          Qualifier: Version,
          ProvisionedConcurrentExecutions: 1,
        }),
      ),
    ).rejects.toMatchObject(refused(/^Provisioned concurrency is not supported/));
    await expect(
      client.send(
        new sdk.CreateEventSourceMappingCommand({
          FunctionName,
          EventSourceArn: 'arn:aws:sqs:us-east-1:123456789012:q',
        }),
      ),
    ).rejects.toMatchObject(refused(/^Event source mappings are not supported/));
    await expect(
      client.send(
        new sdk.CreateFunctionCommand({
          FunctionName: 'snapshots',
          Role: ROLE,
          Code: { ZipFile: await zipOf(FILES) },
          Runtime: 'java21',
          Handler: 'h',
          SnapStart: { ApplyOn: 'PublishedVersions' },
          ...TENANCY,
        }),
      ),
    ).rejects.toMatchObject(refused(/^SnapStart is not supported/));
  });

  it('is the only one that takes a tenant', async () => {
    await service.createFunction('ordinary', FILES, NODE);
    const refused = service.client.send(new sdk.InvokeCommand({ FunctionName: 'ordinary', TenantId: 'blue' }));
    await expect(refused).rejects.toMatchObject({
      name: 'InvalidParameterValueException',
      message: expect.stringContaining('not enabled with tenancy configuration'),
    });
  });
});

it('refuses by name what would otherwise be silently ignored: durable functions and PublishTo', async () => {
  const { client } = service;
  const draft = { ...NODE, FunctionName: 'durable', Role: ROLE, Code: { ZipFile: await zipOf(FILES) } };
  const DurableConfig = { ExecutionTimeout: 60 };
  const refused = (message: string) => ({
    name: 'InvalidParameterValueException',
    message: expect.stringContaining(message),
  });
  await expect(client.send(new sdk.CreateFunctionCommand({ ...draft, DurableConfig }))).rejects.toMatchObject(
    refused('DurableConfig'),
  );
  await expect(
    client.send(new sdk.UpdateFunctionConfigurationCommand({ FunctionName, DurableConfig })),
  ).rejects.toMatchObject(refused('DurableConfig'));
  await expect(
    client.send(new sdk.PublishVersionCommand({ FunctionName, PublishTo: 'LATEST_PUBLISHED' })),
  ).rejects.toMatchObject(refused('PublishTo'));
  await expect(
    client.send(new sdk.InvokeCommand({ FunctionName, TenantId: 'blue', DurableExecutionName: 'once' })),
  ).rejects.toMatchObject(refused('X-Amz-Durable-Execution-Name'));
});
