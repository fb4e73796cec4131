/**
 * Whether this machine has something to run a version with. Functions of every runtime can be created, as on AWS; to
 * run here one needs a `bootstrap`, its own or a layer's, or a managed runtime that Lamella has a stand-in for. Answers are remembered: code of a version never changes.
 */
import { managedRuntimePlan, needsManagedRuntime } from '../../environment/launch/managed-runtime.ts';
import type { FunctionVersion } from '../../functions/function.ts';
import { isCustomRuntime } from '../../protocol/runtimes.ts';
import { ServiceError } from '../../protocol/service-errors.ts';
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
    if (needsManagedRuntime(runtime, [code, opt])) {
      const plan = managedRuntimePlan(runtime);
      if ('reason' in plan) throw new ServiceError('NotImplementedException', plan.reason);
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
