/** Typed events created from the sample events in AWS's documentation. Every member is read. */
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startFakeRuntimeApi } from '../support/fake-runtime-api.ts';
import { laidOutPhpLayer, spawnInside, temporaryDirectory, writePackage } from '../support/php-sandbox.ts';
import { evaluate } from './php-program.ts';

const directory = temporaryDirectory();
let opt: string;
beforeAll(async () => {
  opt = await laidOutPhpLayer(directory.path, { extensions: [] });
}, 120_000);
afterAll(directory.remove);

const LAMBDA = 'https://docs.aws.amazon.com/lambda/latest/dg';
const GATEWAY = 'https://docs.aws.amazon.com/apigateway/latest/developerguide';
const COGNITO = 'https://docs.aws.amazon.com/cognito/latest/developerguide';
/** Fixture, event class, and the page of AWS that documents the sample. */
const SAMPLES = [
  ['sqs', 'SqsEvent', `${LAMBDA}/with-sqs.html`],
  ['sqs-fifo', 'SqsEvent', `${LAMBDA}/with-sqs.html`],
  ['sns', 'SnsEvent', `${LAMBDA}/with-sns.html`],
  ['s3', 'S3Event', `${LAMBDA}/with-s3.html`],
  ['eventbridge', 'EventBridgeEvent', `${LAMBDA}/with-eventbridge-scheduler.html`],
  ['dynamodb', 'DynamoDbEvent', `${LAMBDA}/with-ddb.html`],
  ['kinesis', 'KinesisEvent', `${LAMBDA}/with-kinesis.html`],
  ['kafka', 'KafkaEvent', `${LAMBDA}/with-msk.html`],
  ['kafka-self-managed', 'KafkaEvent', `${LAMBDA}/with-kafka.html`],
  ['activemq', 'MqEvent', `${LAMBDA}/with-mq.html`],
  ['rabbitmq', 'MqEvent', `${LAMBDA}/with-mq.html`],
  ['websocket', 'WebSocketEvent', `${GATEWAY}/apigateway-websocket-api-mapping-template-reference.html`],
  ['cognito-pre-sign-up', 'CognitoEvent', `${COGNITO}/user-pool-lambda-pre-sign-up.html`],
  ['cognito-pre-token-generation-v2', 'CognitoEvent', `${COGNITO}/user-pool-lambda-pre-token-generation.html`],
  ['ses', 'SesEvent', 'https://docs.aws.amazon.com/ses/latest/dg/receiving-email-action-lambda-event.html'],
  ['cloudwatch-logs', 'CloudWatchLogsEvent', `${LAMBDA}/services-cloudwatchlogs.html`],
  ['iot-rule', 'IotEvent', 'https://docs.aws.amazon.com/iot/latest/developerguide/lambda-rule-action.html'],
  [
    'iot-authorizer',
    'IotAuthorizerEvent',
    'https://docs.aws.amazon.com/iot/latest/developerguide/config-custom-auth.html',
  ],
  ['authorizer-token', 'AuthorizerEvent', `${GATEWAY}/api-gateway-lambda-authorizer-input.html`],
  ['authorizer-http-2', 'AuthorizerEvent', `${GATEWAY}/http-api-lambda-authorizer.html`],
  ['appsync', 'AppSyncEvent', 'https://docs.aws.amazon.com/appsync/latest/devguide/resolver-context-reference-js.html'],
  [
    'appsync-batch',
    'AppSyncBatchEvent',
    'https://docs.aws.amazon.com/appsync/latest/devguide/tutorial-lambda-resolvers.html',
  ],
  [
    'cloudwatch-alarm',
    'CloudWatchAlarmEvent',
    'https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html',
  ],
  [
    'appsync-authorizer',
    'AppSyncAuthorizerEvent',
    'https://docs.aws.amazon.com/appsync/latest/devguide/security-authz.html',
  ],
  ['firehose', 'FirehoseEvent', `${LAMBDA}/services-kinesisfirehose.html`],
  [
    'custom-resource',
    'CustomResourceEvent',
    'https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requesttypes-create.html',
  ],
  [
    's3-object-lambda',
    'S3ObjectLambdaEvent',
    'https://docs.aws.amazon.com/AmazonS3/latest/userguide/olap-event-context.html',
  ],
  ['s3-batch', 'S3BatchEvent', 'https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html'],
  [
    'config-rule',
    'ConfigEvent',
    'https://docs.aws.amazon.com/config/latest/developerguide/evaluate-config_develop-rules_example-events.html',
  ],
  [
    'secret-rotation',
    'SecretRotationEvent',
    'https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html',
  ],
  [
    'codepipeline',
    'CodePipelineEvent',
    'https://docs.aws.amazon.com/codepipeline/latest/userguide/actions-invoke-lambda-function.html',
  ],
  ['lex-v2', 'LexEvent', 'https://docs.aws.amazon.com/lexv2/latest/dg/lambda-input-format.html'],
] as const;

type Sample = (typeof SAMPLES)[number][0];
const sample = (name: Sample) => readFileSync(resolve(import.meta.dirname, `../fixtures/events/${name}.json`), 'utf8');

const READ_EVERYTHING = `(function ($in) {
  $count = 0;
  $read = function ($shape, $raw) use (&$read, &$count) {
    foreach ($raw as $name => $value) {
      $seen = is_array($shape) ? $shape[$name] : $shape->{(string) $name};
      if (is_object($seen) || (is_array($seen) && is_object(reset($seen)))) { $read($seen, $value); continue; }
      if ($seen !== $value) throw new Exception("{$name} differs");
      $count++;
    }
  };
  $class = "Lamella\\\\Event\\\\{$in[0]}";
  $event = $class::of(json_decode($in[1], true));
  $read($event, json_decode($in[1], true));
  return [$count > 0, $event->toArray() === json_decode($in[1], true), $event->missing, isset($event->missing)];
})($in)`;

describe('every member of the sample events of AWS', () => {
  let results: unknown[];
  beforeAll(() => {
    const inputs = SAMPLES.map(([name, type]) => [type, sample(name)]);
    results = evaluate(opt, directory.path, READ_EVERYTHING, inputs);
  });
  it.each(SAMPLES.map(([name, type, url], index) => ({ name, type, url, index })))(
    'can be read through $type: $name ($url)',
    ({ index }) => {
      expect(results[index]).toEqual([true, true, null, false]);
    },
  );
});

describe('the methods of the events', () => {
  const ROWS: readonly (readonly [string, Sample, string, unknown])[] = [
    ['a message attribute', 'sqs', 'Event\\SqsEvent::of($in)->Records[0]->attribute("myAttribute")', 'myValue'],
    ['the count of deliveries', 'sqs', 'Event\\SqsEvent::of($in)->Records[1]->receiveCount()', 1],
    [
      'partial batch failures',
      'sqs',
      'Event\\SqsEvent::of($in)->each(fn ($r) => $r->messageId[0] === "2" ? throw new Exception("no") : 1)',
      { batchItemFailures: [{ itemIdentifier: '2e1424d4-f796-459a-8184-9c92662be6da' }] },
    ],
    [
      'the messages of ActiveMQ under its other name',
      'activemq',
      'count(Event\\MqEvent::of(["eventSource" => "aws:amq"] + $in)->all())',
      1,
    ],
    [
      'each field of a batch',
      'appsync-batch',
      'Event\\AppSyncBatchEvent::of($in)->each(fn ($e) => $e->fieldName() . " " . $e->argument("id"))',
      ['getSomething my identifier', 'getSomething another'],
    ],
    [
      'the state of an alarm',
      'cloudwatch-alarm',
      '[($e = Event\\CloudWatchAlarmEvent::of($in))->alarmName(), $e->state(), $e->previousState(), $e->reason()]',
      ['lambda-demo-metric-alarm', 'ALARM', 'INSUFFICIENT_DATA', 'test'],
    ],
    ['an empty list when none failed', 'sqs', 'Event\\SqsEvent::of($in)->each(fn () => 1)', { batchItemFailures: [] }],
    [
      'a text and an attribute of a notification',
      'sns',
      '[($m = Event\\SnsEvent::of($in)->Records[0]->Sns)->Message, $m->attribute("Test")]',
      ['Hello from SNS!', 'TestString'],
    ],
    [
      'the key of an object, decoded',
      's3',
      '[($r = Event\\S3Event::of($in)->Records[0])->bucket(), $r->key(), $r->size()]',
      ['amzn-s3-demo-bucket', 'Happy Face+smile.jpg', 1024],
    ],
    ['the detail type', 'eventbridge', 'Event\\EventBridgeEvent::of($in)->detailType()', 'Scheduled Event'],
    [
      'items of DynamoDB as plain values',
      'dynamodb',
      'Event\\DynamoDbEvent::of($in)->Records[0]->newImage()',
      {
        Message: 'New item!',
        Id: 101,
        Map: { list: [true, null, 1.5, 'hi'], set: [1, 2], words: ['a'] },
        Big: '12345678901234567890',
      },
    ],
    [
      'no image where there is none',
      'dynamodb',
      '[($r = Event\\DynamoDbEvent::of($in)->Records[0])->oldImage(), $r->keys()]',
      [null, { Id: 101 }],
    ],
    [
      'where a stream is to begin again',
      'dynamodb',
      'Event\\DynamoDbEvent::of($in)->each(fn ($r) => $r->eventID === "2" ? throw new Exception("no") : 1)',
      { batchItemFailures: [{ itemIdentifier: '222' }] },
    ],
    ['the data of a stream', 'kinesis', 'Event\\KinesisEvent::of($in)->Records[0]->data()', 'Hello, this is a test.'],
    [
      'the first record that failed and none after it',
      'kinesis',
      'Event\\KinesisEvent::of($in)->each(fn () => throw new Exception("no"))',
      { batchItemFailures: [{ itemIdentifier: '49590338271490256608559692538361571095921575989136588898' }] },
    ],
    [
      'values and headers of Kafka',
      'kafka',
      '[($r = Event\\KafkaEvent::of($in)->all()[0])->valueBytes(), $r->headerValues()]',
      ['Hello, this is a test.', { headerKey: 'headerValueü' }],
    ],
    ['messages of ActiveMQ', 'activemq', 'Event\\MqEvent::of($in)->all()[0]->bytes()', 'ABC:AAAA'],
    ['messages of RabbitMQ', 'rabbitmq', 'Event\\MqEvent::of($in)->all()[0]->json()["timeout"]', 0],
    [
      'the connection of a WebSocket',
      'websocket',
      '[($e = Event\\WebSocketEvent::of($in))->connectionId(), $e->eventType(), $e->managementEndpoint()]',
      ['BvLUzfpsoAMCKZQ=', 'CONNECT', 'https://abcd1234.execute-api.us-east-1.amazonaws.com/prod'],
    ],
    [
      'the verdict over a mail',
      'ses',
      '[($r = Event\\SesEvent::of($in)->Records[0])->passed(), $r->subject()]',
      [true, 'Example subject'],
    ],
    [
      'log events, unpacked',
      'cloudwatch-logs',
      '[($l = Event\\CloudWatchLogsEvent::of($in)->logs())->logGroup, count($l->logEvents)]',
      ['/aws/lambda/echo-nodejs', 1],
    ],
    ['the password of a device', 'iot-authorizer', 'Event\\IotAuthorizerEvent::of($in)->mqttPassword()', 'myPassword'],
    [
      'a policy',
      'authorizer-token',
      'Event\\AuthorizerEvent::of($in)->allow("me", ["k" => 1])',
      {
        principalId: 'me',
        policyDocument: {
          Version: '2012-10-17',
          Statement: [
            {
              Action: 'execute-api:Invoke',
              Effect: 'Allow',
              Resource: 'arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/GET/request',
            },
          ],
        },
        context: { k: 1 },
      },
    ],
    [
      'a simple answer, and the token',
      'authorizer-http-2',
      '[($e = Event\\AuthorizerEvent::of($in))->simple(true), $e->token(), $e->header("Header1")]',
      [{ isAuthorized: true, context: {} }, 'user1', 'value1'],
    ],
    [
      'the field to resolve',
      'appsync',
      '[($e = Event\\AppSyncEvent::of($in))->fieldName(), $e->argument("id")]',
      ['getSomething', 'my identifier'],
    ],
    [
      'transformed records',
      'firehose',
      'Event\\FirehoseEvent::of($in)->transform(fn ($r) => match ($r->bytes()) { "drop" => null, "fail" => throw new Exception("no"), default => strtoupper($r->bytes()) })',
      {
        records: [
          {
            recordId: '49546986683135544286507457936321625675700192471156785154',
            result: 'Ok',
            data: 'SEVMTE8gV09STEQ=',
          },
          { recordId: '49546986683135544286507457936321625675700192471156785155', result: 'Dropped', data: '' },
          {
            recordId: '49546986683135544286507457936321625675700192471156785156',
            result: 'ProcessingFailed',
            data: 'ZmFpbA==',
          },
        ],
      },
    ],
    [
      'results of a batch',
      's3-batch',
      'Event\\S3BatchEvent::of($in)->each(fn ($t) => $t["s3Key"])["results"]',
      [{ taskId: 'dGFza2lkZ29lc2hlcmUK', resultCode: 'Succeeded', resultString: 'customerImage1.jpg' }],
    ],
    [
      'parameters of a rule',
      'config-rule',
      'Event\\ConfigEvent::of($in)->parameters()',
      { myParameterKey: 'myParameterValue' },
    ],
    [
      'parameters of a job',
      'codepipeline',
      'Event\\CodePipelineEvent::of($in)->userParameters()',
      'some-input-such-as-a-URL',
    ],
    [
      'a member by its path',
      's3',
      '[Event\\S3Event::of($in)->get("Records.0.s3.bucket.arn"), Event\\S3Event::of($in)->get("Records.9.s3", "none")]',
      ['arn:aws:s3:::amzn-s3-demo-bucket', 'none'],
    ],
    [
      'a refusal by name for an event of another source',
      's3',
      'Event\\SqsEvent::of($in)',
      {
        thrown: 'Lamella\\Event\\UnexpectedEvent',
        message:
          'The handler expects SqsEvent, but the event is from aws:s3 (Records). Declare the parameter as array to accept any event.',
      },
    ],
  ];
  it.each(ROWS)('%s (%s)', (_name, from, expression, expected) => {
    expect(evaluate(opt, directory.path, expression, [JSON.parse(sample(from))])).toEqual([expected]);
  });

  it('a FIFO queue keeps its order: later messages of a failed group fail too, other groups continue', () => {
    const [record] = (JSON.parse(sample('sqs-fifo')) as { Records: { attributes: object }[] }).Records;
    const message = (messageId: string, MessageGroupId: string) => ({
      ...record,
      messageId,
      attributes: { MessageGroupId },
    });
    const event = { Records: [message('a1', 'a'), message('b1', 'b'), message('a2', 'a'), message('b2', 'b')] };
    const each =
      '(function ($in) { $seen = []; $r = Event\\SqsEvent::of($in)->each(function ($m) use (&$seen) { $seen[] = $m->messageId; if ($m->messageId === "a1") throw new Exception("no"); }); return [$seen, $r]; })($in)';
    expect(evaluate(opt, directory.path, each, [event])).toEqual([
      [['a1', 'b1', 'b2'], { batchItemFailures: [{ itemIdentifier: 'a1' }, { itemIdentifier: 'a2' }] }],
    ]);
  });
});

describe('the management endpoint of a WebSocket API', () => {
  const at = (domainName: string, more: object = {}) => ({
    requestContext: { connectionId: 'c', stage: 'production', domainName, ...more },
  });
  it('has the stage on the domain of the API, and the path of the mapping on a custom domain', () => {
    const domains = [
      at('abc.execute-api.eu-west-1.amazonaws.com'),
      at('abc.execute-api.cn-north-1.amazonaws.com.cn'),
      at('ws.example.com'),
      at('ws.example.com', { stage: '$default' }),
    ];
    const expression =
      '[($e = Event\\WebSocketEvent::of($in))->managementEndpoint(), $e->managementEndpoint("chat"), $e->managementEndpoint("/v1/chat/")]';
    const own = 'https://abc.execute-api.eu-west-1.amazonaws.com/production';
    const china = 'https://abc.execute-api.cn-north-1.amazonaws.com.cn/production';
    const custom = 'https://ws.example.com';
    expect(evaluate(opt, directory.path, expression, domains)).toEqual([
      [own, own, own],
      [china, china, china],
      [custom, `${custom}/chat`, `${custom}/v1/chat`],
      [custom, `${custom}/chat`, `${custom}/v1/chat`],
    ]);
  });
});

describe('a handler', () => {
  let started: ChildProcess | undefined;
  const run = async (source: string, event: string) => {
    const api = await startFakeRuntimeApi();
    const task = writePackage(join(directory.path, `task-${Math.random()}`), { 'index.php': source });
    started = spawnInside({
      opt,
      task,
      argv: ['/opt/bootstrap'],
      environment: { AWS_LAMBDA_RUNTIME_API: api.address, LAMBDA_TASK_ROOT: '/var/task', _HANDLER: 'index.php' },
    });
    try {
      return await api.invoke(event);
    } finally {
      started.kill('SIGKILL');
      await api.close();
    }
  };

  it('gets an event of the type that it declares', async () => {
    const source = '<?php return fn (Lamella\\Event\\SqsEvent $e) => $e->Records[0]->body;';
    expect(await run(source, sample('sqs'))).toMatchObject({ kind: 'response', body: '"Test message."' });
  });

  it('gets an error that names the source of an unexpected event', async () => {
    const source = '<?php return fn (Lamella\\Event\\SqsEvent $e) => 1;';
    const { kind, body } = await run(source, sample('sns'));
    expect(kind).toBe('error');
    expect(JSON.parse(body)).toMatchObject({ errorMessage: expect.stringContaining('but the event is from aws:sns') });
  });

  it('returns an event unchanged, including `{}`', async () => {
    const event = '{"version":"0","source":"aws.x","detail-type":"t","detail":{"empty":{},"list":[],"n":1.0}}';
    const source = '<?php return fn (Lamella\\Event\\EventBridgeEvent $e) => $e;';
    expect((await run(source, event)).body).toBe(event);
  });

  it('returns a Cognito event with only the response changed, including `{}`', async () => {
    const source = '<?php return fn (Lamella\\Event\\CognitoEvent $e) => $e->respond(["autoConfirmUser" => true]);';
    const { body } = await run(source, sample('cognito-pre-sign-up'));
    const expected = sample('cognito-pre-sign-up').replace('"autoConfirmUser": false', '"autoConfirmUser": true');
    expect(JSON.parse(body)).toEqual(JSON.parse(expected));
    expect(body).toContain('"validationData":{}');
  });

  it.each([
    [
      'the attributes that it returns',
      'return ["PhysicalResourceId" => "it", "Arn" => "x"];',
      { Status: 'SUCCESS', PhysicalResourceId: 'it', Data: { Arn: 'x' } },
    ],
    [
      'the reason when it throws',
      'throw new Exception("no such thing");',
      { Status: 'FAILED', Reason: 'no such thing', PhysicalResourceId: 'resource-logical-id' },
    ],
  ])('of a custom resource reports %s to CloudFormation', async (_name, code, expected) => {
    let put: { request: IncomingMessage; body: string } | undefined;
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        put = { request, body };
        response.end();
      });
    });
    await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle));
    const { port } = server.address() as AddressInfo;
    const event = sample('custom-resource').replace(
      'http://pre-signed-url-for-response',
      `http://127.0.0.1:${port}/put`,
    );
    const source = `<?php return fn (Lamella\\Event\\CustomResourceEvent $e) => $e->handle(function ($e) { ${code} });`;
    expect(await run(source, event)).toMatchObject({ kind: 'response', body: 'null' });
    server.close();
    expect(put?.request.method).toBe('PUT');
    expect(JSON.parse(put?.body ?? '')).toMatchObject({
      ...expected,
      RequestId: 'unique-request-id',
      LogicalResourceId: 'resource-logical-id',
    });
  });
});
