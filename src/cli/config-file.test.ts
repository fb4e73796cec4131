import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OperatorError } from '../operator-error.ts';
import { FileValue, resolveOptions } from '../options.ts';
import { readFileOptions } from './config-file.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lamella-config-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const OWN = new Set(['port', 'data-dir', 'route']);
const ALL = new Set([...OWN, 'minify']);

async function read(
  content: string,
  { name = 'samconfig.toml', configEnv }: { name?: string; configEnv?: string } = {},
) {
  const file = join(directory, name);
  writeFileSync(file, content);
  const found = await readFileOptions('start', { configFile: file, configEnv }, OWN, ALL);
  return Object.fromEntries(found?.values ?? []);
}

const reasonOf = (content: string, options?: Parameters<typeof read>[1]) =>
  read(content, options).then(
    () => expect.unreachable('the file was accepted'),
    (failure: unknown) => {
      expect(failure).toBeInstanceOf(OperatorError);
      return (failure as OperatorError).message.replace(directory, '');
    },
  );

describe('the configuration file', () => {
  it('has a section for all commands and one for each, which wins', async () => {
    const content = `
version = 0.1
[default.deploy.parameters]
stack_name = "mine"
port = "not ours"
[default.lamella.parameters]
port = 4000
data_dir = "data"
minify = true
[default.lamella_start.parameters]
port = 4001
route = ["GET / -> a", "POST / -> b"]
[prod.lamella.parameters]
port = 5000
`;
    expect(await read(content)).toEqual({ port: 4001, 'data-dir': 'data', route: ['GET / -> a', 'POST / -> b'] });
    expect(await read(content, { configEnv: 'prod' })).toEqual({ port: 5000 });
  });

  it('may be YAML, and spell names with a dash', async () => {
    const content = 'version: 0.1\ndefault:\n  lamella:\n    parameters:\n      data-dir: here\n      port: 4000\n';
    expect(await read(content, { name: 'samconfig.yaml' })).toEqual({ 'data-dir': 'here', port: 4000 });
  });

  it('may have nothing for Lamella', async () => {
    expect(await read('')).toEqual({});
    expect(await read('version = 0.1\n[default.build.parameters]\ncached = true\n')).toEqual({});
    expect(await read('', { name: 'samconfig.yml' })).toEqual({});
  });

  it('is refused with the name that was probably meant', async () => {
    expect(await reasonOf('[default.lamella.parameters]\nprot = 1\n')).toBe(
      'Invalid configuration file /samconfig.toml: unknown option "prot" in [default.lamella.parameters]. Did you mean port?',
    );
    expect(await reasonOf('[default.lamella.parameters]\ndatadir = "x"\n')).toContain('Did you mean data_dir?');
    // An option of another command is allowed for all commands, and not for this one.
    expect(await reasonOf('[default.lamella_start.parameters]\nminify = true\n')).toContain('unknown option "minify"');
    expect(await reasonOf('[default.lamella.parameters]\nport = { a = 1 }\n')).toContain('must be a value or a list');
    expect(await reasonOf('[default]\nlamella = 3\n')).toContain('[default.lamella.parameters] is not a table');
    expect(await reasonOf('[dev.lamella.parameters]\nport = 1\n', { configEnv: 'prod' })).toContain(
      'there is no environment "prod". It has dev.',
    );
    expect(await reasonOf('port = = 1\n')).toMatch(/Invalid configuration file \/samconfig\.toml: .*/);
    expect(await reasonOf('- 1\n', { name: 'a.yml' })).toContain('it must contain tables');
    expect(await reasonOf('a: [1\n', { name: 'a.yml' })).toContain('Invalid configuration file');
  });

  it('must exist if it is named', async () => {
    await expect(readFileOptions('start', { configFile: join(directory, 'no.toml') }, OWN, ALL)).rejects.toThrow(
      'Cannot read',
    );
  });

  it('yields to a flag and to a variable, and wins over the default', () => {
    const fromFile = new FileValue('4000', 'The option "port" in samconfig.toml');
    expect(resolveOptions({ port: fromFile }, {}).port).toBe(4000);
    expect(resolveOptions({ port: fromFile }, { LAMELLA_PORT: '4001' }).port).toBe(4001);
    expect(resolveOptions({ port: '4002' }, { LAMELLA_PORT: '4001' }).port).toBe(4002);
    const wrong = new FileValue('many', 'The option "port" in samconfig.toml');
    expect(() => resolveOptions({ port: wrong }, {})).toThrow(
      'The option "port" in samconfig.toml must be a port number from 0 to 65535, not "many".',
    );
  });
});
