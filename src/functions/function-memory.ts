/**
 * The functions that were used last, in memory, so that an invocation finds its version without reading or parsing
 * anything. Loaded when first asked for; whoever writes to the database keeps it in step.
 */
import type { FunctionName, Scope } from '../protocol/names.ts';
import type { FunctionVersion } from './function.ts';
import type { FunctionStore } from './function-store.ts';

/** One function. `serving` is the `$LATEST` that invocations get: not the newest while that is in progress. */
export type KnownFunction = {
  latest: FunctionVersion;
  serving: FunctionVersion;
  /** Published versions, by their number as text. */
  readonly published: Map<string, FunctionVersion>;
};

export type FunctionMemory = {
  /** The function, read from the database when it is not in memory; undefined when it does not exist. */
  find(scope: Scope, name: FunctionName): KnownFunction | undefined;
  forget(scope: Scope, name: FunctionName): void;
};

/** Ten thousand functions shall not need ten thousand functions' memory. */
const MAX_FUNCTIONS = 2000;

export function createFunctionMemory(store: FunctionStore): FunctionMemory {
  // In the order of use: a Map keeps the order of insertion, and what is used is inserted anew.
  const known = new Map<string, KnownFunction>();

  return {
    find(scope, name) {
      const key = keyOf(scope, name);
      const present = known.get(key);
      if (present !== undefined) {
        known.delete(key);
        known.set(key, present);
        return present;
      }
      const [latest, ...published] = store.versions(scope, name);
      if (latest === undefined) return undefined;
      for (const oldest of known.keys()) {
        if (known.size < MAX_FUNCTIONS) break;
        known.delete(oldest);
      }
      const loaded: KnownFunction = {
        latest,
        serving: latest,
        published: new Map(published.map((version) => [version.version, version])),
      };
      known.set(key, loaded);
      return loaded;
    },
    forget(scope, name) {
      known.delete(keyOf(scope, name));
    },
  };
}

function keyOf({ region, account }: Scope, name: FunctionName): string {
  return `${region}/${account}/${name}`;
}
