/**
 * Functions: `function-changes.ts` creates, updates, publishes and deletes them; this file looks them up, lists them
 * and finds the version that an invocation runs.
 *
 * Publishing and tagging change the revision that the API shows without changing what runs. The version that `resolve` returns
 * keeps the revision of the last change to code or configuration, so that environments stay warm.
 */
import { randomUUID } from 'node:crypto';
import type { ContentDigest } from '../layers/layer.ts';
import type { OptTrees } from '../layers/opt-tree.ts';
import type { FunctionName, Scope } from '../protocol/names.ts';
import type { Page } from '../storage/page.ts';
import { pageOf, pageSize, positionOf } from '../storage/page.ts';
import type { FunctionVersion } from './function.ts';
import type { CachedFunction } from './function-cache.ts';
import { createFunctionCache } from './function-cache.ts';
import { createFunctionChanges, type FunctionChanges, type FunctionChangesDependencies } from './function-changes.ts';
import { collectFunctionGarbage } from './function-garbage.ts';
import { functionNotFound, mergeTags } from './function-rules.ts';
import { createFunctionStore, numberOf } from './function-store.ts';
import type { HotDirectories } from './hot-reload/hot-directories.ts';
import { createRetirements, type Retirements } from './retirements.ts';
import { createSettling } from './settling.ts';
import { isSettling, refuseUnlessActive, settled } from './version-state.ts';

export type PageRequest = { readonly marker?: string | undefined; readonly maxItems?: number | undefined };

export type Functions = FunctionChanges & {
  /** The version that the API shows; `$LATEST` without a qualifier. @throws ServiceError ResourceNotFoundException */
  get(scope: Scope, name: FunctionName, qualifier?: string | undefined): FunctionVersion;
  /** Lists functions by name. With `all`, lists every version, `$LATEST` first. */
  list(scope: Scope, request?: PageRequest & { readonly all?: boolean | undefined }): Page<FunctionVersion>;
  /** Lists the versions of a function, `$LATEST` first. @throws ServiceError ResourceNotFoundException */
  listVersions(scope: Scope, name: FunctionName, request?: PageRequest): Page<FunctionVersion>;
  /**
   * The version that an invocation runs. Reads only memory once the function was used.
   * @throws ServiceError ResourceNotFoundException, or ResourceConflictException while it is Pending
   */
  resolve(scope: Scope, name: FunctionName, qualifier?: string | undefined): FunctionVersion;
  /** Whether `resolve` would still return this revision. */
  isCurrent(version: FunctionVersion): boolean;
  /** The directory with a version's code; undefined for container images. */
  codeDirectory(version: FunctionVersion): string | undefined;
  /**
   * The same directory, unpacked again if it is missing.
   * @throws OperatorError 'archive-missing', 'disk-full'
   */
  openCode(version: FunctionVersion): Promise<string | undefined>;
  /** What else a version's code needs: what links lead to that lead out of a mounted directory. After `openCode`. */
  linkedCode(version: FunctionVersion): readonly { readonly source: string; readonly target: string }[];
  /** The path of the zip file of a version's code, as uploaded. */
  contentPath(digest: ContentDigest): string;
  /** @throws ServiceError ResourceNotFoundException */
  tags(scope: Scope, name: FunctionName): Readonly<Record<string, string>>;
  addTags(scope: Scope, name: FunctionName, tags: Readonly<Record<string, string>>): void;
  removeTags(scope: Scope, name: FunctionName, keys: readonly string[]): void;
  /** Gives every version that runs from this directory a new revision, so that the next invocation is a cold start. */
  renew(directory: string): void;
  /** Calls `listener` after versions were replaced or deleted. Returns a function that stops it. */
  onChange: Retirements['onChange'];
  /**
   * Removes code and layers that nothing has referred to for a day, and unused merged trees. `inUse` returns the versions that environments run.
   * Versions retired in the last minutes count as in use: an environment may just be starting with one.
   */
  collectGarbage(inUse: () => Iterable<FunctionVersion>): Promise<{ archives: number; optTrees: number }>;
  /** Cancels pending state transitions. They complete when the service starts again. */
  close(): void;
};

export type FunctionsOptions = Omit<FunctionChangesDependencies, 'store' | 'cache' | 'settling' | 'retirements'> & {
  readonly optTrees: OptTrees;
  /** Opens directories that are mounted. Without it there are none. */
  readonly hotDirectories?: Pick<HotDirectories, 'open' | 'linked'> | undefined;
  /** How long functions stay Pending or InProgress, in milliseconds. Defaults to 0. */
  readonly stateDelayMs?: number | undefined;
};

export function createFunctions(options: FunctionsOptions): Functions {
  const { database, layers, archives, optTrees, clock, stateDelayMs: delayMs = 0 } = options;
  const store = createFunctionStore(database);
  const cache = createFunctionCache(store);
  const retirements = createRetirements(clock);
  const settling = createSettling({ store, cache, retirements, clock, delayMs });

  // Complete the transitions that an earlier service did not.
  database.transaction(() => {
    for (const version of store.settling()) store.putState(settled(version, randomUUID()));
  });

  const tagsOf = (scope: Scope, name: FunctionName) => {
    const tags = store.tags(scope, name);
    if (tags === undefined) throw functionNotFound(scope, name);
    return tags;
  };

  /** Recorded on AWS: tags give $LATEST a new revision. The revision that runs stays the same. */
  const setTags = (scope: Scope, name: FunctionName, tags: Readonly<Record<string, string>>) => {
    const cached = cache.get(scope, name);
    const latest = { ...cached.latest, revisionId: randomUUID() };
    database.transaction(() => {
      store.setTags(scope, name, tags);
      store.putState(latest);
    });
    cached.latest = latest;
    if (isSettling(latest)) settling.settleLater(latest);
  };

  /** The revision that the API shows changes too: a service that starts again must not go back to it. */
  const renewVersion = ({ scope, name, version }: FunctionVersion) => {
    const cached = cache.get(scope, name);
    const revisionId = randomUUID();
    if (version !== '$LATEST') {
      const before = cached.published.get(version);
      if (before === undefined) return;
      const next = { ...before, revisionId };
      cached.published.set(version, next);
      store.putState(next);
      retirements.retire({ scope, name, retired: [before] });
      return;
    }
    const { serving, latest } = cached;
    cached.serving = { ...serving, revisionId };
    if (!isSettling(latest)) {
      cached.latest = { ...latest, revisionId };
      store.putState(cached.latest);
    }
    retirements.retire({ scope, name, retired: [serving] });
  };

  return {
    ...createFunctionChanges({ ...options, store, cache, settling, retirements }),

    get(scope, name, qualifier) {
      const cached = cache.find(scope, name);
      const isLatest = qualifier === undefined || qualifier === '$LATEST';
      const version = isLatest ? cached?.latest : cached?.published.get(qualifier);
      if (version === undefined) throw functionNotFound(scope, name, qualifier);
      return version;
    },

    list(scope, request = {}) {
      const size = pageSize(request.maxItems);
      const [name, version] = positionOf<readonly [string, number]>(request.marker, ['', 0]);
      const rows = store.list(scope, { name, version }, size + 1, request.all ? 'all' : 'latest');
      return pageOf(rows, size, (item) => [item.name, numberOf(item.version)]);
    },

    listVersions(scope, name, request = {}) {
      cache.get(scope, name);
      const size = pageSize(request.maxItems);
      const [after] = positionOf<readonly [number]>(request.marker, [-1]);
      const rows = store.listVersions(scope, name, after, size + 1);
      return pageOf(rows, size, (item) => [numberOf(item.version)]);
    },

    resolve(scope, name, qualifier = '$LATEST') {
      const version = runningOf(cache.find(scope, name), qualifier);
      if (version === undefined) throw functionNotFound(scope, name, qualifier);
      refuseUnlessActive(version);
      return version;
    },

    isCurrent: ({ scope, name, version, revisionId }) =>
      runningOf(cache.find(scope, name), version)?.revisionId === revisionId,

    codeDirectory: ({ code }) => (code.digest === undefined ? undefined : archives.tree(code.digest)),
    async openCode({ code }) {
      if (code.directory !== undefined) return options.hotDirectories?.open(code.directory);
      return code.digest === undefined ? undefined : archives.openTree(code.digest);
    },
    linkedCode: ({ code }) =>
      code.directory === undefined ? [] : (options.hotDirectories?.linked(code.directory) ?? []),
    contentPath: (digest) => archives.path(digest),

    tags: tagsOf,
    addTags(scope, name, tags) {
      setTags(scope, name, mergeTags(tagsOf(scope, name), tags));
    },
    removeTags(scope, name, keys) {
      const left = Object.entries(tagsOf(scope, name)).filter(([key]) => !keys.includes(key));
      setTags(scope, name, Object.fromEntries(left));
    },

    renew(directory) {
      for (const version of store.runningFrom(directory)) renewVersion(version);
    },
    onChange: retirements.onChange,
    collectGarbage: (inUse) =>
      collectFunctionGarbage(
        { store, layers, archives, optTrees },
        () => [...inUse(), ...retirements.recent()],
        clock.epochMs(),
      ),
    close: () => settling.close(),
  };
}

/** The version that runs for a qualifier. */
function runningOf(cached: CachedFunction | undefined, qualifier: string): FunctionVersion | undefined {
  return qualifier === '$LATEST' ? cached?.serving : cached?.published.get(qualifier);
}
