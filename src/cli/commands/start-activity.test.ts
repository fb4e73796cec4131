/** What `lamella start` shows, in the background and in front, with `lamella status` and `lamella stop`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateFunctionCommand, InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildIfStale, cleanEnvironment, LAMELLA, lamella } from '../../../test/support/built-cli.ts';
import { shellRuntime, zipOf } from '../../../test/support/function-zip.ts';

let directory: string;
let environment: Record<string, string>;

beforeAll(() => buildIfStale(), 120_000);
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lamella-activity-'));
  environment = { XDG_STATE_HOME: join(directory, 'state'), XDG_DATA_HOME: join(directory, 'data') };
});
afterEach(async () => {
  await run(['stop', '--all']);
  rmSync(directory, { recursive: true, force: true });
});

const run = (args: string[], cwd = directory) => lamella(args, { environment, cwd });

/** Runs `lamella start ARGS` in front, and returns what it prints until `work` has ended and it was stopped. */
async function inFront(args: string[], work: (url: string, seen: (text: string) => Promise<void>) => Promise<void>) {
  const child = spawn(LAMELLA, ['start', '--port', '0', ...args], {
    cwd: directory,
    env: cleanEnvironment(environment),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  const waiting = new Set<() => void>();
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk;
    for (const check of waiting) check();
  });
  const seen = (wanted: string) =>
    new Promise<void>((resolve) => {
      const check = () => {
        if (text.includes(wanted)) resolve();
      };
      waiting.add(check);
      check();
    });
  await seen('\n');
  await work(/http:\/\/127\.0\.0\.1:\d+/.exec(text)?.[0] ?? '', seen);
  child.kill('SIGTERM');
  await once(child, 'close');
  return text;
}

/** Creates a function that logs, and fails if its event is "fail". Returns a function that invokes it. */
async function createFunction(url: string) {
  const client = new LambdaClient({
    endpoint: url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'lamella', secretAccessKey: 'lamella' },
  });
  const bootstrap = shellRuntime(`
  echo "working on $EVENT" >&2
  if [ "$EVENT" = '"fail"' ]; then
    echo '{"errorType":"Broken","errorMessage":"as asked","stackTrace":["#0 here"]}' >&2
    fail '{"errorType":"Broken","errorMessage":"as asked"}'
  else respond "$EVENT"; fi`);
  await client.send(
    new CreateFunctionCommand({
      FunctionName: 'works',
      Handler: 'any',
      Runtime: 'provided.al2023',
      Role: 'arn:aws:iam::123456789012:role/any',
      Timeout: 30,
      Code: { ZipFile: await zipOf({ bootstrap }) },
    }),
  );
  return (event: string) => client.send(new InvokeCommand({ FunctionName: 'works', Payload: event }));
}

describe('lamella start', () => {
  it('prints each invocation and its log, and at the end what it stopped and where the data is', async () => {
    const text = await inFront([], async (url, seen) => {
      const invoke = await createFunction(url);
      await invoke('1');
      // The line comes when the environment is free again.
      await seen('ok, cold');
      await invoke('"fail"');
      await seen('error, warm');
    });
    const shown = text
      .slice(text.indexOf('Press Ctrl+C'))
      .replace(/\d\d:\d\d:\d\d/g, 'T')
      .replace(/[\d.]+ ms/g, 'N ms');
    expect(shown.replace(/\d+ of 128 MB/g, 'M of 128 MB').split('\n')).toEqual([
      'Press Ctrl+C to stop.',
      'T works  working on 1',
      'T works  ok, cold, N ms (init N ms), M of 128 MB',
      'T works  working on "fail"',
      'T works  ERROR Broken: as asked',
      '        #0 here',
      'T works  error, warm, N ms, M of 128 MB',
      expect.stringMatching(
        /^Stopped the service at http:\S+ after 2 invocations\. Its data is in .*\/data\/lamella\.$/,
      ),
      '',
    ]);
  });

  it('prints JSON lines with --json, and only its URLs with --quiet', async () => {
    const text = await inFront(['--json', '--ephemeral'], async (url, seen) => {
      await (await createFunction(url))('1');
      await seen('"type":"invocation"');
    });
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines[0]).toHaveProperty('lambda');
    expect(lines.slice(1).map(({ type, functionName }) => `${type} ${functionName}`)).toContain('log-event works');
    expect(lines.at(-1)).toMatchObject({ type: 'invocation', functionName: 'works', status: 'success', isCold: true });
    const quiet = await inFront(['--json', '--quiet', '--ephemeral'], async (url) => {
      await (await createFunction(url))('1');
    });
    expect(quiet.trimEnd().split('\n')).toHaveLength(1);
  });

  it('takes options from samconfig.toml', async () => {
    writeFileSync(
      join(directory, 'samconfig.toml'),
      '[default.lamella.parameters]\nregion = "eu-west-1"\nephemeral = true\n[default.lamella_start.parameters]\naccount_id = 111122223333\n',
    );
    const text = await inFront(['--quiet'], async () => {});
    expect(text).toContain('Region        eu-west-1, account 111122223333');
    writeFileSync(join(directory, 'samconfig.toml'), '[default.lamella.parameters]\nephemreal = true\n');
    const { code, stderr } = await run(['start', '--port', '0']);
    expect(stderr).toContain('unknown option "ephemreal" in [default.lamella.parameters]. Did you mean ephemeral?');
    expect(code).toBe(2);
  });
});

describe('a service in the background', () => {
  it('accepts connections when --detach returns, is shown by status, and ends with stop', async () => {
    expect(await run(['status'])).toMatchObject({ code: 5, stderr: '' });
    const started = await run(['start', '--detach', '--port', '0', '--json']);
    const { lambda, pid, logFile } = JSON.parse(started.stdout.toString());
    expect({ code: started.code, stderr: started.stderr }).toEqual({ code: 0, stderr: '' });
    await (await createFunction(lambda))('1');
    const status = await run(['status', '--json']);
    expect(JSON.parse(status.stdout.toString()).services).toEqual([
      expect.objectContaining({ lambda, pid, logFile, responds: true, ephemeral: false, region: 'us-east-1' }),
    ]);
    expect((await run(['status', '--endpoint-url', lambda])).stdout.toString()).toContain(`Lambda API  ${lambda}\n`);
    const again = await run(['start', '--port', '0']);
    expect(again.stderr).toContain(`is in use by another Lamella service (pid ${pid}).`);
    expect(again.stderr).toContain('`lamella stop`');
    const stopped = await run(['stop']);
    expect(stopped).toMatchObject({ code: 0, stderr: '' });
    expect(stopped.stdout.toString()).toContain(`Stopped ${lambda} (pid ${pid}, data `);
    expect(existsSync(`/proc/${pid}`)).toBe(false);
    expect(readFileSync(logFile, 'utf8')).toContain('"type":"invocation"');
    expect((await run(['status'])).stdout.toString()).toBe('No service runs. Start one with `lamella start`.\n');
    expect((await run(['stop'])).stdout.toString()).toBe('No service runs.\n');
  });

  it('that cannot start reports why, with its exit code', async () => {
    writeFileSync(join(directory, 'file'), '');
    const { code, stderr } = await run(['start', '--detach', '--port', '0', '--data-dir', join(directory, 'file')]);
    expect(stderr).toContain(`Cannot use the data directory ${join(directory, 'file')}`);
    expect(code).toBe(4);
  });

  it('that cannot have a log names the file', async () => {
    const started = await lamella(['start', '--detach', '--port', '0'], {
      environment: { XDG_STATE_HOME: '/proc/no' },
    });
    expect(started.stderr).toMatch(/^error: Cannot write \/proc\/no\/lamella\/logs\/start-\d+\.log: ENOENT/);
    expect(started.code).toBe(4);
  });

  it('is named if several run', async () => {
    const [first, second] = await Promise.all(
      ['a', 'b'].map(async (name) => {
        const data = join(directory, name);
        const { stdout } = await run(['start', '--detach', '--port', '0', '--json', '--data-dir', data]);
        return JSON.parse(stdout.toString()) as { lambda: string };
      }),
    );
    const unclear = await run(['stop']);
    expect(unclear.code).toBe(5);
    expect(unclear.stderr).toContain('2 services run: ');
    expect((await run(['stop', '--endpoint-url', first?.lambda ?? ''])).code).toBe(0);
    expect((await run(['stop', '--data-dir', join(directory, 'a')])).code).toBe(5);
    expect((await run(['stop'])).stdout.toString()).toContain(second?.lambda);
  });

  it('is not taken for a process that has got its pid', async () => {
    const services = join(directory, 'state', 'lamella', 'services');
    mkdirSync(services, { recursive: true });
    const record = { lambda: 'http://127.0.0.1:9', http: 'http://127.0.0.1:9', pid: process.pid, startTicks: '1' };
    writeFileSync(join(services, `${process.pid}.json`), JSON.stringify({ ...record, startedAt: '', dataDir: '/x' }));
    writeFileSync(join(services, '1.json'), 'not JSON');
    expect((await run(['stop', '--all'])).stdout.toString()).toBe('No service runs.\n');
    expect(existsSync(join(services, `${process.pid}.json`))).toBe(false);
  });
});
