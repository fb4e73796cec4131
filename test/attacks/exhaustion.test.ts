/** A service that runs out of descriptors or of disk space: requests fail with an error, and the service goes on. */
import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { ResourceAccounts } from '../../src/admin-api/environments.ts';
import { shellRuntime, zipOf } from '../support/function-zip.ts';
import { connectTo } from '../support/raw-http.ts';
import { PYTHON_RUNTIME } from './python-runtime.ts';
import { cases, startTarget, type Target } from './target.ts';

let target: Target | undefined;
afterEach(() => target?.close());

describe('a service that runs out of', () => {
  it('descriptors refuses what needs one, and recovers', { timeout: 120_000 }, async () => {
    target = await startTarget({ runner: ['prlimit', '--nofile=400:400'] });
    await target.createFunction('f', { bootstrap: shellRuntime('sleep 0.2; respond 1') }, { Timeout: 30 });
    await target.invoke('f');
    await target.measure();
    // Each port may have 100 of them.
    const ports = [target.port, target.httpPort];
    const held = await Promise.all(Array.from({ length: cases(500) }, (_, at) => connectTo(ports[at % 2] ?? 0)));
    const started = await Promise.allSettled(Array.from({ length: 40 }, () => target?.invoke('f')));
    const refusals = started.flatMap((one) => (one.status === 'rejected' ? [(one.reason as Error).message] : []));
    for (const message of refusals) expect(message).toContain('Too many open files');
    expect(refusals.length).toBeLessThan(40);
    // Clients that have requests get in while others hold connections without any.
    await target.expectResponsive();
    for (const socket of held) socket.destroy();
    await expect
      .poll(async () => (await target?.invoke('f').catch(() => undefined))?.payload, { timeout: 60_000 })
      .toBe('1');
    await target.expectUnharmed();
  });

  it.skipIf(process.getuid?.() !== 0)('disk space says so, and recovers', { timeout: 120_000 }, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'lamella-small-disk-'));
    const isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', directory]).status === 0;
    try {
      // Containers without the capability cannot mount.
      if (!isMounted) return;
      target = await startTarget({ dataDirectory: join(directory, 'data') });
      await target.createFunction('f', { bootstrap: shellRuntime('respond 1') }, { Timeout: 30 });
      await target.measure();
      const filler = join(directory, 'filler');
      fillDisk(filler);
      const zip = await zipOf({
        bootstrap: shellRuntime('respond 2'),
        data: Buffer.alloc(200_000, Math.random().toString()),
      });
      const refused = await fetch(`${target.url}/2015-03-31/functions/`, {
        method: 'POST',
        body: JSON.stringify({
          FunctionName: 'g',
          Runtime: 'provided.al2023',
          Handler: 'h',
          Role: 'arn:aws:iam::123456789012:role/any',
          Code: { ZipFile: zip.toString('base64') },
        }),
      });
      if (refused.status >= 500) expect(await refused.text()).toMatch(/No space left/i);
      await target.invoke('f').catch(() => undefined);
      await target.expectResponsive();
      rmSync(filler);
      await expect
        .poll(async () => (await target?.invoke('f').catch(() => undefined))?.payload, { timeout: 60_000 })
        .toBe('1');
      await target.expectResponsive();
    } finally {
      await target?.close();
      target = undefined;
      if (isMounted) spawnSync('umount', ['-l', directory]);
      rmSync(directory, { recursive: true, force: true });
    }
  });
});

/** Opens connections to its Runtime API in many processes, sends the start of a request on each, and then responds. */
const CONNECTS = `#!/usr/bin/env python3
import http.client, json, os, socket
host, port = os.environ['AWS_LAMBDA_RUNTIME_API'].split(':')
api = http.client.HTTPConnection(host, int(port))
while True:
    api.request('GET', '/2018-06-01/runtime/invocation/next')
    answer = api.getresponse()
    event = json.loads(answer.read())
    children = []
    for _ in range(event['processes']):
        child = os.fork()
        if child == 0:
            held = []
            for _ in range(event['connections']):
                try:
                    s = socket.create_connection((host, int(port)), 10)
                    held.append(s)
                    s.settimeout(0.05)
                    s.sendall(b'GET / HTTP/1.1\\r\\nX: ' + b'x' * event['bytes'])
                except OSError: pass
            os._exit(0)
        children.append(child)
    for child in children: os.waitpid(child, 0)
    api.request('POST', '/2018-06-01/runtime/invocation/' + answer.headers['Lambda-Runtime-Aws-Request-Id'] + '/response', '"done"')
    api.getresponse().read()
`;

describe('one function that opens', () => {
  it.each([
    // The service holds 128 of them. `npm run attack` opens 1,600.
    ['400 connections with', { processes: 2, connections: cases(200), bytes: 1_000_000 }],
  ])(
    '%s a megabyte of an unfinished head takes neither the descriptors nor the memory of the service',
    { timeout: 200_000 },
    async (_, event) => {
      target = await startTarget();
      await target.createFunction('connects', { bootstrap: CONNECTS }, { Timeout: 120, MemorySize: 1024 });
      await target.createFunction('neighbor', { bootstrap: shellRuntime('respond 1') }, { Timeout: 30 });
      await target.invoke('connects', { processes: 0 });
      await target.measure();
      const before = await accounts(target.url);
      let isRunning = true;
      const attack = target.invoke('connects', event).finally(() => {
        isRunning = false;
      });
      let most = { memoryBytes: 0, descriptors: 0, connections: 0 };
      let invocations = 0;
      while (isRunning) {
        const { memoryBytes, descriptors, connections } = (await accounts(target.url)).service;
        most = {
          memoryBytes: Math.max(most.memoryBytes, memoryBytes),
          descriptors: Math.max(most.descriptors, descriptors.used),
          connections: Math.max(most.connections, connections.used),
        };
        expect((await target.invoke('neighbor')).payload).toBe('1');
        invocations += 1;
      }
      expect((await attack).payload).toBe('"done"');
      expect(invocations).toBeGreaterThan(0);
      expect(most.connections).toBeLessThanOrEqual(128 + 2);
      expect(most.descriptors - before.service.descriptors.used).toBeLessThan(300);
      expect(most.memoryBytes - before.service.memoryBytes).toBeLessThan(400 * 1024 * 1024);
      await target.expectUnharmed();
    },
  );
});

describe('a body whose chunks have one byte each', () => {
  const CHUNKS = 1_000_000;
  /** Buffers for single bytes would take some 200 MB. */
  const LIMIT = 100 * 1024 * 1024;

  it('takes about its size in memory, at the API port', { timeout: 120_000 }, async () => {
    target = await startTarget();
    await target.measure();
    const before = target.rssBytes();
    const socket = await connectTo(target.port);
    socket.write(
      'POST /2015-03-31/functions/f/invocations HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    const some = '1\r\n1\r\n'.repeat(10_000);
    for (let sent = 0; sent < CHUNKS; sent += 10_000) {
      if (!socket.write(some)) await new Promise((resolve) => socket.once('drain', resolve));
    }
    // All were read when the response comes.
    const response = new Promise<string>((resolve) => socket.once('data', (data: Buffer) => resolve(data.toString())));
    await target.expectResponsive();
    const held = target.rssBytes();
    socket.write('0\r\n\r\n');
    expect(await response).toContain('404 Not Found');
    expect(held - before).toBeLessThan(LIMIT);
    socket.destroy();
    await target.expectUnharmed();
  });

  it('takes about its size in memory, at the Runtime API', { timeout: 120_000 }, async () => {
    target = await startTarget();
    const bootstrap = `${PYTHON_RUNTIME}
id, event = next_invocation()
api.request('POST', BASE + id + '/response', (b'1\\r\\n1\\r\\n' * 10_000 for _ in range(${CHUNKS} // 10_000)), {'Transfer-Encoding': 'chunked'})
api.sock.sendall(b'0\\r\\n\\r\\n')
api.getresponse().read()
next_invocation()
`;
    await target.createFunction('f', { bootstrap }, { Timeout: 60, MemorySize: 512 });
    await target.measure();
    const before = target.rssBytes();
    let most = 0;
    const invoked = target.invoke('f');
    for (let isDone = false; !isDone; ) {
      isDone = await Promise.race([
        invoked.then(() => true),
        new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 50)),
      ]);
      most = Math.max(most, target.rssBytes());
    }
    const { payload, functionError } = await invoked;
    expect([functionError, payload.length]).toEqual([undefined, CHUNKS]);
    expect(most - before).toBeLessThan(LIMIT);
    await target.expectUnharmed();
  });
});

async function accounts(url: string): Promise<ResourceAccounts> {
  return (await (await fetch(`${url}/_lamella/environments`)).json()) as ResourceAccounts;
}

/** Fills the disk of a file except for two pages. The service may write at the same time. */
function fillDisk(file: string): void {
  const descriptor = openSync(file, 'w');
  let size = 0;
  try {
    for (;;) size += writeSync(descriptor, Buffer.alloc(4096));
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code !== 'ENOSPC') throw failure;
    ftruncateSync(descriptor, size - 8192);
  } finally {
    closeSync(descriptor);
  }
}
