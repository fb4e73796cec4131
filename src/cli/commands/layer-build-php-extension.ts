/** `lamella layer build php-extension`: prints progress to standard error, and a summary of the layer to standard output. */
import { resolve } from 'node:path';
import { resolveBuildOptions } from '../../options.ts';
import { buildPhpExtensionLayer } from '../../packaging/php/php-extension-layer.ts';
import type { PhpVariant } from '../../packaging/php/php-variants.ts';
import type { Run } from '../command.ts';
import { megabytes, printStatus, writeJson, writeResult } from '../output.ts';
import { DEFAULT_PHP_VERSION, libraryOptionsOf, listOf } from './layer-build-php.ts';

export const run: Run = async ({ args, given }) => {
  const { cacheDir } = resolveBuildOptions(given, 'layer build php-extension');
  const requested = listOf(args[0] ?? '');
  const layer = await buildPhpExtensionLayer({
    version: String(given.version ?? DEFAULT_PHP_VERSION),
    extensions: requested,
    ...(given.variant !== undefined && { variant: given.variant as PhpVariant }),
    ...libraryOptionsOf(given),
    output: resolve(String(given.output ?? `php-${requested.join('-')}.zip`)),
    cacheDir,
    onProgress: printStatus,
  });
  if (given.json) {
    await writeJson(layer);
    return 0;
  }
  const lines = [
    `${layer.zip.path}: ${megabytes(layer.zip.bytes)}, ${megabytes(layer.unzippedBytes)} unzipped`,
    `${layer.extensions.join(', ')} for PHP ${layer.phpVersion}`,
    ...(layer.libraries.length > 0 ? [`Libraries: ${layer.libraries.join(', ')}`] : []),
    ...(layer.expectedFromSystem.length > 0 ? [`Libraries of the system: ${layer.expectedFromSystem.join(', ')}`] : []),
  ];
  await writeResult(`${lines.join('\n')}\n`);
  return 0;
};
