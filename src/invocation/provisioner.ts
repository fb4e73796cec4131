/**
 * Keeps environments prepared ahead where provisioned concurrency is configured: compares what is configured, version
 * by version, with what the pool was told, and tells it the difference. The pool does the preparing.
 */
import type { FunctionVersion } from '../functions/function.ts';
import type { FunctionSettings } from '../functions/settings/open-settings.ts';
import type { FunctionName } from '../protocol/names.ts';
import { ServiceError } from '../protocol/service-errors.ts';
import { type EnvironmentPool, keyOf, type ProvisionedStatus } from './pool.ts';

export type ProvisionTarget = { readonly version: FunctionVersion; readonly count: number };

export interface Provisioner {
  /** Brings the pool in line with what is configured now; call it after every change of configuration or alias. */
  reconcile(): void;
  statusOf(version: FunctionVersion): ProvisionedStatus;
}

export function createProvisioner({
  pool,
  targets,
}: {
  pool: Pick<EnvironmentPool, 'provision' | 'provisionedStatus'>;
  /** What is configured, aliases resolved. */
  targets: () => readonly ProvisionTarget[];
}): Provisioner {
  let told = new Map<string, ProvisionTarget>();
  return {
    reconcile() {
      const wanted = new Map(targets().map((target) => [keyOf(target.version), target]));
      for (const [key, { version }] of told) if (!wanted.has(key)) pool.provision(version, 0);
      for (const [key, { version, count }] of wanted) {
        if (told.get(key)?.count !== count) pool.provision(version, count);
      }
      told = wanted;
    },
    statusOf: (version) => pool.provisionedStatus(version),
  };
}

/** What is to be prepared ahead; a qualifier that is gone, or not active yet, has nothing prepared. */
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
