/**
 * Builds a layer with extensions only, for use with a PHP layer of the same version: modules, the modules and libraries
 * that they need and the PHP layer lacks, and an ini file per module that enables it. The runtime reads ini files in
 * `/opt/lamella/ini`. Two such layers may contain the same module, as identical files.
 *
 *     /opt/lamella/{ext,lib,ini}/
 */
import { basename } from 'node:path';
import { OperatorError } from '../../operator-error.ts';
import type { WrittenZip, ZipEntry } from '../zip-writer.ts';
import { checkOutput, sizeOfEntries, writeZip } from '../zip-writer.ts';
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
  /** In loading order. */
  readonly extensions: readonly string[];
  readonly libraries: readonly string[];
  readonly expectedFromSystem: readonly string[];
  readonly glibc: string;
};

/**
 * Writes the layer to `output`, without files that the PHP layer of `variant` has. Throws the errors of building a PHP
 * layer, and `OperatorError` `usage` if the PHP layer has all requested extensions.
 */
export async function buildPhpExtensionLayer(request: PhpExtensionLayerRequest): Promise<PhpExtensionLayer> {
  const { extensions: requested, output, ...common } = request;
  checkOutput(output);
  const prepared = { ...common, root: '/opt', webServer: false };
  const php = await preparePhp(prepared);
  const both = await preparePhp({ ...prepared, extensions: [...php.extensions, ...requested] });
  const extensions = both.extensions.filter((name) => !php.extensions.includes(name));
  if (extensions.length === 0) {
    const variant = request.variant ?? 'lean';
    const reason = `Nothing to pack: the PHP layer of the variant ${variant} already has ${requested.join(', ')}.`;
    throw new OperatorError('usage', { reason, command: 'layer build php-extension' });
  }

  const present = new Set(php.entries.map(({ path }) => path));
  const entries: ZipEntry[] = [
    ...both.entries.filter(({ path }) => path.startsWith('lamella/') && !present.has(path)),
    // A stand-in defines only the symbols that its PHP layer needs. If a module needs more, it is packed again.
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

/** PHP reads ini files in order of name. The number sorts a module after those that it needs, in any layer. */
function iniFile({ name, depth }: PhpExtension): ZipEntry {
  const directive = name === 'opcache' ? 'zend_extension' : 'extension';
  const bytes = Buffer.from(`${directive} = ${name}\n`);
  const path = `lamella/ini/${10 + depth}-${name}.ini`;
  return { path, mode: 0o644, content: { kind: 'bytes', bytes } };
}
