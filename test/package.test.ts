/**
 * The package as users get it: packed, installed in an empty directory outside this repository, and used there. Its dependencies
 * come from the npm registry or npm's cache.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { CreateFunctionCommand, InvokeCommand, LambdaClient, waitUntilFunctionActiveV2 } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { entriesOfDirectory } from '../src/packaging/directory-entries.ts';
import { writeZip } from '../src/packaging/zip-writer.ts';

const ROOT = resolve(import.meta.dirname, '..');
const FIXTURE = join(ROOT, 'test/fixtures/functions/echoes-in-bash');

let directory: string;
let packed: readonly string[];

describe('the npm package, installed in an empty directory', () => {
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'lamella-package-'));
    // With its prepack script, as for publishing.
    const [report] = JSON.parse(
      npm(['pack', '--json', '--silent', '--pack-destination', directory], ROOT).replace(/^[^[]*/, ''),
    );
    packed = report.files.map((file: { path: string }) => file.path);
    writeFileSync(join(directory, 'package.json'), '{ "private": true, "type": "module" }\n');
    npm(['install', '--prefer-offline', '--silent', join(directory, report.filename)], directory);
  }, 240_000);

  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('contains the program, but no tests or sources of the service', () => {
    expect(packed).toEqual(
      expect.arrayContaining(['bin/lamella', 'dist/lamella.js', 'dist/lamella.d.ts', 'README.md', 'LICENSE']),
    );
    // The examples have tests of their own.
    const own = packed.filter((file) => !file.startsWith('examples/'));
    expect(own.filter((file) => /\.test\.|^(src|test|scripts|bench)\/|tsbuildinfo/.test(file))).toEqual([]);
  });

  it('installs no development dependencies', () => {
    const installed = readdirSync(join(directory, 'node_modules'));
    expect(installed).toContain('lamella');
    // Of AWS's SDK, it installs the chain of credentials with its parts, and none of the clients that the tests use.
    const { devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    const ofDevelopment = Object.keys(devDependencies).filter((name) =>
      /^(@aws-sdk\/client-|@biomejs\/|typescript$|vitest$)/.test(name),
    );
    expect(ofDevelopment.length).toBeGreaterThan(5);
    expect(ofDevelopment.filter((name) => existsSync(join(directory, 'node_modules', name)))).toEqual([]);
  });

  it('prints its version with --version, and its commands with --help', () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect(lamella(['--version'])).toBe(`${version}\n`);
    expect(lamella(['--help'])).toMatch(/^ {2}start .*\n(.*\n)* {2}invoke /m);
  });

  it('is a library that starts a service whose clock can be advanced', () => {
    const program = `
      import { start } from 'lamella';
      import { resolveOptions } from 'lamella/options';
      const lamella = await start(resolveOptions({ port: 0, ephemeral: true }));
      const before = lamella.clock.epochMs();
      lamella.clock.advance(3_600_000);
      process.stdout.write(String(lamella.clock.epochMs() - before >= 3_600_000));
      await lamella.close();`;
    const given = { cwd: directory, encoding: 'utf8', env: { PATH: process.env.PATH } } as const;
    expect(execFileSync(process.execPath, ['--input-type=module', '-e', program], given)).toBe('true');
  });

  it('has types with which a program and the Vitest example compile, and both run', { timeout: 120_000 }, () => {
    cpSync(join(ROOT, 'examples/vitest'), directory, { recursive: true });
    writeFileSync(join(directory, 'src/program.ts'), CONSUMER);
    // The versions of this repository, in place of those that npm would install.
    for (const name of ['vitest', 'typescript', '@types'])
      symlinkSync(join(ROOT, 'node_modules', name), join(directory, 'node_modules', name));
    const given = { cwd: directory, encoding: 'utf8', env: { PATH: process.env.PATH, CI: 'true' } } as const;
    const node = (...args: string[]) => spawnSync(process.execPath, args, given);
    const compiled = node('node_modules/typescript/bin/tsc', '-p', '.', '--noEmit', 'false', '--outDir', 'out');
    expect(compiled).toMatchObject({ status: 0, stdout: '' });
    expect(node('out/src/program.js')).toMatchObject({
      stdout: 'created true Hello, World!\nunchanged false Hello, again!\nResourceNotFoundException\n',
      status: 0,
    });
    const run = node('node_modules/vitest/vitest.mjs', 'run', '--dir', 'test', '--reporter=json', '--no-color');
    const { numPassedTests, testResults } = JSON.parse(run.stdout);
    expect({ status: run.status, numPassedTests, testResults }).toMatchObject({ status: 0, numPassedTests: 3 });
  });

  it('starts a service that creates and invokes a function, and exits with 0', async () => {
    const service = spawn(bin(), ['start', '--port', '0', '--ephemeral', '--json'], {
      cwd: directory,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(service, 'exit');
    const [line] = await once(createInterface({ input: service.stdout }), 'line');
    const { lambda: endpoint, pid } = JSON.parse(line);
    expect(pid).toBe(service.pid);
    const lambda = new LambdaClient({
      endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    });
    const zip = join(directory, 'function.zip');
    await writeZip(zip, await entriesOfDirectory(FIXTURE));
    await lambda.send(
      new CreateFunctionCommand({
        FunctionName: 'echoes',
        Handler: 'unused',
        Runtime: 'provided.al2023',
        Role: 'arn:aws:iam::123456789012:role/any',
        Code: { ZipFile: readFileSync(zip) },
      }),
    );
    await waitUntilFunctionActiveV2(
      { client: lambda, maxWaitTime: 20, minDelay: 0.02, maxDelay: 0.2 },
      { FunctionName: 'echoes' },
    );
    const { Payload, FunctionError } = await lambda.send(
      new InvokeCommand({ FunctionName: 'echoes', Payload: Buffer.from('{"from":"a package"}') }),
    );
    expect(FunctionError).toBeUndefined();
    expect(Buffer.from(Payload ?? []).toString()).toBe('{"from":"a package"}');
    expect(lamella(['invoke', 'echoes', '-d', '[1]', '--endpoint-url', endpoint, '--log-type', 'None'])).toBe('[1]');
    service.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  });
});

/** Uses types so that wrong declarations do not compile. */
const CONSUMER = `
  import { type FunctionDefinition, type InvokeResult, type Lamella, LamellaError, start } from 'lamella';
  const lamella: Lamella = await start({ logLevel: 'error' });
  const definition: FunctionDefinition = {
    name: 'hello',
    code: 'export const handler = async (event) => "Hello, " + event.name + "!";',
    handler: 'index.handler',
    runtime: 'nodejs20.x',
  };
  for (const name of ['World', 'again']) {
    const { change } = await lamella.functions.put(definition);
    const result: InvokeResult<string> = await lamella.invoke<string>('hello', { name });
    const text: string = result.payload.toString();
    console.log(change, result.cold, text);
  }
  // @ts-expect-error: a function needs a name
  const invalid: FunctionDefinition = { code: '' };
  await lamella.reset();
  await lamella.invoke('hello').catch((failure: unknown) => {
    if (failure instanceof LamellaError) console.log(failure.name);
  });
  await lamella.close();
`;

function bin(): string {
  return join(directory, 'node_modules', '.bin', 'lamella');
}

function lamella(args: readonly string[]): string {
  return execFileSync(bin(), args, { cwd: directory, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

/** npm, without the settings that it inherits from the npm that runs these tests. */
function npm(args: readonly string[], cwd: string): string {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([key]) => !/^npm_(?!config_(registry|cache|userconfig))/i.test(key)),
  );
  return execFileSync('npm', [...args, '--no-audit', '--no-fund'], {
    cwd,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}
