/**
 * Checks that this machine can run a version. As on AWS, functions can be created for every runtime. To run here, a
 * function needs a managed runtime that Lamella can replace, or a `bootstrap` in its code or a layer.
 */
import { managedRuntimePlan, needsManagedRuntime } from '../../environment/launch/managed-runtime.ts';
import type { FunctionVersion } from '../../functions/function.ts';
import type { Functions } from '../../functions/functions.ts';
import type { Layers } from '../../layers/layers.ts';
import { isCustomRuntime } from '../../protocol/runtimes.ts';
import { ServiceError } from '../../protocol/service-errors.ts';

/** @throws ServiceError that tells the user what to do when a version cannot run here */
export type RequireRunnable = (version: FunctionVersion) => Promise<void> | undefined;

export function createRequireRunnable({
  functions,
  layers,
}: {
  functions: Pick<Functions, 'openCode'>;
  layers: Pick<Layers, 'optTree'>;
}): RequireRunnable {
  // A cache: the code of a version never changes.
  const runnable = new WeakSet<FunctionVersion>();

  async function check(version: FunctionVersion): Promise<void> {
    const { runtime } = version.configuration;
    const code = await functions.openCode(version);
    if (code === undefined || runtime === undefined) {
      throw new ServiceError(
        'NotImplementedException',
        `Lamella cannot run container images, and the function ${version.name} is one. ` +
          'Deploy it as a zip archive with the runtime provided.al2023 instead.',
      );
    }
    const opt = await layers.optTree(version.configuration.layers.map(({ digest }) => digest));
    if (needsManagedRuntime(runtime, { taskRoot: code, optRoot: opt })) {
      const plan = managedRuntimePlan(runtime);
      if ('reason' in plan) throw new ServiceError('NotImplementedException', plan.reason);
    }
    runnable.add(version);
  }

  return (version) => {
    const { runtime } = version.configuration;
    // Without a bootstrap, a custom runtime fails as on AWS: during its initialization.
    if ((runtime !== undefined && isCustomRuntime(runtime)) || runnable.has(version)) return undefined;
    return check(version);
  };
}
