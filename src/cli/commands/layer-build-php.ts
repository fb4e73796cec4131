/** `lamella layer build php`: progress on standard error, what was built on standard output. */
import { resolve } from 'node:path';
import type { Given } from '../../options.ts';
import { resolveBuildOptions } from '../../options.ts';
import { buildPhpLayer } from '../../packaging/php-layer.ts';
import type { Run } from '../command.ts';
import { megabytes, say, writeJson, writeResult } from '../output.ts';

export const DEFAULT_PHP_VERSION = '8.4';

export const run: Run = async ({ given }) => {
  const { cacheDir } = resolveBuildOptions(given, 'layer build php');
  const layer = await buildPhpLayer({
    version: String(given.version ?? DEFAULT_PHP_VERSION),
    ...extensionsOf(given),
    ...(given.bootstrap !== undefined && { bootstrap: resolve(String(given.bootstrap)) }),
    output: resolve(String(given.output ?? 'php.zip')),
    cacheDir,
    onProgress: say,
  });
  if (given.json) {
    await writeJson(layer);
    return 0;
  }
  const system = layer.expectedFromSystem;
  const facts = [
    `${layer.zip.path}: ${megabytes(layer.zip.bytes)}, ${megabytes(layer.unzippedBytes)} unpacked`,
    `PHP ${layer.phpVersion} with ${layer.extensions.join(', ') || 'no extension beside the built-in ones'}`,
    `Starts wherever glibc is ${layer.glibc} or newer${system.length > 0 ? ` and has ${system.join(', ')}` : ''}.`,
  ];
  await writeResult(`${facts.join('\n')}\n`);
  return 0;
};

/** `--extensions ''` asks for no extension at all, which is not the same as not asking. */
export function extensionsOf(given: Given): { extensions?: readonly string[] } {
  if (given.extensions === undefined) return {};
  return {
    extensions: String(given.extensions)
      .split(',')
      .flatMap((name) => name.trim() || []),
  };
}
