import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type RuntimeUnderTest, startRuntime } from '../../../test/support/runtime-harness.ts';
import { QUOTAS } from '../../protocol/quotas.ts';
import { packageFunction } from '../function/package-function.ts';
import { buildNodeLayer, type NodeLayer } from './node-layer.ts';

/** The user's cache, so that packages are fetched only once. */
const CACHE_DIR = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'lamella');

let workspace: string;
let layer: NodeLayer;
let opt: string;
let running: RuntimeUnderTest | undefined;

beforeAll(async () => {
  workspace = mkdtempSync(join(tmpdir(), 'lamella-node-layer-'));
  opt = join(workspace, 'opt');
  layer = await buildNodeLayer({ version: '22', output: join(workspace, 'node.zip'), cacheDir: CACHE_DIR });
  execFileSync('unzip', ['-q', layer.zip.path, '-d', opt]);
}, 240_000);
afterEach(async () => {
  await running?.close();
  running = undefined;
});
afterAll(() => rmSync(workspace, { recursive: true, force: true }));

let count = 0;
/** Starts the layer's bootstrap in a sandbox that contains only /usr of the host. */
async function start(
  files: Readonly<Record<string, string>>,
  variables: Readonly<Record<string, string>> = {},
  handler = 'index.handler',
): Promise<RuntimeUnderTest> {
  const task = join(workspace, `task-${count++}`);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(task, path)), { recursive: true });
    writeFileSync(join(task, path), content, { mode: 0o755 });
  }
  const inside = [
    ...['--ro-bind', '/usr', '/usr', '--symlink', 'usr/lib', '/lib', '--symlink', 'usr/lib64', '/lib64'],
    ...['--symlink', 'usr/bin', '/bin', '--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp'],
    ...['--ro-bind', opt, '/opt', '--ro-bind', task, '/var/task', '--chdir', '/var/task'],
    ...['--unshare-pid', '--die-with-parent'],
  ];
  running = await startRuntime({
    argv: ['bwrap', ...inside, '/opt/bootstrap'],
    task,
    handler,
    variables: { LAMBDA_TASK_ROOT: '/var/task', ...variables },
  });
  return running;
}

/** The package of test/flows/node-libraries.test.ts, unpacked. */
async function libraries(): Promise<Readonly<Record<string, string>>> {
  const directory = resolve(import.meta.dirname, '../../../test/fixtures/functions/node-libraries');
  const output = join(workspace, `libraries-${count}.zip`);
  const { bundles } = await packageFunction({
    directory,
    output,
    handlers: ['powertools.utilities', 'hono.streamed'],
    bundle: true,
    sourceMap: false,
  });
  const unpacked = `${output}-unpacked`;
  execFileSync('unzip', ['-q', output, '-d', unpacked]);
  return Object.fromEntries(bundles.map((name) => [name, readFileSync(join(unpacked, name), 'utf8')]));
}

async function returned(started: RuntimeUnderTest, event: unknown = {}): Promise<unknown> {
  const response = await started.invoke(event);
  expect(response, started.output()).toMatchObject({ kind: 'response' });
  return response.kind === 'response' ? JSON.parse(response.payload.toString()) : undefined;
}

describe('a Node layer', () => {
  it('fits into a request, and leaves half of the quota to the function', () => {
    expect(layer).toMatchObject({ nodeVersion: '22.23.3', architecture: 'x86_64', glibc: '2.28' });
    expect(layer.zip.bytes).toBeLessThan(QUOTAS.zippedBytes);
    expect(layer.unzippedBytes).toBeLessThan(QUOTAS.unzippedBytes / 2);
  });

  it('runs TypeScript handlers without a build step', async () => {
    const started = await start({
      'package.json': '{"type":"module"}',
      'index.ts': `import { shout } from './shout.ts';
        type Event = { name: string };
        export const handler = async ({ name }: Event): Promise<string> => shout(name) + process.version;`,
      'shout.ts': 'export const shout = (text: string): string => text.toUpperCase();',
    });
    expect(await returned(started, { name: 'you' })).toBe('YOUv22.23.3');
  });

  it('limits the heap of Node to 90 % of the memory', async () => {
    const started = await start({
      'index.cjs':
        "exports.handler = async () => require('node:v8').getHeapStatistics().heap_size_limit / 1024 / 1024;",
    });
    expect(await returned(started)).toBeLessThan(140);
  });

  it('finds packages of other layers, also with import', async () => {
    const shared = {
      'layer/node_modules/modern/package.json': '{"type":"module","exports":{".":"./main.js","./sub":"./sub.js"}}',
      'layer/node_modules/modern/main.js': 'export const name = "modern";',
      'layer/node_modules/modern/sub.js': 'export const sub = "sub";',
      'layer/node_modules/classic/index.js': 'exports.name = "classic";',
      'index.mjs': `import { name } from 'modern'; import { sub } from 'modern/sub'; import classic from 'classic';
        import { createRequire } from 'node:module';
        const required = createRequire(import.meta.url)('classic').name;
        const missing = await import('not-there').catch((error) => error.code);
        export const handler = async () => [name, sub, classic.name, required, missing];`,
    };
    const started = await start(shared, { NODE_PATH: '/var/task/layer/node_modules' });
    expect(await returned(started)).toEqual(['modern', 'sub', 'classic', 'classic', 'ERR_MODULE_NOT_FOUND']);
  });

  it('runs Powertools, and streams a response of Hono', async () => {
    const request = {
      version: '2.0',
      rawPath: '/events',
      rawQueryString: '',
      headers: { host: 'localhost' },
      requestContext: { domainName: 'localhost', http: { method: 'GET', path: '/events' } },
    };
    const powertools = await start(await libraries(), {}, 'powertools.utilities');
    expect(await returned(powertools, { order: 'a' })).toMatchObject({ charged: { order: 'a', charged: 1 } });
    expect(powertools.output()).toMatch(/"message":"ordering".*"_aws":/s);
    await powertools.close();
    const hono = await start(await libraries(), {}, 'hono.streamed');
    const response = await hono.invoke(request);
    expect(response, hono.output()).toMatchObject({ kind: 'response' });
    expect(response.kind === 'response' && response.payload.toString()).toMatch(
      /^\{"statusCode":200,.*\}\0{8}data: one\n\ndata: two\n\ndata: three\n\n$/,
    );
  });

  it('starts through a wrapper script', async () => {
    const started = await start(
      {
        wrapper: '#!/bin/sh\nexport WRAPPED="$#"\nexec "$@"\n',
        'index.mjs': 'export const handler = async () => process.env.WRAPPED;',
      },
      { AWS_LAMBDA_EXEC_WRAPPER: '/var/task/wrapper' },
    );
    expect(await returned(started)).toBe('4');
  });

  it('reports a wrapper script that does not exist, and exits as AWS does', async () => {
    const started = await start({ 'index.mjs': '' }, { AWS_LAMBDA_EXEC_WRAPPER: '/opt/nothing' });
    expect(await started.ended).toMatchObject({ code: 127 });
    expect(started.output()).toBe('/opt/nothing: does not exist\n');
  });

  it('lets a handler shut down on SIGTERM', async () => {
    const started = await start({
      'index.mjs': `process.on('SIGTERM', () => { console.log('bye'); process.exit(0); });
        export const handler = async () => process.ppid > 0 && process.pid;`,
    });
    const pid = await returned(started);
    await started.ready();
    expect(pid).toEqual(expect.any(Number));
    // The only node process below the bwrap of this test.
    const pids = execFileSync('pgrep', ['-f', `^/opt/bin/node .*main.cjs$`], { encoding: 'utf8' }).trim().split('\n');
    const own = pids.filter((each) => isBelow(Number(each), started.process.pid ?? -1));
    process.kill(Number(own[0]), 'SIGTERM');
    expect(await started.ended).toMatchObject({ code: 0 });
    expect(started.output()).toMatch(/INFO\tbye/);
  });
});

function isBelow(pid: number, ancestor: number): boolean {
  for (let each = pid; each > 1; ) {
    if (each === ancestor) return true;
    const stat = execFileSync('ps', ['-o', 'ppid=', '-p', String(each)], { encoding: 'utf8' });
    each = Number(stat);
  }
  return false;
}

describe('building a Node layer', () => {
  it('packs a custom bootstrap', async () => {
    const bootstrap = join(workspace, 'mine');
    writeFileSync(bootstrap, '#!/bin/sh\n');
    const { zip } = await buildNodeLayer({
      version: '22.23.3',
      bootstrap,
      output: join(workspace, 'own.zip'),
      cacheDir: CACHE_DIR,
    });
    const names = execFileSync('unzip', ['-Z1', zip.path], { encoding: 'utf8' }).trim().split('\n');
    expect(names).toEqual(['bin/node', 'bootstrap', 'lamella/LICENSE-node']);
    // Compressing Node takes long on a busy machine.
  }, 120_000);

  it.each(['19', '22.0.0', 'latest'])('refuses Node %s, and lists the known versions', async (version) => {
    const building = buildNodeLayer({ version, output: join(workspace, 'no.zip'), cacheDir: CACHE_DIR });
    await expect(building).rejects.toMatchObject({
      code: 'node-version-unknown',
      remedy: expect.stringMatching(/22, 24, .*22\.23\.3/),
    });
  });
});
