/**
 * Isolated networks: what they contain, what they cannot reach, that they outlive the processes of a sandbox, and that
 * they disappear with the sandbox or the service.
 */
import { readdirSync } from 'node:fs';
import { readlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { descendantsOf, stillAlive } from '../support/processes.ts';
import { until } from '../support/until.ts';
import type { SandboxService } from './sandbox-service.ts';
import { accounts, descendants, forgetBundle, startSandboxService } from './sandbox-service.ts';

const PORT = 9001;
const HOSTS = { '127.0.0.1': ['sandbox.localdomain', 'sandbox'] };
/** Connects to the service and prints its greeting. */
const READ = `exec 3<>/dev/tcp/sandbox.localdomain/${PORT} && read -r line <&3 && echo "$line"`;

afterAll(forgetBundle);

// Networks do not depend on cgroups.
const tried = accounts().filter(({ isBare }) => !isBare);

describe.each(tried)('an isolated network of a service that is $name', (account) => {
  let service: SandboxService;

  beforeEach(async () => {
    service = await startSandboxService(account, undefined, { isolatedPort: PORT });
  });
  afterEach(() => service.end());

  const openOne = () => service.openOne({ hosts: HOSTS });
  const bash = async (sandbox: number, command: string): Promise<string> => {
    const process = await service.start(sandbox, { argv: ['/bin/bash', '-c', command], environment: {} });
    return (await service.finished(process)).output;
  };

  it('has only a loopback interface, on which the service listens for this sandbox alone', async () => {
    const [first, second] = [await openOne(), await openOne()];
    expect(await Promise.all([bash(first, READ), bash(second, READ)])).toEqual(['sandbox 0\n', 'sandbox 1\n']);
    const interfaces = await bash(first, 'while read -r name _; do echo "$name"; done </proc/net/dev');
    expect(interfaces.match(/^\w+:$/gm)).toEqual(['lo:']);
    expect((await bash(first, 'cat /proc/net/route')).trim().split('\n')).toHaveLength(1);
  });

  it('cannot reach the host’s loopback addresses or other hosts, and gets an error immediately', async () => {
    const server = createServer((socket) => socket.end('the host\n'));
    await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', () => resolve()));
    const { port } = server.address() as { port: number };
    const attempt = (address: string) => `(read -r line </dev/tcp/${address}/${port} && echo "$line") 2>&1`;
    const sandbox = await openOne();
    expect(await bash(sandbox, attempt('127.0.0.1'))).toContain('Connection refused');
    expect(await bash(sandbox, attempt('127.64.0.1'))).toContain('Connection refused');
    expect(await bash(sandbox, attempt('192.0.2.1'))).toContain('Network is unreachable');
    await new Promise((resolve) => server.close(resolve));
  });

  it('lets two sandboxes listen on the same port, and the service connect to each', async () => {
    const listen = `import socket
server = socket.create_server(('sandbox.localdomain', 8080))
print('up', flush=True)
while True:
    peer, _ = server.accept()
    peer.sendall(open('/tmp/name', 'rb').read())
    peer.close()`;
    const sandboxes = [await openOne(), await openOne()];
    for (const sandbox of sandboxes) {
      await service.sh(sandbox, `echo listener ${sandbox} >/tmp/name`);
      const process = await service.start(sandbox, { argv: ['/usr/bin/python3', '-c', listen], environment: {} });
      await service.outputHas(process, 'up');
    }
    const calls = sandboxes.flatMap((sandbox) => [sandbox, sandbox]);
    expect(await Promise.all(calls.map((sandbox) => service.callInside(sandbox, 8080)))).toEqual(
      calls.map((sandbox) => `listener ${sandbox}\n`),
    );
    expect(await service.callInside(sandboxes[0] ?? 0, 8081)).toContain('ECONNREFUSED');
  });

  it('outlives the processes: after they were killed, the service still listens in the same network', async () => {
    const sandbox = await openOne();
    const before = await bash(sandbox, 'readlink /proc/self/ns/net');
    expect(await readlink('/proc/self/ns/net')).not.toBe(before.trim());
    await service.killAll(sandbox);
    expect(await bash(sandbox, `readlink /proc/self/ns/net; ${READ}`)).toBe(`${before}sandbox 0\n`);
  });

  it('does not leak descriptors to processes', async () => {
    const sandbox = await openOne();
    const open = await bash(sandbox, 'for fd in /proc/$$/fd/*; do readlink "$fd"; done');
    expect(open).toMatch(/^\/dev\/null\n(.*\/pipes\/.*\n){2}$/);
  });

  it('disappears with its sandbox: no descriptor and no process keeps it', async () => {
    const sandbox = await openOne();
    await service.callInside(sandbox, PORT);
    const network = (await bash(sandbox, 'readlink /proc/self/ns/net')).trim();
    expect(await networksHeld()).toContain(network);
    expect(await networksOfProcesses()).toContain(network);
    await service.close(sandbox);
    expect(await networksHeld()).not.toContain(network);
    expect(await networksOfProcesses()).not.toContain(network);
    // The networks of spare sandboxes disappear with the service.
    await service.closeAll();
    expect(await networksHeld()).toEqual([]);
    expect(await descendants(service.pid)).toEqual([]);
  });

  it('disappears with a service that is killed', async () => {
    const sandbox = await openOne();
    await service.callInside(sandbox, PORT);
    await service.startSh(sandbox, 'exec sleep 1000');
    const network = (await bash(sandbox, 'readlink /proc/self/ns/net')).trim();
    const processes = descendantsOf(service.pid);
    // The processes of the holder, two of the sleep, and the network helper.
    const inside = (await Promise.all(processes.map(({ pid }) => networkOf(pid)))).filter((it) => it === network);
    expect(inside.length).toBeGreaterThanOrEqual(5);
    await service.kill();
    await until(() => stillAlive(processes).length === 0);
  });

  /** The network namespaces that the service holds open. */
  async function networksHeld(): Promise<string[]> {
    const directory = `/proc/${service.pid}/fd`;
    const targets = await Promise.all(
      readdirSync(directory).map((name) => readlink(`${directory}/${name}`).catch(() => '')),
    );
    return targets.filter((target) => target.startsWith('net:'));
  }

  async function networksOfProcesses(): Promise<string[]> {
    return Promise.all((await descendants(service.pid)).map(networkOf));
  }
});

function networkOf(pid: number): Promise<string> {
  return readlink(`/proc/${pid}/ns/net`).catch(() => '');
}
