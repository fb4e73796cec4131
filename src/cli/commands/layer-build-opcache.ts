/** `lamella layer build opcache`: a function's code, compiled ahead of time. */
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
  for (const file of layer.skipped) printStatus(`Not compiled, PHP refuses it: ${file}`);
  if (given.json) {
    await writeJson(layer);
    return 0;
  }
  const lines = [
    `${layer.zip.path}: ${megabytes(layer.zip.bytes)}, ${megabytes(layer.unzippedBytes)} unpacked`,
    `${layer.compiled} files compiled for PHP ${layer.phpVersion}`,
    'It goes with exactly this code: PHP no longer looks whether a file has changed. Build it anew with every change.',
  ];
  await writeResult(`${lines.join('\n')}\n`);
  return 0;
};
