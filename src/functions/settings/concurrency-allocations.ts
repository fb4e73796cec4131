/** The reserved and provisioned concurrency of each scope, summed up in memory: every invocation reads it. */
import type { Scope } from '../../protocol/names.ts';
import type { Setting, SettingDocuments } from './setting-documents.ts';

/** A setting of provisioned concurrency. */
export type Provisioned = { readonly requested: number; readonly lastModified: string };

export type Allocations = {
  readonly reservedTotal: number;
  /** By function name. */
  readonly provisioned: ReadonlyMap<string, readonly Setting<Provisioned>[]>;
  /** Provisioned for functions without a reservation: taken from what all functions share. */
  readonly provisionedUnreserved: number;
};

export type AllocationCache = {
  of(scope: Scope): Allocations;
  /** Call it after every change of a setting. */
  clear(): void;
};

export function createAllocations(
  reservations: SettingDocuments<number>,
  provisions: SettingDocuments<Provisioned>,
): AllocationCache {
  const cache = new Map<string, Allocations>();
  return {
    of(scope) {
      const key = `${scope.region}/${scope.account}`;
      const cached = cache.get(key);
      if (cached !== undefined) return cached;
      const reserved = new Map(reservations.listAll(scope).map(({ name, document }) => [name, document]));
      const provisioned = new Map<string, Setting<Provisioned>[]>();
      for (const setting of provisions.listAll(scope)) {
        provisioned.set(setting.name, [...(provisioned.get(setting.name) ?? []), setting]);
      }
      const unreserved = [...provisioned].flatMap(([name, settings]) => (reserved.has(name) ? [] : settings));
      const allocations = {
        provisioned,
        reservedTotal: sum([...reserved.values()]),
        provisionedUnreserved: requestedBy(unreserved),
      };
      cache.set(key, allocations);
      return allocations;
    },
    clear: () => cache.clear(),
  };
}

/** The provisioned concurrency that these settings request. */
export function requestedBy(settings: readonly Setting<Provisioned>[]): number {
  return sum(settings.map(({ document }) => document.requested));
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
