/**
 * What outlives a service and what must not: it is ended by signals, killed at random moments, and restarted. The program runs in
 * its own process, as root and as an ordinary user where that makes a difference.
 */
import { createHash, randomUUID } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CloudWatchLogsClient, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { CreateRoleCommand, GetRoleCommand, IAMClient } from '@aws-sdk/client-iam';
import {
  CreateAliasCommand,
  CreateFunctionCommand,
  GetFunctionCommand,
  GetLayerVersionCommand,
  InvokeCommand,
  type LambdaClient,
  PublishLayerVersionCommand,
  PublishVersionCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionActiveV2,
} from '@aws-sdk/client-lambda';
import Sqlite from 'libsql';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { StartedService } from '../support/built-cli.ts';
import { shellRuntime, zipOf } from '../support/function-zip.ts';
import { type InstalledLamella, installLamella } from '../support/installed-lamella.ts';
import { descendantsOf, processesWith, stillAlive } from '../support/processes.ts';
import { clientOf, ROLE } from '../support/running-service.ts';
import { until } from '../support/until.ts';

const OWN_UID = process.getuid?.() ?? 0;
const ORDINARY_UID = OWN_UID === 0 ? 54_323 : OWN_UID;

let lamella: InstalledLamella;
let directory: string;
let data: string;
let services: StartedService[];
let count = 0;

beforeAll(async () => {
  lamella = await installLamella();
});
afterAll(() => lamella.remove());
beforeEach(() => {
  directory = join(lamella.directory, `test-${count++}`);
  mkdirSync(directory);
  data = join(directory, 'data');
  services = [];
});
afterEach(async () => {
  await Promise.all(services.map((service) => service.stop('SIGKILL')));
});

async function start(args: readonly string[] = ['--data-dir', data], as = {}): Promise<StartedService> {
  const service = await lamella.start(args, as);
  services.push(service);
  return service;
}

/** Creates a function and waits until it is active. */
async function createFunction(client: LambdaClient, FunctionName: string, bootstrap: string): Promise<void> {
  const Code = { ZipFile: await zipOf({ bootstrap }) };
  const function_ = { FunctionName, Runtime: 'provided.al2023', Handler: 'h', Role: ROLE, Timeout: 600, Code } as const;
  await client.send(new CreateFunctionCommand(function_));
  await waitUntilFunctionActiveV2({ client, maxWaitTime: 10, minDelay: 0.02, maxDelay: 0.1 }, { FunctionName });
}

async function invoke(client: LambdaClient, FunctionName: string, event: unknown = {}): Promise<string> {
  const { Payload } = await client.send(new InvokeCommand({ FunctionName, Payload: JSON.stringify(event) }));
  return Buffer.from(Payload ?? []).toString();
}

function cgroupsOf(pid: number): string[] {
  const root = '/sys/fs/cgroup';
  if (!existsSync(root)) return [];
  const pattern = new RegExp(`^lamella-\\d+-${pid}-`);
  const search = (directory: string): string[] =>
    subdirectories(directory).flatMap((name) => [
      ...(pattern.test(name) ? [join(directory, name)] : []),
      ...search(join(directory, name)),
    ]);
  return search(root);
}

/** Empty if the directory is gone: other services remove theirs meanwhile. */
function subdirectories(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    return [];
  }
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('base64');

describe.each([
  { user: 'root', uid: 0, signal: 'SIGTERM' },
  { user: 'an ordinary user', uid: ORDINARY_UID, signal: 'SIGINT' },
] as const)('a service that $user ends', ({ uid, signal }) => {
  if (uid === 0 && OWN_UID !== 0) {
    it.skip('is not tested: this run is not root', () => {});
    return;
  }
  const as = uid === OWN_UID ? {} : { uid };
  beforeEach(() => {
    chownSync(directory, uid, uid);
  });

  it(`by ${signal} leaves nothing, even while invocations run`, async () => {
    const service = await start(['--data-dir', data], as);
    const client = clientOf(service.url);
    const mark = `86${Math.floor(Math.random() * 1e9)}`;
    await createFunction(
      client,
      'sleeps',
      shellRuntime(`(setsid sh -c "trap : TERM HUP INT; sleep ${mark}; sleep ${mark}" > /dev/null 2>&1 &)
mkdir -p /tmp/locked/inner; touch /tmp/locked/inner/file; chmod 000 /tmp/locked/inner /tmp/locked
touch /tmp/runs
case "$EVENT" in *long*) sleep ${mark};; *short*) sleep 1.${mark};; esac
respond '"done"'`),
    );
    expect(await invoke(client, 'sleeps')).toBe('"done"');
    const long = [1, 2].map(() => invoke(client, 'sleeps', 'long').catch((error: Error) => error.name));
    const short = invoke(client, 'sleeps', 'short');
    await until(() => processesWith(`sleep ${mark}`).length >= 8);
    await until(() => processesWith(`sleep 1.${mark}`).length >= 1);
    const descendants = descendantsOf(service.pid);
    expect(descendants.length).toBeGreaterThan(8);

    expect(await service.stop(signal)).toBe(0);
    // The short invocation could finish, the long ones were cut off.
    expect(await short).toBe('"done"');
    await Promise.all(long);
    expect(processesWith(mark)).toEqual([]);
    expect(stillAlive(descendants)).toEqual([]);
    expect(cgroupsOf(service.pid)).toEqual([]);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(data);
    expect(existsSync(join(data, 'service.pid'))).toBe(false);
    const run = join(data, 'run');
    expect(existsSync(run) ? readdirSync(run, { recursive: true }) : []).toEqual([]);
    client.destroy();
  });

  it('by two signals is immediate, also for its functions', async () => {
    const service = await start(['--data-dir', data], as);
    const client = clientOf(service.url);
    const mark = `86${Math.floor(Math.random() * 1e9)}`;
    await createFunction(client, 'sleeps', shellRuntime(`sleep ${mark}`));
    const cut = invoke(client, 'sleeps').catch((error: Error) => error.name);
    await until(() => processesWith(`sleep ${mark}`).length >= 1);
    process.kill(service.pid, 'SIGTERM');
    // The kernel decides which of the two is delivered first.
    expect([128 + 2, 128 + 15]).toContain(await service.stop('SIGINT'));
    await cut;
    await until(() => processesWith(mark).length === 0);
    client.destroy();
  });

  it('by kill -9 can be followed by another service, whatever its functions had locked', async () => {
    const first = await start(['--data-dir', data], as);
    const litter = 'mkdir -p /tmp/a/b; touch /tmp/a/b/c; chmod 000 /tmp/a/b; chmod 500 /tmp/a; respond 1';
    const client = clientOf(first.url);
    await createFunction(client, 'litters', shellRuntime(litter));
    expect(await invoke(client, 'litters')).toBe('1');
    client.destroy();
    await first.stop('SIGKILL');
    const second = await start(['--data-dir', data], as);
    expect(await second.stop()).toBe(0);
    expect(existsSync(join(data, 'run'))).toBe(false);
  });

  it('of an ephemeral service leaves nothing on the disk', async () => {
    const service = await start(['--ephemeral'], { ...as, environment: { TMPDIR: directory } });
    const client = clientOf(service.url);
    expect(readdirSync(directory)).toHaveLength(1);
    const litter = 'mkdir -p /tmp/a/b; touch /tmp/a/b/c; chmod 000 /tmp/a/b; chmod 500 /tmp/a; respond 1';
    await createFunction(client, 'litters', shellRuntime(litter));
    expect(await invoke(client, 'litters')).toBe('1');
    client.destroy();
    expect(await service.stop()).toBe(0);
    expect(readdirSync(directory)).toEqual([]);
  });
});

describe('kill -9', () => {
  it('at any moment loses nothing that was acknowledged, and no function outlives it', async () => {
    const functions = new Map<string, { sha: string; timeout: number; versions: string[] }>();
    const layers = new Map<string, string>();
    const roles: string[] = [];
    const aliases: string[] = [];
    const mark = `86${Math.floor(Math.random() * 1e9)}`;
    const iamOf = ({ url }: StartedService) =>
      new IAMClient({
        endpoint: url,
        region: 'us-east-1',
        credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
        maxAttempts: 1,
      });
    const code = (text: string) => zipOf({ bootstrap: shellRuntime(`(sleep ${mark} &); respond '"${text}"'`) });

    /** Writes until the service is gone, and records what was acknowledged. */
    async function write(client: LambdaClient, iam: IAMClient, writer: number): Promise<void> {
      for (let number = 0; ; number++) {
        const name = `f-${writer}-${randomUUID().slice(0, 8)}`;
        const first = await code(name);
        const function_ = {
          FunctionName: name,
          Runtime: 'provided.al2023',
          Handler: 'h',
          Role: ROLE,
          Timeout: 60,
        } as const;
        await client.send(new CreateFunctionCommand({ ...function_, Code: { ZipFile: first } }));
        const record = { sha: sha256(first), timeout: 60, versions: [] as string[] };
        functions.set(name, record);
        const layer = await zipOf({ 'file.txt': name });
        const published = await client.send(
          new PublishLayerVersionCommand({ LayerName: `layer-${writer}`, Content: { ZipFile: layer } }),
        );
        layers.set(published.LayerVersionArn ?? '', sha256(layer));
        const { Version } = await client.send(new PublishVersionCommand({ FunctionName: name }));
        record.versions.push(Version ?? '');
        await client.send(new CreateAliasCommand({ FunctionName: name, Name: 'live', FunctionVersion: Version }));
        aliases.push(name);
        // After the request the new state may be stored; after the response it must be.
        const second = await code(`${name}-2`);
        functions.delete(name);
        await client.send(new UpdateFunctionCodeCommand({ FunctionName: name, ZipFile: second }));
        functions.set(name, { ...record, sha: sha256(second) });
        functions.delete(name);
        await client.send(new UpdateFunctionConfigurationCommand({ FunctionName: name, Timeout: 100 + number }));
        functions.set(name, { ...record, sha: sha256(second), timeout: 100 + number });
        await iam.send(
          new CreateRoleCommand({
            RoleName: name,
            AssumeRolePolicyDocument:
              '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}',
          }),
        );
        roles.push(name);
        await client.send(new InvokeCommand({ FunctionName: name }));
      }
    }

    for (let round = 0; round < 5; round++) {
      const service = await start();
      const client = clientOf(service.url);
      const iam = iamOf(service);
      // At a random request, while it and those of the other writers are in progress.
      let requestsLeft = 10 + Math.floor(Math.random() * 40);
      let descendants: ReturnType<typeof descendantsOf> = [];
      const killInTime = <Response>(response: Response): Response => {
        requestsLeft -= 1;
        if (requestsLeft === 0) {
          descendants = descendantsOf(service.pid);
          process.kill(service.pid, 'SIGKILL');
        }
        return response;
      };
      client.middlewareStack.add((next) => (request) => killInTime(next(request)), { step: 'deserialize' });
      iam.middlewareStack.add((next) => (request) => killInTime(next(request)), { step: 'deserialize' });
      await Promise.allSettled([0, 1, 2].map((writer) => write(client, iam, writer)));
      await service.ended;
      client.destroy();
      iam.destroy();
      await until(() => processesWith(mark).length === 0 && stillAlive(descendants).length === 0);
    }

    const service = await start();
    const client = clientOf(service.url);
    const iam = iamOf(service);
    for (const [FunctionName, { sha, timeout, versions }] of functions) {
      const { Configuration, Code } = await client.send(new GetFunctionCommand({ FunctionName }));
      expect(Configuration).toMatchObject({ CodeSha256: sha, State: 'Active', LastUpdateStatus: 'Successful' });
      if (timeout !== 60) expect(Configuration?.Timeout).toBe(timeout);
      const download = await fetch(Code?.Location ?? '');
      const zip = Buffer.from(await download.arrayBuffer());
      expect({ status: download.status, text: zip.toString('latin1') }).toMatchObject({ status: 200 });
      expect(sha256(zip)).toBe(sha);
      for (const Qualifier of versions) await client.send(new GetFunctionCommand({ FunctionName, Qualifier }));
    }
    for (const [arn, sha] of layers) {
      const [, LayerName, version] = /layer:(.*):(\d+)$/.exec(arn) ?? [];
      const got = await client.send(new GetLayerVersionCommand({ LayerName, VersionNumber: Number(version) }));
      expect(got.Content?.CodeSha256).toBe(sha);
      expect(sha256(Buffer.from(await (await fetch(got.Content?.Location ?? '')).arrayBuffer()))).toBe(sha);
    }
    for (const RoleName of roles) await iam.send(new GetRoleCommand({ RoleName }));
    const [name = ''] = aliases.slice(-1);
    const live = await client.send(new InvokeCommand({ FunctionName: name, Qualifier: 'live' }));
    expect([live.ExecutedVersion, Buffer.from(live.Payload ?? []).toString()]).toEqual(['1', `"${name}"`]);
    expect(await invoke(client, name)).toMatch(new RegExp(`^"${name}(-2)?"$`));
    // No partial files are left.
    expect(readdirSync(join(data, 'staging'))).toEqual([]);
    client.destroy();
    iam.destroy();
    expect(await service.stop()).toBe(0);
  }, 90_000);

  it('during the start leaves a data directory that the next start can use', async () => {
    for (let round = 0; round < 5; round++) {
      const starting = lamella.run([
        'start',
        '--port',
        '0',
        '--data-dir',
        data,
        '--ready-file',
        join(directory, 'ready'),
      ]);
      void starting;
      await until(() => existsSync(data) && readdirSync(data).length > round % 4);
      const pids = processesWith(data);
      expect(pids.length).toBeGreaterThan(0);
      for (const pid of pids) killQuietly(pid);
      await starting;
    }
    const service = await start();
    const client = clientOf(service.url);
    await createFunction(client, 'works', shellRuntime('respond 1'));
    expect(await invoke(client, 'works')).toBe('1');
    client.destroy();
    expect(await service.stop()).toBe(0);
  });

  it('keeps the logs that were written, and the next service continues them', async () => {
    const first = await start();
    const client = clientOf(first.url);
    await createFunction(client, 'speaks', shellRuntime('echo "said $EVENT"; respond 1'));
    await invoke(client, 'speaks', 'before');
    client.destroy();
    const messages = async ({ url }: StartedService) => {
      const logs = new CloudWatchLogsClient({
        endpoint: url,
        region: 'us-east-1',
        credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      });
      const found = await logs
        .send(new FilterLogEventsCommand({ logGroupName: '/aws/lambda/speaks', filterPattern: 'said' }))
        .catch(() => undefined);
      logs.destroy();
      return found?.events?.map(({ message }) => message?.trim()) ?? [];
    };
    // Readers also see events that are not on the disk yet, so reading them proves nothing.
    expect(await messages(first)).toEqual(['said "before"']);
    await first.stop();
    const second = await start();
    const again = clientOf(second.url);
    await invoke(again, 'speaks', 'after');
    expect(await messages(second)).toEqual(['said "before"', 'said "after"']);
    await second.stop('SIGKILL');
    again.destroy();
    const third = await start();
    expect((await messages(third))[0]).toBe('said "before"');
  });
});

describe('a data directory', () => {
  it('is opened by one of many services that start at the same time', async () => {
    const attempts = await Promise.allSettled([1, 2, 3, 4].map(() => start()));
    const refused = attempts.flatMap((attempt) => (attempt.status === 'rejected' ? [String(attempt.reason)] : []));
    expect(refused).toHaveLength(3);
    for (const reason of refused) {
      expect(reason).toContain(`ended with 4: `);
      expect(reason).toContain(`The data directory ${data} is in use by another Lamella service (pid `);
      expect(reason).toContain('--data-dir');
    }
  });

  it('of a newer version is rejected and left unchanged', async () => {
    await (await start()).stop();
    const file = join(data, 'lamella.db');
    const database = new Sqlite(file);
    database.exec('PRAGMA user_version = 9999');
    database.close();
    const { size } = statSync(file);
    const { code, stderr } = await lamella.run(['start', '--port', '0', '--data-dir', data]);
    expect({ code, stderr }).toEqual({
      code: 4,
      stderr: expect.stringMatching(
        /was written by a newer version of Lamella \(schema 9999, this version supports \d+\)/,
      ),
    });
    expect(statSync(file).size).toBe(size);
  });

  it('that is damaged is rejected with a clear message', async () => {
    await (await start()).stop();
    writeFileSync(join(data, 'lamella.db'), Buffer.alloc(50_000, 'not a database '));
    for (const journal of ['lamella.db-wal', 'lamella.db-shm']) rmSync(join(data, journal), { force: true });
    const { code, stderr } = await lamella.run(['start', '--port', '0', '--data-dir', data]);
    expect({ code, stderr }).toEqual({
      code: 4,
      stderr: expect.stringMatching(/The database .*lamella\.db is damaged: /),
    });
    expect(stderr).toContain('backup');
  });

  it('that is a file or not writable is rejected with a clear message', async () => {
    writeFileSync(join(directory, 'file'), '');
    const onFile = await lamella.run(['start', '--port', '0', '--data-dir', join(directory, 'file')]);
    expect([onFile.code, onFile.stderr]).toEqual([4, expect.stringMatching(/Cannot use the data directory .*file: /)]);
    const locked = join(directory, 'locked');
    mkdirSync(locked, { mode: OWN_UID === 0 ? 0o755 : 0o555 });
    const as = OWN_UID === 0 ? { uid: ORDINARY_UID } : {};
    const foreign = await lamella.run(['start', '--port', '0', '--data-dir', join(locked, 'data')], as);
    expect([foreign.code, foreign.stderr]).toEqual([4, expect.stringMatching(/Cannot use the data directory .*: /)]);
  });
});

describe('the ready file', () => {
  it('of a killed service is replaced when the next one accepts connections', async () => {
    const file = join(directory, 'ready.json');
    const first = await start(['--data-dir', data, '--ready-file', file]);
    await first.stop('SIGKILL');
    expect(JSON.parse(readFileSync(file, 'utf8')).pid).toBe(first.pid);
    const second = await start(['--data-dir', data, '--ready-file', file]);
    expect(readFileSync(file, 'utf8')).toBe(second.stdout());
    expect((await fetch(`${second.url}/2015-03-31/functions`)).status).toBe(200);
    await second.stop();
    expect(existsSync(file)).toBe(false);
  });
});

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Deleted by the service.
  }
}
