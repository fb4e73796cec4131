/** The demo, run with `npm run demo`, and the script that it leaves, run with the installed AWS CLI. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cleanEnvironment, startLamella } from './support/built-cli.ts';

const ROOT = resolve(import.meta.dirname, '..');
const LAYERS = ['runtime.zip', 'php.zip', 'vendor.zip'];
const ARCHIVES = [...LAYERS, 'hello.zip', 'goodbye.zip'];

let directory: string;
let output: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'lamella-demo-'));
  output = join(directory, 'output');
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function demo(...args: string[]) {
  const run = [join(ROOT, 'scripts/run.mjs'), 'demo', ...args];
  return spawnSync(process.execPath, run, { cwd: ROOT, env: cleanEnvironment(), encoding: 'utf8', timeout: 170_000 });
}

describe('npm run demo', { timeout: 180_000 }, () => {
  it('runs the walkthrough with both runtimes, and every check succeeds', () => {
    const { status, stdout, stderr } = demo(output);
    expect({ status, stderr: stderr.replace(/^> compiling\n/, '') }).toEqual({
      status: 0,
      stderr: expect.not.stringMatching(/error/i),
    });
    expect(stdout.match(/^\$ aws \S+ \S+/gm)).toEqual([
      '$ aws iam create-role',
      ...['publish-layer-version', 'publish-layer-version'].map((name) => `$ aws lambda ${name}`),
      ...['create-function', 'create-function', 'invoke', 'invoke', 'invoke', 'invoke'].map(
        (name) => `$ aws lambda ${name}`,
      ),
      '$ aws lambda publish-layer-version',
      ...['create-function', 'create-function', 'invoke', 'invoke', 'invoke', 'invoke'].map(
        (name) => `$ aws lambda ${name}`,
      ),
    ]);
    expect(stdout.match(/hello-output\.txt: Hello, World!$/gm)).toHaveLength(4);
    expect(stdout.match(/goodbye-output\.txt: Goodbye, World!$/gm)).toHaveLength(4);
    expect(stdout).toContain('Everything is as expected.');
    expect(stdout).toContain(`\n  ${output}\n`);
    for (const name of [...ARCHIVES, 'trust-policy.json', 'commands.sh'])
      expect(existsSync(join(output, name))).toBe(true);
  });

  it('leaves a script that runs with the AWS CLI', async () => {
    const service = await startLamella(['--ephemeral']);
    try {
      const { status, stdout, stderr } = spawnSync('bash', [join(output, 'commands.sh')], {
        env: cleanEnvironment({
          PATH: `${awsWithEndpoint(service.url)}${delimiter}${process.env.PATH}`,
          AWS_ACCESS_KEY_ID: 'test',
          AWS_SECRET_ACCESS_KEY: 'test',
          AWS_DEFAULT_REGION: 'us-east-1',
        }),
        encoding: 'utf8',
      });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout.match(/^START RequestId: /gm)).toHaveLength(4);
      expect(stdout.match(/\tInit Duration: /g)).toHaveLength(2);
      expect(stdout).toMatch(/\nHello, World!Goodbye, World!\n$/);
    } finally {
      await service.stop();
    }
  });

  it('fails if the greeting is edited, and reports the difference', () => {
    const example = join(directory, 'walkthrough');
    cpSync(join(ROOT, 'examples/walkthrough'), example, { recursive: true });
    const hello = join(example, 'src/hello.php');
    writeFileSync(hello, readFileSync(hello, 'utf8').replace('Hello', 'Hallo'));
    const edited = join(directory, 'edited');
    mkdirSync(edited);
    for (const layer of LAYERS) cpSync(join(output, layer), join(edited, layer));
    const { status, stdout } = demo('--reuse-layers', edited, example);
    expect(stdout).not.toContain('lamella layer build');
    expect(status).toBe(1);
    expect(stdout).toContain('hello-output.txt: expected "Hello, World!", found "Hallo, World!"');
    expect(stdout).not.toContain('Everything is as expected.');
  });
});

/** A directory for the front of the PATH with an `aws` that sets the endpoint: older versions have no variable for it. */
function awsWithEndpoint(url: string): string {
  const bin = join(directory, 'bin');
  mkdirSync(bin, { recursive: true });
  const { stdout } = spawnSync('sh', ['-c', 'command -v aws'], { encoding: 'utf8' });
  writeFileSync(join(bin, 'aws'), `#!/bin/sh\nexec ${stdout.trim()} --endpoint-url ${url} "$@"\n`, { mode: 0o755 });
  return bin;
}
