/**
 * Creates, updates, publishes and deletes functions. Requests have been validated against the API's model; the
 * service's own rules are in `function-rules.ts`.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { FunctionLayer } from '../layers/layer.ts';
import type { Layers } from '../layers/layers.ts';
import type { Log } from '../log.ts';
import { parseArn, renderFunctionArn } from '../protocol/arn.ts';
import { renderDate } from '../protocol/dates.ts';
import type { FunctionName, Scope, Version } from '../protocol/names.ts';
import { runtimeStatusOf } from '../protocol/runtimes.ts';
import { ServiceError } from '../protocol/service-errors.ts';
import type { Archives } from '../storage/archives.ts';
import type { Database } from '../storage/database.ts';
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
import type { FunctionCache } from './function-cache.ts';
import {
  applyDraft,
  checkCodeKind,
  checkConfiguration,
  checkTagCount,
  defaultConfiguration,
} from './function-rules.ts';
import { type FunctionStore, numberOf } from './function-store.ts';
import type { Retirements } from './retirements.ts';
import type { Settling } from './settling.ts';
import { inProgress, isSettling, PENDING, refuseOtherRevision, refuseWhileSettling } from './version-state.ts';

export type CodeUpdate = {
  readonly code: CodeDraft;
  readonly architecture?: Architecture | undefined;
  /** Publish a version of the new code in the same call. */
  readonly publish?: boolean | undefined;
  /** Validate the request without changing anything. */
  readonly dryRun?: boolean | undefined;
  readonly revisionId?: string | undefined;
};

export type PublishRequest = {
  /** Publish only if this is the code of `$LATEST`. */
  readonly codeSha256?: string | undefined;
  readonly revisionId?: string | undefined;
  /** The version's description. Defaults to the function's. */
  readonly description?: string | undefined;
};

export type FunctionChanges = {
  /** Creates a function and returns it as Pending. @throws ServiceError, OperatorError 'disk-full' */
  create(scope: Scope, draft: FunctionDraft): Promise<FunctionVersion>;
  /** Changes the code of `$LATEST`. With `publish`, returns the published version. @throws ServiceError */
  updateCode(scope: Scope, name: FunctionName, update: CodeUpdate): Promise<FunctionVersion>;
  /** Changes the configuration of `$LATEST`. @throws ServiceError */
  updateConfiguration(
    scope: Scope,
    name: FunctionName,
    draft: ConfigurationDraft,
    revisionId?: string | undefined,
  ): Promise<FunctionVersion>;
  /** Publishes `$LATEST`. Returns the last published version if there was no update since. @throws ServiceError */
  publishVersion(scope: Scope, name: FunctionName, request?: PublishRequest): Promise<FunctionVersion>;
  /** Deletes the function or one version. Succeeds if the version does not exist. @throws ServiceError */
  delete(scope: Scope, name: FunctionName, qualifier?: string | undefined): void;
};

export type FunctionChangesDependencies = {
  readonly database: Database;
  readonly store: FunctionStore;
  readonly cache: FunctionCache;
  readonly layers: Layers;
  readonly archives: Archives;
  readonly settling: Settling;
  readonly retirements: Pick<Retirements, 'retire'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether Lambda can assume this role. Without it, every well-formed role is accepted. */
  readonly roleExists?: ((scope: Scope, arn: string) => boolean) | undefined;
  /** Refuse runtimes that AWS has retired. */
  readonly strictRuntimes?: boolean | undefined;
};

export function createFunctionChanges(dependencies: FunctionChangesDependencies): FunctionChanges {
  const { database, store, cache, layers, archives, settling, retirements, clock, log } = dependencies;
  const { roleExists, strictRuntimes = false } = dependencies;
  const now = () => renderDate(clock.epochMs());

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
    if (draft.role !== undefined && roleExists?.(scope, draft.role) === false) {
      if (parseArn(draft.role)?.account !== scope.account) {
        throw new ServiceError('AccessDeniedException', 'Cross-account pass role is not allowed.');
      }
      throw new ServiceError(
        'InvalidParameterValueException',
        'The role defined for the function cannot be assumed by Lambda.',
      );
    }
    if (draft.runtime !== undefined && runtimeStatusOf(draft.runtime) === 'retired') {
      log.warn({ functionName: name, runtime: draft.runtime }, 'AWS no longer accepts this runtime');
    }
    return configuration;
  }

  /** The version that publishing `latest` creates. In a transaction. */
  function nextVersion(latest: FunctionVersion, description?: string): FunctionVersion {
    const { scope, name } = latest;
    const version: Version = `${store.nextVersion(scope, name)}`;
    return {
      ...latest,
      version,
      arn: renderFunctionArn(scope, name, version),
      configuration: { ...latest.configuration, description: description ?? latest.configuration.description },
      lastModified: now(),
      revisionId: randomUUID(),
    };
  }

  /** Stores an update of `$LATEST` and optionally publishes it. `shownVersion` is the version as the response shows it. */
  function write(shown: FunctionVersion, isPublished: boolean) {
    const latest = settling.stored(shown);
    const updateId = randomUUID();
    store.put(latest, updateId);
    if (!isPublished) return { latest, version: undefined, shownVersion: undefined };
    const shownVersion = { ...nextVersion(shown), ...PENDING };
    const version = settling.stored(shownVersion);
    store.put(version, updateId);
    return { latest, version, shownVersion };
  }

  return {
    async create(scope, draft) {
      const { name } = draft;
      const configuration = configure(scope, name, defaultConfiguration(name), draft.configuration, draft.packageType);
      checkCodeKind(draft.code, draft.packageType, 'creating');
      checkTagCount(draft.tags);
      // An early check that saves unpacking the code. The transaction below checks again.
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
        for (const written of [latest, version]) if (written && isSettling(written)) settling.settleLater(written);
        // Recorded on AWS: the version's number with the function's unqualified ARN.
        return shownVersion === undefined ? shown : { ...shown, version: shownVersion.version };
      } finally {
        code.release();
      }
    },

    async updateCode(scope, name, update) {
      const before = cache.get(scope, name).latest;
      checkCodeKind(update.code, before.code.packageType, 'updating');
      refuseWhileSettling(before);
      refuseOtherRevision(before, update.revisionId);
      const architecture = update.architecture ?? before.code.architecture;
      const { code, release } = await storeCode(archives, update.code, architecture, before.configuration.layers);
      try {
        // The function may have changed while the code was unpacked.
        const cached = cache.get(scope, name);
        refuseWhileSettling(cached.latest);
        refuseOtherRevision(cached.latest, update.revisionId);
        checkUnzippedSize(code.unzippedSize, cached.latest.configuration.layers);
        if (update.dryRun) return { ...cached.latest, code };
        const shown = inProgress(cached.latest, { code }, { revisionId: randomUUID(), lastModified: now() });
        const { latest, version, shownVersion } = database.transaction(() => write(shown, update.publish ?? false));
        settling.admit(cached, latest);
        if (version !== undefined) settling.admit(cached, version);
        return shownVersion ?? shown;
      } finally {
        release();
      }
    },

    async updateConfiguration(scope, name, draft, revisionId) {
      const cached = cache.get(scope, name);
      const before = cached.latest;
      const configuration = configure(scope, name, before.configuration, draft, before.code.packageType);
      refuseWhileSettling(before);
      refuseOtherRevision(before, revisionId);
      checkUnzippedSize(before.code.unzippedSize, configuration.layers);
      const shown = inProgress(before, { configuration }, { revisionId: randomUUID(), lastModified: now() });
      const { latest } = write(shown, false);
      settling.admit(cached, latest);
      return shown;
    },

    async publishVersion(scope, name, request = {}) {
      const cached = cache.get(scope, name);
      const { latest } = cached;
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
        // An update counts even if it changed nothing: AWS does not compare the code.
        const updateId = store.latestUpdate(scope, name);
        const last = store.lastPublished(scope, name);
        if (last?.updateId === updateId) return { version: last.version, after: latest };
        const version = nextVersion(latest, request.description);
        store.put(version, updateId);
        // Recorded on AWS: publishing gives $LATEST a new revision too. The revision that runs stays the same.
        const after = { ...latest, revisionId: randomUUID() };
        store.putState(after);
        return { version, after };
      });
      cached.latest = after;
      cached.published.set(version.version, version);
      return version;
    },

    delete(scope, name, qualifier) {
      if (qualifier === '$LATEST') {
        throw new ServiceError(
          'InvalidParameterValueException',
          '$LATEST version cannot be deleted without deleting the function.',
        );
      }
      const cached = cache.get(scope, name);
      if (qualifier !== undefined && !/^\d+$/.test(qualifier)) {
        throw new ServiceError('InvalidParameterValueException', 'Deletion of aliases is not currently supported.');
      }
      if (qualifier === undefined) {
        store.removeFunction(scope, name);
        cache.remove(scope, name);
        retirements.retire({ scope, name, retired: [cached.serving, ...cached.published.values()] });
        return;
      }
      const version = cached.published.get(qualifier);
      if (version === undefined) return;
      store.remove(scope, name, numberOf(version.version));
      cached.published.delete(qualifier);
      retirements.retire({ scope, name, retired: [version] });
    },
  };
}

function alreadyExists(name: string): ServiceError {
  return new ServiceError('ResourceConflictException', `Function already exist: ${name}`);
}
