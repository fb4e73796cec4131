/**
 * The functions that were used last, in memory, so that an invocation finds its version without reading or parsing
 * anything. Loaded when first asked for; whoever writes to the database keeps it in step.
 */
import type { FunctionName, Scope } from '../protocol/names.ts';
import type { FunctionVersion } from './function.ts';
import type { FunctionStore } from './function-store.ts';

/** One function. `serving` is the `$LATEST` that invocations get: not the newest while that is in progress. */
export type CachedFunction = {
  latest: FunctionVersion;
  serving: FunctionVersion;
  /** Published versions, by their number as text. */
  readonly published: Map<string, FunctionVersion>;
};

export type FunctionCache = {
  /** The function, read from the database when it is not in memory; undefined when it does not exist. */
  find(scope: Scope, name: FunctionName): CachedFunction | undefined;
  remove(scope: Scope, name: FunctionName): void;
};

/** About 6 KiB each: ten thousand functions shall not need ten thousand functions' memory. */
const MAX_VERSIONS = 2000;

export function createFunctionCache(store: FunctionStore): FunctionCache {
  // In the order of use: a Map keeps the order of insertion, and what is used is inserted anew. What is published later
  // is not counted: it is few.
  const known = new Map<string, { readonly content: CachedFunction; readonly versions: number }>();
  let versions = 0;

  const drop = (key: string) => {
    versions -= known.get(key)?.versions ?? 0;
    known.delete(key);
  };

  return {
    find(scope, name) {
      const key = keyOf(scope, name);
      const present = known.get(key);
      if (present !== undefined) {
        known.delete(key);
        known.set(key, present);
        return present.content;
      }
      const all = store.versions(scope, name);
      const [latest, ...published] = all;
      if (latest === undefined) return undefined;
      for (const oldest of known.keys()) {
        if (versions + all.length <= MAX_VERSIONS) break;
        drop(oldest);
      }
      const content: CachedFunction = {
        latest,
        serving: latest,
        published: new Map(published.map((version) => [version.version, version])),
      };
      known.set(key, { content, versions: all.length });
      versions += all.length;
      return content;
    },
    remove: (scope, name) => drop(keyOf(scope, name)),
  };
}

function keyOf({ region, account }: Scope, name: FunctionName): string {
  return `${region}/${account}/${name}`;
}
