/** `lamella layer build node`: prints progress to standard error, and a summary of the layer to standard output. */
import { resolve } from 'node:path';
import { resolveBuildOptions } from '../../options.ts';
import { buildNodeLayer } from '../../packaging/node/node-layer.ts';
import type { Run } from '../command.ts';
import { megabytes, printStatus, writeJson, writeResult } from '../output.ts';

const DEFAULT_VERSION = '22';

export const run: Run = async ({ given }) => {
  const { cacheDir } = resolveBuildOptions(given, 'layer build node');
  const layer = await buildNodeLayer({
    version: String(given.version ?? DEFAULT_VERSION),
    ...(given.architecture !== undefined && { architecture: String(given.architecture) }),
    ...(given.bootstrap !== undefined && { bootstrap: resolve(String(given.bootstrap)) }),
    output: resolve(String(given.output ?? 'node.zip')),
    cacheDir,
    onProgress: printStatus,
  });
  if (given.json) {
    await writeJson(layer);
    return 0;
  }
  const facts = [
    `${layer.zip.path}: ${megabytes(layer.zip.bytes)}, ${megabytes(layer.unzippedBytes)} unzipped`,
    `Node.js ${layer.nodeVersion} for ${layer.architecture}`,
    `Starts on any Linux with glibc ${layer.glibc} or newer.`,
  ];
  await writeResult(`${facts.join('\n')}\n`);
  return 0;
};
