/**
 * Layers of functions: those that exist, and those that are built or packed here and published when their content is
 * new. Built layers are kept for the rest of the process, because building one takes about a second.
 */
import { basename, resolve } from 'node:path';
import { nearestOf, resolveBuildOptions } from '../options.ts';
import { isArn } from '../protocol/arn.ts';
import { type ApiConnection, orMissing } from './api-connection.ts';
import { archive, type CodeArchive, readArchive, written } from './code-archive.ts';

/**
 * A layer: the ARN of a version; `php:8.4` or `node:22`, a runtime layer that is built (and fetched from npm the first
 * time); a PHP layer with extensions; or the content of `/opt`.
 */
export type LayerSource = string | { readonly php: string; readonly extensions?: readonly string[] } | LayerDefinition;

/** The content of a layer: a directory, or the path or the bytes of an archive. */
export type LayerDefinition = {
  /** Defaults to the name of the directory or the archive. */
  readonly name?: string;
  readonly directory?: string;
  readonly zip?: string | Uint8Array;
};

export type PublishedLayer = {
  /** ARN of the version, for a function. */
  readonly arn: string;
  readonly version: number;
};

export type Layers = {
  /** Publishes a version, unless the newest one has the same content. @throws LamellaError, OperatorError, TypeError */
  publish(layer: LayerSource): Promise<PublishedLayer>;
};

type Content = { readonly name: string; readonly archive: CodeArchive };

export function createLayers(connection: ApiConnection): Layers {
  return {
    async publish(layer) {
      if (typeof layer === 'string' && isArn(layer)) {
        const found = await connection.call({
          operation: 'GetLayerVersionByArn',
          method: 'GET',
          path: `/2018-10-31/layers?find=LayerVersion&Arn=${encodeURIComponent(layer)}`,
        });
        return { arn: found.LayerVersionArn, version: found.Version };
      }
      return publishContent(connection, await contentOf(layer));
    },
  };
}

async function publishContent(connection: ApiConnection, { name, archive }: Content): Promise<PublishedLayer> {
  const path = `/2018-10-31/layers/${encodeURIComponent(name)}/versions`;
  const listed = await orMissing(
    connection.call({ operation: 'ListLayerVersions', method: 'GET', path: `${path}?MaxItems=1` }),
  );
  const newest: number | undefined = listed?.LayerVersions?.[0]?.Version;
  if (newest !== undefined) {
    const version = await connection.call({ operation: 'GetLayerVersion', method: 'GET', path: `${path}/${newest}` });
    if (version.Content?.CodeSha256 === archive.sha256) return { arn: version.LayerVersionArn, version: newest };
  }
  const published = await connection.call({
    operation: 'PublishLayerVersion',
    method: 'POST',
    path,
    input: { Content: { ZipFile: archive.zip.toString('base64') } },
  });
  return { arn: published.LayerVersionArn, version: published.Version };
}

async function contentOf(layer: LayerSource): Promise<Content> {
  if (typeof layer === 'string') return contentOfName(layer);
  if ('php' in layer) return builtPhp(layer.php, layer.extensions ?? []);
  const { directory, zip } = layer;
  if ((directory === undefined) === (zip === undefined)) throw new TypeError('A layer needs a directory or a zip.');
  const path = directory ?? (typeof zip === 'string' ? zip : undefined);
  const name = layer.name ?? (path && layerNameOf(path));
  if (!name) throw new TypeError('A layer of bytes needs a name.');
  if (directory === undefined) {
    return { name, archive: archive(typeof zip === 'string' ? await readArchive(zip) : Buffer.from(zip ?? [])) };
  }
  const { entriesOfDirectory } = await import('../packaging/directory-entries.ts');
  const { writeZip } = await import('../packaging/zip-writer.ts');
  const entries = await entriesOfDirectory(resolve(directory));
  return { name, archive: archive(await written((output) => writeZip(output, entries))) };
}

const KINDS = ['php', 'node'];

async function contentOfName(layer: string): Promise<Content> {
  const [, kind = '', version] = /^([a-z]+):(\d+(?:\.\d+)*)$/.exec(layer) ?? [];
  if (version !== undefined && kind === 'php') return builtPhp(version, []);
  if (version !== undefined && kind === 'node') return builtNode(version);
  const nearest = nearestOf(layer.split(':', 1)[0] ?? '', KINDS);
  const hint = nearest === undefined ? '' : ` Did you mean "${nearest}:VERSION"?`;
  throw new TypeError(
    `Invalid layer "${layer}": use the ARN of a layer version, "php:8.4", "node:22" or an object.${hint}`,
  );
}

async function builtPhp(version: string, extensions: readonly string[]): Promise<Content> {
  const names = [...extensions].sort();
  const name = ['php', version.replaceAll('.', '-'), ...names]
    .join('-')
    .replace(/[^\w-]/g, '')
    .slice(0, 140);
  const added = names.map((extension) => `+${extension.replace(/^\+/, '')}`);
  const build = async (output: string) => {
    const { buildPhpLayer } = await import('../packaging/php/php-layer.ts');
    await buildPhpLayer({ version, output, cacheDir: cacheDir(), ...(added.length > 0 && { extensions: added }) });
  };
  return { name, archive: await built(name, build) };
}

async function builtNode(version: string): Promise<Content> {
  const name = `node-${version.replaceAll('.', '-')}`;
  const build = async (output: string) => {
    const { buildNodeLayer } = await import('../packaging/node/node-layer.ts');
    await buildNodeLayer({ version, output, cacheDir: cacheDir() });
  };
  return { name, archive: await built(name, build) };
}

function cacheDir(): string {
  return resolveBuildOptions({}, 'layer build').cacheDir;
}

/** Archives that this process has built. The same name always has the same content. */
const archives = new Map<string, Promise<CodeArchive>>();

function built(name: string, build: (output: string) => Promise<void>): Promise<CodeArchive> {
  const present = archives.get(name);
  if (present !== undefined) return present;
  const building = written(build).then(archive);
  archives.set(name, building);
  building.catch(() => archives.delete(name));
  return building;
}

function layerNameOf(path: string): string {
  return basename(resolve(path))
    .replace(/\.zip$/, '')
    .replace(/[^\w-]/g, '-')
    .slice(0, 140);
}
