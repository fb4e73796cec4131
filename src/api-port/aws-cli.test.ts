/** Every unmodified AWS CLI on the PATH, against a real port. */
import type { ChildProcess } from 'node:child_process';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  accessSync,
  constants,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningApis } from '../../test/support/running-apis.ts';
import { startApis } from '../../test/support/running-apis.ts';

const TRUST = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' }],
};
const GROUP = '/aws/lambda/php-example-hello';

function installedClis(): { readonly path: string; readonly version: string }[] {
  const paths = (process.env.PATH ?? '').split(delimiter).map((directory) => join(directory, 'aws'));
  const found = paths.filter((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  const distinct = [...new Map(found.map((path) => [realpathSync(path), path])).values()];
  return distinct.flatMap((path) => {
    try {
      return {
        path,
        version:
          execFileSync(path, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split(' ')[0] ??
          '',
      };
    } catch {
      // A version manager's shim for which no version is installed.
      return [];
    }
  });
}

const CLIS = installedClis();

it('an AWS CLI is installed (apt-get install awscli)', () => {
  expect(CLIS.length).toBeGreaterThan(0);
});

describe.each(CLIS)('$version', { timeout: 60_000 }, ({ path, version }) => {
  let apis: RunningApis;
  let directory: string;
  const children: ChildProcess[] = [];

  beforeEach(async () => {
    apis = await startApis();
    directory = mkdtempSync(join(tmpdir(), 'lamella-awscli-'));
  });
  afterEach(async () => {
    for (const child of children.splice(0)) {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    }
    rmSync(directory, { recursive: true });
    await apis.close();
  });

  const environment = () => ({
    PATH: process.env.PATH,
    HOME: directory,
    AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_PAGER: '',
    PYENV_ROOT: process.env.PYENV_ROOT,
  });
  const aws = (...args: string[]) =>
    new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      execFile(
        path,
        [...args, '--endpoint-url', apis.url],
        { env: environment(), cwd: directory },
        (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
      );
    });
  const json = async (...args: string[]) => {
    const { code, stdout, stderr } = await aws(...args, '--output', 'json');
    if (code !== 0) throw new Error(stderr);
    return JSON.parse(stdout);
  };
  const append = (message: string) =>
    apis.logStore.append({
      scope: { region: 'us-east-1', account: '123456789012' },
      logGroup: GROUP,
      logStream: '2026/11/22/[$LATEST]abc',
      epochMs: Date.now(),
      message,
    });

  it('runs the role commands of the walkthrough', async () => {
    writeFileSync(join(directory, 'trust-policy.json'), JSON.stringify(TRUST, undefined, 2));
    const role = ['--role-name', 'LambdaPhpExample'];
    const create = [
      'iam',
      'create-role',
      ...role,
      '--path',
      '/service-role/',
      '--assume-role-policy-document',
      'file://trust-policy.json',
    ];
    const { Role } = await json(...create);
    expect(Role.Arn).toBe('arn:aws:iam::123456789012:role/service-role/LambdaPhpExample');
    expect(Role.AssumeRolePolicyDocument).toEqual(TRUST);
    const again = await aws(...create);
    expect(again.code).not.toBe(0);
    expect(again.stderr).toContain(
      'An error occurred (EntityAlreadyExists) when calling the CreateRole operation: Role with name LambdaPhpExample already exists.',
    );
    const arn = 'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole';
    expect((await aws('iam', 'attach-role-policy', ...role, '--policy-arn', arn)).code).toBe(0);
    const { AttachedPolicies } = await json('iam', 'list-attached-role-policies', ...role);
    expect(AttachedPolicies).toEqual([{ PolicyName: 'AWSLambdaBasicExecutionRole', PolicyArn: arn }]);
    expect((await aws('iam', 'wait', 'role-exists', ...role)).code).toBe(0);
    expect((await json('sts', 'get-caller-identity')).Account).toBe('123456789012');
  });

  it('reads logs', async () => {
    append('first line\n');
    append('second line\n');
    const { logGroups } = await json('logs', 'describe-log-groups');
    expect(logGroups[0].logGroupName).toBe(GROUP);
    const { events } = await json('logs', 'filter-log-events', '--log-group-name', GROUP, '--filter-pattern', 'second');
    expect(events.map(({ message }: { message: string }) => message)).toEqual(['second line\n']);
    const streams = await json(
      'logs',
      'describe-log-streams',
      '--log-group-name',
      GROUP,
      '--order-by',
      'LastEventTime',
      '--descending',
    );
    const stream = streams.logStreams[0].logStreamName;
    const got = await json('logs', 'get-log-events', '--log-group-name', GROUP, '--log-stream-name', stream);
    expect(got.events).toHaveLength(2);
    const missing = await aws('logs', 'filter-log-events', '--log-group-name', '/none');
    expect(missing.stderr).toContain('(ResourceNotFoundException)');
    expect(missing.stderr).toContain('The specified log group does not exist.');
  });

  it('moves files to a bucket and back, large ones in parts', async () => {
    const large = randomBytes(17 * 1024 * 1024);
    writeFileSync(join(directory, 'large file.zip'), large);
    writeFileSync(join(directory, 'small.txt'), 'small');
    const s3 = async (...args: string[]) => {
      const { code, stdout, stderr } = await aws('s3', ...args);
      if (code !== 0) throw new Error(stderr);
      return stdout;
    };
    await s3('mb', 's3://code');
    await s3('cp', 'large file.zip', 's3://code/dir/large file.zip');
    await s3('cp', 'small.txt', 's3://code/small.txt');
    expect(await s3('ls', 's3://code/')).toMatch(/PRE dir\/\n.* 5 small\.txt\n/);
    await s3('cp', 's3://code/dir/large file.zip', 'back.zip');
    expect(readFileSync(join(directory, 'back.zip')).equals(large)).toBe(true);
    await s3('rb', 's3://code', '--force');
    expect(await s3('ls')).toBe('');
  });

  it('is accepted only with the right key when signatures are enforced', async () => {
    await apis.close();
    apis = await startApis({ enforcedKeys: { AKIAIOSFODNN7EXAMPLE: 'secret' } });
    expect((await json('sts', 'get-caller-identity')).Account).toBe('123456789012');
    expect((await json('logs', 'describe-log-groups')).logGroups).toEqual([]);
    const create = ['s3api', 'create-bucket', '--bucket', 'b-c'];
    expect((await aws(...create)).code).toBe(0);
    writeFileSync(join(directory, 'k'), 'content');
    const put = await json('s3api', 'put-object', '--bucket', 'b-c', '--key', "a '(b)* &+~ü", '--body', 'k');
    expect(put.ETag).toBeDefined();
    // By default, version 1 still presigns with SigV2 for endpoints that it does not know.
    mkdirSync(join(directory, '.aws'));
    writeFileSync(join(directory, '.aws/config'), '[default]\ns3 =\n  signature_version = s3v4\n');
    const { stdout } = await aws('s3', 'presign', "s3://b-c/a '(b)* &+~ü");
    expect(await (await fetch(stdout.trim())).text()).toBe('content');
    expect((await fetch(stdout.trim().replace(/.$/, (digit) => (digit === '0' ? '1' : '0')))).status).toBe(403);
    await apis.close();
    apis = await startApis({ enforcedKeys: { AKIAIOSFODNN7EXAMPLE: 'another secret' } });
    expect((await aws('sts', 'get-caller-identity')).stderr).toContain('(SignatureDoesNotMatch)');
    expect((await aws(...create)).stderr).toContain('(SignatureDoesNotMatch)');
  });

  // Version 1 has no `logs tail`.
  if (version.startsWith('aws-cli/2')) it('follows a log as it grows', followsLog);

  async function followsLog() {
    append('before\n');
    const args = ['logs', 'tail', GROUP, '--follow', '--since', '5m', '--format', 'short', '--endpoint-url', apis.url];
    const child = spawn(path, args, {
      env: { ...environment(), PYTHONUNBUFFERED: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.push(child);
    let stderr = '';
    child.stderr.on('data', (chunk) => (stderr += chunk));
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const nextLine = async () => {
      for (;;) {
        const { value, done } = await lines.next();
        if (done) throw new Error(`aws logs tail ended: ${stderr}`);
        if (value.trim() !== '') return value as string;
      }
    };
    expect(await nextLine()).toMatch(/before$/);
    append('after\n');
    expect(await nextLine()).toMatch(/after$/);
  }
});
