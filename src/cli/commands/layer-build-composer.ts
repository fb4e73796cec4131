/** `lamella layer build composer`: prints progress to standard error, and the packages of the layer to standard output. */
import { resolve } from 'node:path';
import { resolveBuildOptions } from '../../options.ts';
import { buildComposerLayer } from '../../packaging/composer/composer-layer.ts';
import type { Run } from '../command.ts';
import { megabytes, printStatus, writeJson, writeResult } from '../output.ts';
import { DEFAULT_PHP_VERSION, extensionsOf } from './layer-build-php.ts';

export const run: Run = async ({ args, given }) => {
  const { cacheDir } = resolveBuildOptions(given, 'layer build composer');
  const layer = await buildComposerLayer({
    directory: resolve(args[0] ?? '.'),
    version: String(given.version ?? DEFAULT_PHP_VERSION),
    ...(await extensionsOf(given, args[0] ?? '.')),
    output: resolve(String(given.output ?? 'vendor.zip')),
    cacheDir,
    onProgress: printStatus,
  });
  if (given.json) {
    await writeJson(layer);
    return 0;
  }
  const packages = layer.packages.map(({ name, version }) => `  ${name} ${version}`);
  await writeResult([`${layer.zip.path}: ${megabytes(layer.zip.bytes)}`, ...packages, ''].join('\n'));
  return 0;
};
