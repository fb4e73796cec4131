/**
 * The most recently used functions in memory, so that an invocation finds its version without reading or parsing.
 * Loaded on first use. The code that writes to the database also updates the cache.
 */
import type { FunctionName, Scope } from '../protocol/names.ts';
import type { FunctionVersion } from './function.ts';
import { functionNotFound } from './function-rules.ts';
import type { FunctionStore } from './function-store.ts';

/** A function. `serving` is the `$LATEST` that invocations run; it differs from `latest` during an update. */
export type CachedFunction = {
  latest: FunctionVersion;
  serving: FunctionVersion;
  /** Published versions by number. */
  readonly published: Map<string, FunctionVersion>;
};

export type FunctionCache = {
  /** Finds a function and loads it if necessary; undefined when it does not exist. */
  find(scope: Scope, name: FunctionName): CachedFunction | undefined;
  /** Like `find`. @throws ServiceError ResourceNotFoundException */
  get(scope: Scope, name: FunctionName): CachedFunction;
  remove(scope: Scope, name: FunctionName): void;
};

type Entry = { readonly content: CachedFunction; readonly versions: number; wasUsed: boolean };

/** A version takes about 6 KiB. The limit bounds the memory of a service with many functions. */
const MAX_VERSIONS = 2000;

export function createFunctionCache(store: FunctionStore): FunctionCache {
  // Ordered by insertion. Instead of being inserted again with each use, which every invocation would pay for, a function
  // that was used gets a second chance when the cache is full. Versions published after loading are not counted, as they
  // are few.
  const cached = new Map<string, Entry>();
  let versions = 0;

  const drop = (key: string) => {
    versions -= cached.get(key)?.versions ?? 0;
    cached.delete(key);
  };

  const cache: FunctionCache = {
    find(scope, name) {
      const key = keyOf(scope, name);
      const present = cached.get(key);
      if (present !== undefined) {
        present.wasUsed = true;
        return present.content;
      }
      const all = store.versions(scope, name);
      const [latest, ...published] = all;
      if (latest === undefined) return undefined;
      for (const [oldest, entry] of cached) {
        if (versions + all.length <= MAX_VERSIONS) break;
        if (entry.wasUsed) {
          entry.wasUsed = false;
          cached.delete(oldest);
          cached.set(oldest, entry);
        } else drop(oldest);
      }
      const content: CachedFunction = {
        latest,
        serving: latest,
        published: new Map(published.map((version) => [version.version, version])),
      };
      cached.set(key, { content, versions: all.length, wasUsed: false });
      versions += all.length;
      return content;
    },
    get(scope, name) {
      const found = cache.find(scope, name);
      if (found === undefined) throw functionNotFound(scope, name);
      return found;
    },
    remove: (scope, name) => drop(keyOf(scope, name)),
  };
  return cache;
}

function keyOf({ region, account }: Scope, name: FunctionName): string {
  return `${region}/${account}/${name}`;
}
