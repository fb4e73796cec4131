/** What execution environments use, as the admin API and `lamella doctor` show it, and what happens at the limits. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ResourceAccounts } from '../../src/admin-api/environments.ts';
import type { EnvironmentAccount } from '../../src/environment/account.ts';
import { buildIfStale, lamella } from '../support/built-cli.ts';
import { type RunningService, startService } from '../support/running-service.ts';
import { until } from '../support/until.ts';

/** Does what the event says, and keeps it until the environment ends. */
const USES = `#!/usr/bin/python3
import http.client, json, os, socket, time
host, port = os.environ['AWS_LAMBDA_RUNTIME_API'].split(':')
api = http.client.HTTPConnection(host, int(port))
held = []
while True:
    api.request('GET', '/2018-06-01/runtime/invocation/next')
    answer = api.getresponse()
    event = json.loads(answer.read())
    path = '/2018-06-01/runtime/invocation/' + answer.headers['Lambda-Runtime-Aws-Request-Id'] + '/response'
    held.append(bytearray(event.get('memory', 0) << 20))
    held[-1][::4096] = b'1' * len(held[-1][::4096])
    held.extend(open('/dev/null') for _ in range(event.get('files', 0)))
    for _ in range(event.get('processes', 0)):
        if os.fork() == 0: time.sleep(1000)
    with open('/tmp/file', 'wb') as file: file.write(b'x' * (event.get('disk', 0) << 20))
    for count in range(event.get('lines', 0)): print(count, flush=True)
    for _ in range(event.get('connections', 0)): held.append(socket.create_connection((host, int(port))))
    for _ in range(event.get('bodies', 0)):
        body = socket.create_connection((host, int(port)))
        held.append(body)
        try: body.sendall(f'POST /2018-06-01/runtime/init/error HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 6000000\\r\\n\\r\\n'.encode() + b'x' * 5000000)
        except OSError: pass
    api.request('POST', path, '"done"')
    api.getresponse().read()
`;

const MIB = 1024 * 1024;
let service: RunningService;

beforeAll(async () => {
  [service] = await Promise.all([startService(), buildIfStale()]);
  for (const name of ['uses', 'connects', 'posts']) {
    await service.createFunction(name, { bootstrap: USES }, { Timeout: 60, MemorySize: 256 });
  }
}, 120_000);
afterAll(() => service.close());

async function accounts(): Promise<ResourceAccounts> {
  const response = await fetch(`${service.url}/_lamella/environments`);
  expect(response.status).toBe(200);
  return (await response.json()) as ResourceAccounts;
}

async function accountOf(name: string): Promise<EnvironmentAccount> {
  const found = (await accounts()).environments.filter((one) => one.function === name);
  expect(found).toHaveLength(1);
  return found[0] as EnvironmentAccount;
}

describe('the resource account of an environment', () => {
  it('shows its memory, processes, descriptors, disk, connections and output with their limits', async () => {
    const event = { memory: 40, files: 50, processes: 3, disk: 5, lines: 700, connections: 7 };
    expect((await service.invoke('uses', event)).payload).toBe('"done"');
    await until(async () => (await accountOf('uses')).phase === 'idle');
    const account = await accountOf('uses');
    expect(account).toMatchObject({
      version: '$LATEST',
      scope: { region: 'us-east-1', account: '123456789012' },
      memory: { limit: 256 * MIB },
      processes: { used: 4, limit: 742 },
      descriptors: { limitPerProcess: 1024 },
      connections: { used: 8, limit: 128, refused: 0 },
      log: { isHeldBack: false },
    });
    expect(account.memory.used).toBeGreaterThan(40 * MIB);
    expect(account.memory.used).toBeLessThan(100 * MIB);
    expect(account.descriptors.used).toBeGreaterThan(50);
    expect(account.disk.used).toBeGreaterThanOrEqual(5 * MIB);
    expect(account.disk.limit).toBe(process.getuid?.() === 0 ? 512 * MIB : null);
    expect(account.log.lines).toBeGreaterThanOrEqual(700);
    expect(account.log.bytes).toBeGreaterThan(2000);
  });

  it('counts connections beyond the limit, which are refused, and the function continues', async () => {
    expect((await service.invoke('connects', { connections: 300 })).payload).toBe('"done"');
    // Connected by the kernel, they wait to be accepted.
    await until(async () => (await accountOf('connects')).connections.refused === 173);
    expect((await accountOf('connects')).connections).toEqual({ used: 128, limit: 128, refused: 173 });
    expect((await service.invoke('connects')).payload).toBe('"done"');
  });

  it('bounds the bodies that it sends at the same time', async () => {
    expect((await service.invoke('posts', { bodies: 40 })).payload).toBe('"done"');
    const { buffered, connections } = await accountOf('posts');
    expect(buffered.requests.used).toBeGreaterThan(5_000_000);
    expect(buffered.requests.used).toBeLessThanOrEqual(buffered.requests.limit ?? 0);
    expect(connections.used).toBeLessThan(10);
    expect((await service.invoke('posts')).payload).toBe('"done"');
  });

  it('is shown by doctor, with the use of the service', async () => {
    const text = (await lamella(['doctor', '--endpoint-url', service.url])).stdout.toString();
    expect(text).toMatch(/^The service at \S+ uses \d+ MB of memory, \d+ of \d+ descriptors, .+ environments\.$/m);
    expect(text).toMatch(
      /^ {2}uses:\$LATEST \(idle\): memory \d+ MB of 256 MB, processes 4 of 742, .+ log \d+ KB\/s$/m,
    );
    expect(text).toContain('connections 128 of 128 (173 refused)');
    const { resources } = JSON.parse(
      (await lamella(['doctor', '--json', '--endpoint-url', service.url])).stdout.toString(),
    );
    expect(resources.environments.map((one: EnvironmentAccount) => one.function).sort()).toEqual([
      'connects',
      'posts',
      'uses',
    ]);
    const { service: own } = await accounts();
    expect(own.connections.used).toBeGreaterThanOrEqual(128);
    expect(own.descriptors.used).toBeLessThan(own.descriptors.limit);
  });

  it('is left out by doctor when no service runs', async () => {
    const { stdout } = await lamella(['doctor', '--json', '--endpoint-url', 'http://127.0.0.1:9']);
    expect(JSON.parse(stdout.toString())).not.toHaveProperty('resources');
  });
});
