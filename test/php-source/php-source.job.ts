/**
 * `lamella layer build php --source` with PHP's real source, Debian's php8.2 (or the archive in LAMELLA_PHP_SOURCE): on this machine
 * with the walkthrough's options, and inside a Debian from debootstrap. Needs a compiler, Debian's archive and, for the second,
 * root.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PublishLayerVersionCommand } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseElf } from '../../src/elf/elf.ts';
import { inspectLayer, type LayerContents } from '../../src/packaging/layer-contents.ts';
import { lamella } from '../support/built-cli.ts';
import { startService } from '../support/running-service.ts';

const OPTIONS = '--with-openssl --with-curl --with-zlib';
/** Enough to run a function, with a third of the work. */
const FEW = `--disable-all ${OPTIONS}`;
const HOUR = 3_600_000;
const directory = mkdtempSync(join(tmpdir(), 'lamella-php-source-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let source: string;
beforeAll(() => {
  source = process.env.LAMELLA_PHP_SOURCE ?? debianSource(join(directory, 'debian'));
}, 300_000);

/** Downloads the source archive of php8.2, with separate apt lists so that this machine's stay unchanged. */
function debianSource(into: string): string {
  for (const name of ['state/lists/partial', 'cache/archives/partial'])
    mkdirSync(join(into, name), { recursive: true });
  const list = join(into, 'sources.list');
  // The archive that this machine uses, without its updates: those are not everywhere.
  const line = 'deb-src $(REPO_URI) $(CODENAME) $(COMPONENT)';
  const targets = ['indextargets', '--format', line, 'Created-By: Packages', 'Component: main'];
  const lines = execFileSync('apt-get', targets, { encoding: 'utf8' }).split('\n');
  writeFileSync(list, lines.filter((text) => !/-(security|updates) /.test(text)).join('\n'));
  const places = { 'State::Lists': join(into, 'state/lists'), Cache: join(into, 'cache'), 'Etc::SourceList': list };
  const options = Object.entries({ ...places, 'Etc::SourceParts': '-' }).flatMap(([name, value]) => [
    '-o',
    `Dir::${name}=${value}`,
  ]);
  execFileSync('apt-get', [...options, 'update', '-qq'], { stdio: 'pipe' });
  execFileSync('apt-get', [...options, 'source', '--download-only', '-qq', 'php8.2'], { cwd: into, stdio: 'pipe' });
  const archive = readdirSync(into).find((name) => /\.orig\.tar\.xz$/.test(name));
  if (archive === undefined) throw new Error(`The source of php8.2 is not among ${readdirSync(into)}`);
  return join(into, archive);
}

async function build(name: string, options: string, ...more: string[]) {
  const output = join(directory, `${name}.zip`);
  const cache = ['--cache-dir', join(directory, `cache-${name}`)];
  const ended = await lamella([
    'layer',
    'build',
    'php',
    '--source',
    source,
    '--configure',
    options,
    '--json',
    '-o',
    output,
    ...cache,
    ...more,
  ]);
  expect(ended.code, ended.stderr).toBe(0);
  return { output, ...ended, facts: JSON.parse(ended.stdout.toString()) as { glibc: string; builtIn: string[] } };
}

/** Publishes the layer, and returns the response of a function that uses it. */
async function answerOf(zip: string): Promise<unknown> {
  const service = await startService();
  try {
    const layer = await service.client.send(
      new PublishLayerVersionCommand({ LayerName: 'php', Content: { ZipFile: readFileSync(zip) } }),
    );
    const code = `<?php return fn (array $event) => [PHP_VERSION, $event, array_map(extension_loaded(...), ['curl', 'openssl', 'zlib']),
      openssl_digest('a', 'sha256'), curl_version()['ssl_version_number'] ?? null, gzuncompress(gzcompress('zipped'))];`;
    await service.createFunction(
      'f',
      { 'index.php': code },
      { Handler: 'index.php', Layers: [layer.LayerVersionArn ?? ''] },
    );
    const { payload, functionError } = await service.invoke('f', { a: 'ä' });
    expect(functionError, payload).toBeUndefined();
    return JSON.parse(payload);
  } finally {
    await service.close();
  }
}

const expectedAnswer = [
  expect.stringMatching(/^8\./),
  { a: 'ä' },
  [true, true, true],
  'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb',
  expect.anything(),
  'zipped',
];

function problemsOf(layer: LayerContents): unknown {
  return { missing: layer.missing, hasBootstrap: layer.hasBootstrap };
}

describe('PHP from its source, with the options of the walkthrough', () => {
  let built: Awaited<ReturnType<typeof build>>;
  beforeAll(async () => {
    built = await build('here', OPTIONS);
  }, HOUR);

  it('prints its progress', () => {
    const said = built.stderr.split('\n');
    expect(said.slice(0, 3).map((line) => line.split(' ')[0])).toEqual(['Unpacking', 'Configuring', 'Compiling']);
    expect(said.filter((line) => / \d0 %$/.test(line)).length).toBeGreaterThanOrEqual(8);
  });

  it('is stripped, contains its libraries and our runtime, and names its glibc', async () => {
    const unpacked = join(directory, 'unpacked');
    execFileSync('unzip', ['-q', built.output, '-d', unpacked]);
    for (const name of [
      'bin/php',
      ...readdirSync(join(unpacked, 'lamella/lib')).map((soname) => `lamella/lib/${soname}`),
    ]) {
      const sections = execFileSync('readelf', ['-SW', join(unpacked, name)], { encoding: 'utf8' });
      expect(sections, name).not.toMatch(/\.(symtab|debug_info)\b/);
      parseElf(readFileSync(join(unpacked, name)));
    }
    const layer = await inspectLayer(built.output);
    expect(problemsOf(layer)).toEqual({ missing: [], hasBootstrap: true });
    expect(layer.glibc).toBe(built.facts.glibc);
    const php = readFileSync(join(unpacked, 'bin/php'), 'latin1');
    for (const own of [directory, execFileSync('uname', ['-n'], { encoding: 'utf8' }).trim()].filter(
      (name) => name.length > 4,
    )) {
      expect(php.includes(own), own).toBe(false);
    }
  });

  it('runs a function', async () => {
    expect(await answerOf(built.output)).toEqual(expectedAnswer);
  }, 60_000);

  it('gives the same bytes when packed again, without compiling', async () => {
    const before = readFileSync(built.output);
    const again = await build('here', OPTIONS);
    expect(again.stderr).not.toContain('Compiling');
    expect(readFileSync(again.output).equals(before)).toBe(true);
  }, 60_000);
});

describe("PHP compiled inside another system's root directory", () => {
  const rootfs = join(directory, 'rootfs');
  beforeAll(() => {
    const packages = 'gcc,g++,make,pkg-config,libc6-dev,libssl-dev,libcurl4-openssl-dev,zlib1g-dev';
    execFileSync('debootstrap', ['--variant=minbase', `--include=${packages}`, 'bookworm', rootfs], { stdio: 'pipe' });
  }, HOUR);

  it(
    'takes its compiler and its libraries, writes nothing in it, and runs a function',
    async () => {
      const before = execFileSync('find', [rootfs, '-newer', source, '-type', 'f'], { encoding: 'utf8' });
      const built = await build('inside', FEW, '--in', rootfs);
      expect(execFileSync('find', [rootfs, '-newer', source, '-type', 'f'], { encoding: 'utf8' })).toBe(before);
      expect(problemsOf(await inspectLayer(built.output))).toEqual({ missing: [], hasBootstrap: true });
      expect(await answerOf(built.output)).toEqual(expectedAnswer);
    },
    HOUR,
  );

  it(
    'says which library it lacks there',
    async () => {
      const options = [
        `--in`,
        rootfs,
        '--cache-dir',
        join(directory, 'cache-lacking'),
        '-o',
        join(directory, 'no.zip'),
      ];
      const { code, stderr } = await lamella([
        'layer',
        'build',
        'php',
        '--source',
        source,
        '--configure',
        '--disable-all --enable-mbstring',
        ...options,
      ]);
      expect([code, stderr]).toEqual([1, expect.stringContaining('library or headers not found: oniguruma')]);
    },
    HOUR,
  );
});
