/** `lamella layer build php-extension`: extensions as a layer of their own. */
import { resolve } from 'node:path';
import { resolveBuildOptions } from '../../options.ts';
import { buildPhpExtensionLayer } from '../../packaging/php/php-extension-layer.ts';
import type { PhpVariant } from '../../packaging/php/php-variants.ts';
import type { Run } from '../command.ts';
import { megabytes, printStatus, writeJson, writeResult } from '../output.ts';
import { DEFAULT_PHP_VERSION, libraryOptionsOf, listOf } from './layer-build-php.ts';

export const run: Run = async ({ args, given }) => {
  const { cacheDir } = resolveBuildOptions(given, 'layer build php-extension');
  const asked = listOf(args[0] ?? '');
  const layer = await buildPhpExtensionLayer({
    version: String(given.version ?? DEFAULT_PHP_VERSION),
    extensions: asked,
    ...(given.variant !== undefined && { variant: given.variant as PhpVariant }),
    ...libraryOptionsOf(given),
    output: resolve(String(given.output ?? `php-${asked.join('-')}.zip`)),
    cacheDir,
    onProgress: printStatus,
  });
  if (given.json) {
    await writeJson(layer);
    return 0;
  }
  const lines = [
    `${layer.zip.path}: ${megabytes(layer.zip.bytes)}, ${megabytes(layer.unzippedBytes)} unpacked`,
    `${layer.extensions.join(', ')} for PHP ${layer.phpVersion}`,
    ...(layer.libraries.length > 0 ? [`With ${layer.libraries.join(', ')}`] : []),
    ...(layer.expectedFromSystem.length > 0 ? [`Takes ${layer.expectedFromSystem.join(', ')} from the system.`] : []),
  ];
  await writeResult(`${lines.join('\n')}\n`);
  return 0;
};
