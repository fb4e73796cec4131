/**
 * A PHP function with a runtime layer and a Composer vendor layer, in a SAM template with every type of event that acts here,
 * by the unmodified AWS CLI: package, deploy, an update, delete-stack.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { PublishCommand, SNSClient } from '@aws-sdk/client-sns';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildComposerLayer } from '../../src/packaging/composer/composer-layer.ts';
import { buildPhpLayer } from '../../src/packaging/php/php-layer.ts';
import { type AwsCli, awsCli, findAwsCli } from '../support/aws-cli.ts';
import { buildIfStale } from '../support/built-cli.ts';
import { documentedLines, runLines } from '../support/documented-lines.ts';
import { type Listener, listenForEvents } from '../support/event-listener.ts';
import { requestHost } from '../support/host-request.ts';
import { CACHE_DIR, writePackage } from '../support/php-sandbox.ts';
import { type RunningService, startService } from '../support/running-service.ts';
import { StackClient } from '../support/stack-client.ts';

const VERSION = '8.4';
const STACK = 'hello';

let directory: string;
let service: RunningService;
let listener: Listener;
let aws: string;
let cli: AwsCli;
let stacks: StackClient;
let sqs: SQSClient;
let sns: SNSClient;
let events: EventBridgeClient;

beforeAll(async () => {
  buildIfStale();
  const found = findAwsCli();
  if (found === undefined) throw new Error('install the AWS CLI version 2: apt-get install awscli');
  aws = found;
  directory = mkdtempSync(join(tmpdir(), 'lamella-deployed-php-'));
  writeProject(join(directory, 'project'));
  [service, listener] = await Promise.all([startService(), listenForEvents()]);
  cli = awsCli(aws, service.url, directory);
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const options = { endpoint: service.url, region: 'us-east-1', credentials, maxAttempts: 1 };
  stacks = new StackClient(service.url);
  sqs = new SQSClient(options);
  sns = new SNSClient(options);
  events = new EventBridgeClient(options);
  const project = join(directory, 'project');
  await buildPhpLayer({ version: VERSION, output: join(project, 'php.zip'), cacheDir: CACHE_DIR });
  await buildComposerLayer({
    directory: project,
    output: join(project, 'vendor.zip'),
    version: VERSION,
    cacheDir: CACHE_DIR,
  });
}, 300_000);
afterAll(async () => {
  cli.close();
  for (const client of [stacks.client, sqs, sns, events]) client.destroy();
  await service.close();
  await listener.close();
  rmSync(directory, { recursive: true });
});

const handler = (word: string) => `<?php
use Acme\\Greeter;

return function (array $event): array {
    $options = ['method' => 'POST', 'content' => json_encode($event), 'ignore_errors' => true];
    file_get_contents(getenv('LISTENER'), false, stream_context_create(['http' => $options]));
    return ['statusCode' => 200, 'body' => Greeter::greet('${word}')];
};
`;

const TEMPLATE = `Transform: AWS::Serverless-2016-10-31
Parameters:
  Listener: { Type: String }
Globals:
  Function:
    Runtime: provided.al2023
    Timeout: 20
    MemorySize: 512
    Layers: [!Ref Php, !Ref Vendor]
Resources:
  Php:
    Type: AWS::Serverless::LayerVersion
    Properties: { ContentUri: php.zip, RetentionPolicy: Delete }
  Vendor:
    Type: AWS::Serverless::LayerVersion
    Properties: { ContentUri: vendor.zip, RetentionPolicy: Delete }
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src/
      Handler: index.php
      AutoPublishAlias: live
      FunctionUrlConfig: { AuthType: NONE }
      Environment: { Variables: { LISTENER: !Ref Listener } }
      Policies:
        - SQSPollerPolicy: { QueueName: !GetAtt Jobs.QueueName }
      Events:
        Rest: { Type: Api, Properties: { Path: /rest, Method: get } }
        Http: { Type: HttpApi, Properties: { Path: /http, Method: get } }
        Job: { Type: SQS, Properties: { Queue: !GetAtt Jobs.Arn } }
        Note: { Type: SNS, Properties: { Topic: !Ref Notes } }
        Queued: { Type: SNS, Properties: { Topic: !Ref Queued, SqsSubscription: true } }
        Order: { Type: EventBridgeRule, Properties: { Pattern: { source: [shop] } } }
        Hourly: { Type: Schedule, Properties: { Schedule: rate(1 hour), Input: '{"from":"Schedule"}' } }
        File: { Type: S3, Properties: { Bucket: !Ref Files, Events: s3:ObjectCreated:* } }
        Line: { Type: CloudWatchLogs, Properties: { LogGroupName: !Ref Lines, FilterPattern: '' } }
        Daily: { Type: ScheduleV2, Properties: { ScheduleExpression: rate(1 day), Input: '{"from":"ScheduleV2"}' } }
  Files: { Type: AWS::S3::Bucket, Properties: { BucketName: files } }
  Lines: { Type: AWS::Logs::LogGroup, Properties: { LogGroupName: lines } }
  Jobs: { Type: AWS::SQS::Queue }
  Notes: { Type: AWS::SNS::Topic }
  Queued: { Type: AWS::SNS::Topic }
Outputs:
  Url: { Value: !GetAtt HelloUrl.FunctionUrl }
  Rest: { Value: !Sub 'https://\${ServerlessRestApi}.execute-api.\${AWS::Region}.amazonaws.com/Prod/rest' }
  Http: { Value: !Sub 'https://\${ServerlessHttpApi}.execute-api.\${AWS::Region}.\${AWS::URLSuffix}/http' }
  Jobs: { Value: !Ref Jobs }
  Notes: { Value: !Ref Notes }
  Queued: { Value: !Ref Queued }
`;

function writeProject(path: string): void {
  mkdirSync(path);
  writePackage(path, {
    'template.yaml': TEMPLATE,
    'src/index.php': handler('World'),
    'composer.json': JSON.stringify({
      require: { 'acme/greeter': '*' },
      repositories: [{ type: 'path', url: '../library' }, { 'packagist.org': false }],
    }),
    '../library/composer.json': JSON.stringify({
      name: 'acme/greeter',
      version: '1.0.0',
      autoload: { 'psr-4': { 'Acme\\': '' } },
    }),
    '../library/Greeter.php': `<?php
namespace Acme;

final class Greeter
{
    public static function greet(string $name): string
    {
        return 'Hello ' . $name . ' from PHP ' . PHP_MAJOR_VERSION . '.' . PHP_MINOR_VERSION;
    }
}
`,
  });
}

/** Packages the project and deploys it by the lines of the documentation. */
async function deploy(): Promise<void> {
  const [pack = '', line = ''] = documentedLines('AWS CLI');
  const { code, stdout, stderr } = await runLines(
    [pack, `${line} --parameter-overrides Listener=${listener.url}/php`],
    {
      cwd: join(directory, 'project'),
      environment: { AWS_ENDPOINT_URL: service.url, HOME: directory },
      programs: [dirname(aws)],
    },
  );
  expect(code, stderr).toBe(0);
  expect(stdout.toString()).toContain(`Successfully created/updated stack - ${STACK}`);
}

async function succeeded(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await cli.run(...words);
  expect(code, stderr).toBe(0);
  return stdout;
}

const unread: unknown[] = [];

/** Waits until the function has received an event with these members. Others stay for later. */
async function received(members: Record<string, unknown>): Promise<void> {
  const wanted = expect.objectContaining(members);
  for (;;) {
    const at = unread.findIndex((event) => wanted.asymmetricMatch(event));
    if (at >= 0) return void unread.splice(at, 1);
    unread.push((await listener.next('php')).event);
  }
}

/** A list with one record that has these members. */
const record = (members: object) => [expect.objectContaining(members)];

describe('a PHP function in a SAM template', () => {
  let outputs: Record<string, string | undefined>;
  const get = (name: string) => {
    const { hostname, pathname } = new URL(outputs[name] ?? '');
    return requestHost(service.lamella.http.url, hostname, pathname);
  };

  it('is packaged and deployed by the AWS CLI, with its layers, and responds at each of its URLs', async () => {
    await succeeded('s3api', 'create-bucket', '--bucket', 'artifacts');
    await deploy();
    outputs = stacks.outputs(await stacks.describe(STACK));
    for (const [name, member] of [
      ['Url', { rawPath: '/' }],
      ['Rest', { resource: '/rest' }],
      ['Http', { routeKey: 'GET /http' }],
    ] as const) {
      expect(await get(name)).toMatchObject({ status: 200, text: `Hello World from PHP ${VERSION}` });
      await received(member);
    }
  }, 120_000);

  it('is invoked by queues, topics, rules, schedules, buckets and log groups', async () => {
    await sqs.send(new SendMessageCommand({ QueueUrl: outputs.Jobs ?? '', MessageBody: 'job' }));
    await received({ Records: record({ eventSource: 'aws:sqs', body: 'job' }) });
    await sns.send(new PublishCommand({ TopicArn: outputs.Notes, Message: 'note' }));
    await received({ Records: record({ Sns: expect.objectContaining({ Message: 'note' }) }) });
    await sns.send(new PublishCommand({ TopicArn: outputs.Queued, Message: 'queued' }));
    await received({ Records: record({ body: expect.stringContaining('"Message" : "queued"') }) });
    const order = { Source: 'shop', DetailType: 'order', Detail: '{"id":1}' };
    await events.send(new PutEventsCommand({ Entries: [order] }));
    await received({ source: 'shop', detail: { id: 1 } });
    await succeeded('s3api', 'put-object', '--bucket', 'files', '--key', 'a.txt');
    await received({ Records: record({ eventSource: 'aws:s3', eventName: 'ObjectCreated:Put' }) });
    await succeeded('s3api', 'delete-object', '--bucket', 'files', '--key', 'a.txt');
    const stream = ['--log-group-name', 'lines', '--log-stream-name', 'one'];
    await succeeded('logs', 'create-log-stream', ...stream);
    await succeeded('logs', 'put-log-events', ...stream, '--log-events', `timestamp=${Date.now()},message=line`);
    await received({ awslogs: expect.anything() });
    service.lamella.clock.advance(24 * 3600_000);
    await received({ from: 'Schedule' });
    await received({ from: 'ScheduleV2' });
  });

  it('gets new code by the next deployment, behind a new version', async () => {
    const before = await cli.json('lambda', 'list-layer-versions', '--layer-name', 'Php');
    writePackage(join(directory, 'project'), { 'src/index.php': handler('again') });
    await deploy();
    expect((await get('Url')).text).toBe(`Hello again from PHP ${VERSION}`);
    expect(await cli.json('lambda', 'list-layer-versions', '--layer-name', 'Php')).toEqual(before);
    expect((await stacks.describe(STACK)).StackStatus).toBe('UPDATE_COMPLETE');
    const again = ['deploy', '--template-file', 'project/packaged.yaml', '--stack-name', STACK];
    const capabilities = ['--capabilities', 'CAPABILITY_IAM', 'CAPABILITY_AUTO_EXPAND'];
    expect(await succeeded('cloudformation', ...again, ...capabilities)).toContain(
      `No changes to deploy. Stack ${STACK} is up to date`,
    );
  }, 60_000);

  it('is deleted without a trace but its log group and the artifacts, as on AWS', async () => {
    for (const words of [['delete-stack'], ['wait', 'stack-delete-complete']]) {
      await succeeded('cloudformation', ...words, '--stack-name', STACK);
    }
    const left = {
      'lambda list-functions': { Functions: [] },
      'lambda list-layers': { Layers: [] },
      'lambda list-event-source-mappings': { EventSourceMappings: [] },
      'iam list-roles': { Roles: [] },
      'sqs list-queues': undefined,
      'sns list-topics': { Topics: [] },
      'sns list-subscriptions': { Subscriptions: [] },
      'events list-rules': { Rules: [] },
      'scheduler list-schedules': { Schedules: [] },
      'apigateway get-rest-apis': { items: [] },
      'apigatewayv2 get-apis': { Items: [] },
    };
    for (const [command, nothing] of Object.entries(left)) {
      expect([command, await cli.json(...command.split(' '))]).toEqual([command, nothing]);
    }
    const { environments } = (await (await fetch(`${service.url}/_lamella/environments`)).json()) as {
      environments: unknown[];
    };
    expect(environments).toEqual([]);
  });
});
