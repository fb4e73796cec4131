/** `lamella layer build opcache`: prints progress to standard error, and a summary of the layer to standard output. */
import { resolve } from 'node:path';
import { resolveBuildOptions } from '../../options.ts';
import { buildOpcacheLayer } from '../../packaging/php/php-opcache-layer.ts';
import type { Run } from '../command.ts';
import { megabytes, printStatus, writeJson, writeResult } from '../output.ts';
import { extensionsOf, listOf } from './layer-build-php.ts';

const DEFAULT_VERSION = '8.5';

export const run: Run = async ({ args, given }) => {
  const { cacheDir } = resolveBuildOptions(given, 'layer build opcache');
  const directory = args[0] ?? '.';
  const layer = await buildOpcacheLayer({
    directory,
    version: String(given.version ?? DEFAULT_VERSION),
    ...(await extensionsOf(given, directory)),
    layers: listOf(given.layers ?? ''),
    output: resolve(String(given.output ?? 'opcache.zip')),
    cacheDir,
    onProgress: printStatus,
  });
  for (const file of layer.skipped) printStatus(`warning: PHP cannot compile ${file}; it is not in the layer`);
  if (given.json) {
    await writeJson(layer);
    return 0;
  }
  const lines = [
    `${layer.zip.path}: ${megabytes(layer.zip.bytes)}, ${megabytes(layer.unzippedBytes)} unzipped`,
    `${layer.compiled} files compiled for PHP ${layer.phpVersion}`,
    'Rebuild this layer after every change of the code: with it, PHP does not notice that a file has changed.',
  ];
  await writeResult(`${lines.join('\n')}\n`);
  return 0;
};
