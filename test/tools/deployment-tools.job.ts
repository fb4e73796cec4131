/**
 * Unmodified deployment tools from npm put a function onto Lamella, invoke it and remove it: osls, Serverless Framework 3 (on
 * version 2 of AWS's SDK, through the preload of `lamella run`) and the AWS CDK. The tools are large and are no dependencies
 * of this repository: the job installs them into node_modules/.cache.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { GetFunctionCommand, InvokeCommand } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildIfStale, type Ended, lamella } from '../support/built-cli.ts';
import { type RunningService, startService } from '../support/running-service.ts';

const CACHE = resolve(import.meta.dirname, '../../node_modules/.cache/lamella/tools');
const TEN_MINUTES = 600_000;
const HANDLER = `exports.hello = async (event) => {
  console.log('said hello');
  return { said: 'hello', event };
};
`;

let service: RunningService;
let directory: string;

beforeAll(async () => {
  buildIfStale();
  directory = mkdtempSync(join(tmpdir(), 'lamella-tools-'));
  service = await startService();
}, TEN_MINUTES);
afterAll(async () => {
  await service.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Installs npm packages once, in a directory of their own. Returns the path of the program `binary`. */
function installed(name: string, binary: string, ...packages: string[]): string {
  const into = join(CACHE, name);
  const program = join(into, 'node_modules/.bin', binary);
  if (existsSync(program)) return program;
  mkdirSync(into, { recursive: true });
  writeFileSync(join(into, 'package.json'), '{ "private": true }\n');
  execFileSync('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', ...packages], {
    cwd: into,
    stdio: 'inherit',
  });
  return program;
}

/** Runs a tool with the service as its AWS. Its working directory is `cwd`, its home the test's. */
function tool(program: string, cwd: string): (...words: string[]) => Promise<Ended> {
  const environment = { HOME: directory, CI: '1', NO_COLOR: '1', SLS_TELEMETRY_DISABLED: '1' };
  return (...words) => lamella(['run', '--endpoint-url', service.url, '--', program, ...words], { environment, cwd });
}

/** The program's output; fails with all that it wrote if it failed. */
async function succeeded(run: Promise<Ended>): Promise<string> {
  const { code, stdout, stderr } = await run;
  expect(code, `${stdout}${stderr}`).toBe(0);
  return stdout.toString() + stderr;
}

const missing = (FunctionName: string) =>
  expect(service.client.send(new GetFunctionCommand({ FunctionName }))).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
  });

describe.each([
  ['osls', 'osls@4'],
  ['serverless', 'serverless@3'],
])('%s', (name, packaged) => {
  it(
    'deploys, shows, invokes, reads logs, updates a function, skips what is unchanged and removes',
    async () => {
      const app = join(directory, name);
      mkdirSync(app);
      writeFileSync(join(app, 'handler.js'), HANDLER);
      const functions = 'functions:\n  hello:\n    handler: handler.hello\n    events:\n      - httpApi: GET /hello\n';
      writeFileSync(
        join(app, 'serverless.yml'),
        `service: with-${name}\nprovider:\n  name: aws\n  runtime: nodejs20.x\n${functions}`,
      );
      const run = tool(installed(name, name, packaged), app);
      const FunctionName = `with-${name}-dev-hello`;

      expect(await succeeded(run('deploy'))).toContain(`Service deployed to stack with-${name}-dev`);
      expect(await succeeded(run('info'))).toContain(`hello: ${FunctionName}`);
      expect(await succeeded(run('invoke', '-f', 'hello', '--data', '{"a":1}'))).toContain('"said": "hello"');
      expect(await succeeded(run('logs', '-f', 'hello'))).toContain('said hello');
      expect(await succeeded(run('deploy'))).toContain('Deployment skipped');
      writeFileSync(join(app, 'handler.js'), HANDLER.replace("said: 'hello'", "said: 'again'"));
      expect(await succeeded(run('deploy', 'function', '-f', 'hello'))).toContain('Function code deployed');
      expect(await succeeded(run('invoke', '-f', 'hello'))).toContain('"said": "again"');
      await succeeded(run('remove'));
      await missing(FunctionName);
    },
    TEN_MINUTES,
  );
});

it(
  'the AWS CDK bootstraps, deploys a function from an asset, finds nothing to change, and destroys',
  async () => {
    const cdk = installed('cdk', 'cdk', 'aws-cdk', 'aws-cdk-lib', 'constructs');
    // Beside the libraries, where the app's require finds them.
    const app = mkdtempSync(join(CACHE, 'cdk/app-'));
    try {
      mkdirSync(join(app, 'code'));
      writeFileSync(join(app, 'code/handler.js'), HANDLER);
      writeFileSync(join(app, 'cdk.json'), '{ "app": "node app.js" }\n');
      writeFileSync(
        join(app, 'app.js'),
        `const { App, CfnOutput, Stack } = require('aws-cdk-lib');
const { Code, Function: LambdaFunction, Runtime } = require('aws-cdk-lib/aws-lambda');
const stack = new Stack(new App(), 'WithCdk');
const code = Code.fromAsset('code');
const hello = new LambdaFunction(stack, 'Hello', { runtime: Runtime.NODEJS_20_X, handler: 'handler.hello', code });
new CfnOutput(stack, 'Name', { value: hello.functionName });
`,
      );
      const run = tool(cdk, app);
      const deploy = ['deploy', '--require-approval', 'never', '--outputs-file', 'outputs.json'];

      expect(await succeeded(run('bootstrap'))).toMatch(/Environment aws:\/\/\d+\/us-east-1 bootstrapped/);
      await succeeded(run(...deploy));
      const FunctionName: string = JSON.parse(readFileSync(join(app, 'outputs.json'), 'utf8')).WithCdk.Name;
      const { Payload } = await service.client.send(new InvokeCommand({ FunctionName, Payload: '{"a":1}' }));
      expect(JSON.parse(Buffer.from(Payload ?? []).toString())).toEqual({ said: 'hello', event: { a: 1 } });
      expect(await succeeded(run(...deploy))).toContain('(no changes)');
      await succeeded(run('destroy', '--force'));
      await missing(FunctionName);
    } finally {
      rmSync(app, { recursive: true, force: true });
    }
  },
  TEN_MINUTES,
);
