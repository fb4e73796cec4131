/**
 * Functions: create, change, publish, delete, list, and find the version that an invocation runs. Requests arrive
 * validated against the API's model; the service's own rules are in `function-rules.ts`.
 *
 * What invocations resolve is held in memory, function by function as they are used, in step with the database. While
 * an update of `$LATEST` is in progress invocations still get what was there before, as on AWS; and publishing changes
 * the revision that the API shows without changing what runs, so the version that `resolve` gives keeps the revision
 * of the last change to code or configuration. https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
 */
import { createHash, randomUUID } from 'node:crypto';
import type { Cancel, Clock } from '../clock.ts';
import type { ContentDigest, FunctionLayer } from '../layers/layer.ts';
import type { Layers } from '../layers/layers.ts';
import { pageSize, positionOf } from '../layers/layers.ts';
import type { OptTrees } from '../layers/opt-tree.ts';
import type { Log } from '../log.ts';
import { renderFunctionArn } from '../protocol/arn.ts';
import { renderDate } from '../protocol/dates.ts';
import type { FunctionName, Scope, Version } from '../protocol/names.ts';
import { standingOf } from '../protocol/runtimes.ts';
import { ServiceError } from '../protocol/service-errors.ts';
import type { Archives } from '../storage/archives.ts';
import type { Database } from '../storage/database.ts';
import type { Page } from '../storage/page.ts';
import { pageOf } from '../storage/page.ts';
import { checkUnzippedSize, storeCode } from './code-package.ts';
import type {
  Architecture,
  CodeDraft,
  ConfigurationDraft,
  FunctionCode,
  FunctionConfiguration,
  FunctionDraft,
  FunctionVersion,
} from './function.ts';
import type { CachedFunction } from './function-cache.ts';
import { createFunctionCache } from './function-cache.ts';
import {
  applyDraft,
  checkCodeKind,
  checkConfiguration,
  checkTagCount,
  defaultConfiguration,
  mergeTags,
} from './function-rules.ts';
import { createFunctionStore, numberOf } from './function-store.ts';
import {
  inProgress,
  isSettling,
  PENDING,
  refuseOtherRevision,
  refuseUnlessActive,
  refuseWhileSettling,
  settled,
} from './version-state.ts';

export type CodeUpdate = {
  readonly code: CodeDraft;
  readonly architecture?: Architecture | undefined;
  /** Publish a version of the new code in the same call. */
  readonly publish?: boolean | undefined;
  /** Judge the request and change nothing. */
  readonly dryRun?: boolean | undefined;
  readonly revisionId?: string | undefined;
};

export type PublishRequest = {
  /** Publish only if this is the code of `$LATEST`. */
  readonly codeSha256?: string | undefined;
  readonly revisionId?: string | undefined;
  /** Of the version, instead of the function's own. */
  readonly description?: string | undefined;
};

export type PageRequest = { readonly marker?: string | undefined; readonly maxItems?: number | undefined };

/** Versions that no invocation is given any more: replaced or deleted. */
export type FunctionChange = {
  readonly scope: Scope;
  readonly name: FunctionName;
  readonly retired: readonly FunctionVersion[];
};

export type Functions = {
  /** Creates a function; the answer shows it Pending. @throws ServiceError, OperatorError 'disk-full' */
  create(scope: Scope, draft: FunctionDraft): Promise<FunctionVersion>;
  /** Changes the code of `$LATEST`; answers the published version when one was asked for. @throws ServiceError */
  updateCode(scope: Scope, name: FunctionName, update: CodeUpdate): Promise<FunctionVersion>;
  /** Changes the configuration of `$LATEST`. @throws ServiceError */
  updateConfiguration(
    scope: Scope,
    name: FunctionName,
    draft: ConfigurationDraft,
    revisionId?: string | undefined,
  ): Promise<FunctionVersion>;
  /** Publishes `$LATEST`, or answers the last published version when nothing changed since. @throws ServiceError */
  publishVersion(scope: Scope, name: FunctionName, request?: PublishRequest): Promise<FunctionVersion>;
  /** Deletes the function, or one version of it; a version that does not exist is no error. @throws ServiceError */
  delete(scope: Scope, name: FunctionName, qualifier?: string | undefined): void;
  /** What the API shows of a version, `$LATEST` if not said. @throws ServiceError ResourceNotFoundException */
  get(scope: Scope, name: FunctionName, qualifier?: string | undefined): FunctionVersion;
  /** Functions by name; with `all` every version, `$LATEST` first. */
  list(scope: Scope, request?: PageRequest & { readonly all?: boolean | undefined }): Page<FunctionVersion>;
  /** Versions of a function, `$LATEST` first. @throws ServiceError ResourceNotFoundException */
  listVersions(scope: Scope, name: FunctionName, request?: PageRequest): Page<FunctionVersion>;
  /**
   * The version that an invocation runs, from memory once the function was used.
   * @throws ServiceError ResourceNotFoundException, or ResourceConflictException while it is Pending
   */
  resolve(scope: Scope, name: FunctionName, qualifier?: string | undefined): FunctionVersion;
  /** Whether `resolve` would still give this very revision. */
  isCurrent(version: FunctionVersion): boolean;
  /** The folder with the code of a version; undefined for container images. */
  codeDirectory(version: FunctionVersion): string | undefined;
  /** The zip file of a version's code, as it was uploaded. */
  contentPath(digest: ContentDigest): string;
  /** @throws ServiceError ResourceNotFoundException */
  tags(scope: Scope, name: FunctionName): Readonly<Record<string, string>>;
  addTags(scope: Scope, name: FunctionName, tags: Readonly<Record<string, string>>): void;
  removeTags(scope: Scope, name: FunctionName, keys: readonly string[]): void;
  /** Calls `listener` after versions were replaced or deleted; answers how to stop that. */
  onChange(listener: (change: FunctionChange) => void): () => void;
  /**
   * Removes code, layers and merged trees that nothing refers to. `inUse` names the versions that environments run; a
   * version that was retired a moment ago counts as in use, for an environment may just be starting with it.
   */
  collectGarbage(inUse: () => Iterable<FunctionVersion>): Promise<{ archives: number; optTrees: number }>;
  /** Stops what waits for its time; states that are still to come are reached at the next start. */
  close(): void;
};

export type FunctionsOptions = {
  readonly database: Database;
  readonly layers: Layers;
  readonly archives: Archives;
  readonly optTrees: OptTrees;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether Lambda could assume this role; absent: any well-formed role will do. */
  readonly roleExists?: ((scope: Scope, arn: string) => boolean) | undefined;
  /** Refuse the runtimes that AWS has retired. */
  readonly strictRuntimes?: boolean | undefined;
  /** How long functions stay Pending or InProgress, in milliseconds; without it they are done at once. */
  readonly stateDelayMs?: number | undefined;
};

/** For how long a retired version may still be on its way into an environment. */
const RETIREMENT_GRACE_MS = 5 * 60_000;

export function createFunctions(options: FunctionsOptions): Functions {
  const { database, layers, archives, optTrees, clock, log } = options;
  const store = createFunctionStore(database);
  const stateDelayMs = options.stateDelayMs ?? 0;
  const strictRuntimes = options.strictRuntimes ?? false;
  const cache = createFunctionCache(store);
  const listeners = new Set<(change: FunctionChange) => void>();
  const timers = new Set<Cancel>();
  const recentlyRetired: { readonly version: FunctionVersion; readonly at: number }[] = [];

  // States that an earlier service did not live to reach.
  database.transaction(() => {
    for (const version of store.settling()) store.putState(settled(version, randomUUID()));
  });

  const now = () => renderDate(clock.epochMs());
  const existing = (scope: Scope, name: FunctionName): CachedFunction => {
    const known = cache.find(scope, name);
    if (known === undefined) throw notFound(scope, name);
    return known;
  };
  /** What is stored of a version whose answer shows it on its way. */
  const stored = (shown: FunctionVersion) => (stateDelayMs === 0 ? settled(shown, randomUUID()) : shown);

  const tagsOf = (scope: Scope, name: FunctionName) => {
    const tags = store.tags(scope, name);
    if (tags === undefined) throw notFound(scope, name);
    return tags;
  };

  function retire(scope: Scope, name: FunctionName, retired: readonly FunctionVersion[]): void {
    const at = clock.monotonicMs();
    while (recentlyRetired[0] !== undefined && recentlyRetired[0].at < at - RETIREMENT_GRACE_MS) {
      recentlyRetired.shift();
    }
    for (const version of retired) recentlyRetired.push({ version, at });
    for (const listener of listeners) listener({ scope, name, retired });
  }

  /** Takes a version that was written into memory; a `$LATEST` serves invocations once it is settled. */
  function admit(known: CachedFunction, version: FunctionVersion): void {
    if (isSettling(version)) settleLater(version);
    if (version.version !== '$LATEST') {
      known.published.set(version.version, version);
      return;
    }
    known.latest = version;
    if (isSettling(version)) return;
    const before = known.serving;
    known.serving = version;
    if (before.state === 'Active') retire(version.scope, version.name, [before]);
  }

  function settleLater(version: FunctionVersion): void {
    const { scope, name, revisionId } = version;
    const cancel = clock.after(stateDelayMs, () => {
      timers.delete(cancel);
      const known = cache.find(scope, name);
      const current = version.version === '$LATEST' ? known?.latest : known?.published.get(version.version);
      // It may have been deleted meanwhile, and even made anew.
      if (known === undefined || current?.revisionId !== revisionId) return;
      const done = settled(current, randomUUID());
      store.putState(done);
      admit(known, done);
    });
    timers.add(cancel);
  }

  function configure(
    scope: Scope,
    name: string,
    base: FunctionConfiguration,
    draft: ConfigurationDraft,
    packageType: FunctionCode['packageType'],
  ): FunctionConfiguration {
    const resolved: FunctionLayer[] | undefined = draft.layers && layers.resolve(draft.layers, scope);
    const configuration = applyDraft(base, draft, resolved);
    checkConfiguration(draft, configuration, packageType, strictRuntimes);
    if (draft.role !== undefined && options.roleExists?.(scope, draft.role) === false) {
      throw new ServiceError(
        'InvalidParameterValueException',
        'The role defined for the function cannot be assumed by Lambda.',
      );
    }
    if (draft.runtime !== undefined && standingOf(draft.runtime) === 'retired') {
      log.warn({ functionName: name, runtime: draft.runtime }, 'AWS does not accept this runtime any more');
    }
    return configuration;
  }

  /** What publishing `latest` gives: a new version, or the last one if nothing changed since. In a transaction. */
  function nextVersion(latest: FunctionVersion, description?: string): { version: FunctionVersion; isNew: boolean } {
    const { scope, name } = latest;
    const last = store.lastPublished(scope, name);
    if (last?.publishedFrom === fingerprintOf(latest)) return { version: last.version, isNew: false };
    const version: Version = `${store.nextVersion(scope, name)}`;
    return {
      isNew: true,
      version: {
        ...latest,
        version,
        arn: renderFunctionArn(scope, name, version),
        configuration: { ...latest.configuration, description: description ?? latest.configuration.description },
        lastModified: now(),
        revisionId: randomUUID(),
      },
    };
  }

  /** Writes `$LATEST`, and publishes it if asked: what is stored, and what the answer shows of the version. */
  function write(shown: FunctionVersion, isPublished: boolean) {
    const latest = stored(shown);
    store.put(latest);
    if (!isPublished) return { latest, version: undefined, shownVersion: undefined };
    const next = nextVersion(shown);
    if (!next.isNew) return { latest, version: undefined, shownVersion: next.version };
    const shownVersion = { ...next.version, ...PENDING };
    const version = stored(shownVersion);
    store.put(version, fingerprintOf(shown));
    return { latest, version, shownVersion };
  }

  return {
    async create(scope, draft) {
      const { name } = draft;
      const configuration = configure(scope, name, defaultConfiguration(name), draft.configuration, draft.packageType);
      checkCodeKind(draft.code, draft.packageType, 'creating');
      checkTagCount(draft.tags);
      // Asked again when it is written; here it only saves the unpacking.
      if (cache.find(scope, name) !== undefined) throw alreadyExists(name);
      const code = await storeCode(archives, draft.code, draft.architecture, configuration.layers);
      try {
        const shown: FunctionVersion = {
          scope,
          name,
          version: '$LATEST',
          arn: renderFunctionArn(scope, name),
          configuration,
          code: code.code,
          revisionId: randomUUID(),
          lastModified: now(),
          ...PENDING,
        };
        const { latest, version, shownVersion } = database.transaction(() => {
          if (!store.insertFunction(scope, name, draft.tags)) throw alreadyExists(name);
          return write(shown, draft.publish);
        });
        for (const written of [latest, version]) if (written && isSettling(written)) settleLater(written);
        // As recorded on AWS: the version's number, with the function's unqualified ARN.
        return shownVersion === undefined ? shown : { ...shown, version: shownVersion.version };
      } finally {
        code.release();
      }
    },

    async updateCode(scope, name, update) {
      const before = existing(scope, name).latest;
      checkCodeKind(update.code, before.code.packageType, 'updating');
      refuseWhileSettling(before);
      refuseOtherRevision(before, update.revisionId);
      const architecture = update.architecture ?? before.code.architecture;
      const { code, release } = await storeCode(archives, update.code, architecture, before.configuration.layers);
      try {
        // Others may have changed it while the code was unpacked.
        const known = existing(scope, name);
        refuseWhileSettling(known.latest);
        refuseOtherRevision(known.latest, update.revisionId);
        checkUnzippedSize(code.unzippedSize, known.latest.configuration.layers);
        if (update.dryRun) return { ...known.latest, code };
        const shown = inProgress(known.latest, { code }, { revisionId: randomUUID(), lastModified: now() });
        const { latest, version, shownVersion } = database.transaction(() => write(shown, update.publish ?? false));
        admit(known, latest);
        if (version !== undefined) admit(known, version);
        return shownVersion ?? shown;
      } finally {
        release();
      }
    },

    async updateConfiguration(scope, name, draft, revisionId) {
      const known = existing(scope, name);
      const before = known.latest;
      const configuration = configure(scope, name, before.configuration, draft, before.code.packageType);
      refuseWhileSettling(before);
      refuseOtherRevision(before, revisionId);
      checkUnzippedSize(before.code.unzippedSize, configuration.layers);
      const shown = inProgress(before, { configuration }, { revisionId: randomUUID(), lastModified: now() });
      const { latest } = write(shown, false);
      admit(known, latest);
      return shown;
    },

    async publishVersion(scope, name, request = {}) {
      const known = existing(scope, name);
      const { latest } = known;
      refuseWhileSettling(latest);
      refuseOtherRevision(latest, request.revisionId);
      if (request.codeSha256 !== undefined && request.codeSha256 !== latest.code.codeSha256) {
        throw new ServiceError(
          'InvalidParameterValueException',
          `CodeSHA256 (${request.codeSha256}) is different from current CodeSHA256 in $LATEST ` +
            `(${latest.code.codeSha256}). Please try again with the CodeSHA256 in $LATEST.`,
        );
      }
      const { version, after } = database.transaction(() => {
        const { version, isNew } = nextVersion(latest, request.description);
        if (!isNew) return { version, after: latest };
        store.put(version, fingerprintOf(latest));
        // As recorded on AWS: publishing gives $LATEST a new revision too. What runs stays what it was.
        const after = { ...latest, revisionId: randomUUID() };
        store.putState(after);
        return { version, after };
      });
      known.latest = after;
      known.published.set(version.version, version);
      return version;
    },

    delete(scope, name, qualifier) {
      if (qualifier === '$LATEST') {
        throw new ServiceError(
          'InvalidParameterValueException',
          '$LATEST version cannot be deleted without deleting the function.',
        );
      }
      const known = existing(scope, name);
      if (qualifier !== undefined && !/^\d+$/.test(qualifier)) {
        throw new ServiceError('InvalidParameterValueException', 'Deletion of aliases is not currently supported.');
      }
      if (qualifier === undefined) {
        store.removeFunction(scope, name);
        cache.remove(scope, name);
        retire(scope, name, [known.serving, ...known.published.values()]);
        return;
      }
      const version = known.published.get(qualifier);
      if (version === undefined) return;
      store.remove(scope, name, numberOf(version.version));
      known.published.delete(qualifier);
      retire(scope, name, [version]);
    },

    get(scope, name, qualifier) {
      const known = cache.find(scope, name);
      const isLatest = qualifier === undefined || qualifier === '$LATEST';
      const version = isLatest ? known?.latest : known?.published.get(qualifier);
      if (version === undefined) throw notFound(scope, name, qualifier);
      return version;
    },

    list(scope, request = {}) {
      const size = pageSize(request.maxItems);
      const [name, version] = positionOf<readonly [string, number]>(request.marker, ['', 0]);
      const rows = store.list(scope, { name, version }, size + 1, request.all ? 'all' : 'latest');
      return pageOf(rows, size, (item) => [item.name, numberOf(item.version)]);
    },

    listVersions(scope, name, request = {}) {
      existing(scope, name);
      const size = pageSize(request.maxItems);
      const [after] = positionOf<readonly [number]>(request.marker, [-1]);
      const rows = store.listVersions(scope, name, after, size + 1);
      return pageOf(rows, size, (item) => [numberOf(item.version)]);
    },

    resolve(scope, name, qualifier = '$LATEST') {
      const version = runningOf(cache.find(scope, name), qualifier);
      if (version === undefined) throw notFound(scope, name, qualifier);
      refuseUnlessActive(version);
      return version;
    },

    isCurrent: ({ scope, name, version, revisionId }) =>
      runningOf(cache.find(scope, name), version)?.revisionId === revisionId,

    codeDirectory: ({ code }) => (code.digest === undefined ? undefined : archives.tree(code.digest)),
    contentPath: (digest) => archives.path(digest),

    tags: tagsOf,
    addTags(scope, name, tags) {
      store.setTags(scope, name, mergeTags(tagsOf(scope, name), tags));
    },
    removeTags(scope, name, keys) {
      const left = Object.entries(tagsOf(scope, name)).filter(([key]) => !keys.includes(key));
      store.setTags(scope, name, Object.fromEntries(left));
    },

    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },

    async collectGarbage(inUse) {
      const keep = () => {
        const { code, layers: lists } = store.references();
        const since = clock.monotonicMs() - RETIREMENT_GRACE_MS;
        const retired = recentlyRetired.filter(({ at }) => at >= since).map(({ version }) => version);
        const running = [...inUse(), ...retired];
        const listsInUse = running.map(({ configuration }) => configuration.layers.map(({ digest }) => digest));
        const codeInUse = running.flatMap((version) => version.code.digest ?? []);
        return { code: [...code, ...codeInUse], lists: [...lists, ...listsInUse] };
      };
      const trees = await optTrees.collect(() => keep().lists);
      const removed = await archives.collect(() => {
        const { code, lists } = keep();
        return new Set<string>([...code, ...lists.flat(), ...layers.digests()]);
      });
      return { archives: removed, optTrees: trees };
    },

    close() {
      for (const cancel of timers) cancel();
      timers.clear();
    },
  };
}

/** What runs for a qualifier. */
function runningOf(known: CachedFunction | undefined, qualifier: string): FunctionVersion | undefined {
  return qualifier === '$LATEST' ? known?.serving : known?.published.get(qualifier);
}

/** Two `$LATEST`s with the same code and configuration have the same fingerprint. */
function fingerprintOf({ code, configuration }: FunctionVersion): string {
  return createHash('sha256')
    .update(JSON.stringify([code, configuration]))
    .digest('base64');
}

function alreadyExists(name: string): ServiceError {
  return new ServiceError('ResourceConflictException', `Function already exist: ${name}`);
}

function notFound(scope: Scope, name: string, qualifier?: string): ServiceError {
  return new ServiceError(
    'ResourceNotFoundException',
    `Function not found: ${renderFunctionArn(scope, name, qualifier)}`,
  );
}
