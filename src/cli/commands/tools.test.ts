/** `lamella env`, `lamella aws` and `lamella run`, as programs, against one service. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StartedService } from '../../../test/support/built-cli.ts';
import { buildIfStale, cleanEnvironment, LAMELLA, lamella, startLamella } from '../../../test/support/built-cli.ts';
import { readsEndpointVariables } from '../aws-cli.ts';
import { renderChanges, SHELLS } from './env.ts';

let directory: string;
let service: StartedService;
/** Finds the service without its URL. */
let environment: Record<string, string>;

beforeAll(async () => {
  buildIfStale();
  directory = mkdtempSync(join(tmpdir(), 'lamella-tools-'));
  environment = { XDG_STATE_HOME: join(directory, 'state'), LAMELLA_DATA_DIR: join(directory, 'data') };
  service = await startLamella([], { environment });
}, 120_000);
afterAll(async () => {
  await service?.stop();
  rmSync(directory, { recursive: true, force: true });
});

const run = (args: string[], own: Record<string, string> = {}) =>
  lamella(args, { environment: { ...environment, ...own } });

/** Prints what the program got as JSON. */
const PRINT_AWS = [
  process.execPath,
  '-e',
  'console.log(JSON.stringify(Object.fromEntries(Object.entries(process.env).filter(([name]) => /^AWS_/.test(name)))))',
];

describe('lamella env', () => {
  it('prints the URL of the service that uses the data directory, for every service and SDK', async () => {
    const { code, stdout } = await run(['env', '--json']);
    const variables = JSON.parse(stdout.toString());
    expect(code).toBe(0);
    expect(variables).toMatchObject({
      AWS_ENDPOINT_URL: service.url,
      AWS_ENDPOINT_URL_LAMBDA: service.url,
      AWS_ENDPOINT_URL_CLOUDWATCH_LOGS: service.url,
      AWS_REGION: 'us-east-1',
      AWS_DEFAULT_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'lamella',
      AWS_PROFILE: null,
      AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: null,
    });
  });

  it.each(['sh', 'bash', 'zsh', 'fish'])('is understood by %s, and --unset takes it back', async (shell) => {
    if (spawnSync(shell, ['-c', 'true']).error) return;
    const syntax = shell === 'fish' ? 'fish' : 'sh';
    const value = `it's "$HOME" \\ !x`;
    const set = renderChanges({ AWS_REGION: value, AWS_PROFILE: undefined }, syntax);
    const unset = renderChanges({ AWS_REGION: undefined }, syntax);
    const script = `${set}\nprintenv AWS_REGION; printenv AWS_PROFILE; ${unset}\nprintenv AWS_REGION; true`;
    const { stdout } = spawnSync(shell, ['-c', script], {
      env: { ...cleanEnvironment(), AWS_PROFILE: 'production' },
      encoding: 'utf8',
    });
    expect(stdout).toBe(`${value}\n`);
  });

  it('writes each syntax that its help names', async () => {
    const { stdout } = await run(['env', '--help']);
    expect(stdout.toString().replace(/\s+/g, ' ')).toContain(`choices: ${SHELLS.join(', ')}`);
    expect(renderChanges({ A: 'b c', D: undefined }, 'dotenv')).toBe('A="b c"\n');
    expect(renderChanges({ A: "b'c" }, 'powershell')).toBe("$env:A = 'b''c'\n");
    const own = await run(['env', '--endpoint-url', 'http://127.0.0.1:9', '--region', 'eu-west-1'], {
      SHELL: '/bin/csh',
    });
    expect(own.stdout.toString()).toContain('setenv AWS_ENDPOINT_URL http://127.0.0.1:9;\n');
    expect(own.stdout.toString()).toContain('setenv AWS_REGION eu-west-1;\nsetenv');
  });
});

describe('lamella aws', { timeout: 120_000 }, () => {
  const installed = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((path) => spawnSync(join(path, 'aws'), ['--version']).status === 0);

  it('runs every installed AWS CLI against the service, whatever the environment says', async () => {
    expect(installed.length, 'an AWS CLI is installed (apt-get install awscli)').toBeGreaterThan(0);
    for (const path of installed) {
      const { code, stdout, stderr } = await run(['aws', 'sts', 'get-caller-identity', '--query', 'Account'], {
        PATH: `${path}${delimiter}${process.env.PATH}`,
        AWS_PROFILE: 'does-not-exist',
        AWS_ACCESS_KEY_ID: 'AKIAREAL',
        AWS_SECRET_ACCESS_KEY: 'secret',
        AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true',
      });
      expect({ code, stdout: stdout.toString().trim(), stderr }, path).toEqual({
        code: 0,
        stdout: '"123456789012"',
        stderr: '',
      });
    }
  });

  it('passes options and the exit code on, and does not repeat a URL that is given', async () => {
    const bin = join(directory, 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'aws'), '#!/bin/sh\nprintf "%s\\n" "$@"\nexit 252\n');
    chmodSync(join(bin, 'aws'), 0o755);
    const own = { PATH: `${bin}${delimiter}${process.env.PATH}` };
    const args = ['s3', 'cp', '--recursive', '-', 's3://b/--k', '--help'];
    const plain = await run(['aws', ...args], own);
    expect(plain.code).toBe(252);
    expect(plain.stdout.toString().trimEnd().split('\n')).toEqual([
      '--endpoint-url',
      service.url,
      '--region',
      'us-east-1',
      ...args,
    ]);
    const given = ['--region=eu-west-1', '--endpoint-url', 'http://127.0.0.1:9', 'lambda', 'list-functions'];
    expect((await run(['aws', ...given], own)).stdout.toString().trimEnd().split('\n')).toEqual(given);
  });

  it('says so if the AWS CLI is not installed', async () => {
    const { code, stderr } = await lamella(['aws', 'help'], {
      environment: { ...environment, PATH: pathWithOnlyNode() },
    });
    expect(stderr).toContain('The program aws is not installed.');
    expect(code).toBe(4);
  });

  it.each([
    ['1.45.11', true],
    ['1.28.99', false],
    ['2.9.19', false],
    ['2.13.0', true],
    ['3.0.0', true],
  ])('knows that version %s reads endpoint variables: %s', (version, reads) => {
    expect(readsEndpointVariables(version)).toBe(reads);
  });

  it('is what lamella doctor advises for an AWS CLI that ignores endpoint variables', async () => {
    const bin = join(directory, 'old');
    mkdirSync(bin);
    writeFileSync(
      join(bin, 'aws'),
      '#!/bin/sh\necho aws-cli/2.9.19 Python/3.11.2 Linux/6.1 source/x86_64 prompt/off\n',
    );
    chmodSync(join(bin, 'aws'), 0o755);
    const doctor = await run(['doctor', '--json'], { PATH: `${bin}${delimiter}${process.env.PATH}` });
    const { checks } = JSON.parse(doctor.stdout.toString());
    expect(checks.at(-1)).toMatchObject({
      name: 'AWS CLI',
      ok: false,
      isRequired: false,
      detail: `2.9.19 (${bin}/aws) ignores AWS_ENDPOINT_URL`,
      remedy: expect.stringContaining('`lamella aws`'),
    });
  });
});

describe('lamella run', () => {
  it('runs a program with the variables of the service that runs, and no others', async () => {
    const { code, stdout } = await run(['run', '--', ...PRINT_AWS], {
      AWS_PROFILE: 'production',
      AWS_SESSION_TOKEN: 'token',
      AWS_ACCESS_KEY_ID: 'AKIAREAL',
    });
    const variables = JSON.parse(stdout.toString());
    expect(variables).toMatchObject({ AWS_ENDPOINT_URL: service.url, AWS_ACCESS_KEY_ID: 'lamella' });
    expect(variables).not.toHaveProperty('AWS_PROFILE');
    expect(variables).not.toHaveProperty('AWS_SESSION_TOKEN');
    expect(code).toBe(0);
  });

  it('starts a service only if none runs, and stops it when the program has ended', async () => {
    const probe = `fetch(process.env.AWS_ENDPOINT_URL + '/_lamella/service').then(async (r) => {
      console.log(JSON.stringify([r.status, process.env.AWS_ENDPOINT_URL]));
      process.exitCode = 7;
    })`;
    const data = join(directory, 'other');
    const { code, stdout, stderr } = await run(['run', '--data-dir', data, '--', process.execPath, '-e', probe]);
    expect({ code, stderr }).toEqual({ code: 7, stderr: '' });
    const [status, url] = JSON.parse(stdout.toString());
    expect(status).toBe(200);
    expect(url).not.toBe(service.url);
    await expect(fetch(url)).rejects.toThrow('fetch failed');
    expect(readdirSync(data)).toContain('lamella.db');
    expect(readdirSync(join(environment.XDG_STATE_HOME ?? '', 'lamella', 'services'))).toEqual([`${service.pid}.json`]);
  });

  it('always starts one with --ephemeral', async () => {
    const { stdout } = await run(['run', '--ephemeral', ...PRINT_AWS]);
    expect(JSON.parse(stdout.toString()).AWS_ENDPOINT_URL).not.toBe(service.url);
  });

  it.each([
    ['an unknown program', ['run', '--', 'no-such-program'], 127],
    ['a directory', ['run', '--', tmpdir()], 126],
    ['no program', ['run'], 2],
  ])('refuses %s', async (_, args, expected) => {
    const { code, stderr } = await run(args);
    expect(stderr).toMatch(/^error: /);
    expect(code).toBe(expected);
  });

  it('passes signals on and ends as the program does', async () => {
    const script = `process.on('SIGTERM', () => process.exit(43)); console.log('ready'); setInterval(() => {}, 1000)`;
    const child = spawn(LAMELLA, ['run', '--', process.execPath, '-e', script], {
      env: cleanEnvironment(environment),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([43, null]);
    const killed = await run(['run', '--', 'sh', '-c', 'kill -KILL $$']);
    expect(killed.code).toBe(137);
  });

  it('gives version 2 of the AWS SDK for JavaScript the endpoint, and leaves other modules alone', async () => {
    const core = join(directory, 'app', 'node_modules', 'aws-sdk', 'lib');
    mkdirSync(core, { recursive: true });
    // As version 2 does it, its configuration is replaced when the SDK finds that it runs on Node.js.
    const config = `class Config { given = {}; update(values) { Object.assign(this.given, values); } }
      const AWS = { Config, config: new Config() };
      module.exports = AWS;`;
    writeFileSync(join(core, 'core.js'), config);
    writeFileSync(
      join(core, 'aws.js'),
      `module.exports = require('./core'); const AWS = module.exports; AWS.config = new AWS.Config();`,
    );
    writeFileSync(join(directory, 'app', 'core.js'), config);
    const print = `console.log(JSON.stringify(['aws-sdk/lib/aws', './core'].map((name) => require(name).config.given)))`;
    const own = join(directory, 'app', 'my preload.cjs');
    writeFileSync(own, '');
    writeFileSync(join(directory, 'app', 'app.js'), print);
    const { stdout, stderr } = await lamella(['run', '--', process.execPath, 'app.js'], {
      environment: { ...environment, NODE_OPTIONS: `--require "${own}"` },
      cwd: join(directory, 'app'),
    });
    expect(stderr).toBe('');
    expect(JSON.parse(stdout.toString())).toEqual([{ endpoint: service.url, s3ForcePathStyle: true }, {}]);
  });
});

/** A directory with `node` and nothing else. */
function pathWithOnlyNode(): string {
  const bin = join(directory, 'node-only');
  mkdirSync(bin);
  writeFileSync(join(bin, 'node'), `#!/bin/sh\nexec ${process.execPath} "$@"\n`);
  chmodSync(join(bin, 'node'), 0o755);
  return bin;
}
