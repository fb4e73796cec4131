import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FunctionPackage, packageFunction } from './package-function.ts';

let workspace: string;
beforeEach(() => {
  workspace = mkdtempSync(join(tmpdir(), 'lamella-package-function-'));
});
afterEach(() => rmSync(workspace, { recursive: true, force: true }));

type Options = Partial<Parameters<typeof packageFunction>[0]>;

function write(files: Readonly<Record<string, string>>, root = join(workspace, 'project')): string {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return root;
}

let count = 0;
async function pack(
  directory: string,
  options: Options = {},
): Promise<FunctionPackage & { unpacked: string; names: string[] }> {
  const output = join(workspace, `${count++}.zip`);
  const made = await packageFunction({ directory, output, bundle: true, ...options });
  const unpacked = `${output}-unpacked`;
  execFileSync('unzip', ['-q', output, '-d', unpacked]);
  const names = execFileSync('unzip', ['-Z1', output], { encoding: 'utf8' }).trim().split('\n');
  return { ...made, unpacked, names };
}

/** Returns the result of a handler in the unpacked package, run by Node. */
function run(unpacked: string, file: string, event: unknown): unknown {
  const program = `const m = await import(${JSON.stringify(join(unpacked, file))});
    process.stdout.write(JSON.stringify(await (m.handler ?? m.default.handler)(${JSON.stringify(event)})));`;
  const out = execFileSync(process.execPath, ['--enable-source-maps', '--input-type=module', '-e', program], {
    cwd: tmpdir(),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return JSON.parse(out);
}

const GREETING = {
  'package.json': '{"type":"module"}',
  'index.ts': `
    import { greet, type Greeting } from './src/greet.ts';
    import { unused } from 'left';
    export const handler = async (event: { name: string }): Promise<Greeting> => greet(event.name);
    enum Never { A }
    void unused;`,
  'src/greet.ts': `
    import { shout } from 'shouting';
    export type Greeting = { text: string };
    export const greet = (name: string): Greeting => ({ text: shout(name satisfies string) });`,
  'node_modules/shouting/index.js': 'exports.shout = (text) => require("node:util").format("%s!", text.toUpperCase());',
  'node_modules/shouting/package.json': '{"name":"shouting","dependencies":{"deeper":"1"}}',
  'node_modules/left/index.js': 'export const unused = 1; export const marker = "never used";',
  'node_modules/left/package.json': '{"name":"left","type":"module","sideEffects":false}',
  'node_modules/deeper/package.json': '{"name":"deeper"}',
  'node_modules/deeper/index.js': '',
  'tsconfig.json': '{}',
  'data/words.json': '["a"]',
};

describe('a package without TypeScript', () => {
  it('contains every file with its mode, and links', async () => {
    const root = write({ bootstrap: '#!/bin/sh\n', 'src/hello.php': '<?php', 'vendor/autoload.php': '<?php' });
    chmodSync(join(root, 'bootstrap'), 0o755);
    chmodSync(join(root, 'src/hello.php'), 0o640);
    symlinkSync('src/hello.php', join(root, 'link.php'));
    const { names, unpacked, warnings } = await pack(root);
    expect(names).toEqual(['bootstrap', 'link.php', 'src/hello.php', 'vendor/autoload.php']);
    const modes = execFileSync('stat', ['-c', '%a %N', 'bootstrap', 'src/hello.php', 'link.php'], {
      cwd: unpacked,
      encoding: 'utf8',
    });
    expect(modes).toBe("755 'bootstrap'\n640 'src/hello.php'\n777 'link.php' -> 'src/hello.php'\n");
    expect(warnings).toEqual([]);
  });

  it('has the same bytes wherever and whenever it is packaged', async () => {
    const root = write({ 'b.php': '1', 'a/c.php': '2' });
    const copy = join(workspace, 'elsewhere/copy');
    cpSync(root, copy, { recursive: true });
    const [one, two] = [await pack(root), await pack(copy)];
    expect(readFileSync(one.zip.path).equals(readFileSync(two.zip.path))).toBe(true);
  });

  it('leaves out files that .lamellaignore names, and the archive itself', async () => {
    const root = write({
      '.lamellaignore': '*.log\n/tests/\n!keep.log\n',
      'a.log': '',
      'keep.log': '',
      'tests/a.php': '',
      'src/tests/a.php': '',
      '.git/config': '',
    });
    const made = await packageFunction({ directory: root, output: join(root, 'function.zip'), bundle: true });
    const listed = execFileSync('unzip', ['-Z1', made.zip.path], { encoding: 'utf8' }).trim().split('\n');
    expect(listed).toEqual(['keep.log', 'src/tests/a.php']);
  });

  it('leaves out secrets, tests and archives by default, and lists them', async () => {
    const files = ['.env', '.env.local', '.npmrc', 'old.zip', 'tests/a.php', 'src/a.test.js', 'src/__tests__/b.js'];
    const kept = ['index.js', 'src/test/needed.js', 'data/archive.zip', 'node_modules/a/lib/a.test.js'];
    const root = write(Object.fromEntries([...files, ...kept].map((file) => [file, file])));
    const { names, leftOut, contents } = await pack(root);
    expect(names).toEqual([...kept].sort());
    expect(leftOut).toEqual(['.env', '.env.local', '.npmrc', 'old.zip', 'src/__tests__/', 'src/a.test.js', 'tests/']);
    expect(contents).toEqual([
      { path: 'node_modules/', files: 1, bytes: 28 },
      { path: 'src/', files: 1, bytes: 18 },
      { path: 'data/', files: 1, bytes: 16 },
      { path: 'index.js', files: 1, bytes: 8 },
    ]);
  });

  it('includes what .lamellaignore includes again', async () => {
    const root = write({ '.lamellaignore': '!.env\n!/tests/\n', '.env': 'A=1', 'tests/a.php': '', '.env.local': '' });
    const { names, leftOut } = await pack(root);
    expect([names, leftOut]).toEqual([['.env', 'tests/a.php'], ['.env.local']]);
  });

  it('leaves out the packages that only development needs', async () => {
    const manifest = (fields: object) => JSON.stringify(fields);
    const files = {
      'index.js': '',
      'package.json': manifest({
        dependencies: { a: '1' },
        devDependencies: { tool: '1', both: '1', '@types/x': '1' },
      }),
      'node_modules/a/package.json': manifest({ dependencies: { both: '1' }, peerDependencies: { peer: '1' } }),
      'node_modules/both/package.json': manifest({}),
      'node_modules/peer/package.json': manifest({}),
      'node_modules/tool/package.json': manifest({ dependencies: { part: '1', both: '1', old: '1' } }),
      'node_modules/tool/node_modules/old/package.json': manifest({}),
      'node_modules/part/package.json': manifest({ dependencies: { tool: '1' } }),
      'node_modules/@types/x/package.json': manifest({}),
      'node_modules/old/package.json': manifest({}),
      'node_modules/.store/linked/package.json': manifest({}),
    };
    const root = write(files);
    symlinkSync('.store/linked', join(root, 'node_modules/linked'));
    const packages = async () =>
      (await pack(root)).names.flatMap((name) => /^node_modules\/(.*)\/package\.json$/.exec(name)?.[1] ?? []);
    expect(await packages()).toEqual(['.store/linked', 'a', 'both', 'old', 'peer']);
    writeFileSync(join(root, '.lamellaignore'), '!node_modules/part/\n');
    expect(await packages()).toEqual(['.store/linked', 'a', 'both', 'old', 'part', 'peer']);
    const linked = manifest({ dependencies: { a: '1' }, devDependencies: { linked: '1', tool: '1' } });
    writeFileSync(join(root, 'package.json'), linked);
    expect(await packages()).not.toContain('.store/linked');
  });

  it('warns of a bootstrap that is not executable and of links that lead out', async () => {
    const root = write({ bootstrap: '#!/bin/sh\n', 'a/b': '' });
    symlinkSync('../../elsewhere', join(root, 'a/out'));
    symlinkSync('../bootstrap', join(root, 'a/in'));
    symlinkSync('/opt/bin/php', join(root, 'php'));
    expect((await pack(root)).warnings).toEqual([
      expect.stringContaining('a/out is a link to ../../elsewhere'),
      expect.stringContaining('chmod +x bootstrap'),
    ]);
  });

  it('warns of links to files that are not in the package, and of an empty package', async () => {
    const root = write({ 'src/a.php': '', 'x/y/z.php': '', '.lamellaignore': '/tests/\n', 'tests/b.php': '' });
    symlinkSync('tests/b.php', join(root, 'ignored'));
    symlinkSync('nowhere', join(root, 'dangling'));
    symlinkSync('src', join(root, 'directory'));
    symlinkSync('./x/', join(root, 'above'));
    symlinkSync('.', join(root, 'self'));
    expect((await pack(root)).warnings).toEqual([
      expect.stringMatching(/^dangling is a link to nowhere, which is not in the package/),
      expect.stringMatching(/^ignored is a link to tests\/b\.php, which is not in the package/),
    ]);
    mkdirSync(join(workspace, 'empty'));
    const empty = await packageFunction({
      directory: join(workspace, 'empty'),
      output: join(workspace, 'e.zip'),
      bundle: true,
    });
    expect(empty.warnings).toEqual([expect.stringContaining('The package is empty')]);
  });

  it('that cannot be written is an error', async () => {
    const root = write({ 'a.txt': '' });
    const output = join(root, 'a.txt/function.zip');
    const packing = packageFunction({ directory: root, output, bundle: true });
    await expect(packing).rejects.toMatchObject({ code: 'file-unwritable' });
  });

  it.skipIf(process.getuid?.() === 0)('with a file that cannot be read is an error', async () => {
    const root = write({ 'a.txt': '' });
    chmodSync(join(root, 'a.txt'), 0);
    await expect(pack(root)).rejects.toMatchObject({ code: 'file-unreadable' });
  });

  it('above the quota is refused before it is written', async () => {
    const root = write({ 'small.txt': '' });
    execFileSync('truncate', ['-s', '262144001', join(root, 'large.bin')]);
    await expect(pack(root)).rejects.toMatchObject({ code: 'package-too-large' });
  });

  it('of a directory that does not exist is an error', async () => {
    await expect(pack(join(workspace, 'nowhere'))).rejects.toMatchObject({ code: 'file-unreadable' });
  });
});

describe('a TypeScript handler', () => {
  it('is bundled into one file that runs alone', async () => {
    const { names, unpacked, bundles } = await pack(write(GREETING));
    expect(names).toEqual(['data/words.json', 'index.mjs', 'index.mjs.map', 'package.json']);
    expect(bundles).toEqual(['index.mjs']);
    expect(run(unpacked, 'index.mjs', { name: 'you' })).toEqual({ text: 'YOU!' });
    expect(readFileSync(join(unpacked, 'index.mjs'), 'utf8')).not.toContain('never used');
  });

  it('is bundled to the same bytes in any directory', async () => {
    const one = await pack(write(GREETING));
    const two = await pack(write(GREETING, join(workspace, 'some/where/else')));
    expect(readFileSync(one.zip.path).equals(readFileSync(two.zip.path))).toBe(true);
  });

  it('becomes CommonJS unless its package.json has the type module', async () => {
    const root = write({
      'app.ts': "import { basename } from 'node:path'; export const handler = async (path: string) => basename(path);",
      'app.js': 'stale',
    });
    const { names, unpacked } = await pack(root);
    expect(names).toEqual(['app.cjs', 'app.cjs.map']);
    expect(run(unpacked, 'app.cjs', '/a/b')).toBe('b');
  });

  it('can be selected by name, together with others', async () => {
    const root = write({
      'api/get.ts': 'export const handler = async () => "get";',
      'api/put.mts': 'export const handler = async () => "put";',
      'jobs/clean.js': 'exports.handler = async () => "clean";',
    });
    const { names, bundles, unpacked } = await pack(root, {
      handlers: ['api/get.handler', 'api/put.handler', 'jobs/clean.handler'],
      sourceMap: false,
    });
    expect(bundles).toEqual(['api/get.cjs', 'api/put.mjs', 'jobs/clean.cjs']);
    expect(names).toEqual(bundles);
    expect(bundles.map((file) => run(unpacked, file, {}))).toEqual(['get', 'put', 'clean']);
  });

  it('finds external packages in node_modules, with their dependencies', async () => {
    const { names, unpacked } = await pack(write(GREETING), { external: ['shouting'], sourceMap: false });
    expect(names).toEqual([
      'data/words.json',
      'index.mjs',
      'node_modules/deeper/index.js',
      'node_modules/deeper/package.json',
      'node_modules/shouting/index.js',
      'node_modules/shouting/package.json',
      'package.json',
    ]);
    expect(run(unpacked, 'index.mjs', { name: 'you' })).toEqual({ text: 'YOU!' });
  });

  it('packs external packages although .lamellaignore names node_modules, but without other ignored files', async () => {
    const root = write({ ...GREETING, '.lamellaignore': 'node_modules/\npackage.json\n' });
    const { names } = await pack(root, { external: ['shouting'], sourceMap: false });
    expect(names.filter((name) => name.includes('node_modules'))).toEqual([
      'node_modules/deeper/index.js',
      'node_modules/shouting/index.js',
    ]);
  });

  it('finds external packages as Node does: in parent directories, through links, in several versions', async () => {
    const store = 'node_modules/.pnpm';
    const root = write({
      'packages/shared/package.json': '{"name":"@acme/shared"}',
      'packages/shared/index.ts': 'export const shared: string = "shared";',
      [`${store}/foo@1/node_modules/foo/package.json`]: '{"name":"foo","dependencies":{"bar":"1"}}',
      [`${store}/foo@1/node_modules/foo/index.js`]: 'module.exports = "foo of " + require("bar");',
      [`${store}/bar@1/node_modules/bar/package.json`]: '{}',
      [`${store}/bar@1/node_modules/bar/index.js`]: 'module.exports = "bar 1";',
      [`${store}/bar@2/node_modules/bar/package.json`]: '{}',
      [`${store}/bar@2/node_modules/bar/index.js`]: 'module.exports = "bar 2";',
      'node_modules/@acme/.keep': '',
      'services/api/index.mts': `
        import foo from 'foo'; import bar from 'bar'; import { shared } from '@acme/shared';
        export const handler = async () => [foo, bar, shared];`,
    });
    symlinkSync('../../packages/shared', join(root, 'node_modules/@acme/shared'));
    symlinkSync('.pnpm/foo@1/node_modules/foo', join(root, 'node_modules/foo'));
    symlinkSync('.pnpm/bar@2/node_modules/bar', join(root, 'node_modules/bar'));
    symlinkSync('../../bar@1/node_modules/bar', join(root, store, 'foo@1/node_modules/bar'));
    const external = ['bar', 'foo', 'not-here'];
    const { unpacked, warnings } = await pack(join(root, 'services/api'), { external, sourceMap: false });
    expect(run(unpacked, 'index.mjs', {})).toEqual(['foo of bar 1', 'bar 2', 'shared']);
    expect(warnings).toEqual([expect.stringMatching(/^not-here is not installed, so it is not in the package/)]);
  });

  it('is smaller with minify, and keeps names', async () => {
    const root = write({
      ...GREETING,
      'index.ts':
        'export async function handler(event: unknown) { const nameless = class Named {}; return nameless.name; }',
    });
    const large = await pack(root, { sourceMap: false });
    const small = await pack(root, { sourceMap: false, minify: true });
    expect(run(small.unpacked, 'index.mjs', {})).toBe('Named');
    expect(readFileSync(join(small.unpacked, 'index.mjs'), 'utf8').split('\n').length).toBeLessThan(
      readFileSync(join(large.unpacked, 'index.mjs'), 'utf8').split('\n').length,
    );
  });

  it('has stack traces with the lines of its source', async () => {
    const root = write({
      'package.json': '{"type":"module"}',
      'index.ts': 'type A = string;\n\n\nexport const handler = async (_a: A) => new Error("x").stack;\n',
    });
    const { unpacked } = await pack(root);
    expect(run(unpacked, 'index.mjs', '')).toMatch(/index\.ts:4:/);
  });

  it('that cannot be compiled is an error with its position', async () => {
    const failing = pack(write({ 'index.ts': 'export const handler = (\n' }));
    await expect(failing).rejects.toMatchObject({
      code: 'bundle-failed',
      message: expect.stringMatching(/index\.ts:2:0/),
    });
  });

  it('that is not found is an error that names --handler', async () => {
    const failing = pack(write({ 'strange.ts': '' }));
    await expect(failing).rejects.toMatchObject({
      code: 'handler-source-missing',
      remedy: expect.stringContaining('--handler src/hello.handler'),
    });
  });
});

describe('without a bundle', () => {
  it('every TypeScript file becomes JavaScript at the same path, and packages stay', async () => {
    const root = write({
      ...GREETING,
      'src/greet.ts': `${GREETING['src/greet.ts']}\nexport const later = () => import('./other.mts');`,
      'src/other.mts': 'export const a: number = 1;',
      'src/old.cts': 'import path = require("node:path"); export = { join: path.join };',
      'src/types.d.ts': 'export type T = 1;',
    });
    const { names, unpacked } = await pack(root, { bundle: false, sourceMap: false });
    expect(names.filter((name) => !name.startsWith('node_modules/'))).toEqual([
      'data/words.json',
      'index.js',
      'package.json',
      'src/greet.js',
      'src/old.cjs',
      'src/other.mjs',
      'src/types.d.ts',
      'tsconfig.json',
    ]);
    expect(names).toContain('node_modules/shouting/index.js');
    expect(run(unpacked, 'index.js', { name: 'you' })).toEqual({ text: 'YOU!' });
    expect(readFileSync(join(unpacked, 'src/greet.js'), 'utf8')).toMatch(/import\("\.\/other\.mjs"\)/);
  });
});
