/** Secrets and their versions, in the database. Values are stored as they are. */
import type { Clock } from '../../clock.ts';
import type { Scope } from '../../protocol/names.ts';
import type { Database } from '../../storage/database.ts';

export type Secret = {
  readonly scope: Scope;
  readonly name: string;
  readonly arn: string;
  readonly createdMs: number;
  readonly changedMs: number;
  /** The start of the day of the last reading. */
  readonly accessedMs?: number | undefined;
  /** When it was marked for deletion, and when it is deleted. */
  readonly deletion?: { readonly markedMs: number; readonly atMs: number } | undefined;
  readonly description?: string | undefined;
  readonly keyId?: string | undefined;
  /** JSON text. */
  readonly policy?: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
  /** Oldest first. */
  readonly versions: readonly SecretVersion[];
};

export type SecretVersion = {
  readonly id: string;
  readonly createdMs: number;
  readonly stages: readonly string[];
  readonly value: SecretValue;
};

/** One of the two. `binary` is base64 text. */
export type SecretValue = { readonly string?: string | undefined; readonly binary?: string | undefined };

export type SecretStore = {
  save(secret: Secret): void;
  /** By name. */
  find(scope: Scope, name: string): Secret | undefined;
  /** Ordered by name, from after the name `after`. */
  list(scope: Scope, after: string): Iterable<Secret>;
  remove(secret: Secret): void;
};

const PAGE = 100;

export function createSecretStore({ database, clock }: { database: Database; clock: Clock }): SecretStore {
  type Row = { document: string };
  const sql = {
    save: database.prepare('INSERT OR REPLACE INTO secret VALUES (:region, :account, :name, :document)'),
    find: database.prepare<Row>(
      'SELECT document FROM secret WHERE region = :region AND account = :account AND name = :name',
    ),
    list: database.prepare<Row>(
      `SELECT document FROM secret WHERE region = :region AND account = :account AND name > :after
         ORDER BY name LIMIT ${PAGE}`,
    ),
    remove: database.prepare('DELETE FROM secret WHERE region = :region AND account = :account AND name = :name'),
  };
  const key = ({ region, account }: Scope, name: string) => ({ region, account, name });
  /** A secret whose time has come is gone, whether or not its row still exists. */
  const unlessOver = (secret: Secret): Secret | undefined => {
    if (secret.deletion === undefined || secret.deletion.atMs > clock.epochMs()) return secret;
    sql.remove.run(key(secret.scope, secret.name));
    return undefined;
  };
  return {
    save: (secret) => void sql.save.run({ ...key(secret.scope, secret.name), document: JSON.stringify(secret) }),
    find(scope, name) {
      const row = sql.find.get(key(scope, name));
      return row && unlessOver(JSON.parse(row.document) as Secret);
    },
    *list(scope, after) {
      let last = after;
      for (;;) {
        const secrets = sql.list
          .all({ region: scope.region, account: scope.account, after: last })
          .map(({ document }) => JSON.parse(document) as Secret);
        for (const secret of secrets) {
          const kept = unlessOver(secret);
          if (kept) yield kept;
        }
        const end = secrets.at(-1);
        if (end === undefined || secrets.length < PAGE) return;
        last = end.name;
      }
    },
    remove: ({ scope, name }) => void sql.remove.run(key(scope, name)),
  };
}
