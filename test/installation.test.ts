/** Installing the npm packages in a fresh clone: from the lock file alone, with a reason when the registry fails. */
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');

it('the lock file names no registry, so that npm uses the one it is configured for', () => {
  expect(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).not.toContain('"resolved"');
});

// The promise is "within a minute"; the tests shorten npm's timeout.
describe('a command in a fresh clone', { timeout: 60_000 }, () => {
  let packed: { readonly file: string; readonly integrity: string };
  let scratch: string;
  let clone: string;
  beforeAll(() => {
    scratch = mkdtempSync(join(tmpdir(), 'lamella-registry-'));
    writeFileSync(join(scratch, 'package.json'), JSON.stringify({ name: 'one', version: '1.0.0' }));
    const pack = ['pack', '--json', '--silent', '--cache', join(scratch, 'cache')];
    const [{ filename, integrity }] = JSON.parse(execFileSync('npm', pack, { cwd: scratch, encoding: 'utf8' }));
    packed = { file: join(scratch, filename), integrity };
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));
  beforeEach(() => {
    clone = mkdtempSync(join(tmpdir(), 'lamella-clone-'));
    cpSync(join(ROOT, 'scripts'), join(clone, 'scripts'), { recursive: true });
    const root = { name: 'clone', version: '1.0.0', dependencies: { one: '^1.0.0' } };
    const packages = { '': root, 'node_modules/one': { version: '1.0.0', integrity: packed.integrity } };
    writeFileSync(join(clone, 'package.json'), JSON.stringify(root));
    writeFileSync(join(clone, 'package-lock.json'), JSON.stringify({ ...root, lockfileVersion: 3, packages }));
    // Of an earlier installation.
    mkdirSync(join(clone, 'node_modules'));
    writeFileSync(join(clone, 'node_modules', 'kept'), '');
  });
  afterEach(() => rmSync(clone, { recursive: true, force: true }));

  it('installs what the lock file names, also from a registry that has no ping', async () => {
    const { stderr } = await withRegistry(serveOne, build);
    expect(stderr).toMatch(/^> installing the npm packages \(once\)\n> compiling\n/);
    expect(readdirSync(join(clone, 'node_modules'))).toContain('one');
  });

  it('fails at once when the registry refuses connections, and leaves what is installed', async () => {
    const { code, stderr } = await build('http://127.0.0.1:1');
    expect(code).toBe(1);
    expect(stderr).toContain('The npm registry does not respond. request to http://127.0.0.1:1/-/ping failed');
    expect(stderr).toContain('connect ECONNREFUSED 127.0.0.1:1');
    expect(stderr).toContain('npm config get registry');
    expect(readdirSync(join(clone, 'node_modules'))).toEqual(['kept']);
  });

  it('fails with the reason when the registry accepts connections and never responds', async () => {
    const { code, stderr } = await withRegistry(
      () => undefined,
      (registry) => build(registry, 1000),
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(/The npm registry does not respond. timeout at: http.*\/-\/ping/);
  });

  it('shows a failed attempt and gives up when the registry stops responding', async () => {
    // More than npm asks for at a time: it would wait for each of them.
    const names = Array.from({ length: 60 }, (_, index) => `package-${index}`);
    const root = { name: 'clone', dependencies: Object.fromEntries(names.map((name) => [name, '1.0.0'])) };
    const locked = names.map((name) => [`node_modules/${name}`, { version: '1.0.0', integrity: packed.integrity }]);
    const lock = { ...root, lockfileVersion: 3, packages: { '': root, ...Object.fromEntries(locked) } };
    writeFileSync(join(clone, 'package.json'), JSON.stringify(root));
    writeFileSync(join(clone, 'package-lock.json'), JSON.stringify(lock));
    const { code, stderr } = await withRegistry(
      (request, response) => {
        if (request.url === '/-/ping') response.end('{}');
      },
      (registry) => build(registry, 2000),
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(/\/package-\d+ attempt 1 failed /);
    expect(stderr).toMatch(/The npm registry stopped responding: .*\/package-\d+ attempt/);
    expect(stderr).toContain('The npm packages are not installed.');
  });

  it('shows the output of npm when the lock file is out of step with package.json', async () => {
    writeFileSync(join(clone, 'package.json'), JSON.stringify({ name: 'clone', dependencies: { one: '2.0.0' } }));
    const { code, stderr } = await withRegistry(serveOne, build);
    expect(code).toBe(1);
    expect(stderr).toContain('package.json and package-lock.json');
  });

  /** An npm registry with one package, in two versions. */
  function serveOne(request: IncomingMessage, response: ServerResponse): void {
    const tarball = `http://${request.headers.host}/one.tgz`;
    const version = (number: string) => ({
      name: 'one',
      version: number,
      dist: { tarball, integrity: packed.integrity },
    });
    if (request.url === '/one.tgz') response.end(readFileSync(packed.file));
    else if (request.url === '/one') {
      response.end(JSON.stringify({ name: 'one', versions: { '1.0.0': version('1.0.0'), '2.0.0': version('2.0.0') } }));
    } else response.writeHead(404).end('{}');
  }

  async function build(registry: string, timeoutMs = 20_000): Promise<{ code: number | null; stderr: string }> {
    const environment = Object.entries(process.env).filter(([key]) => !/^npm_/i.test(key));
    const child = spawn(process.execPath, [join(clone, 'scripts', 'run.mjs'), 'build'], {
      env: {
        ...Object.fromEntries(environment),
        npm_config_registry: registry,
        npm_config_cache: join(clone, 'cache'),
        npm_config_fetch_timeout: String(timeoutMs),
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    const code = await new Promise<number | null>((settle) => child.once('close', settle));
    return { code, stderr };
  }
});

/** Runs `use` with the address of an npm registry that responds as `respond` does. */
async function withRegistry<T>(respond: RequestListener, use: (registry: string) => Promise<T>): Promise<T> {
  const server = createServer(respond);
  await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle));
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    await new Promise((settle) => server.close(settle));
  }
}
