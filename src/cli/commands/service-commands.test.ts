/** `lamella list`, `logs`, `queue`, `schedule`, and `invoke` with several events, as programs, against one service. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateFunctionCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StartedService } from '../../../test/support/built-cli.ts';
import { buildIfStale, cleanEnvironment, LAMELLA, lamella, startLamella } from '../../../test/support/built-cli.ts';
import { shellRuntime, zipOf } from '../../../test/support/function-zip.ts';

let directory: string;
let service: StartedService;
let environment: Record<string, string>;

beforeAll(async () => {
  buildIfStale();
  directory = mkdtempSync(join(tmpdir(), 'lamella-commands-'));
  environment = { XDG_STATE_HOME: join(directory, 'state'), LAMELLA_DATA_DIR: join(directory, 'data') };
  service = await startLamella([], { environment });
  const client = { endpoint: service.url, region: 'us-east-1', credentials: KEYS };
  const bootstrap = shellRuntime(`
  echo "got $EVENT" >&2
  if [ "$EVENT" = '"fail"' ]; then fail '{"errorType":"Broken","errorMessage":"as asked"}'; else respond "$EVENT"; fi`);
  const lambda = new LambdaClient(client);
  await lambda.send(
    new CreateFunctionCommand({
      FunctionName: 'works',
      Handler: 'any',
      Runtime: 'provided.al2023',
      Role: 'arn:aws:iam::123456789012:role/any',
      Code: { ZipFile: await zipOf({ bootstrap }) },
    }),
  );
  lambda.destroy();
  const sqs = new SQSClient(client);
  await sqs.send(new CreateQueueCommand({ QueueName: 'dead' }));
  const RedrivePolicy = JSON.stringify({
    deadLetterTargetArn: 'arn:aws:sqs:us-east-1:123456789012:dead',
    maxReceiveCount: '1',
  });
  await sqs.send(
    new CreateQueueCommand({ QueueName: 'orders', Attributes: { RedrivePolicy, VisibilityTimeout: '0' } }),
  );
  sqs.destroy();
  await fetch(`${service.url}/_lamella/schedules/nightly`, {
    method: 'PUT',
    body: JSON.stringify({ expression: 'cron(0 3 * * ? *)', function: 'works', input: { from: 'schedule' } }),
  });
}, 120_000);
afterAll(async () => {
  await service?.stop();
  rmSync(directory, { recursive: true, force: true });
});

const KEYS = { accessKeyId: 'lamella', secretAccessKey: 'lamella' };

async function run(args: string[], { input = '', own = {} }: { input?: string; own?: Record<string, string> } = {}) {
  const { code, stdout, stderr } = await lamella(args, {
    environment: { ...environment, ...own },
    input,
    cwd: directory,
  });
  return { code, stdout: stdout.toString(), stderr };
}

describe('lamella invoke', () => {
  it('sends several events, each several times, and sums up', async () => {
    writeFileSync(join(directory, 'b.json'), '{"b":1}');
    const events = ['-d', '1', '-d', '@b.json', '--repeat', '2', '--log-type', 'None'];
    const { code, stdout, stderr } = await run(['invoke', 'works', ...events]);
    expect(stdout).toBe('1\n1\n{"b":1}\n{"b":1}\n');
    expect(stderr).toMatch(/^4 invocations, 0 failed; fastest [\d.]+ ms, median [\d.]+ ms, slowest [\d.]+ ms\n$/);
    expect(code).toBe(0);
  });

  it('fails if one of them fails, and prints each as JSON with --json', async () => {
    const { code, stdout } = await run(['invoke', 'works', '-d', '1', '-d', '"fail"', '--json']);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toEqual([
      expect.objectContaining({ payload: 1, log: expect.stringContaining('got 1') }),
      expect.objectContaining({
        functionError: 'Unhandled',
        payload: expect.objectContaining({ errorType: 'Broken' }),
      }),
    ]);
    expect(code).toBe(1);
    expect((await run(['invoke', 'works', '--repeat', 'many'])).code).toBe(2);
    expect((await run(['invoke', 'works', '-d', '1', '-e', 'b.json'])).code).toBe(2);
  });

  it('with --remote never uses an endpoint that is set, and never sends made-up keys', async () => {
    const own = { AWS_ENDPOINT_URL: service.url, AWS_ENDPOINT_URL_LAMBDA: service.url, AWS_REGION: 'us-east-1' };
    const made = await run(['invoke', 'works', '--remote'], {
      own: { ...own, AWS_ACCESS_KEY_ID: 'lamella', AWS_SECRET_ACCESS_KEY: 'lamella' },
    });
    expect(made.stderr).toContain('"lamella" is not an access key of AWS');
    const none = await run(['invoke', 'works', '--remote'], {
      own: { ...own, HOME: directory, AWS_EC2_METADATA_DISABLED: 'true' },
    });
    expect(none.stderr).toContain('Cannot call AWS: ');
    const both = await run(['invoke', 'works', '--remote', '--endpoint-url', service.url]);
    expect(both.stderr).toContain('Give either --remote or --endpoint-url.');
    expect([made.code, none.code, both.code]).toEqual([2, 2, 2]);
    expect([made.stdout, none.stdout, both.stdout]).toEqual(['', '', '']);
  });
});

describe('lamella event', () => {
  it('writes an event that lamella invoke sends', async () => {
    const { code, stdout } = await run(['event', 's3', 'put', '--bucket', 'photos', '--json']);
    expect(code).toBe(0);
    expect(stdout.trimEnd()).not.toContain('\n');
    const invoked = await run(['invoke', 'works', '-d', '@-', '--log-type', 'None'], { input: stdout });
    expect(JSON.parse(invoked.stdout).Records[0].s3.bucket.name).toBe('photos');
    const saved = await run(['event', 'sqs', 'receive-message', '--body={"a":1}', '--save', 'sqs.json']);
    expect(saved.stderr).toBe('Saved sqs.json. Use it with: lamella invoke FUNCTION -e sqs.json\n');
    const fromFile = await run(['invoke', 'works', '-e', 'sqs.json', '--log-type', 'None']);
    expect(JSON.parse(fromFile.stdout).Records[0].body).toBe('{"a":1}');
  });

  it('lists events and fields, and names what was probably meant', async () => {
    expect((await run(['event'])).stdout).toContain('s3 put');
    expect(JSON.parse((await run(['event', '--json'])).stdout).events.length).toBeGreaterThan(68);
    expect((await run(['event', 's3'])).stdout.split('\n')).toHaveLength(4);
    expect((await run(['event', 's3', 'put', '--help'])).stdout).toMatch(/--bucket <value> +default: example-bucket/);
    expect((await run(['event', 's4'])).stderr).toContain('Unknown service "s4". Did you mean s3?');
    expect((await run(['event', 's3', 'putt'])).stderr).toContain('Did you mean put?');
    const wrong = await run(['event', 's3', 'put', '--buckt', 'x']);
    expect(wrong.stderr).toContain('s3 put has no field --buckt. Did you mean --bucket?');
    expect(wrong.code).toBe(2);
    expect((await run(['event', 's3', 'put', '--save', 'no/such/file'])).code).toBe(4);
  });
});

describe('lamella list', () => {
  it('prints what the service has, as text and as JSON', async () => {
    const { code, stdout } = await run(['list']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Functions\n {2}works {2}provided\.al2023 {2}128 MB {2}3 s {2}changed /);
    expect(stdout).toContain('Queues\n');
    expect(stdout).toMatch(/Schedules\n {2}nightly {2}cron\(0 3 \* \* \? \*\) {2}-> /);
    const json = JSON.parse((await run(['list', '--json'])).stdout);
    expect(json.functions.map(({ FunctionName }: { FunctionName: string }) => FunctionName)).toEqual(['works']);
    expect(json.queues.map(({ name }: { name: string }) => name).sort()).toEqual(['dead', 'orders']);
    expect((await run(['list', '--region', 'eu-west-1'])).stdout).toContain('Nothing in eu-west-1.');
  });
});

describe('lamella logs', () => {
  it('prints the log of a function without the lines of the platform, and as it is with --raw', async () => {
    await run(['invoke', 'works', '-d', '"find me"']);
    const { code, stdout } = await run(['logs', 'works', '--filter', '"find me"']);
    expect(stdout).toMatch(/^20\S+Z {2}got "find me"\n$/);
    expect(code).toBe(0);
    const raw = (await run(['logs', 'works', '--raw'])).stdout;
    expect(raw).toMatch(/START RequestId: [0-9a-f-]{36} Version: \$LATEST/);
    const all = (await run(['logs'])).stdout;
    expect(all).toMatch(/^20\S+Z works {2}got "find me"$/m);
    expect(all).toMatch(/^20\S+Z works {2}ended, (cold|warm), [\d.]+ ms.*, \d+ of 128 MB$/m);
    const lines = (await run(['logs', 'works', '--json'])).stdout.trimEnd().split('\n');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ function: 'works', logGroup: '/aws/lambda/works' });
  });

  it('follows', async () => {
    const following = spawn(LAMELLA, ['logs', '-f'], {
      env: cleanEnvironment(environment),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    const seen = new Promise<void>((resolve) => {
      following.stdout.on('data', (chunk: Buffer) => {
        text += chunk;
        if (text.includes('got "later"')) resolve();
      });
    });
    await once(following.stdout, 'data');
    await run(['invoke', 'works', '-d', '"later"']);
    await seen;
    following.kill('SIGTERM');
    await once(following, 'close');
    expect(text.split('got "later"')).toHaveLength(2);
  });

  it('names the function that was probably meant', async () => {
    const { code, stderr } = await run(['logs', 'wroks']);
    expect(stderr).toContain('Did you mean works?');
    expect(code).toBe(5);
    expect((await run(['logs', 'works', '--since', 'yesterday'])).stderr).toContain(
      '--since must be a time such as 10m',
    );
  });
});

describe('lamella queue', () => {
  it('sends, shows, takes, redrives and purges messages', async () => {
    expect((await run(['queue', 'send', 'orders', '-d', '@-'], { input: 'first message' })).stdout).toMatch(
      /^Sent [0-9a-f-]{36}\.\n$/,
    );
    expect((await run(['queue', 'list'])).stdout).toContain(
      'orders  1 waiting, 0 in flight, 0 delayed, dead letters to dead\n',
    );
    // Looked at twice, it moves to the dead-letter queue, as with every consumer.
    expect((await run(['queue', 'receive', 'orders'])).stdout).toContain('  first message\n');
    expect((await run(['queue', 'receive', 'orders'])).stdout).toBe('No messages.\n');
    expect((await run(['queue', 'redrive', 'dead'])).stdout).toBe('Moved 1 message from dead (COMPLETED).\n');
    const taken = JSON.parse((await run(['queue', 'receive', 'orders', '--delete', '--json'])).stdout);
    expect(taken.messages).toEqual([expect.objectContaining({ Body: 'first message' })]);
    await run(['queue', 'send', 'orders', '-d', 'second']);
    expect((await run(['queue', 'purge', 'orders'])).stdout).toBe('Removed all messages from orders.\n');
    expect((await run(['queue', 'receive', 'orders'])).stdout).toBe('No messages.\n');
  });

  it('names the queue that was probably meant', async () => {
    const { code, stderr } = await run(['queue', 'purge', 'oders']);
    expect(stderr).toContain('There is no queue "oders" in us-east-1. Did you mean orders?');
    expect(code).toBe(2);
    expect((await run(['queue', 'send', 'orders'])).stderr).toContain('Give the message with --data');
  });
});

describe('lamella schedule', () => {
  it('lists schedules, and sends their event now', async () => {
    expect((await run(['schedule', 'list'])).stdout).toMatch(/^nightly {2}cron\(0 3 \* \* \? \*\) -> .*works, next 20/);
    const fired = await run(['schedule', 'fire', 'nightly']);
    expect({ code: fired.code, stderr: fired.stderr }).toEqual({ code: 0, stderr: '' });
    const following = spawn(LAMELLA, ['logs', 'works', '-f', '--filter', '"from"'], {
      env: cleanEnvironment(environment),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(following.stdout, 'data');
    expect(String(line)).toContain('got {"from":"schedule"}');
    following.kill('SIGTERM');
    await once(following, 'close');
    const wrong = await run(['schedule', 'fire', 'nihgtly']);
    expect(wrong.stderr).toContain('Did you mean nightly?');
    expect(wrong.code).toBe(2);
  });
});
