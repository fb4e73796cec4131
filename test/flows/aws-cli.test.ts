/** The unmodified AWS CLI with the whole service: the walkthrough's commands, then the other operations. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { awsCli, findAwsCli } from '../support/aws-cli.ts';
import { shellRuntime, zipOf } from '../support/function-zip.ts';
import { rawZip } from '../support/raw-zip.ts';
import { type RunningService, startService } from '../support/running-service.ts';

const ARN = 'arn:aws:lambda:us-east-1:123456789012';
const ROLE = 'arn:aws:iam::123456789012:role/lambda';
/** Version 2 needs this option to take JSON unencoded. */
const RAW = ['--cli-binary-format', 'raw-in-base64-out'];

const path = findAwsCli();
if (path === undefined)
  console.warn('Skipping aws-cli.test.ts: AWS CLI 2 is not on the PATH (apt-get install awscli).');

describe.skipIf(path === undefined)('the AWS CLI', { timeout: 60_000 }, () => {
  let service: RunningService;
  let directory: string;
  let cli: ReturnType<typeof awsCli>;

  beforeAll(async () => {
    service = await startService();
    directory = mkdtempSync(join(tmpdir(), 'lamella-aws-cli-'));
    cli = awsCli(path ?? '', service.url, directory);
    const write = async (name: string, files: Parameters<typeof zipOf>[0]) =>
      writeFileSync(join(directory, name), await zipOf(files));
    // The layer's /opt/bin/php stands for PHP, which starts the walkthrough's bootstrap.
    await write('runtime.zip', {
      'bin/interpreter': '#!/bin/sh\nexec /bin/sh "$@"\n',
      bootstrap: shellRuntime(
        `respond "$(. "$LAMBDA_TASK_ROOT/src/$_HANDLER.sh"; greet)"`,
        '. /opt/vendor/autoload.sh',
      ).replace('#!/bin/sh', '#!/opt/bin/interpreter'),
    });
    await write('vendor.zip', {
      'vendor/autoload.sh': `name() { echo "$EVENT" | sed 's/.*"name": *"\\([^"]*\\)".*/\\1/'; }\n`,
    });
    for (const [name, word] of Object.entries({ hello: 'Hello', goodbye: 'Goodbye' })) {
      await write(`${name}.zip`, { [`src/${name}.sh`]: `greet() { printf '%s, %s!' ${word} "$(name)"; }\n` });
    }
    await write('other.zip', { bootstrap: shellRuntime('respond "\\"other\\""') });
    const statement = { Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' };
    writeFileSync(
      join(directory, 'trust-policy.json'),
      JSON.stringify({ Version: '2012-10-17', Statement: [statement] }),
    );
  });
  afterAll(async () => {
    cli.close();
    await service.close();
    rmSync(directory, { recursive: true });
  });

  const refusal = async (...words: string[]) => {
    const { code, stderr } = await cli.run(...words);
    expect({ code, stderr }).toMatchObject({ code: 254 });
    return stderr.trim();
  };

  it('runs the walkthrough unchanged', async () => {
    const { code, stdout, stderr } = await cli.script(`
      ROLE=$(aws iam create-role --role-name LambdaPhpExample --path "/service-role/" \\
        --assume-role-policy-document file://trust-policy.json --query Role.Arn --output text)
      for NAME in runtime vendor; do
        aws lambda publish-layer-version --layer-name php-example-$NAME --zip-file fileb://$NAME.zip --region us-east-1 \\
          --query LayerVersionArn --output text
      done
      for NAME in hello goodbye; do
        aws lambda create-function --function-name php-example-$NAME --handler $NAME --zip-file fileb://$NAME.zip \\
          --runtime provided --role "$ROLE" --region us-east-1 \\
          --layers "${ARN}:layer:php-example-runtime:1" "${ARN}:layer:php-example-vendor:1" > $NAME-created.json
      done
      aws lambda wait function-active-v2 --function-name php-example-hello
      for NAME in hello hello goodbye; do
        aws lambda invoke --function-name php-example-$NAME --region us-east-1 --log-type Tail --query LogResult \\
          --output text --payload '{"name": "World"}' ${RAW.join(' ')} $NAME-output.txt | base64 --decode
      done`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const tail = (cold: boolean) =>
      'START RequestId: [-0-9a-f]{36} Version: \\$LATEST\\nEND RequestId: [-0-9a-f]{36}\\n' +
      'REPORT RequestId: [-0-9a-f]{36}\\tDuration: [\\d.]+ ms\\tBilled Duration: \\d+ ms\\tMemory Size: 128 MB\\t' +
      `Max Memory Used: \\d+ MB\\t${cold ? 'Init Duration: [\\d.]+ ms\\t' : ''}\\n`;
    expect(stdout).toMatch(
      new RegExp(
        `^${ARN}:layer:php-example-runtime:1\\n${ARN}:layer:php-example-vendor:1\\n` +
          `${tail(true)}${tail(false)}${tail(true)}$`,
      ),
    );
    expect(readFileSync(join(directory, 'hello-output.txt'), 'utf8')).toBe('Hello, World!');
    expect(readFileSync(join(directory, 'goodbye-output.txt'), 'utf8')).toBe('Goodbye, World!');
    const created = JSON.parse(readFileSync(join(directory, 'hello-created.json'), 'utf8'));
    expect(created).toMatchObject({
      FunctionName: 'php-example-hello',
      FunctionArn: `${ARN}:function:php-example-hello`,
      Runtime: 'provided',
      Role: 'arn:aws:iam::123456789012:role/service-role/LambdaPhpExample',
      Handler: 'hello',
      Version: '$LATEST',
      State: 'Pending',
      StateReasonCode: 'Creating',
      Layers: [{ Arn: `${ARN}:layer:php-example-runtime:1` }, { Arn: `${ARN}:layer:php-example-vendor:1` }],
    });
  });

  describe.concurrent('then', () => {
    it('publishes, reads, lists and deletes layers', async () => {
      const publish = ['lambda', 'publish-layer-version', '--layer-name', 'tools', '--zip-file', 'fileb://vendor.zip'];
      const first = await cli.json(
        ...publish,
        ...[
          '--description',
          'Tools',
          '--license-info',
          'MIT',
          '--compatible-runtimes',
          'provided.al2023',
          'provided.al2',
        ],
        ...['--compatible-architectures', 'x86_64'],
      );
      expect(first).toMatchObject({
        LayerArn: `${ARN}:layer:tools`,
        LayerVersionArn: `${ARN}:layer:tools:1`,
        Version: 1,
        Description: 'Tools',
        LicenseInfo: 'MIT',
        CompatibleRuntimes: ['provided.al2023', 'provided.al2'],
        CompatibleArchitectures: ['x86_64'],
        Content: { CodeSize: readFileSync(join(directory, 'vendor.zip')).length },
      });
      expect((await cli.json(...publish)).Version).toBe(2);
      const version = ['--layer-name', 'tools', '--version-number'];
      const [one, byArn, layers, versions] = await Promise.all([
        cli.json('lambda', 'get-layer-version', ...version, '1'),
        cli.json('lambda', 'get-layer-version-by-arn', '--arn', `${ARN}:layer:tools:1`),
        cli.json('lambda', 'list-layers', '--compatible-runtime', 'provided.al2023'),
        cli.json('lambda', 'list-layer-versions', '--layer-name', 'tools'),
      ]);
      for (const got of [one, byArn]) {
        expect({ ...got, Content: { ...got.Content, Location: '' } }).toEqual({
          ...first,
          Content: { ...first.Content, Location: '' },
        });
      }
      const downloaded = Buffer.from(await (await fetch(one.Content.Location)).arrayBuffer());
      expect(downloaded.equals(readFileSync(join(directory, 'vendor.zip')))).toBe(true);
      expect(layers.Layers.map(({ LayerName }: { LayerName: string }) => LayerName)).toEqual(['tools']);
      expect(versions.LayerVersions.map(({ Version }: { Version: number }) => Version)).toEqual([2, 1]);
      expect(await cli.json('lambda', 'delete-layer-version', ...version, '1')).toBeUndefined();
      expect(await refusal('lambda', 'get-layer-version', ...version, '1')).toBe(
        'An error occurred (ResourceNotFoundException) when calling the GetLayerVersion operation: The resource you requested does not exist.',
      );
    });

    it('creates, reads, changes, publishes, invokes and deletes a function', async () => {
      const name = ['--function-name', 'life'];
      const created = await cli.json(
        ...['lambda', 'create-function', ...name, '--runtime', 'provided.al2023', '--handler', 'hello', '--role', ROLE],
        ...['--zip-file', 'fileb://hello.zip', '--timeout', '7', '--memory-size', '256', '--description', 'A life'],
        ...[
          '--environment',
          'Variables={GREETING=hi}',
          '--tags',
          'team=blue',
          '--layers',
          `${ARN}:layer:php-example-runtime:1`,
        ],
        ...['--layers', `${ARN}:layer:php-example-runtime:1`, `${ARN}:layer:php-example-vendor:1`, '--publish'],
      );
      expect(created).toMatchObject({
        Version: '1',
        Timeout: 7,
        MemorySize: 256,
        Environment: { Variables: { GREETING: 'hi' } },
      });
      await cli.json('lambda', 'wait', 'function-active-v2', ...name);
      const [got, configuration, listed] = await Promise.all([
        cli.json('lambda', 'get-function', ...name),
        cli.json('lambda', 'get-function-configuration', '--function-name', `${ARN}:function:life:1`),
        cli.json('lambda', 'list-functions', '--query', 'Functions[].FunctionName'),
      ]);
      expect(got.Configuration).toMatchObject({
        State: 'Active',
        LastUpdateStatus: 'Successful',
        Description: 'A life',
      });
      expect(got.Tags).toEqual({ team: 'blue' });
      expect(Buffer.from(await (await fetch(got.Code.Location)).arrayBuffer())).toEqual(
        readFileSync(join(directory, 'hello.zip')),
      );
      expect(configuration).toMatchObject({ FunctionArn: `${ARN}:function:life:1`, Version: '1' });
      expect(listed).toContain('life');

      const update = ['lambda', 'update-function-code', ...name, '--zip-file', 'fileb://other.zip'];
      const dry = await cli.json(...update, '--dry-run');
      expect(dry.CodeSha256).not.toBe(created.CodeSha256);
      expect((await cli.json('lambda', 'get-function-configuration', ...name)).CodeSha256).toBe(created.CodeSha256);
      expect((await cli.json(...update)).LastUpdateStatus).toBe('InProgress');
      await cli.json('lambda', 'wait', 'function-updated-v2', ...name);
      const changed = await cli.json('lambda', 'update-function-configuration', ...name, '--timeout', '9', '--layers');
      expect(changed).toMatchObject({ Timeout: 9, MemorySize: 256, CodeSha256: dry.CodeSha256 });
      await cli.json('lambda', 'wait', 'function-updated', ...name);
      expect((await cli.json('lambda', 'publish-version', ...name, '--description', 'Second')).Version).toBe('2');
      const { Versions } = await cli.json('lambda', 'list-versions-by-function', ...name);
      expect(Versions.map(({ Version }: { Version: string }) => Version)).toEqual(['$LATEST', '1', '2']);

      const invoke = (target: string, ...more: string[]) =>
        cli.json('lambda', 'invoke', '--function-name', target, ...more, ...RAW, 'life-output.txt');
      expect(await invoke('life', '--payload', '{}')).toEqual({ StatusCode: 200, ExecutedVersion: '$LATEST' });
      expect(readFileSync(join(directory, 'life-output.txt'), 'utf8')).toBe('"other"');
      expect(await invoke('life', '--qualifier', '1', '--payload', '{"name":"Ann"}')).toMatchObject({
        ExecutedVersion: '1',
      });
      expect(readFileSync(join(directory, 'life-output.txt'), 'utf8')).toBe('Hello, Ann!');
      expect(await invoke('123456789012:function:life:2')).toMatchObject({ ExecutedVersion: '2' });
      expect(await invoke('life', '--invocation-type', 'DryRun')).toEqual({ StatusCode: 204 });

      await cli.json('lambda', 'delete-function', ...name);
      expect(await refusal('lambda', 'get-function', ...name)).toBe(
        `An error occurred (ResourceNotFoundException) when calling the GetFunction operation: Function not found: ${ARN}:function:life`,
      );
      expect(await refusal('lambda', 'invoke', ...name, 'life-output.txt')).toBe(
        `An error occurred (ResourceNotFoundException) when calling the Invoke operation: Function not found: ${ARN}:function:life:$LATEST`,
      );
    });

    it("shows AWS's error messages", async () => {
      const create = ['lambda', 'create-function', '--handler', 'hello', '--runtime', 'provided', '--zip-file'];
      writeFileSync(join(directory, 'broken.zip'), rawZip([{ name: 'bootstrap', content: 'x', claims: { crc32: 1 } }]));
      await service.createFunction('taken', { bootstrap: shellRuntime('respond 1') });
      expect(
        await Promise.all([
          refusal(...create, 'fileb://hello.zip', '--function-name', 'taken', '--role', ROLE),
          refusal(...create, 'fileb://broken.zip', '--function-name', 'broken', '--role', ROLE),
          refusal(...create, 'fileb://hello.zip', '--function-name', 'no-role', '--role', 'nobody'),
          refusal('lambda', 'invoke', '--function-name', 'taken', '--payload', '{"a":', ...RAW, 'x.txt'),
        ]),
      ).toEqual([
        'An error occurred (ResourceConflictException) when calling the CreateFunction operation: Function already exist: taken',
        'An error occurred (InvalidParameterValueException) when calling the CreateFunction operation: Could not unzip uploaded file. Please check your file, then try to upload again. Lamella: "bootstrap" is damaged: its checksum is wrong.',
        expect.stringMatching(
          /^An error occurred \(ValidationException\) when calling the CreateFunction operation: 1 validation error detected: Value 'nobody' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: /,
        ),
        expect.stringMatching(
          /^An error occurred \(InvalidRequestContentException\) when calling the Invoke operation: Could not parse request body into json: Could not parse payload into json: /,
        ),
      ]);
    });

    it('reads the role, the caller identity and the logs', async () => {
      const role = ['--role-name', 'LambdaPhpExample'];
      const managed = 'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole';
      await cli.json('iam', 'attach-role-policy', ...role, '--policy-arn', managed);
      const group = '/aws/lambda/php-example-hello';
      const [gotRole, roles, attached, caller, groups, streams, events, tailed] = await Promise.all([
        cli.json('iam', 'get-role', ...role),
        cli.json('iam', 'list-roles', '--path-prefix', '/service-role/'),
        cli.json('iam', 'list-attached-role-policies', ...role),
        cli.json('sts', 'get-caller-identity'),
        cli.json('logs', 'describe-log-groups', '--log-group-name-prefix', '/aws/lambda/php-'),
        cli.json('logs', 'describe-log-streams', '--log-group-name', group),
        cli.json('logs', 'filter-log-events', '--log-group-name', group),
        cli.run('logs', 'tail', group, '--since', '1h', '--format', 'short'),
      ]);
      expect(gotRole.Role.Arn).toBe('arn:aws:iam::123456789012:role/service-role/LambdaPhpExample');
      expect(roles.Roles).toHaveLength(1);
      expect(attached.AttachedPolicies).toEqual([{ PolicyName: 'AWSLambdaBasicExecutionRole', PolicyArn: managed }]);
      expect(caller.Account).toBe('123456789012');
      const names = groups.logGroups.map(({ logGroupName }: { logGroupName: string }) => logGroupName);
      expect(names).toEqual(['/aws/lambda/php-example-goodbye', group]);
      expect(streams.logStreams).toHaveLength(1);
      expect(streams.logStreams[0].logStreamName).toMatch(/^\d{4}\/\d\d\/\d\d\/\[\$LATEST\][0-9a-f]{32}$/);
      const messages: string[] = events.events.map(({ message }: { message: string }) => message);
      expect(messages.map((message) => message.split(' ')[0])).toEqual([
        'INIT_START',
        ...['START', 'END', 'REPORT'],
        ...['START', 'END', 'REPORT'],
      ]);
      const lines = tailed.stdout.split('\n').filter((line) => line.trim() !== '');
      expect(lines.map((line) => line.replace(/^\S+ /, '').trim())).toEqual(messages.map((message) => message.trim()));

      await cli.json('iam', 'detach-role-policy', ...role, '--policy-arn', managed);
      await cli.json('iam', 'delete-role', ...role);
      expect(await refusal('iam', 'get-role', ...role)).toContain('(NoSuchEntity)');
      await cli.json('logs', 'delete-log-group', '--log-group-name', group);
      expect(
        (await cli.json('logs', 'describe-log-groups')).logGroups.map(
          (it: { logGroupName: string }) => it.logGroupName,
        ),
      ).not.toContain(group);
    });
  });
});
