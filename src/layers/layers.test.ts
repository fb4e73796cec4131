import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RawEntry, rawZip } from '../../test/support/raw-zip.ts';
import { systemClock } from '../clock.ts';
import type { LayerName, Scope } from '../protocol/names.ts';
import { type Archives, createArchives } from '../storage/archives.ts';
import { type DataDirectory, openDataDirectory } from '../storage/data-directory.ts';
import { type Database, openDatabase } from '../storage/database.ts';
import type { LayerDraft, LayerVersion } from './layer.ts';
import { createLayers, type Layers } from './layers.ts';
import { createOptTrees, type OptTrees } from './opt-tree.ts';

const SCOPE: Scope = { region: 'eu-central-1', account: '123456789012' };
const ARN = 'arn:aws:lambda:eu-central-1:123456789012:layer';

let directory: string;
let data: DataDirectory;
let database: Database;
let archives: Archives;
let optTrees: OptTrees;
let layers: Layers;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lamella-layers-'));
  data = openDataDirectory({ directory });
  database = openDatabase(data.database);
  archives = createArchives(data);
  optTrees = createOptTrees({ archives, data });
  layers = createLayers({ database, archives, optTrees, clock: systemClock });
});
afterEach(async () => {
  database.close();
  await data.close();
  await rm(directory, { recursive: true });
});

function draft(name: string, changes: Partial<LayerDraft> = {}): LayerDraft {
  const zip = rawZip([{ name: 'a', content: name }]);
  const nothing = { description: '', compatibleRuntimes: [], compatibleArchitectures: [], licenseInfo: undefined };
  return { name: name as LayerName, zip, ...nothing, ...changes };
}

function publish(name: string, entries: readonly RawEntry[]): Promise<LayerVersion> {
  return layers.publish(SCOPE, draft(name, { zip: rawZip(entries) }));
}

const versionsOf = (page: { items: readonly LayerVersion[] }) => page.items.map(({ version }) => version);

describe('publish', () => {
  it('returns what was published and stores it', async () => {
    const requested = draft('tools', {
      description: 'd',
      compatibleRuntimes: ['provided.al2023'],
      compatibleArchitectures: ['x86_64'],
      licenseInfo: 'MIT',
    });
    const published = await layers.publish(SCOPE, requested);
    expect(published).toMatchObject({
      arn: `${ARN}:tools:1`,
      version: 1,
      description: 'd',
      compatibleRuntimes: ['provided.al2023'],
      compatibleArchitectures: ['x86_64'],
      licenseInfo: 'MIT',
      codeSize: requested.zip.length,
      unzippedSize: 5,
      createdDate: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$/),
    });
    expect(layers.get(SCOPE, published.name, 1)).toEqual(published);
    expect(readFileSync(layers.contentPath(published.digest))).toEqual(requested.zip);
  });

  it('distinguishes omitted members from empty ones', async () => {
    const leftOut = { compatibleRuntimes: undefined, compatibleArchitectures: undefined };
    const published = await layers.publish(SCOPE, draft('tools', leftOut));
    const empty = await layers.publish(SCOPE, draft('tools'));
    expect([published, layers.get(SCOPE, published.name, 1)]).toMatchObject([leftOut, leftOut]);
    expect(layers.get(SCOPE, empty.name, 2)).toMatchObject({ compatibleRuntimes: [], compatibleArchitectures: [] });
  });

  it('never reuses a version number', async () => {
    await layers.publish(SCOPE, draft('tools'));
    const second = await layers.publish(SCOPE, draft('tools'));
    layers.delete(SCOPE, second.name, 1);
    layers.delete(SCOPE, second.name, 2);
    expect((await layers.publish(SCOPE, draft('tools'))).version).toBe(3);
  });

  it('keeps regions apart', async () => {
    await layers.publish(SCOPE, draft('tools'));
    const elsewhere = { ...SCOPE, region: 'us-east-1' };
    expect((await layers.publish(elsewhere, draft('tools'))).arn).toBe(
      'arn:aws:lambda:us-east-1:123456789012:layer:tools:1',
    );
    expect(layers.list(elsewhere, {}).items).toHaveLength(1);
  });

  it.each([
    [
      'a file that is not a zip',
      Buffer.from('x'),
      'Could not unzip uploaded file. Please check your file, then try to upload again.',
    ],
    ['an empty zip', rawZip([]), 'Uploaded file must be a non-empty zip'],
    [
      'a zip with a path outside its root',
      rawZip([{ name: '../x' }]),
      'Could not unzip uploaded file. Please check your file, then try to upload again. ' +
        'Lamella: the name "../x" leads out of the archive.',
    ],
    [
      'a zip that is too large unpacked',
      rawZip([{ name: 'x', packed: Buffer.alloc(9), claims: { size: 262_144_001 } }]),
      'Unzipped size must be smaller than 262144000 bytes',
    ],
  ])("refuses %s with AWS's message and stores nothing", async (_, zip, message) => {
    const attempt = layers.publish(SCOPE, draft('tools', { zip }));
    await expect(attempt).rejects.toMatchObject({ code: 'InvalidParameterValueException', message });
    expect([data.blobs, data.trees, data.staging].flatMap((directory) => readdirSync(directory))).toEqual([]);
    expect(layers.list(SCOPE, {}).items).toEqual([]);
  });

  it('refuses a zip of more than 50 MB', async () => {
    const attempt = layers.publish(SCOPE, draft('tools', { zip: Buffer.alloc(52_428_801) }));
    await expect(attempt).rejects.toMatchObject({
      code: 'RequestTooLargeException',
      message: 'Zipped size must be smaller than 52428800 bytes',
    });
  });
});

describe('get and delete', () => {
  it('report a missing version, but deleting it succeeds', () => {
    const name = 'tools' as LayerName;
    expect(() => layers.get(SCOPE, name, 1)).toThrow(
      expect.objectContaining({
        code: 'ResourceNotFoundException',
        message: 'The resource you requested does not exist.',
      }),
    );
    layers.delete(SCOPE, name, 7);
    for (const refused of [() => layers.get(SCOPE, name, 0), () => layers.delete(SCOPE, name, -1)]) {
      expect(refused).toThrow(
        expect.objectContaining({
          code: 'InvalidParameterValueException',
          message: 'Layer Version Cannot be less than 1',
        }),
      );
    }
  });
});

describe('lists', () => {
  it('return versions newest first, in pages', async () => {
    for (let i = 0; i < 5; i += 1) await layers.publish(SCOPE, draft('tools'));
    const name = 'tools' as LayerName;
    const first = layers.listVersions(SCOPE, name, { maxItems: 2 });
    const second = layers.listVersions(SCOPE, name, { maxItems: 2, marker: first.nextMarker });
    const third = layers.listVersions(SCOPE, name, { maxItems: 2, marker: second.nextMarker });
    expect([first, second, third].map(versionsOf)).toEqual([[5, 4], [3, 2], [1]]);
    expect(third.nextMarker).toBeUndefined();
  });

  it('return each layer once with its newest version, by name', async () => {
    for (const name of ['b', 'a', 'b', 'c']) await layers.publish(SCOPE, draft(name));
    const first = layers.list(SCOPE, { maxItems: 2 });
    const second = layers.list(SCOPE, { maxItems: 2, marker: first.nextMarker });
    expect([...first.items, ...second.items].map(({ name, version }) => `${name}:${version}`)).toEqual([
      'a:1',
      'b:2',
      'c:1',
    ]);
  });

  it('return only compatible versions, and the newest of those', async () => {
    await layers.publish(SCOPE, draft('a', { compatibleRuntimes: ['provided.al2'] }));
    await layers.publish(SCOPE, draft('a', { compatibleRuntimes: ['nodejs22.x'] }));
    await layers.publish(SCOPE, draft('b', { compatibleArchitectures: ['arm64'] }));
    expect(versionsOf(layers.list(SCOPE, { compatibleRuntime: 'provided.al2' }))).toEqual([1]);
    expect(layers.list(SCOPE, { compatibleArchitecture: 'arm64' }).items.map(({ name }) => name)).toEqual(['b']);
    expect(versionsOf(layers.listVersions(SCOPE, 'a' as LayerName, { compatibleRuntime: 'nodejs22.x' }))).toEqual([2]);
  });

  it('refuse an invalid marker', () => {
    for (const marker of ['x', Buffer.from('["a"').toString('base64url'), Buffer.from('[1]').toString('base64url')]) {
      expect(() => layers.list(SCOPE, { marker })).toThrow(
        expect.objectContaining({ code: 'InvalidParameterValueException' }),
      );
    }
  });
});

describe('resolve', () => {
  it('returns the layers in order', async () => {
    const [a, b] = [await layers.publish(SCOPE, draft('a')), await layers.publish(SCOPE, draft('b'))];
    expect(layers.resolve([b.arn, a.arn], SCOPE).map(({ digest }) => digest)).toEqual([b.digest, a.digest]);
  });

  it.each<[string, string[], string]>([
    ['six layers', Array(6).fill(`${ARN}:a:1`), 'Cannot reference more than 5 layers.'],
    ['a missing layer', [`${ARN}:nope:1`], `Layer version ${ARN}:nope:1 does not exist.`],
    ['a missing version', [`${ARN}:a:9`], `Layer version ${ARN}:a:9 does not exist.`],
    [
      'another region',
      ['arn:aws:lambda:us-east-1:123456789012:layer:a:1'],
      'Layers are not in the same region as the function. Layers are expected to be in region eu-central-1.',
    ],
    [
      'two versions of a layer',
      [`${ARN}:a:1`, `${ARN}:a:2`],
      `Two different versions of the same layer are not allowed to be referenced in the same function. ${ARN}:a:1 and ${ARN}:a:2 are versions of the same layer.`,
    ],
    [
      'the same version twice',
      [`${ARN}:a:1`, `${ARN}:a:1`],
      `Two different versions of the same layer are not allowed to be referenced in the same function. ${ARN}:a:1 and ${ARN}:a:1 are versions of the same layer.`,
    ],
  ])("refuses %s with AWS's message", async (_, arns, message) => {
    await layers.publish(SCOPE, draft('a'));
    await layers.publish(SCOPE, draft('a'));
    expect(() => layers.resolve(arns, SCOPE)).toThrow(
      expect.objectContaining({ code: 'InvalidParameterValueException', message }),
    );
  });
});

describe('optTree', () => {
  it("is undefined without layers and the layer's own tree for one layer", async () => {
    const one = await publish('one', [{ name: 'a', content: '1' }]);
    expect(await layers.optTree([])).toBeUndefined();
    expect(readFileSync(join((await layers.optTree([one.digest])) ?? '', 'a'), 'utf8')).toBe('1');
  });

  it('merges directories with hard links, later layers over earlier ones', async () => {
    const first = await publish('first', [
      { name: 'bin/tool', content: 'first', mode: 0o100755 },
      { name: 'bin/only-first', content: '1', mode: 0o100644 },
      { name: 'was-a-file', content: 'x' },
      { name: 'was-a-directory/deep/x', content: 'x' },
      { name: 'was-a-link', content: 'bin', mode: 0o120777 },
    ]);
    const second = await publish('second', [
      { name: 'bin/tool', content: 'second', mode: 0o100600 },
      { name: 'was-a-file/inside', content: 'y' },
      { name: 'was-a-directory', content: 'y' },
      { name: 'was-a-link/inside', content: 'y' },
      { name: 'link', content: 'bin/tool', mode: 0o120777 },
    ]);
    const tree = (await layers.optTree([first.digest, second.digest])) ?? '';
    const at = (name: string) => join(tree, name);

    expect(readFileSync(at('bin/tool'), 'utf8')).toBe('second');
    expect(statSync(at('bin/tool')).mode & 0o777).toBe(0o600);
    expect(statSync(at('bin/only-first')).ino).toBe(statSync(join(archives.tree(first.digest), 'bin/only-first')).ino);
    expect(readFileSync(at('was-a-file/inside'), 'utf8')).toBe('y');
    expect(readFileSync(at('was-a-directory'), 'utf8')).toBe('y');
    expect(lstatSync(at('was-a-link')).isDirectory()).toBe(true);
    expect(readlinkSync(at('link'))).toBe('bin/tool');
    // The layers' own trees are unchanged.
    expect(readFileSync(join(archives.tree(first.digest), 'bin/tool'), 'utf8')).toBe('first');
    expect(readdirSync(join(archives.tree(first.digest), 'bin')).sort()).toEqual(['only-first', 'tool']);

    const reversed = (await layers.optTree([second.digest, first.digest])) ?? '';
    expect(readFileSync(join(reversed, 'bin/tool'), 'utf8')).toBe('first');
  });

  it('is built once for concurrent callers, and rebuilt after it was collected', async () => {
    const [a, b] = [await publish('a', [{ name: 'a' }]), await publish('b', [{ name: 'b' }])];
    const list = [a.digest, b.digest];
    const trees = await Promise.all(Array.from({ length: 20 }, () => layers.optTree(list)));
    expect(new Set(trees).size).toBe(1);
    expect(readdirSync(data.opt)).toHaveLength(1);
    expect(readdirSync(data.staging)).toEqual([]);

    expect(await optTrees.collect(() => [list])).toBe(0);
    expect(await optTrees.collect(() => [[b.digest, a.digest]])).toBe(1);
    expect(existsSync(trees[0] ?? '')).toBe(false);
    expect(readdirSync((await layers.optTree(list)) ?? '').sort()).toEqual(['a', 'b']);
  });
});
