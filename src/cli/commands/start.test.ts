import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { StartedService } from '../../../test/support/built-cli.ts';
import { buildIfStale, cleanEnvironment, LAMELLA, lamella, startLamella } from '../../../test/support/built-cli.ts';

/** A URL with any port. */
const HTTP = /^http:\/\/127\.0\.0\.1:\d+$/;

let directory: string;
let services: StartedService[];

beforeAll(() => buildIfStale(), 120_000);
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lamella-start-'));
  services = [];
});
afterEach(async () => {
  await Promise.all(services.map((service) => service.stop('SIGKILL')));
  rmSync(directory, { recursive: true, force: true });
});

async function start(...args: string[]): Promise<StartedService> {
  const service = await startLamella(args);
  services.push(service);
  return service;
}

describe('lamella start', () => {
  it('prints to standard output and to the ready file where it accepts connections', async () => {
    const file = join(directory, 'ready.json');
    const service = await start('--ephemeral', '--ready-file', file);
    expect(service.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(readFileSync(file, 'utf8')).toBe(service.stdout());
    expect(JSON.parse(service.stdout())).toEqual({
      lambda: service.url,
      http: expect.stringMatching(HTTP),
      pid: service.pid,
    });
    const answer = await fetch(`${service.url}/2015-03-31/functions/`);
    expect(answer.status).toBe(200);
  });

  it('writes the ready file atomically, and removes it at the end', async () => {
    const appeared = new Promise<string>((settle) => {
      const watcher = watch(directory, (_, name) => {
        if (name !== 'ready.json') return;
        watcher.close();
        settle(readFileSync(join(directory, 'ready.json'), 'utf8'));
      });
    });
    const service = await start('--ephemeral', '--ready-file', join(directory, 'ready.json'));
    expect(JSON.parse(await appeared)).toEqual({
      lambda: service.url,
      http: expect.stringMatching(HTTP),
      pid: service.pid,
    });
    await service.stop();
    expect(readdirSync(directory)).toEqual([]);
  });

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('exits with code 0 on %s', async (signal) => {
    const service = await start('--ephemeral');
    expect(await service.stop(signal)).toBe(0);
  });

  it('prints how to use it, with its URL unless other commands find it without', async () => {
    const child = spawn(LAMELLA, ['start', '--port', '0', '--ephemeral'], {
      env: cleanEnvironment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    for await (const chunk of child.stdout) {
      text += chunk;
      if (text.includes('Press Ctrl+C to stop.')) break;
    }
    const [, url] = /Lambda API {4}(http:\/\/127\.0\.0\.1:\d+)\n/.exec(text) ?? [];
    expect(url).toBeDefined();
    expect(text).toContain(`eval "$(lamella env --endpoint-url ${url})"`);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it('rejects a data directory that another service uses, and prints its pid', async () => {
    const data = join(directory, 'data');
    const first = await start('--data-dir', data);
    const { code, stdout, stderr } = await lamella(['start', '--port', '0', '--data-dir', data]);
    expect(stderr).toContain(`The data directory ${data} is in use by another Lamella service (pid ${first.pid}).`);
    expect(stderr).toContain('--data-dir');
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 4, stdout: '' });
  });

  it('rejects a port that another program uses', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const { code, stderr } = await lamella(['start', '--port', String(port), '--ephemeral']);
    server.close();
    expect(stderr).toContain(`Cannot listen on 127.0.0.1:${port}: the port is in use.`);
    expect(code).toBe(4);
  });

  it('rejects a port that another Lamella uses, and releases the data directory', async () => {
    const { url, pid } = await start('--ephemeral');
    const { port } = new URL(url);
    const data = join(directory, 'data');
    const { code, stderr } = await lamella(['start', '--port', port, '--data-dir', data]);
    expect(stderr).toContain(
      `Cannot listen on 127.0.0.1:${port}: another Lamella runs there (pid ${pid}, temporary data).`,
    );
    expect(stderr).toContain(`lamella stop --endpoint-url ${url}`);
    expect(code).toBe(4);
    // A failed start leaves nothing behind, and the next service can use the directory.
    expect(existsSync(data)).toBe(false);
    await start('--data-dir', data);
  });

  it('removes only what it created when it cannot start', async () => {
    const { url } = await start('--ephemeral');
    const { port } = new URL(url);
    const failed = (data: string) => lamella(['start', '--port', port, '--data-dir', data]);
    const shared = join(directory, 'shared');
    mkdirSync(join(shared, 'own'), { recursive: true });
    writeFileSync(join(shared, 'own', 'mine'), '');
    writeFileSync(join(shared, 'notes.txt'), '');
    expect((await failed(shared)).code).toBe(4);
    expect(readdirSync(shared, { recursive: true }).sort()).toEqual(['notes.txt', 'own', 'own/mine']);
    expect((await failed(join(shared, 'a', 'b'))).code).toBe(4);
    expect(readdirSync(shared).sort()).toEqual(['notes.txt', 'own']);
    // A directory that a service has used stays as it is.
    const used = join(directory, 'used');
    await (await start('--data-dir', used)).stop();
    const before = readdirSync(used)
      .filter((name) => !name.includes('.db-'))
      .sort();
    expect((await failed(used)).code).toBe(4);
    expect(
      readdirSync(used)
        .filter((name) => !name.includes('.db-'))
        .sort(),
    ).toEqual(before);
  });

  it.each([
    ['0.0.0.0', 'all addresses of this machine'],
    ['::', 'all addresses of this machine'],
    ['127.0.0.2', undefined],
  ])('warns when others can reach it: --host %s', async (host, named) => {
    const child = spawn(LAMELLA, ['start', '--port', '0', '--json', '--ephemeral', '--host', host], {
      env: cleanEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk;
    });
    await once(child.stdout, 'data');
    child.kill('SIGTERM');
    await once(child, 'close');
    if (named === undefined) expect(stderr).toBe('');
    else expect(stderr).toMatch(new RegExp(`^warning: The service listens on ${named}\\. Anyone who can reach`));
  });

  it('exits if the ready file cannot be written', async () => {
    const file = join(directory, 'missing', 'ready.json');
    const { code, stderr } = await lamella(['start', '--port', '0', '--ephemeral', '--ready-file', file]);
    expect(stderr).toContain(`Cannot write ${file}: `);
    expect(code).toBe(4);
  });

  it('uses the XDG data directory by default', async () => {
    const service = await startLamella([], { environment: { XDG_DATA_HOME: directory } });
    services.push(service);
    expect(existsSync(join(directory, 'lamella'))).toBe(true);
  });

  it('starts with the data directory of a service that was killed', async () => {
    const data = join(directory, 'data');
    const first = await start('--data-dir', data);
    await first.stop('SIGKILL');
    const second = await start('--data-dir', data);
    expect(await second.stop()).toBe(0);
  });
});
