/** Logs of functions: the same lines in CloudWatch Logs and in the tail, with AWS's names and consistent figures. */
import {
  CloudWatchLogsClient,
  DescribeLogGroupsCommand,
  DescribeLogStreamsCommand,
  GetLogEventsCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import { InvokeCommand, PublishVersionCommand } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellRuntime } from '../support/function-zip.ts';
import { type RunningService, startService } from '../support/running-service.ts';

let service: RunningService;
let logs: CloudWatchLogsClient;

beforeAll(async () => {
  service = await startService();
  logs = new CloudWatchLogsClient({
    endpoint: service.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
});
afterAll(async () => {
  logs.destroy();
  await service.close();
});

async function streamsOf(logGroupName: string): Promise<string[]> {
  const { logStreams } = await logs.send(new DescribeLogStreamsCommand({ logGroupName }));
  return logStreams?.map(({ logStreamName }) => logStreamName ?? '') ?? [];
}

async function messagesOf(logGroupName: string, logStreamName: string): Promise<string[]> {
  const command = new GetLogEventsCommand({ logGroupName, logStreamName, startFromHead: true });
  return (await logs.send(command)).events?.map(({ message }) => message ?? '') ?? [];
}

/** The figures of a REPORT line. */
function figures(log: string) {
  const figure = (name: string) => {
    const found = new RegExp(`\\t${name}: ([\\d.]+) `).exec(log)?.[1];
    return found === undefined ? undefined : Number(found);
  };
  return {
    duration: figure('Duration') ?? Number.NaN,
    billed: figure('Billed Duration') ?? Number.NaN,
    init: figure('Init Duration'),
    size: figure('Memory Size'),
    used: figure('Max Memory Used') ?? Number.NaN,
  };
}

describe('the log of a function', () => {
  it('has the lines of the tails in its stream, after one INIT_START', async () => {
    const today = () => new Date().toISOString().slice(0, 10).replaceAll('-', '/');
    const startedOn = today();
    await service.createFunction('speaks', {
      bootstrap: shellRuntime(
        `echo "out $EVENT"; echo "err $EVENT" >&2; echo straight > /dev/stderr; printf 'a\\rb\\n\\n'; respond 1`,
        'echo starting',
      ),
    });
    const tails = [];
    for (const number of [1, 2, 3]) tails.push((await service.invoke('speaks', number)).log);
    const [stream = '', ...others] = await streamsOf('/aws/lambda/speaks');
    expect(others).toEqual([]);
    expect(stream).toMatch(/^\d{4}\/\d\d\/\d\d\/\[\$LATEST\][0-9a-f]{32}$/);
    // Midnight may have passed since.
    expect([startedOn, today()]).toContain(stream.slice(0, 10));
    const [first, ...messages] = await messagesOf('/aws/lambda/speaks', stream);
    expect(first).toMatch(
      /^INIT_START Runtime Version: provided:al2023\.v\d+\tRuntime Version ARN: arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}\n$/,
    );
    expect(messages.join('')).toBe(tails.join(''));
    expect(tails[0]).toMatch(/^starting\nSTART [^\n]+\nout 1\nerr 1\nstraight\na\rb\n\nEND [^\n]+\nREPORT [^\n]+\t\n$/);
    expect(messages.filter((message) => message.split('\n').length !== 2)).toEqual([]);
  });

  it('goes to a stream for each environment and version, in the configured log group', async () => {
    await service.createFunction('versioned', { bootstrap: shellRuntime('sleep 0.2; respond 1') });
    await Promise.all([1, 2].map(() => service.invoke('versioned')));
    await service.client.send(new PublishVersionCommand({ FunctionName: 'versioned' }));
    await service.invoke('versioned', {}, { Qualifier: '1' });
    const streams = (await streamsOf('/aws/lambda/versioned')).map((name) => /\[.*\]/.exec(name)?.[0]);
    expect(streams.sort()).toEqual(['[$LATEST]', '[$LATEST]', '[1]']);

    const LoggingConfig = { LogGroup: 'shared/group' };
    await service.createFunction('elsewhere', { bootstrap: shellRuntime('respond 1') }, { LoggingConfig });
    await service.invoke('elsewhere');
    const [stream = ''] = await streamsOf('shared/group');
    expect(stream).toMatch(/^\d{4}\/\d\d\/\d\d\/elsewhere\[\$LATEST\][0-9a-f]{32}$/);
    const { logGroups } = await logs.send(
      new DescribeLogGroupsCommand({ logGroupNamePrefix: '/aws/lambda/elsewhere' }),
    );
    expect(logGroups).toEqual([]);
  });

  it('has a tail of its last 4096 bytes, and is stored completely', async () => {
    const runtime = shellRuntime(
      'i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo "line number $i of many"; done; respond 1',
    );
    await service.createFunction('talks', { bootstrap: runtime });
    const { log } = await service.invoke('talks');
    expect(Buffer.byteLength(log)).toBe(4096);
    expect(log).toMatch(/line number 300 of many\nEND [^\n]+\nREPORT [^\n]+\n$/);
    const [stream = ''] = await streamsOf('/aws/lambda/talks');
    const messages = await messagesOf('/aws/lambda/talks', stream);
    expect(messages.filter((message) => message.startsWith('line number'))).toHaveLength(300);
    const silent = await service.client.send(new InvokeCommand({ FunctionName: 'talks', LogType: 'None' }));
    expect(silent.LogResult).toBeUndefined();
  });

  it('reports consistent figures', async () => {
    await service.createFunction(
      'measured',
      { bootstrap: shellRuntime('sleep 0.2; respond 1', 'sleep 0.3') },
      { MemorySize: 256 },
    );
    const at = performance.now();
    const cold = figures((await service.invoke('measured')).log);
    const elapsed = performance.now() - at;
    expect(cold.init).toBeGreaterThanOrEqual(300);
    expect(cold.duration).toBeGreaterThanOrEqual(200);
    expect(cold.duration + (cold.init ?? 0)).toBeLessThanOrEqual(elapsed + 1);
    // Both are billed together, by the exact durations and not by the printed ones.
    expect(Math.abs(cold.billed - Math.ceil(cold.duration + (cold.init ?? 0)))).toBeLessThanOrEqual(1);
    const warm = figures((await service.invoke('measured')).log);
    expect(warm.init).toBeUndefined();
    expect(warm.duration).toBeGreaterThanOrEqual(200);
    expect(Math.abs(warm.billed - Math.ceil(warm.duration))).toBeLessThanOrEqual(1);
    for (const { size, used } of [cold, warm]) {
      expect(size).toBe(256);
      expect(used).toBeGreaterThan(0);
      expect(used).toBeLessThanOrEqual(256);
    }
  });
});
