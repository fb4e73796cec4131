/** The checks: each finds what is wrong, with its place, and nothing in a project that is right. */
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CACHE_DIR } from '../../../test/support/php-sandbox.ts';
import { systemClock } from '../../clock.ts';
import { buildProject } from '../build/build-project.ts';
import { checkProject } from './check-project.ts';
import { CHECKS, type CheckCode, type Finding } from './findings.ts';

const workspace = mkdtempSync(join(tmpdir(), 'lamella-check-test-'));
afterAll(() => rmSync(workspace, { recursive: true, force: true }));

async function check(
  name: string,
  files: Readonly<Record<string, string>>,
  prepare?: (directory: string) => void,
): Promise<Finding[]> {
  const directory = join(workspace, name);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), content, { mode: content.startsWith('#!') ? 0o755 : 0o644 });
  }
  prepare?.(directory);
  const project = await buildProject({
    file: join(directory, 'template.yaml'),
    buildDirectory: join(directory, '.aws-sam/build'),
    cacheDir: CACHE_DIR,
  });
  const clock = { ...systemClock, epochMs: () => Date.UTC(2026, 11, 1) };
  const findings = await checkProject(project, { region: 'us-east-1', parameters: new Map(), clock, problems: [] });
  return findings.map((each) => ({ ...each, file: relative(directory, each.file) }));
}

const BAD = {
  'template.yaml': `Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: provided.al2023}}
Parameters: {Stage: {Type: Number, MinValue: 1}}
Resources:
  Layer: {Type: 'AWS::Serverless::LayerVersion', Properties: {ContentUri: layer}}
  App:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: app
      Handler: index.php
      Layers: [!Ref Layer]
      Environment: {Variables: {AWS_REGION: x, LONG: ${'x'.repeat(4100)}}}
  Empty: {Type: 'AWS::Serverless::Function', Properties: {CodeUri: py, Handler: x, Architectures: [arm64], Layers: [!Ref Layer, a, b, c, d, e]}}
  Retired: {Type: 'AWS::Serverless::Function', Properties: {CodeUri: node, Handler: index.handler, Runtime: nodejs14.x}}
  Node:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: node, Handler: lost.handler, Runtime: nodejs20.x, Policies: [S3ReadPolicy: {BucketName: b}]}
  Python: {Type: 'AWS::Serverless::Function', Properties: {CodeUri: py, Handler: app.handler, Runtime: python3.13}}
  NoBootstrap: {Type: 'AWS::Serverless::Function', Properties: {CodeUri: py, Handler: x}}
  Url: {Type: 'AWS::Lambda::Url', Properties: {AuthType: NONE, TargetFunctionArn: !GetAtt App.Arn}}
  Zone: {Type: 'AWS::Route53::HostedZone', Properties: {Name: example.com}}
`,
  'app/bootstrap': '#!/usr/bin/php\r\n<?php\n',
  'app/index.php': `<?php
use Aws\\Sqs\\SqsClient;
file_put_contents('/var/log/x.log', 'a');
file_put_contents('/tmp/ok', 'a'); file_put_contents("php://stderr", 'a'); file_put_contents($unknown, 'a');
file_put_contents(__DIR__ . '/cache/x', 'a');
mkdir('cache'); $f = fopen("read.txt", 'r'); $g = fopen("write.txt", 'w');
// file_put_contents('/etc/comment', 1);
`,
  'app/vendor/x.php': "<?php file_put_contents('/var/vendor', 1);",
  'layer/extensions/mine': 'not executable',
  'node/index.mjs': `import { PutObjectCommand, GetObjectCommand } from '@aws-sdk/client-s3';
import { writeFileSync } from 'node:fs';
writeFileSync(join(import.meta.dirname, 'state.json'), '');
writeFileSync('/tmp/x', '');
export const handler = () => { new PutObjectCommand({}); new GetObjectCommand({}); };
`,
  'py/app.py': `import boto3
table = boto3.resource('dynamodb')
with open('/var/data.txt', 'w') as f: pass
with open('data.txt') as f: pass
`,
};

let findings: Finding[];
beforeAll(async () => {
  findings = await check('bad', BAD, (directory) => {
    chmodSync(join(directory, 'app/bootstrap'), 0o644);
    // A real program, for this machine's processor, that needs libraries which Amazon Linux 2023 does not have.
    mkdirSync(join(directory, 'layer/bin'));
    copyFileSync(realpathSync('/usr/bin/php'), join(directory, 'layer/bin/php'));
    writeFileSync(
      join(directory, 'layer/bin/half'),
      Buffer.concat([Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]), Buffer.alloc(100, 0xff)]),
    );
  });
}, 60_000);

const of = (code: CheckCode) =>
  findings
    .filter((each) => each.code === code)
    .map(({ file, line, logicalId }) => `${logicalId} ${file}${line === undefined ? '' : `:${line}`}`);

it('finds each mistake once, with its function and its place', () => {
  expect(of('bootstrap-mode')).toEqual(['App app/bootstrap', 'Layer layer/extensions/mine']);
  expect(of('crlf-shebang')).toEqual(['App app/bootstrap:1']);
  expect(of('interpreter-missing')).toEqual(['App app/bootstrap:1']);
  expect(of('elf-damaged')).toEqual(['Layer layer/bin/half']);
  expect(of('bootstrap-missing')).toEqual(['NoBootstrap template.yaml:19']);
  expect(of('environment-size')).toEqual(['App template.yaml:12']);
  expect(of('environment-reserved')).toEqual(['App template.yaml:12']);
  expect(of('layer-count')).toEqual(['Empty template.yaml:13']);
  expect(of('runtime-retired')).toEqual(['Retired template.yaml:14']);
  expect(of('runtime-deprecated')).toEqual(['Node template.yaml:17']);
  expect(of('handler-missing')).toEqual(['Node template.yaml:17']);
  expect(of('url-permission')).toEqual(['Url template.yaml:20']);
  expect(of('resource-recorded')).toEqual(['Zone template.yaml:21']);
  expect(of('write-outside-tmp')).toEqual([
    'App app/index.php:3',
    'App app/index.php:5',
    'App app/index.php:6',
    'App app/index.php:6',
    'Retired node/index.mjs:3',
    'Empty py/app.py:3',
  ]);
  expect(of('role-permission')).toEqual(
    expect.arrayContaining([
      'App app/index.php:2',
      'Node node/index.mjs:5',
      'Retired node/index.mjs:5',
      'Python py/app.py:2',
    ]),
  );
  const node = findings.filter(({ code, logicalId }) => code === 'role-permission' && logicalId === 'Node');
  expect(node.map(({ message }) => message)).toEqual([
    'the code uses PutObject, and the role NodeRole does not allow s3:PutObject',
  ]);
});

it('judges programs by the processor and the libraries of AWS', () => {
  const missing = findings.filter(({ code }) => code === 'library-missing').map(({ message }) => message);
  expect(missing).toContainEqual(
    expect.stringMatching(/^bin\/php needs libargon2\.so\.1, which neither a layer nor Amazon Linux 2023 has$/),
  );
  expect(missing.join()).not.toMatch(/libz\.so|libc\.so/);
  expect(of('glibc').every((each) => each.startsWith('Layer layer/bin/php'))).toBe(true);
});

it('finds programs for another processor', async () => {
  const other = await check(
    'arm',
    {
      'template.yaml':
        "Transform: AWS::Serverless-2016-10-31\nResources: {F: {Type: 'AWS::Serverless::Function', Properties: {CodeUri: src, Handler: x, Runtime: provided.al2023, Architectures: [arm64]}}}",
      'src/x': '',
    },
    (directory) => {
      copyFileSync('/bin/true', join(directory, 'src/bootstrap'));
      chmodSync(join(directory, 'src/bootstrap'), 0o755);
    },
  );
  expect(other.map(({ code, message }) => [code, message])).toContainEqual([
    'architecture',
    'bootstrap is for x86_64, and the function for arm64',
  ]);
});

it('has nothing to say of a project that is right', async () => {
  const right = await check('right', {
    'template.yaml': `Transform: AWS::Serverless-2016-10-31
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      {CodeUri: src, Handler: x, Runtime: provided.al2023, FunctionUrlConfig: {AuthType: NONE}, Environment: {Variables: {QUEUE: !Ref Q}}, Policies: [SQSSendMessagePolicy: {QueueName: !GetAtt Q.QueueName}]}
  N:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: node, Handler: index.handler, Runtime: nodejs24.x, Policies: [AmazonS3FullAccess, SomeUnknownPolicy]}
  Q: {Type: 'AWS::SQS::Queue'}
`,
    'src/bootstrap': '#!/bin/sh\necho hi > /tmp/x\n',
    'src/send.php': "<?php use Aws\\Sqs\\SqsClient; file_put_contents('/tmp/x', 1);",
    'node/index.mjs':
      "import { PutItemCommand } from '@aws-sdk/client-dynamodb';\nexport const handler = () => new PutItemCommand({});",
  });
  expect(right).toEqual([]);
});

it('has a test for every check but those of sizes and templates, which others have', () => {
  const found = new Set(findings.map(({ code }) => code));
  const elsewhere: CheckCode[] = ['template', 'size-unzipped', 'architecture', 'glibc'];
  expect(
    Object.keys(CHECKS).filter((code) => !found.has(code as CheckCode) && !elsewhere.includes(code as CheckCode)),
  ).toEqual([]);
});
