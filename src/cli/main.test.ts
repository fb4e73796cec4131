import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildIfStale, LAMELLA, lamella } from '../../test/support/built-cli.ts';
import { HELP_GROUPS } from './command.ts';
import { COMMANDS } from './main.ts';

beforeAll(() => buildIfStale(), 120_000);

describe('the command line', () => {
  it.each(COMMANDS)('prints help with examples for: $name', async ({ name, examples }) => {
    const { code, stdout, stderr } = await lamella([...name.split(' '), '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.toString()).toMatch(new RegExp(`^Usage: lamella ${name} `));
    for (const [effect, commandLine] of examples) {
      expect(stdout.toString()).toContain(`  # ${effect}\n  $ ${commandLine}\n`);
    }
  });

  it.each([
    ['help', 'Usage: lamella <command>'],
    ['help layer build php', 'Usage: lamella layer build php '],
  ])('prints the same with: %s', async (words, usage) => {
    const { code, stdout } = await lamella(words.split(' '));
    expect([code, stdout.toString()]).toEqual([0, expect.stringContaining(usage)]);
  });

  it('lists every command in its help, in groups', async () => {
    const { stdout } = await lamella(['--help']);
    const help = stdout.toString();
    for (const { name, summary } of COMMANDS) expect(help.replace(/\s+/g, ' ')).toContain(` ${name} ${summary}`);
    expect(help.match(/^\S[^:\n]*:$/gm)).toEqual(['Options:', ...HELP_GROUPS.map((group) => `${group}:`), 'Examples:']);
  });

  it('lists the subcommands of a parent command', async () => {
    const { code, stdout } = await lamella(['layer', 'build', '--help']);
    expect(stdout.toString()).toContain('  layer build php-extension  ');
    expect(stdout.toString()).not.toContain('layer inspect');
    expect(code).toBe(0);
  });

  it('ends quietly when the reader of its output has closed the pipe', async () => {
    const child = spawn(LAMELLA, ['--help'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    let stderr = '';
    for await (const chunk of child.stderr) stderr += chunk;
    const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode];
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it.each([
    [['strat'], 'unknown command', '(Did you mean start?)'],
    [['nonsense'], "unknown command 'nonsense'", 'Run `lamella --help` to see all commands.'],
    [['start', '--prot', '1'], "unknown option '--prot'", '(Did you mean --port?)'],
    [['invoke'], "missing required argument 'function'", 'Run `lamella invoke --help` to see how to use it.'],
    [['start', '--port'], "option '--port <port>' argument missing", ''],
    [['start', '--port', 'http'], '--port must be a port number from 0 to 65535, not "http".', 'lamella start --help'],
    [
      ['invoke', 'f', '-d', '1', '-e', 'x'],
      'with one option only, not with --data and --event',
      'lamella invoke --help',
    ],
    [['invoke', 'f', '--log-type', 'All'], "argument 'All' is invalid. Allowed choices are Tail, None.", ''],
    [['invoke', 'f', '-e', '/no/such/file'], 'Cannot read /no/such/file: ENOENT', 'Check the path'],
  ])('rejects %j with a message on standard error and exit code 2', async (args, wrong, help) => {
    const { code, stdout, stderr } = await lamella(args);
    expect(stderr).toContain(wrong);
    expect(stderr).toContain(help);
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 2, stdout: '' });
  });

  it('prints the URL if no service listens there, and how to start one', async () => {
    const port = await closedPort();
    const { code, stderr } = await lamella(['invoke', 'f', '--endpoint-url', `http://127.0.0.1:${port}`]);
    expect(stderr).toBe(
      `error: Cannot reach a Lambda service at http://127.0.0.1:${port}: connection refused.\n` +
        'Start one with `lamella start`, or set --endpoint-url to the URL of a running service.\n',
    );
    expect(code).toBe(5);
  });

  it.each([
    ['LAMELLA_PROT', 'Unknown environment variable LAMELLA_PROT. Did you mean LAMELLA_PORT?'],
    ['LAMELLA_DATADIR', 'Unknown environment variable LAMELLA_DATADIR. Did you mean LAMELLA_DATA_DIR?'],
    ['lamella_port', 'Unknown environment variable lamella_port. Did you mean LAMELLA_PORT?'],
    ['LAMELLA_COLOR', 'Unknown environment variable LAMELLA_COLOR. Run `lamella start --help`'],
    ['LAMELLA_ISOLATE', 'The environment variable LAMELLA_ISOLATE has no effect here.'],
  ])('warns about the variable %s, which no command reads', async (name, warning) => {
    const { stderr } = await lamella(['invoke', 'f', '--endpoint-url', 'http://127.0.0.1:1'], {
      environment: { [name]: '1', LAMELLA_REGION: 'eu-west-1' },
    });
    expect(stderr).toContain(`warning: ${warning}`);
    expect(stderr.match(/warning:/g)).toHaveLength(1);
  });

  it('reads the endpoint from the variables of the AWS CLI', async () => {
    const environment = { AWS_ENDPOINT_URL_LAMBDA: 'http://127.0.0.1:1', AWS_ENDPOINT_URL: 'http://127.0.0.1:2' };
    expect((await lamella(['invoke', 'f'], { environment })).stderr).toContain('http://127.0.0.1:1:');
  });
});

/** A port that was free a moment ago. */
function closedPort(): Promise<number> {
  return new Promise((settle) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => settle(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
