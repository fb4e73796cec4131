/**
 * Applies provisioned concurrency: compares what is configured for each version with what was last requested of the
 * pool, and requests the difference. The pool prepares the environments.
 */
import type { FunctionVersion } from '../functions/function.ts';
import type { FunctionSettings } from '../functions/settings/open-settings.ts';
import type { FunctionName } from '../protocol/names.ts';
import { ServiceError } from '../protocol/service-errors.ts';
import { type EnvironmentPool, keyOf, type ProvisionedStatus } from './pool.ts';

export type ProvisionTarget = { readonly version: FunctionVersion; readonly count: number };

export interface Provisioner {
  /** Applies the current configuration to the pool. Call it after every change of a configuration or an alias. */
  reconcile(): void;
  statusOf(version: FunctionVersion): ProvisionedStatus;
}

export function createProvisioner({
  pool,
  targets,
}: {
  pool: Pick<EnvironmentPool, 'provision' | 'provisionedStatus'>;
  /** The configured targets, with aliases resolved. */
  targets: () => readonly ProvisionTarget[];
}): Provisioner {
  let requested = new Map<string, ProvisionTarget>();
  return {
    reconcile() {
      const wanted = new Map(targets().map((target) => [keyOf(target.version), target]));
      for (const [key, { version }] of requested) if (!wanted.has(key)) pool.provision(version, 0);
      for (const [key, { version, count }] of wanted) {
        if (requested.get(key)?.count !== count) pool.provision(version, count);
      }
      requested = wanted;
    },
    statusOf: (version) => pool.provisionedStatus(version),
  };
}

/** The configured targets. A qualifier that was deleted or is not active yet has none. */
export function provisionTargets({ concurrency, resolve }: FunctionSettings): ProvisionTarget[] {
  return concurrency.everyProvision().flatMap(({ scope, name, qualifier, count }) => {
    try {
      return [
        { version: resolve(scope, name as FunctionName, concurrency.preparedVersion(scope, name, qualifier)), count },
      ];
    } catch (failure) {
      if (failure instanceof ServiceError) return [];
      throw failure;
    }
  });
}
