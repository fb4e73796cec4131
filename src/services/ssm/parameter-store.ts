/** Parameters of Parameter Store and their versions, in the database. Values are stored as they are, also those of SecureStrings. */
import type { Clock } from '../../clock.ts';
import { renderParameterArn } from '../../protocol/arn.ts';
import type { Scope } from '../../protocol/names.ts';
import { SSM_QUOTAS } from '../../protocol/ssm-operations.ts';
import type { Database } from '../../storage/database.ts';

export type ParameterType = 'String' | 'StringList' | 'SecureString';

/** What a client sets. Each version has its own. */
export type ParameterDraft = {
  readonly value: string;
  readonly type: ParameterType;
  readonly dataType: string;
  readonly tier: 'Standard' | 'Advanced';
  /** The KMS key of a SecureString. */
  readonly keyId?: string | undefined;
  readonly description?: string | undefined;
  readonly allowedPattern?: string | undefined;
  /** JSON text. */
  readonly policies?: string | undefined;
};

export type Parameter = ParameterDraft & {
  readonly scope: Scope;
  readonly name: string;
  readonly arn: string;
  readonly version: number;
  readonly modifiedMs: number;
  readonly labels: readonly string[];
};

export type ParameterStore = {
  /** Adds a version, the first or the next, and deletes the oldest beyond 100. */
  put(scope: Scope, name: string, draft: ParameterDraft): Parameter;
  /** The latest version. */
  find(scope: Scope, name: string): Parameter | undefined;
  /** All versions, oldest first. */
  versions(scope: Scope, name: string): Parameter[];
  /** The latest versions of parameters whose names start with `prefix`, in order, from after the name `after`. */
  list(scope: Scope, prefix: string, after: string): Iterable<Parameter>;
  remove(scope: Scope, name: string): boolean;
  setLabels(parameter: Parameter, labels: readonly string[]): void;
  tags(scope: Scope, name: string): Readonly<Record<string, string>>;
  setTags(scope: Scope, name: string, tags: Readonly<Record<string, string>>): void;
};

type Row = {
  region: string;
  account: string;
  name: string;
  version: number;
  modified_ms: number;
  document: string;
  labels: string;
};

const PAGE = 100;

export function createParameterStore({ database, clock }: { database: Database; clock: Clock }): ParameterStore {
  const ofParameter = 'region = :region AND account = :account AND name = :name';
  const latest = `version = (SELECT max(version) FROM ssm_parameter AS other WHERE other.region = ssm_parameter.region
    AND other.account = ssm_parameter.account AND other.name = ssm_parameter.name)`;
  const sql = {
    put: database.prepare(
      "INSERT INTO ssm_parameter VALUES (:region, :account, :name, :version, :modifiedMs, :document, '[]')",
    ),
    find: database.prepare<Row>(`SELECT * FROM ssm_parameter WHERE ${ofParameter} ORDER BY version DESC LIMIT 1`),
    versions: database.prepare<Row>(`SELECT * FROM ssm_parameter WHERE ${ofParameter} ORDER BY version`),
    list: database.prepare<Row>(
      `SELECT * FROM ssm_parameter WHERE region = :region AND account = :account AND name > :after
         AND substr(name, 1, length(:prefix)) = :prefix AND ${latest} ORDER BY name LIMIT ${PAGE}`,
    ),
    removeOld: database.prepare(`DELETE FROM ssm_parameter WHERE ${ofParameter} AND version <= :version`),
    remove: database.prepare(`DELETE FROM ssm_parameter WHERE ${ofParameter}`),
    setLabels: database.prepare(
      `UPDATE ssm_parameter SET labels = :labels WHERE ${ofParameter} AND version = :version`,
    ),
    tags: database.prepare<{ tags: string }>(`SELECT tags FROM ssm_parameter_tags WHERE ${ofParameter}`),
    setTags: database.prepare('INSERT OR REPLACE INTO ssm_parameter_tags VALUES (:region, :account, :name, :tags)'),
    removeTags: database.prepare(`DELETE FROM ssm_parameter_tags WHERE ${ofParameter}`),
  };
  const key = ({ region, account }: Scope, name: string) => ({ region, account, name });

  const store: ParameterStore = {
    put: (scope, name, draft) =>
      database.transaction(() => {
        const version = (store.find(scope, name)?.version ?? 0) + 1;
        const modifiedMs = Math.trunc(clock.epochMs());
        sql.put.run({ ...key(scope, name), version, modifiedMs, document: JSON.stringify(draft) });
        sql.removeOld.run({ ...key(scope, name), version: version - SSM_QUOTAS.versions });
        return { ...draft, scope, name, arn: renderParameterArn(scope, name), version, modifiedMs, labels: [] };
      }),
    find(scope, name) {
      const row = sql.find.get(key(scope, name));
      return row && parameterOf(row);
    },
    versions: (scope, name) => sql.versions.all(key(scope, name)).map(parameterOf),
    *list(scope, prefix, after) {
      let last = after;
      for (;;) {
        const rows = sql.list.all({ region: scope.region, account: scope.account, prefix, after: last });
        yield* rows.map(parameterOf);
        const row = rows.at(-1);
        if (row === undefined || rows.length < PAGE) return;
        last = row.name;
      }
    },
    remove: (scope, name) =>
      database.transaction(() => {
        sql.removeTags.run(key(scope, name));
        return sql.remove.run(key(scope, name)).changes > 0;
      }),
    setLabels: ({ scope, name, version }, labels) =>
      void sql.setLabels.run({ ...key(scope, name), version, labels: JSON.stringify(labels) }),
    tags: (scope, name) => JSON.parse(sql.tags.get(key(scope, name))?.tags ?? '{}') as Record<string, string>,
    setTags: (scope, name, tags) => void sql.setTags.run({ ...key(scope, name), tags: JSON.stringify(tags) }),
  };
  return store;
}

function parameterOf({ region, account, name, version, modified_ms, document, labels }: Row): Parameter {
  const scope = { region, account };
  return {
    ...(JSON.parse(document) as ParameterDraft),
    scope,
    name,
    arn: renderParameterArn(scope, name),
    version,
    modifiedMs: modified_ms,
    labels: JSON.parse(labels) as string[],
  };
}
