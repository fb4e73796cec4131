/**
 * Builds a layer of extensions alone, to go with a PHP layer of the same version: the modules, those that they need, the
 * libraries that PHP itself does not bring, and an ini file for each that switches it on. The runtime looks for these
 * files in `/opt/lamella/ini`; two such layers may hold the same module, which is the same file.
 *
 *     /opt/lamella/{ext,lib,ini}/
 */
import { basename } from 'node:path';
import { OperatorError } from '../../operator-error.ts';
import type { WrittenZip, ZipEntry } from '../zip-writer.ts';
import { sizeOfEntries, writeZip } from '../zip-writer.ts';
import type { PhpExtension } from './php-extensions.ts';
import type { PhpLayerRequest } from './php-layer.ts';
import { preparePhp } from './php-layer.ts';

export type PhpExtensionLayerRequest = Omit<PhpLayerRequest, 'bootstrap' | 'webServer' | 'extensions'> & {
  readonly extensions: readonly string[];
};

export type PhpExtensionLayer = {
  readonly zip: WrittenZip;
  readonly unzippedBytes: number;
  readonly phpVersion: string;
  /** In the order in which they are loaded. */
  readonly extensions: readonly string[];
  readonly libraries: readonly string[];
  readonly expectedFromSystem: readonly string[];
  readonly glibc: string;
};

/**
 * Builds the layer into `output`. What the PHP layer of `variant` holds already is left out. Throws as building a PHP
 * layer does, and `OperatorError` `usage` if nothing is left to pack.
 */
export async function buildPhpExtensionLayer(request: PhpExtensionLayerRequest): Promise<PhpExtensionLayer> {
  const { extensions: asked, output, ...common } = request;
  const prepared = { ...common, root: '/opt', webServer: false };
  const php = await preparePhp(prepared);
  const both = await preparePhp({ ...prepared, extensions: [...php.extensions, ...asked] });
  const extensions = both.extensions.filter((name) => !php.extensions.includes(name));
  if (extensions.length === 0) {
    const reason = `Nothing to pack: the PHP layer (${request.variant ?? 'lean'}) has ${asked.join(', ')} already.`;
    throw new OperatorError('usage', { reason, command: 'layer build php-extension' });
  }

  const present = new Set(php.entries.map(({ path }) => path));
  const entries: ZipEntry[] = [
    ...both.entries.filter(({ path }) => path.startsWith('lamella/') && !present.has(path)),
    // A stand-in offers what its PHP layer asks of it: a module that asks for more needs one that has more.
    ...both.entries.filter(
      ({ path }) => both.standIns.includes(basename(path)) && !sameIn(php.entries, both.entries, path),
    ),
    ...both.modules.filter(({ name }) => extensions.includes(name)).map(iniFile),
  ];
  const unique = [...new Map(entries.map((entry) => [entry.path, entry])).values()];
  request.onProgress?.(`Writing ${basename(output)}`);
  return {
    zip: await writeZip(output, unique),
    unzippedBytes: await sizeOfEntries(unique),
    phpVersion: both.phpVersion,
    extensions,
    libraries: unique.flatMap(({ path }) => (path.startsWith('lamella/lib/') ? basename(path) : [])),
    expectedFromSystem: both.expectedFromSystem,
    glibc: both.glibc,
  };
}

function sameIn(some: readonly ZipEntry[], others: readonly ZipEntry[], path: string): boolean {
  const [one, other] = [some, others].map((entries) => entries.find((entry) => entry.path === path)?.content);
  return one?.kind === 'bytes' && other?.kind === 'bytes' && one.bytes.equals(other.bytes);
}

/** PHP reads ini files by name, so the number keeps a module behind those that it needs, whatever layer they are in. */
function iniFile({ name, depth }: PhpExtension): ZipEntry {
  const directive = name === 'opcache' ? 'zend_extension' : 'extension';
  const bytes = Buffer.from(`${directive} = ${name}\n`);
  const path = `lamella/ini/${10 + depth}-${name}.ini`;
  return { path, mode: 0o644, content: { kind: 'bytes', bytes } };
}
