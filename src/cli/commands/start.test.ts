import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { StartedService } from '../../../test/support/built-cli.ts';
import { buildIfStale, cleanEnvironment, LAMELLA, lamella, startLamella } from '../../../test/support/built-cli.ts';

/** On a port of its own, which nobody chose. */
const HTTP = /^http:\/\/127\.0\.0\.1:\d+$/;

let folder: string;
let services: StartedService[];

beforeAll(() => buildIfStale(), 120_000);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lamella-start-'));
  services = [];
});
afterEach(async () => {
  await Promise.all(services.map((service) => service.stop('SIGKILL')));
  rmSync(folder, { recursive: true, force: true });
});

async function start(...args: string[]): Promise<StartedService> {
  const service = await startLamella(args);
  services.push(service);
  return service;
}

describe('lamella start', () => {
  it('says on standard output and in the ready file, in the same words, where it accepts connections', async () => {
    const file = join(folder, 'ready.json');
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

  it('lets the ready file appear whole, and removes it at the end', async () => {
    const appeared = new Promise<string>((settle) => {
      const watcher = watch(folder, (_, name) => {
        if (name !== 'ready.json') return;
        watcher.close();
        settle(readFileSync(join(folder, 'ready.json'), 'utf8'));
      });
    });
    const service = await start('--ephemeral', '--ready-file', join(folder, 'ready.json'));
    expect(JSON.parse(await appeared)).toEqual({
      lambda: service.url,
      http: expect.stringMatching(HTTP),
      pid: service.pid,
    });
    await service.stop();
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('ends on %s with exit code 0', async (signal) => {
    const service = await start('--ephemeral');
    expect(await service.stop(signal)).toBe(0);
  });

  it('prints for people how to point the AWS CLI at it', async () => {
    const child = spawn(LAMELLA, ['start', '--port', '0', '--ephemeral'], {
      env: cleanEnvironment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    for await (const chunk of child.stdout) {
      text += chunk;
      if (text.includes('Ctrl+C stops it.')) break;
    }
    const [, url] = /Lambda API {2}(http:\/\/127\.0\.0\.1:\d+)\n/.exec(text) ?? [];
    expect(url).toBeDefined();
    expect(text).toContain(`export AWS_ENDPOINT_URL_LAMBDA=${url}`);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it('refuses a data folder that another service uses, naming its process', async () => {
    const data = join(folder, 'data');
    const first = await start('--data-dir', data);
    const { code, stdout, stderr } = await lamella(['start', '--port', '0', '--data-dir', data]);
    expect(stderr).toContain(`The data folder ${data} is in use by another Lamella service (pid ${first.pid}).`);
    expect(stderr).toContain('--data-dir');
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 4, stdout: '' });
  });

  it('refuses a port that is in use, and leaves nothing behind', async () => {
    const { url } = await start('--ephemeral');
    const { port } = new URL(url);
    const data = join(folder, 'data');
    const { code, stderr } = await lamella(['start', '--port', port, '--data-dir', data]);
    expect(stderr).toContain(`Cannot listen on 127.0.0.1:${port}: the port is in use.`);
    expect(code).toBe(4);
    // The folder is free for the next service.
    await start('--data-dir', data);
  });

  it('says when the ready file cannot be written, and does not stay', async () => {
    const file = join(folder, 'missing', 'ready.json');
    const { code, stderr } = await lamella(['start', '--port', '0', '--ephemeral', '--ready-file', file]);
    expect(stderr).toContain(`Cannot write ${file}: `);
    expect(code).toBe(4);
  });

  it('keeps its data in the XDG data folder unless told otherwise', async () => {
    const service = await startLamella([], { environment: { XDG_DATA_HOME: folder } });
    services.push(service);
    expect(existsSync(join(folder, 'lamella'))).toBe(true);
  });

  it('starts again on the data folder of a service that was killed', async () => {
    const data = join(folder, 'data');
    const first = await start('--data-dir', data);
    await first.stop('SIGKILL');
    const second = await start('--data-dir', data);
    expect(await second.stop()).toBe(0);
  });
});
