/**
 * `lamella start --network isolated` through the whole service, as root and as an ordinary user: the address of the Runtime API,
 * reachable and unreachable addresses, telemetry, resets, and cleanup.
 */
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import {
  CreateFunctionCommand,
  type CreateFunctionCommandInput,
  InvokeCommand,
  type LambdaClient,
  PublishLayerVersionCommand,
  waitUntilFunctionActiveV2,
} from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serviceRuntimes } from '../conformance/service-runtimes.ts';
import type { StartedService } from '../support/built-cli.ts';
import { shellRuntime, type ZipFiles, zipOf } from '../support/function-zip.ts';
import { type InstalledLamella, installLamella } from '../support/installed-lamella.ts';
import { descendantsOf, stillAlive } from '../support/processes.ts';
import { clientOf, ROLE } from '../support/running-service.ts';

const ORDINARY_UID = 54_323;
const OWN_UID = process.getuid?.() ?? 0;
/** The port on which every function listens. */
const PORT = 18_080;

/** A function that runs its event as a shell command, and responds with the output. */
const SHELL = shellRuntime(`printf %s "$EVENT" | tr -d '"' | base64 -d > /tmp/command
sh /tmp/command > /tmp/printed 2>&1
curl -sS -o /dev/null -X POST --data-binary @/tmp/printed "$API/invocation/$ID/response"`);

let lamella: InstalledLamella;

beforeAll(async () => {
  lamella = await installLamella();
});
afterAll(() => lamella.remove());

const accounts = [
  { name: 'root', uid: 0 },
  { name: 'an ordinary user', uid: OWN_UID === 0 ? ORDINARY_UID : OWN_UID },
].filter(({ uid }) => uid !== 0 || OWN_UID === 0);

describe.each(accounts)('an environment with an isolated network, of a service that runs as $name,', ({ uid }) => {
  let service: StartedService;
  let client: LambdaClient;

  beforeAll(async () => {
    const as = uid === OWN_UID ? {} : { uid };
    service = await lamella.start(['--ephemeral', '--network', 'isolated'], as);
    client = clientOf(service.url);
    await createFunction('runs-commands', { bootstrap: SHELL });
  });
  afterAll(async () => {
    client.destroy();
    const processes = descendantsOf(service.pid);
    expect(await service.stop()).toBe(0);
    expect(stillAlive(processes)).toEqual([]);
  });

  async function createFunction(name: string, files: ZipFiles, more: Partial<CreateFunctionCommandInput> = {}) {
    const settings = { Runtime: 'provided.al2023', Handler: 'h', Role: ROLE, Timeout: 20, ...more } as const;
    const Code = { ZipFile: await zipOf(files) };
    await client.send(new CreateFunctionCommand({ FunctionName: name, Code, ...settings }));
    const waiter = { client, maxWaitTime: 10, minDelay: 0.02, maxDelay: 0.1 };
    await waitUntilFunctionActiveV2(waiter, { FunctionName: name });
  }

  async function invoke(FunctionName: string, event: unknown = {}): Promise<string> {
    // With the log tail, the response comes when the environment is free again.
    const call = { FunctionName, Payload: JSON.stringify(event), LogType: 'Tail' } as const;
    const { Payload } = await client.send(new InvokeCommand(call));
    return Buffer.from(Payload ?? []).toString();
  }

  const sh = (command: string) => invoke('runs-commands', Buffer.from(command).toString('base64'));

  it.each(serviceRuntimes(false))('has the Runtime API at 127.0.0.1:9001, for the runtime $name', async (runtime) => {
    const { name, files, handler } = runtime;
    await createFunction(name, files, { Handler: handler });
    expect(JSON.parse(await invoke(name, { do: 'variable', name: 'AWS_LAMBDA_RUNTIME_API' }))).toBe('127.0.0.1:9001');
    expect(JSON.parse(await invoke(name, { ok: ['ä', 1] }))).toEqual({ ok: ['ä', 1] });
  });

  it('cannot reach this machine, the service or the internet', async () => {
    const server = createServer((_, response) => response.end('this machine'));
    await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', () => resolve()));
    const machine = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const attempt = (address: string) => `curl -s -m 5 -o /tmp/said -w '%{errormsg}\\n' 'http://${address}/' || :`;
    const printed = await sh([machine, new URL(service.url).host, '192.0.2.1', 'example.com'].map(attempt).join('\n'));
    expect(printed.trim().split('\n')).toEqual([
      expect.stringMatching(/^Failed to connect to 127\.0\.0\.1 /),
      expect.stringMatching(/^Failed to connect to 127\.0\.0\.1 /),
      expect.stringMatching(/^(Failed to connect|Couldn't connect|Immediate connect fail).*192\.0\.2\.1/),
      'Could not resolve host: example.com',
    ]);
    await new Promise((resolve) => server.close(resolve));
  });

  it('cannot reach the Runtime API of another environment', async () => {
    // Both run at the same time. Each finds one listener, its own.
    const look = 'sleep 0.3; cat /proc/net/tcp | grep -c ":2329 .* 0A "; readlink /proc/self/ns/net';
    const [first = '', second = ''] = await Promise.all([sh(look), sh(look)]);
    expect([first, second].map((text) => text.split('\n')[0])).toEqual(['1', '1']);
    expect(first).not.toBe(second);
  });

  it('listens on any port of sandbox.localdomain and localhost, also on the port of another', async () => {
    const init = `echo "$AWS_LAMBDA_FUNCTION_NAME" > /tmp/who
python3 -m http.server --bind 127.0.0.1 --directory /tmp ${PORT} >/dev/null 2>&1 &
until curl -fsS -o /dev/null http://localhost:${PORT}/ 2>/dev/null; do sleep 0.05; done`;
    const bootstrap = shellRuntime(`respond "$(curl -sS http://sandbox.localdomain:${PORT}/who)"`, init);
    const names = ['listens-one', 'listens-two'];
    for (const name of names) await createFunction(name, { bootstrap });
    expect(await Promise.all(names.map((name) => invoke(name)))).toEqual(names);
    expect(await Promise.all(names.map((name) => invoke(name)))).toEqual(names);
  });

  it('receives telemetry over HTTP and TCP, on the same ports as another', async () => {
    const extensions = { 'extensions/over-http': listener('HTTP'), 'extensions/over-tcp': listener('TCP') };
    const layer = await client.send(
      new PublishLayerVersionCommand({ LayerName: 'listeners', Content: { ZipFile: await zipOf(extensions) } }),
    );
    const bootstrap = shellRuntime(`echo "line of $AWS_LAMBDA_FUNCTION_NAME"
respond "$(cat /tmp/over-http /tmp/over-tcp 2>/dev/null)"`);
    const names = ['is-watched', 'is-watched-too'];
    const Layers = [layer.LayerVersionArn ?? ''];
    for (const name of names) await createFunction(name, { bootstrap }, { Layers, Timeout: 5 });
    await Promise.all(
      names.map((name) =>
        expect
          .poll(() => invoke(name), { timeout: 10_000 })
          .toMatch(
            new RegExp(
              `^over-http platform\\.initStart(.*\n)*over-http function line of ${name}\n(.*\n)*over-tcp platform\\.report`,
            ),
          ),
      ),
    );
  });

  it('is frozen between invocations, and keeps its network when its processes are replaced', async () => {
    const ticks =
      '(while :; do printf x >> /tmp/ticks; sleep 0.01; done) & while [ ! -s /tmp/ticks ]; do sleep 0.01; done';
    const answer = 'readlink /proc/self/ns/net; wc -c < /tmp/ticks';
    const handle = `case $EVENT in *sleep*) sleep 60;; *) respond "$(${answer})";; esac`;
    await createFunction('sleeps', { bootstrap: shellRuntime(handle, ticks) }, { Timeout: 1 });
    const [network = '', before = ''] = (await invoke('sleeps')).split('\n');
    // Meanwhile a function that is not frozen makes 50 ticks.
    const fifty = 'i=0; while [ $i -lt 50 ]; do sleep 0.01; i=$((i+1)); done; respond 1';
    await createFunction('counts', { bootstrap: shellRuntime(fifty) });
    await invoke('counts');
    const [, after = ''] = (await invoke('sleeps')).split('\n');
    expect(Number(after) - Number(before)).toBeLessThan(20);
    expect(await invoke('sleeps', 'sleep')).toMatch(/Task timed out after 1\.00 seconds/);
    expect((await invoke('sleeps')).split('\n')[0]).toBe(network);
  });
});

describe('a machine whose kernel allows no network namespaces', () => {
  /** With the kernel's limit at 0 in a user namespace, so that no other process is affected. */
  const lamellaThere = (...args: string[]) => {
    const limit = 'echo 0 >/proc/sys/user/max_net_namespaces && exec "$0" "$@"';
    const program = [process.execPath, join(lamella.directory, 'lamella/bin/lamella'), ...args];
    return spawnSync('unshare', ['--user', '--map-root-user', 'sh', '-c', limit, ...program], { encoding: 'utf8' });
  };

  it('gets an error at the start that names the problem, the fix, and the alternative', () => {
    const { status, stderr } = lamellaThere('start', '--network', 'isolated', '--ephemeral', '--port', '0');
    expect(stderr).toContain('Cannot give each execution environment its own network: bwrap: ');
    expect(stderr).toContain('sudo sysctl -w user.max_net_namespaces=');
    expect(stderr).toContain('leave out `--network isolated`');
    expect(status).toBe(4);
  });

  it('is reported by lamella doctor, which still exits with 0', () => {
    const { status, stdout } = lamellaThere('doctor');
    expect(stdout).toMatch(
      /^limited +isolated network: bwrap: .*\n.*\n +What to do: .*sysctl -w user\.max_net_namespaces=/m,
    );
    expect(status).toBe(0);
  });
});

/** An extension that listens on the port of its protocol and writes its telemetry to /tmp, one event per line. */
function listener(protocol: 'HTTP' | 'TCP'): string {
  const destination =
    protocol === 'HTTP' ? { protocol, URI: 'http://sandbox.localdomain:4243/' } : { protocol, port: 4244 };
  return `#!/usr/bin/env python3
import http.server, json, os, socketserver, threading, urllib.request
api = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API']
name = os.path.basename(__file__)
def keep(events):
    with open('/tmp/' + name, 'a') as file:
        for event in events:
            said = event['record'].strip() if event['type'] == 'function' else ''
            file.write(f"{name} {event['type']} {said}".strip() + '\\n')
class OverHttp(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        keep(json.loads(self.rfile.read(int(self.headers['Content-Length']))))
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_): pass
class OverTcp(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile: keep([json.loads(line)])
${protocol === 'HTTP' ? "server = http.server.HTTPServer(('127.0.0.1', 4243), OverHttp)" : "server = socketserver.TCPServer(('sandbox.localdomain', 4244), OverTcp)"}
threading.Thread(target=server.serve_forever, daemon=True).start()
def call(path, body=None, method=None, **headers):
    headers = {key.replace('_', '-'): value for key, value in headers.items()}
    return urllib.request.urlopen(urllib.request.Request(api + path, body, headers, method=method))
registered = call('/2020-01-01/extension/register', b'{"events":["INVOKE"]}', Lambda_Extension_Name=name)
me = {'Lambda_Extension_Identifier': registered.headers['Lambda-Extension-Identifier']}
call('/2022-07-01/telemetry', json.dumps({
    'schemaVersion': '2022-12-13', 'types': ['platform', 'function'], 'buffering': {'timeoutMs': 25},
    'destination': ${JSON.stringify(destination)},
}).encode(), 'PUT', **me)
while True: json.load(call('/2020-01-01/extension/event/next', **me))
`;
}
