/**
 * Whether this machine has something to run a version with. Functions of every runtime can be created, as on AWS; to
 * run here one needs a `bootstrap`, its own or a layer's. Answers are remembered: code of a version never changes.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { FunctionVersion } from '../functions/function.ts';
import { isCustomRuntime } from '../protocol/runtimes.ts';
import { ServiceError } from '../protocol/service-errors.ts';
import type { LambdaApiDependencies } from './dependencies.ts';

/** Throws, with what can be done, for a version that cannot run here. */
export type RequireRunnable = (version: FunctionVersion) => Promise<void> | undefined;

export function createRequireRunnable({
  functions,
  layers,
}: Pick<LambdaApiDependencies, 'functions' | 'layers'>): RequireRunnable {
  const runnable = new WeakSet<FunctionVersion>();

  async function check(version: FunctionVersion): Promise<void> {
    const { runtime } = version.configuration;
    const code = functions.codeDirectory(version);
    if (code === undefined || runtime === undefined) {
      throw new ServiceError(
        'NotImplementedException',
        `Lamella does not run container images, and ${version.name} is one. ` +
          'Deploy it as a zip archive with the runtime provided.al2023 to run it here.',
      );
    }
    const opt = await layers.optTree(version.configuration.layers.map(({ digest }) => digest));
    const folders = opt === undefined ? [code] : [code, opt];
    if (!folders.some((folder) => existsSync(join(folder, 'bootstrap')))) {
      throw new ServiceError(
        'NotImplementedException',
        `Lamella has no runtime ${runtime} of its own: it runs what a bootstrap starts. ` +
          `Give ${version.name} a layer with a bootstrap for it, such as \`lamella layer build\` makes.`,
      );
    }
    runnable.add(version);
  }

  return (version) => {
    const { runtime } = version.configuration;
    // A custom runtime without a bootstrap is an error that AWS has words for.
    if ((runtime !== undefined && isCustomRuntime(runtime)) || runnable.has(version)) return undefined;
    return check(version);
  };
}
