/** The SQL of layers. The rules are in `layers.ts`. */
import { renderLayerVersionArn } from '../protocol/arn.ts';
import type { LayerName, Scope } from '../protocol/names.ts';
import type { Database } from '../storage/database.ts';
import type { ContentDigest, LayerVersion } from './layer.ts';

type Row = {
  region: string;
  account: string;
  name: string;
  version: number;
  description: string;
  created_date: string;
  compatible_runtimes: string;
  compatible_architectures: string;
  license_info: string | null;
  digest: string;
  code_sha256: string;
  code_size: number;
  unzipped_size: number;
  stored: string;
};

/** Selects compatible layer versions. Undefined selects all. */
export type LayerFilter = { readonly runtime: string | undefined; readonly architecture: string | undefined };

export type LayerStore = {
  /** Allocates the next version number of a layer. It is never reused. */
  nextVersion(scope: Scope, name: LayerName): number;
  insert(version: LayerVersion): void;
  find(scope: Scope, name: LayerName, version: number): LayerVersion | undefined;
  /** Versions below `before`, newest first. */
  versions(scope: Scope, name: LayerName, filter: LayerFilter, before: number, count: number): LayerVersion[];
  /** The newest version of each layer whose name comes after `after`, by name. */
  latest(scope: Scope, filter: LayerFilter, after: string, count: number): LayerVersion[];
  remove(scope: Scope, name: LayerName, version: number): void;
  /** The digests of all layer versions of all scopes. */
  digests(): ContentDigest[];
};

export function createLayerStore(database: Database): LayerStore {
  const isCompatible = `
    (:runtime IS NULL OR EXISTS (SELECT 1 FROM json_each(v.compatible_runtimes) WHERE value = :runtime)) AND
    (:architecture IS NULL OR EXISTS (SELECT 1 FROM json_each(v.compatible_architectures) WHERE value = :architecture))`;
  const takeNumber = database.prepare<{ last_version: number }>(`
    INSERT INTO layer (region, account, name, last_version) VALUES (:region, :account, :name, 1)
    ON CONFLICT DO UPDATE SET last_version = last_version + 1 RETURNING last_version`);
  const insert = database.prepare(`
    INSERT INTO layer_version VALUES (:region, :account, :name, :version, :description, :created_date,
      :compatible_runtimes, :compatible_architectures, :license_info, :digest, :code_sha256, :code_size,
      :unzipped_size, :stored)`);
  const find = database.prepare<Row>(
    'SELECT * FROM layer_version WHERE region = ? AND account = ? AND name = ? AND version = ?',
  );
  const versions = database.prepare<Row>(`
    SELECT * FROM layer_version AS v
    WHERE region = :region AND account = :account AND name = :name AND version < :before AND ${isCompatible}
    ORDER BY version DESC LIMIT :count`);
  const latest = database.prepare<Row>(`
    SELECT v.* FROM layer JOIN layer_version AS v USING (region, account, name)
    WHERE region = :region AND account = :account AND name > :after AND v.version = (
      SELECT max(v.version) FROM layer_version AS v
      WHERE v.region = layer.region AND v.account = layer.account AND v.name = layer.name AND ${isCompatible})
    ORDER BY name LIMIT :count`);
  const remove = database.prepare(
    'DELETE FROM layer_version WHERE region = ? AND account = ? AND name = ? AND version = ?',
  );
  const digests = database.prepare<{ digest: string }>('SELECT DISTINCT digest FROM layer_version');
  const filterOf = ({ runtime, architecture }: LayerFilter) => ({
    runtime: runtime ?? null,
    architecture: architecture ?? null,
  });

  return {
    nextVersion(scope, name) {
      const taken = takeNumber.get({ ...keyOf(scope), name });
      if (taken === undefined) throw new Error('the database returned no version number');
      return taken.last_version;
    },
    insert(version) {
      insert.run(rowOf(version));
    },
    find(scope, name, version) {
      const row = find.get(scope.region, scope.account, name, version);
      return row && layerVersionOf(row);
    },
    versions: (scope, name, filter, before, count) =>
      versions.all({ ...keyOf(scope), name, before, count, ...filterOf(filter) }).map(layerVersionOf),
    latest: (scope, filter, after, count) =>
      latest.all({ ...keyOf(scope), after, count, ...filterOf(filter) }).map(layerVersionOf),
    remove(scope, name, version) {
      remove.run(scope.region, scope.account, name, version);
    },
    digests: () => digests.all().map(({ digest }) => digest as ContentDigest),
  };
}

function keyOf({ region, account }: Scope): { region: string; account: string } {
  return { region, account };
}

function rowOf(version: LayerVersion): Row {
  return {
    ...keyOf(version.scope),
    name: version.name,
    version: version.version,
    description: version.description,
    created_date: version.createdDate,
    compatible_runtimes: JSON.stringify(version.compatibleRuntimes ?? null),
    compatible_architectures: JSON.stringify(version.compatibleArchitectures ?? null),
    license_info: version.licenseInfo ?? null,
    digest: version.digest,
    code_sha256: version.codeSha256,
    code_size: version.codeSize,
    unzipped_size: version.unzippedSize,
    stored: JSON.stringify(version.stored),
  };
}

function layerVersionOf(row: Row): LayerVersion {
  const scope = { region: row.region, account: row.account };
  return {
    scope,
    name: row.name as LayerName,
    version: row.version,
    arn: renderLayerVersionArn(scope, row.name, row.version),
    description: row.description,
    createdDate: row.created_date,
    compatibleRuntimes: JSON.parse(row.compatible_runtimes) ?? undefined,
    compatibleArchitectures: JSON.parse(row.compatible_architectures) ?? undefined,
    licenseInfo: row.license_info ?? undefined,
    digest: row.digest as ContentDigest,
    codeSha256: row.code_sha256,
    codeSize: row.code_size,
    unzippedSize: row.unzipped_size,
    stored: JSON.parse(row.stored),
  };
}
