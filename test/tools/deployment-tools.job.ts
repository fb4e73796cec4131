/**
 * Unmodified deployment tools from npm, by the lines of docs/deployment-tools.md: osls, Serverless Framework 3 (on version 2 of
 * AWS's SDK, through the preload of `lamella run`) and the AWS CDK. The tools are large and are no dependencies of this
 * repository: each is installed into a directory of its own.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetFunctionCommand, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildIfStale, cleanEnvironment, type Ended, LAMELLA } from '../support/built-cli.ts';
import { documentedLines, runLines } from '../support/documented-lines.ts';
import { type RunningService, startService } from '../support/running-service.ts';
import { StackClient } from '../support/stack-client.ts';
import { until } from '../support/until.ts';

const TEN_MINUTES = 600_000;
const handler = (word: string) => `exports.hello = async (event) => {
  console.log('said hello');
  return { said: '${word}', event };
};
`;

let service: RunningService;
let stacks: StackClient;
let directory: string;
let environment: Record<string, string>;

beforeAll(async () => {
  buildIfStale();
  directory = mkdtempSync(join(tmpdir(), 'lamella-tools-'));
  service = await startService();
  stacks = new StackClient(service.url);
  environment = {
    HOME: directory,
    AWS_ENDPOINT_URL: service.url,
    CI: '1',
    NO_COLOR: '1',
    SLS_TELEMETRY_DISABLED: '1',
    npm_config_prefer_offline: 'true',
    npm_config_cache: process.env.npm_config_cache ?? join(process.env.HOME ?? directory, '.npm'),
  };
}, TEN_MINUTES);
afterAll(async () => {
  stacks.client.destroy();
  await service.close();
  rmSync(directory, { recursive: true, force: true });
});

/** An npm project with these files. */
function project(name: string, files: Readonly<Record<string, string>>): string {
  const path = join(directory, name);
  mkdirSync(path);
  for (const [file, text] of Object.entries({ 'package.json': '{ "private": true }\n', ...files })) {
    mkdirSync(join(path, file, '..'), { recursive: true });
    writeFileSync(join(path, file), text);
  }
  return path;
}

const run = (cwd: string, ...lines: string[]) => runLines(lines, { cwd, environment });

/** The output of lines; fails with all that they wrote if they failed. */
async function succeeded(running: Promise<Ended>): Promise<string> {
  const { code, stdout, stderr } = await running;
  expect(code, `${stdout}${stderr}`).toBe(0);
  return stdout.toString() + stderr;
}

const missing = (FunctionName: string) =>
  expect(service.client.send(new GetFunctionCommand({ FunctionName }))).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
  });

/** The names of functions that begin so. */
async function functions(prefix: string): Promise<string[]> {
  const { Functions = [] } = await service.client.send(new ListFunctionsCommand({}));
  return Functions.map(({ FunctionName = '' }) => FunctionName).filter((name) => name.startsWith(prefix));
}

describe.each([
  ['osls', 'osls 4'],
  ['serverless', 'Serverless Framework 3'],
])('%s', (name, row) => {
  it(
    'deploys, shows, invokes, reads logs, updates a function, skips what is unchanged and removes',
    async () => {
      const lists = 'functions:\n  hello:\n    handler: handler.hello\n    events:\n      - httpApi: GET /hello\n';
      const app = project(name, {
        'handler.js': handler('hello'),
        'serverless.yml': `service: with-${name}\nprovider:\n  name: aws\n  runtime: nodejs20.x\n${lists}`,
      });
      const [install = '', deploy = ''] = documentedLines(row);
      const tool = (words: string) => succeeded(run(app, `lamella run -- npx ${name} ${words}`));
      const FunctionName = `with-${name}-dev-hello`;

      expect(await succeeded(run(app, install, deploy))).toContain(`Service deployed to stack with-${name}-dev`);
      expect(await tool('info')).toContain(`hello: ${FunctionName}`);
      expect(await tool(`invoke -f hello --data '{"a":1}'`)).toContain('"said": "hello"');
      expect(await tool('logs -f hello')).toContain('said hello');
      expect(await tool('deploy')).toContain('Deployment skipped');
      writeFileSync(join(app, 'handler.js'), handler('again'));
      expect(await tool('deploy function -f hello')).toContain('Function code deployed');
      expect(await tool('invoke -f hello')).toContain('"said": "again"');
      await tool('remove');
      await missing(FunctionName);
      await expect(stacks.describe(`with-${name}-dev`)).rejects.toThrow('does not exist');
    },
    TEN_MINUTES,
  );
});

describe('the AWS CDK', () => {
  const APP = `const { App, CfnOutput, CustomResource, Stack } = require('aws-cdk-lib');
const { Code, Function: LambdaFunction, Runtime } = require('aws-cdk-lib/aws-lambda');
const stack = new Stack(new App(), 'WithCdk');
const code = Code.fromAsset('code');
const hello = new LambdaFunction(stack, 'Hello', { runtime: Runtime.NODEJS_20_X, handler: 'handler.hello', code });
const maker = new LambdaFunction(stack, 'Maker', { runtime: Runtime.NODEJS_20_X, handler: 'maker.make', code });
const made = new CustomResource(stack, 'Made', { serviceToken: maker.functionArn, properties: { Word: 'cdk' } });
new CfnOutput(stack, 'Name', { value: hello.functionName });
new CfnOutput(stack, 'Upper', { value: made.getAttString('Upper') });
`;
  /** As the CDK's own handlers do, it uses nothing of the URL but host and path. */
  const MAKER = `const https = require('https');
exports.make = (event) => new Promise((resolve, reject) => {
  const { hostname, pathname: path } = new URL(event.ResponseURL);
  const { StackId, RequestId, LogicalResourceId } = event;
  const Data = { Upper: event.ResourceProperties.Word.toUpperCase() };
  const body = { Status: 'SUCCESS', StackId, RequestId, LogicalResourceId, PhysicalResourceId: 'made', Data };
  const request = https.request({ hostname, path, method: 'PUT' }, (response) => response.resume().on('end', resolve));
  request.on('error', reject).end(JSON.stringify(body));
});
`;
  let app: string;
  let name: string;
  const cdk = (words: string) => succeeded(run(app, `lamella run -- npx cdk ${words}`));
  const invoke = async () => JSON.parse((await service.invoke(name)).payload);

  beforeAll(async () => {
    app = project('cdk', {
      'app.js': APP,
      'cdk.json': '{ "app": "node app.js", "watch": { "include": ["code/**"] } }\n',
      'code/handler.js': handler('hello'),
      'code/maker.js': MAKER,
    });
    await succeeded(run(app, 'npm install aws-cdk aws-cdk-lib constructs'));
  }, TEN_MINUTES);

  it(
    'bootstraps and deploys functions from assets with a custom resource, and finds nothing to change',
    async () => {
      const [bootstrap = '', deploy = ''] = documentedLines('AWS CDK');
      const options = '--require-approval never --outputs-file outputs.json';
      expect(await succeeded(run(app, bootstrap, `${deploy} ${options}`))).toMatch(
        /Environment aws:\/\/\d+\/us-east-1 bootstrapped/,
      );
      const outputs = JSON.parse(readFileSync(join(app, 'outputs.json'), 'utf8')).WithCdk;
      expect(outputs.Upper).toBe('CDK');
      name = outputs.Name;
      expect(await invoke()).toEqual({ said: 'hello', event: {} });
      expect(await cdk(`deploy ${options}`)).toContain('(no changes)');
      expect(await cdk('bootstrap')).toContain('(no changes)');
    },
    TEN_MINUTES,
  );

  it(
    'shows what a deployment would change, and changes it',
    async () => {
      expect(await cdk('diff')).toContain('There were no differences');
      writeFileSync(join(app, 'code/handler.js'), handler('changed'));
      const shown = await cdk('diff');
      expect(shown).toContain('[~] AWS::Lambda::Function Hello');
      expect(shown).toMatch(/Number of stacks with differences: 1/);
      await cdk('deploy --require-approval never');
      expect(await invoke()).toMatchObject({ said: 'changed' });
    },
    TEN_MINUTES,
  );

  it(
    'watches the code and swaps it without a deployment',
    async () => {
      const before = await stacks.describe('WithCdk');
      const watching = spawn(LAMELLA, ['run', '--', 'npx', 'cdk', 'watch', '--hotswap', '--no-logs'], {
        cwd: app,
        env: { ...cleanEnvironment(), ...environment },
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
      });
      let printed = '';
      for (const stream of [watching.stdout, watching.stderr]) stream.on('data', (chunk) => (printed += chunk));
      const ended = once(watching, 'close');
      try {
        await until(() => printed.includes('Triggering initial') && printed.includes('Total time'), 300);
        writeFileSync(join(app, 'code/handler.js'), handler('swapped'));
        await until(async () => (await invoke()).said === 'swapped', 300);
        expect(printed).toContain('hotswapped!');
      } catch (failure) {
        throw new Error(printed, { cause: failure });
      } finally {
        // The whole group: npx and the CDK's process are below it.
        process.kill(-Number(watching.pid), 'SIGTERM');
        await ended;
      }
      expect((await stacks.describe('WithCdk')).LastUpdatedTime).toEqual(before.LastUpdatedTime);
    },
    TEN_MINUTES,
  );

  it(
    'destroys the stack and leaves nothing of it',
    async () => {
      await cdk('destroy --force');
      await expect(stacks.describe('WithCdk')).rejects.toThrow('does not exist');
      expect(await functions('WithCdk')).toEqual([]);
    },
    TEN_MINUTES,
  );
});
