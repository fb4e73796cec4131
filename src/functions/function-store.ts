/** The SQL of functions and their versions. The rules are in `functions.ts`. `$LATEST` is version 0. */
import assert from 'node:assert/strict';
import type { ContentDigest } from '../layers/layer.ts';
import { renderFunctionArn } from '../protocol/arn.ts';
import type { FunctionName, Scope, Version } from '../protocol/names.ts';
import type { Database } from '../storage/database.ts';
import type { FunctionVersion } from './function.ts';
import { isSettling } from './version-state.ts';

type State = Pick<
  FunctionVersion,
  | 'state'
  | 'stateReason'
  | 'stateReasonCode'
  | 'lastUpdateStatus'
  | 'lastUpdateStatusReason'
  | 'lastUpdateStatusReasonCode'
>;

type Row = {
  region: string;
  account: string;
  name: string;
  version: number;
  configuration: string;
  code: string;
  state: string;
  is_settling: number;
  revision_id: string;
  last_modified: string;
  /** The update of `$LATEST` that the version was published from, or that `$LATEST` itself shows. */
  published_from: string | null;
  digest: string | null;
  layer_digests: string;
  /** Bytes of the archive. Also in `code`, but a sum over all functions should not parse every document. */
  code_size: number;
};

/** The position after which a list continues. */
export type FunctionPosition = { readonly name: string; readonly version: number };

/** The digests that function versions refer to. */
export type ContentReferences = {
  readonly code: readonly ContentDigest[];
  readonly layers: readonly (readonly ContentDigest[])[];
};

export type FunctionStore = {
  /** Returns false if the function exists already. */
  insertFunction(scope: Scope, name: FunctionName, tags: Readonly<Record<string, string>>): boolean;
  /** Removes the function and all its versions. */
  removeFunction(scope: Scope, name: FunctionName): void;
  tags(scope: Scope, name: FunctionName): Readonly<Record<string, string>> | undefined;
  setTags(scope: Scope, name: FunctionName, tags: Readonly<Record<string, string>>): void;
  /** Allocates the next version number. It is never reused, even after the function was deleted. */
  nextVersion(scope: Scope, name: FunctionName): number;
  /** Inserts or replaces a version. `updateId` identifies the update of `$LATEST` that it shows. */
  put(version: FunctionVersion, updateId: string): void;
  /** The latest update of `$LATEST`. */
  latestUpdate(scope: Scope, name: FunctionName): string;
  /** Updates state and revision of an existing version. */
  putState(version: FunctionVersion): void;
  remove(scope: Scope, name: FunctionName, version: number): void;
  /** All versions of a function, `$LATEST` first. */
  versions(scope: Scope, name: FunctionName): FunctionVersion[];
  /** The published version with the highest number. */
  lastPublished(
    scope: Scope,
    name: FunctionName,
  ): { readonly version: FunctionVersion; readonly updateId: string | undefined } | undefined;
  list(scope: Scope, after: FunctionPosition, count: number, which: 'latest' | 'all'): FunctionVersion[];
  listVersions(scope: Scope, name: FunctionName, after: number, count: number): FunctionVersion[];
  /** Versions that are stored as Pending or InProgress. */
  settling(): FunctionVersion[];
  references(): ContentReferences;
  /** Versions that run from this directory of the machine. */
  runningFrom(directory: string): FunctionVersion[];
};

export function createFunctionStore(database: Database): FunctionStore {
  const ofFunction = 'region = :region AND account = :account AND name = :name';
  const insertFunction = database.prepare(
    'INSERT INTO function VALUES (:region, :account, :name, :tags) ON CONFLICT DO NOTHING',
  );
  const removeFunction = database.prepare(`DELETE FROM function WHERE ${ofFunction}`);
  const tags = database.prepare<{ tags: string }>(`SELECT tags FROM function WHERE ${ofFunction}`);
  const setTags = database.prepare(`UPDATE function SET tags = :tags WHERE ${ofFunction}`);
  const takeNumber = database.prepare<{ last_version: number }>(`
    INSERT INTO function_numbering VALUES (:region, :account, :name, 1)
    ON CONFLICT DO UPDATE SET last_version = last_version + 1 RETURNING last_version`);
  const put = database.prepare(`
    INSERT OR REPLACE INTO function_version VALUES (:region, :account, :name, :version, :configuration, :code, :state,
      :is_settling, :revision_id, :last_modified, :published_from, :digest, :layer_digests, :code_size)`);
  const putState = database.prepare(`
    UPDATE function_version SET state = :state, is_settling = :is_settling, revision_id = :revision_id
    WHERE ${ofFunction} AND version = :version`);
  const remove = database.prepare(`DELETE FROM function_version WHERE ${ofFunction} AND version = :version`);
  const versions = database.prepare<Row>(`SELECT * FROM function_version WHERE ${ofFunction} ORDER BY version`);
  const lastPublished = database.prepare<Row>(
    `SELECT * FROM function_version WHERE ${ofFunction} AND version > 0 ORDER BY version DESC LIMIT 1`,
  );
  const latestUpdate = database.prepare<Pick<Row, 'published_from'>>(
    `SELECT published_from FROM function_version WHERE ${ofFunction} AND version = 0`,
  );
  const list = database.prepare<Row>(`
    SELECT * FROM function_version WHERE region = :region AND account = :account AND (name, version) > (:name, :version)
    ORDER BY name, version LIMIT :count`);
  const listLatest = database.prepare<Row>(`
    SELECT v.* FROM function JOIN function_version AS v USING (region, account, name)
    WHERE region = :region AND account = :account AND name > :name AND v.version = 0 ORDER BY name LIMIT :count`);
  const listVersions = database.prepare<Row>(
    `SELECT * FROM function_version WHERE ${ofFunction} AND version > :after ORDER BY version LIMIT :count`,
  );
  const settling = database.prepare<Row>('SELECT * FROM function_version WHERE is_settling = 1');
  const digests = database.prepare<{ digest: string }>(
    'SELECT DISTINCT digest FROM function_version WHERE digest IS NOT NULL',
  );
  const layerLists = database.prepare<{ layer_digests: string }>(
    "SELECT DISTINCT layer_digests FROM function_version WHERE layer_digests <> ''",
  );
  const withoutArchive = database.prepare<Row>('SELECT * FROM function_version WHERE digest IS NULL');
  const key = (scope: Scope, name: FunctionName) => ({ region: scope.region, account: scope.account, name });

  return {
    insertFunction: (scope, name, newTags) =>
      insertFunction.run({ ...key(scope, name), tags: JSON.stringify(newTags) }).changes > 0,
    removeFunction(scope, name) {
      removeFunction.run(key(scope, name));
    },
    tags(scope, name) {
      const row = tags.get(key(scope, name));
      return row && JSON.parse(row.tags);
    },
    setTags(scope, name, newTags) {
      setTags.run({ ...key(scope, name), tags: JSON.stringify(newTags) });
    },
    nextVersion(scope, name) {
      const taken = takeNumber.get(key(scope, name));
      if (taken === undefined) throw new Error('the database returned no version number');
      return taken.last_version;
    },
    put(version, updateId) {
      put.run(rowOf(version, updateId));
    },
    latestUpdate(scope, name) {
      const row = latestUpdate.get(key(scope, name));
      assert(row?.published_from, 'every $LATEST shows an update');
      return row.published_from;
    },
    putState(version) {
      const { state, is_settling, revision_id, version: number } = rowOf(version, undefined);
      putState.run({ ...key(version.scope, version.name), version: number, state, is_settling, revision_id });
    },
    remove(scope, name, version) {
      remove.run({ ...key(scope, name), version });
    },
    versions: (scope, name) => versions.all(key(scope, name)).map(functionVersionOf),
    lastPublished(scope, name) {
      const row = lastPublished.get(key(scope, name));
      return row && { version: functionVersionOf(row), updateId: row.published_from ?? undefined };
    },
    list(scope, after, count, which) {
      const from = { region: scope.region, account: scope.account, count, name: after.name };
      const rows = which === 'all' ? list.all({ ...from, version: after.version }) : listLatest.all(from);
      return rows.map(functionVersionOf);
    },
    listVersions: (scope, name, after, count) =>
      listVersions.all({ ...key(scope, name), after, count }).map(functionVersionOf),
    settling: () => settling.all().map(functionVersionOf),
    runningFrom: (directory) =>
      withoutArchive
        .all()
        .map(functionVersionOf)
        .filter(({ code }) => code.directory === directory),
    references: () => ({
      code: digests.all().map(({ digest }) => digest as ContentDigest),
      layers: layerLists.all().map(({ layer_digests }) => layer_digests.split(' ') as ContentDigest[]),
    }),
  };
}

/** The version's number in the database. */
export function numberOf(version: Version): number {
  return version === '$LATEST' ? 0 : Number(version);
}

function rowOf(version: FunctionVersion, updateId: string | undefined): Row {
  const state: State = {
    state: version.state,
    stateReason: version.stateReason,
    stateReasonCode: version.stateReasonCode,
    lastUpdateStatus: version.lastUpdateStatus,
    lastUpdateStatusReason: version.lastUpdateStatusReason,
    lastUpdateStatusReasonCode: version.lastUpdateStatusReasonCode,
  };
  return {
    region: version.scope.region,
    account: version.scope.account,
    name: version.name,
    version: numberOf(version.version),
    configuration: JSON.stringify(version.configuration),
    code: JSON.stringify(version.code),
    state: JSON.stringify(state),
    is_settling: isSettling(version) ? 1 : 0,
    revision_id: version.revisionId,
    last_modified: version.lastModified,
    published_from: updateId ?? null,
    digest: version.code.digest ?? null,
    layer_digests: version.configuration.layers.map(({ digest }) => digest).join(' '),
    code_size: version.code.codeSize,
  };
}

function functionVersionOf(row: Row): FunctionVersion {
  const scope = { region: row.region, account: row.account };
  const version: Version = row.version === 0 ? '$LATEST' : `${row.version}`;
  const state: State = JSON.parse(row.state);
  return {
    scope,
    name: row.name as FunctionName,
    version,
    arn: renderFunctionArn(scope, row.name, version === '$LATEST' ? undefined : version),
    configuration: JSON.parse(row.configuration),
    code: JSON.parse(row.code),
    revisionId: row.revision_id,
    lastModified: row.last_modified,
    state: state.state,
    stateReason: state.stateReason,
    stateReasonCode: state.stateReasonCode,
    lastUpdateStatus: state.lastUpdateStatus,
    lastUpdateStatusReason: state.lastUpdateStatusReason,
    lastUpdateStatusReasonCode: state.lastUpdateStatusReasonCode,
  };
}
