/** Builds of whole templates: what is in the zips, what is built again, and that the same sources give the same bytes. */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { CACHE_DIR } from '../../../test/support/php-sandbox.ts';
import { listArchive } from '../../storage/archive.ts';
import { type BuiltProject, buildProject } from './build-project.ts';

const TEMPLATE = `
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: provided.al2023, Handler: index, CodeUri: src/}}
Parameters: {Code: {Type: String, Default: made}}
Resources:
  Plain: {Type: 'AWS::Serverless::Function'}
  Same: {Type: 'AWS::Serverless::Function'}
  Typed:
    Type: AWS::Serverless::Function
    Properties: {Runtime: nodejs22.x, CodeUri: typed, Handler: app.handler, Layers: [!Ref Layer]}
  Bundled:
    Type: AWS::Serverless::Function
    Metadata:
      BuildMethod: esbuild
      BuildProperties: {EntryPoints: [app.ts], Format: esm, OutExtension: [.js=.mjs], Minify: false}
    Properties: {Runtime: nodejs22.x, CodeUri: typed, Handler: app.handler}
  Made:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: makefile}
    Properties: {CodeUri: !Ref Code}
  Installed:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: nodejs22.x}
    Properties: {Runtime: nodejs22.x, CodeUri: installed, Handler: index.handler}
  Inline:
    Type: AWS::Serverless::Function
    Properties: {InlineCode: 'exports.handler = 1', Runtime: nodejs22.x, Handler: index.handler}
  Layer: {Type: 'AWS::Serverless::LayerVersion', Properties: {ContentUri: layer}}
  Raw: {Type: 'AWS::Lambda::Function', Properties: {Code: src, Runtime: provided.al2023, Handler: x, Role: r}}
  Uploaded: {Type: 'AWS::Serverless::Function', Properties: {CodeUri: 's3://bucket/key'}}
  Nested: {Type: 'AWS::CloudFormation::Stack', Properties: {TemplateURL: nested/stack.yaml}}
  Api: {Type: 'AWS::Serverless::Api', Properties: {StageName: prod, DefinitionUri: nested/api.yaml}}
`;
const FILES: Record<string, string> = {
  'template.yaml': TEMPLATE,
  'samconfig.toml': 'version = 0.1',
  'src/bootstrap': '#!/bin/sh\n',
  'src/data/a.txt': 'a',
  'src/.env': 'SECRET=1',
  'typed/app.ts': "import { word } from './word.js';\nexport const handler = async (): Promise<string> => word;\n",
  'typed/word.ts': "export const word: string = 'typed';\n",
  'made/Makefile':
    "build-Made:\n\tcp input.txt $(ARTIFACTS_DIR)/output.txt\n\tprintf '#!/bin/sh\\n' > $(ARTIFACTS_DIR)/bootstrap\n\tchmod +x $(ARTIFACTS_DIR)/bootstrap\n\techo made > touched.txt\n",
  'made/input.txt': 'input',
  'installed/package.json': '{"name": "installed", "version": "1.0.0"}',
  'installed/index.js': 'exports.handler = async () => 1;',
  'layer/bin/tool': 'tool',
  'nested/stack.yaml': "Resources: {Inner: {Type: 'AWS::Serverless::Function', Properties: {CodeUri: ../src}}}",
  'nested/api.yaml': 'openapi: 3.0.1',
};

const workspace = mkdtempSync(join(tmpdir(), 'lamella-project-'));
const project = join(workspace, 'project');
let first: BuiltProject;

beforeAll(async () => {
  for (const [path, content] of Object.entries(FILES)) write(join(project, path), content);
  chmodSync(join(project, 'src/bootstrap'), 0o755);
  first = await build(project);
}, 60_000);
afterAll(() => rmSync(workspace, { recursive: true, force: true }));

const build = (directory: string, more: Partial<Parameters<typeof buildProject>[0]> = {}) =>
  buildProject({
    file: join(directory, 'template.yaml'),
    buildDirectory: join(directory, '.aws-sam/build'),
    cacheDir: CACHE_DIR,
    ...more,
  });
const write = (path: string, content: string) => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
};
const filesIn = async (logicalId: string) => {
  const zip = readFileSync(join(project, `.aws-sam/build/${logicalId}.zip`));
  const limits = { unpackedBytes: 1e9, entries: 1e6 };
  return (await listArchive(zip, limits))
    .map(({ path, mode, kind }) => (kind === 'file' ? `${path} ${mode.toString(8)}` : undefined))
    .filter((line) => line);
};

it('packages each function and layer as its build method says', async () => {
  expect(await filesIn('Plain')).toEqual(['bootstrap 755', 'data/a.txt 644']);
  expect(await filesIn('Typed')).toEqual(['app.cjs 644', 'app.cjs.map 644']);
  expect(await filesIn('Bundled')).toEqual(['app.mjs 644']);
  expect(await filesIn('Made')).toEqual(['bootstrap 755', 'output.txt 644']);
  expect(await filesIn('Installed')).toEqual(['index.js 644', 'package.json 644']);
  expect(await filesIn('Layer')).toEqual(['bin/tool 644']);
  expect(readdirSync(join(project, 'made')).sort()).toEqual(['Makefile', 'input.txt']);
  expect(first.artifacts.find(({ logicalId }) => logicalId === 'Plain')?.leftOut).toEqual(['.env']);
  expect(first.functions.find(({ logicalId }) => logicalId === 'Typed')?.layers).toEqual(['Layer']);
});

it('writes a template that names the zips, and other local files from its own directory', () => {
  const { Resources, Globals } = parse(readFileSync(join(project, '.aws-sam/build/template.yaml'), 'utf8'));
  expect(Resources.Plain.Properties).toEqual({ CodeUri: 'Plain.zip' });
  expect(Resources.Raw.Properties.Code).toBe('Raw.zip');
  expect(Resources.Layer.Properties.ContentUri).toBe('Layer.zip');
  expect(Resources.Uploaded.Properties.CodeUri).toBe('s3://bucket/key');
  expect(Resources.Inline.Properties.CodeUri).toBeUndefined();
  expect(Resources.Nested.Properties.TemplateURL).toBe('Nested/template.yaml');
  expect(Resources.Api.Properties.DefinitionUri).toBe('../../nested/api.yaml');
  expect(Globals.Function).toEqual({ Runtime: 'provided.al2023', Handler: 'index' });
  expect(readdirSync(join(project, '.aws-sam/build/Nested')).sort()).toEqual([
    'Inner.zip',
    'build.json',
    'template.yaml',
  ]);
});

it('the same sources give the same bytes in another directory, with other times and another umask', async () => {
  const other = join(workspace, 'elsewhere/copy');
  cpSync(project, other, { recursive: true, filter: (path) => !path.includes('.aws-sam') });
  for (const path of Object.keys(FILES)) {
    chmodSync(join(other, path), path === 'src/bootstrap' ? 0o700 : 0o600);
    utimesSync(join(other, path), 1, 1);
  }
  const second = await build(other);
  expect(second.artifacts.map(({ logicalId, sha256 }) => [logicalId, sha256])).toEqual(
    first.artifacts.map(({ logicalId, sha256 }) => [logicalId, sha256]),
  );
  expect(readFileSync(join(other, '.aws-sam/build/template.yaml'), 'utf8')).toBe(
    readFileSync(join(project, '.aws-sam/build/template.yaml'), 'utf8'),
  );
});

it('builds again only what changed, whatever the times say, and what somebody changed or removed', async () => {
  const changed = async () =>
    (await build(project)).artifacts.filter(({ isUnchanged }) => !isUnchanged).map(({ logicalId }) => logicalId);
  for (const path of Object.keys(FILES)) utimesSync(join(project, path), 5, 5);
  expect(await changed()).toEqual([]);
  write(join(project, 'made/input.txt'), 'other');
  write(join(project, 'typed/word.ts'), "export const word: string = 'other';\n");
  expect(await changed()).toEqual(['Typed', 'Bundled', 'Made']);
  rmSync(join(project, '.aws-sam/build/Plain.zip'));
  write(join(project, '.aws-sam/build/Layer.zip'), 'not the zip that was built');
  expect(await changed()).toEqual(['Plain', 'Layer']);
  write(join(project, '.aws-sam/build/build.json'), '{');
  expect(await changed()).toHaveLength(first.artifacts.length);
  expect((await build(project, { only: ['Made'], usesCache: false })).artifacts).toMatchObject([
    { logicalId: 'Made', isUnchanged: false },
  ]);
});

it('a copy of the project, with its builds and times, uses its own zips', async () => {
  const copy = join(workspace, 'moved');
  cpSync(project, copy, { recursive: true, preserveTimestamps: true });
  const built = await build(copy);
  expect(built.artifacts.map(({ zip }) => dirname(zip))).toEqual(
    built.artifacts.map(() => join(copy, '.aws-sam/build')),
  );
});

it('the built template can be built: its zips are used as they are', async () => {
  const built = await build(join(project, '.aws-sam/build'), { buildDirectory: join(workspace, 'again') });
  expect(built.artifacts.map(({ description }) => description)).toEqual(first.artifacts.map(() => 'archive'));
  expect(built.artifacts.map(({ sha256 }) => sha256)).toEqual(
    (await build(project)).artifacts.map(({ sha256 }) => sha256),
  );
});

it('a build that fails says what the tool printed, and keeps the zips of before', async () => {
  const before = readFileSync(join(project, '.aws-sam/build/Made.zip'));
  write(join(project, 'made/Makefile'), 'build-Made:\n\t@echo "the reason" >&2; exit 3\n');
  await expect(build(project)).rejects.toMatchObject({
    code: 'build-failed',
    message: /Cannot build Made: make build-Made ended with 2:\nthe reason/,
  });
  expect(readFileSync(join(project, '.aws-sam/build/Made.zip'))).toEqual(before);
});

it.each([
  [
    'an unknown build method',
    'Metadata: {BuildMethod: rust-cargolambda}, Properties: {CodeUri: src}',
    /^.*template\.yaml:2:\d+: Lamella does not build F with BuildMethod rust-cargolambda\.$/,
  ],
  [
    'an unknown property',
    'Metadata: {BuildMethod: esbuild, BuildProperties: {Entrypoints: [a]}}, Properties: {CodeUri: src}',
    /has no property Entrypoints/,
  ],
  ['a directory that is not there', 'Properties: {CodeUri: nowhere}', /Cannot read .*nowhere/],
  [
    'a container image',
    'Metadata: {Dockerfile: Dockerfile}, Properties: {PackageType: Image}',
    /template\.yaml:2:\d+: F is a container image, which Lamella does not build/,
  ],
  [
    'a Makefile that is not there',
    'Metadata: {BuildMethod: makefile}, Properties: {CodeUri: src}',
    /there is no .*src\/Makefile/,
  ],
  ['a package with nothing in it', 'Properties: {CodeUri: empty}', /has no files to package/],
])('refuses %s by its name', async (_, resource, message) => {
  const directory = mkdtempSync(join(workspace, 'refused-'));
  write(join(directory, 'template.yaml'), `Resources:\n  F: {Type: 'AWS::Serverless::Function', ${resource}}\n`);
  write(join(directory, 'src/bootstrap'), '');
  mkdirSync(join(directory, 'empty'));
  await expect(build(directory)).rejects.toThrow(message);
});

it('packs what a link out of the project leads to, and no link that leads nowhere on AWS', async () => {
  const directory = mkdtempSync(join(workspace, 'links-'));
  write(join(directory, 'shared/lib.txt'), 'lib');
  write(
    join(directory, 'app/template.yaml'),
    "Resources: {F: {Type: 'AWS::Serverless::Function', Properties: {CodeUri: src}}}\n",
  );
  write(join(directory, 'app/src/ bad\nname;$(x)'), 'x');
  symlinkSync('../../shared', join(directory, 'app/src/shared'));
  const { artifacts } = await build(join(directory, 'app'));
  expect(artifacts[0]?.largest.map(({ path }) => path).sort()).toEqual([' bad\nname;$(x)', 'shared/lib.txt']);
});

it('builds the PHP layer, a vendor layer that matches it, and a function with its own vendor directory', async () => {
  const directory = mkdtempSync(join(workspace, 'php-'));
  const composer = {
    require: { 'acme/words': '*', 'ext-mbstring': '*' },
    repositories: [{ type: 'path', url: '../words' }, { 'packagist.org': false }],
    autoload: { 'psr-4': { 'App\\': 'src/' } },
  };
  write(
    join(directory, 'words/composer.json'),
    JSON.stringify({ name: 'acme/words', version: '1.0.0', autoload: { files: ['words.php'] } }),
  );
  write(join(directory, 'words/words.php'), '<?php function word() { return 1; }');
  write(join(directory, 'app/composer.json'), JSON.stringify(composer));
  write(join(directory, 'app/src/Hello.php'), '<?php namespace App; final class Hello {}');
  write(
    join(directory, 'template.yaml'),
    `Transform: AWS::Serverless-2016-10-31
Resources:
  Php:
    Type: AWS::Serverless::LayerVersion
    Metadata: {BuildMethod: php, BuildProperties: {Version: '8.4', Extensions: [auto, ctype]}}
    Properties: {ContentUri: app}
  Vendor: {Type: 'AWS::Serverless::LayerVersion', Metadata: {BuildMethod: composer}, Properties: {ContentUri: app}}
  App:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: composer, BuildProperties: {Version: '8.4', Extensions: [mbstring]}}
    Properties: {CodeUri: app, Handler: src/Hello.php, Runtime: provided.al2023, Layers: [!Ref Php]}
`,
  );
  const one = await build(directory);
  const pathsIn = async (logicalId: string) => {
    const zip = readFileSync(join(directory, `.aws-sam/build/${logicalId}.zip`));
    return (await listArchive(zip, { unpackedBytes: 1e9, entries: 1e6 }))
      .filter(({ kind }) => kind === 'file')
      .map(({ path }) => path);
  };
  expect(await pathsIn('Php')).toEqual(
    expect.arrayContaining(['bin/php', 'bootstrap', 'lamella/ext/mbstring.so', 'lamella/ext/ctype.so']),
  );
  expect(await pathsIn('Vendor')).toEqual(
    expect.arrayContaining(['vendor/autoload.php', 'vendor/acme/words/words.php']),
  );
  expect(await pathsIn('App')).toEqual(
    expect.arrayContaining(['composer.json', 'src/Hello.php', 'vendor/autoload.php', 'vendor/acme/words/words.php']),
  );
  expect(existsSync(join(directory, 'app/vendor'))).toBe(false);
  expect(one.functions).toMatchObject([{ logicalId: 'App', layers: ['Php'] }]);
  write(join(directory, 'words/words.php'), '<?php function word() { return 2; }');
  const two = await build(directory, { only: ['Php', 'Vendor'] });
  expect(two.artifacts.map(({ logicalId, isUnchanged }) => [logicalId, isUnchanged])).toEqual([
    ['Php', true],
    ['Vendor', false],
  ]);
}, 120_000);
