/**
 * Roles and policies in the database. Their names are case-insensitive. Checks and errors are the handlers'.
 */
import type { Database } from '../../storage/database.ts';

export type Tags = Readonly<Record<string, string>>;

export type Role = {
  readonly account: string;
  readonly name: string;
  readonly path: string;
  /** `AROA...` */
  readonly roleId: string;
  readonly trustPolicy: string;
  readonly description: string | undefined;
  /** Seconds. */
  readonly maxSessionDuration: number;
  /** ARN of a policy. */
  readonly permissionsBoundary: string | undefined;
  readonly createdMs: number;
  readonly tags: Tags;
};

export type Policy = {
  readonly account: string;
  readonly name: string;
  readonly path: string;
  readonly arn: string;
  /** `ANPA...` */
  readonly policyId: string;
  readonly description: string | undefined;
  readonly defaultVersion: number;
  readonly lastVersion: number;
  readonly createdMs: number;
  readonly updatedMs: number;
  readonly tags: Tags;
};

export type PolicyVersion = { readonly version: number; readonly document: string; readonly createdMs: number };

export type InlinePolicy = { readonly name: string; readonly document: string };

export type IamStore = ReturnType<typeof createIamStore>;

type RoleRow = {
  readonly account: string;
  readonly name: string;
  readonly path: string;
  readonly role_id: string;
  readonly trust_policy: string;
  readonly description: string | null;
  readonly max_session_duration: number;
  readonly permissions_boundary: string | null;
  readonly created_ms: number;
  readonly tags: string;
};

type PolicyRow = {
  readonly account: string;
  readonly name: string;
  readonly path: string;
  readonly arn: string;
  readonly policy_id: string;
  readonly description: string | null;
  readonly default_version: number;
  readonly last_version: number;
  readonly created_ms: number;
  readonly updated_ms: number;
  readonly tags: string;
};

type PolicyVersionRow = { readonly version: number; readonly document: string; readonly created_ms: number };

/** Opens the store on a migrated database. Lists are sorted by name. */
export function createIamStore(database: Database) {
  const sql = {
    role: database.prepare<RoleRow>('SELECT * FROM iam_role WHERE account = ? AND name = ?'),
    roles: database.prepare<RoleRow>(`
      SELECT * FROM iam_role WHERE account = ? AND substr(path, 1, length(?2)) = ?2 AND name > ? ORDER BY name LIMIT ?`),
    saveRole: database.prepare(`
      INSERT INTO iam_role VALUES
        (:account, :name, :path, :roleId, :trustPolicy, :description, :maxSessionDuration, :boundary, :createdMs, :tags)
      ON CONFLICT (account, name) DO UPDATE SET
        trust_policy = :trustPolicy, description = :description, max_session_duration = :maxSessionDuration,
        permissions_boundary = :boundary, tags = :tags`),
    deleteRole: database.prepare('DELETE FROM iam_role WHERE account = ? AND name = ?'),
    boundedRoles: database.prepare<RoleRow>(
      'SELECT * FROM iam_role WHERE account = ? AND permissions_boundary = ? ORDER BY name',
    ),
    inlinePolicies: database.prepare<InlinePolicy>(
      'SELECT name, document FROM iam_role_inline_policy WHERE account = ? AND role = ? ORDER BY name',
    ),
    saveInlinePolicy: database.prepare('INSERT OR REPLACE INTO iam_role_inline_policy VALUES (?, ?, ?, ?)'),
    deleteInlinePolicy: database.prepare(
      'DELETE FROM iam_role_inline_policy WHERE account = ? AND role = ? AND name = ?',
    ),
    attachments: database.prepare<{ policy_arn: string }>(
      'SELECT policy_arn FROM iam_role_attachment WHERE account = ? AND role = ? ORDER BY policy_arn',
    ),
    attach: database.prepare('INSERT OR IGNORE INTO iam_role_attachment VALUES (?, ?, ?)'),
    detach: database.prepare('DELETE FROM iam_role_attachment WHERE account = ? AND role = ? AND policy_arn = ?'),
    attachedRoles: database.prepare<RoleRow>(`
      SELECT r.* FROM iam_role_attachment AS a JOIN iam_role AS r ON r.account = a.account AND r.name = a.role
      WHERE a.account = ? AND a.policy_arn = ? ORDER BY r.name`),
    attachedArns: database.prepare<{ policy_arn: string }>(
      'SELECT DISTINCT policy_arn FROM iam_role_attachment WHERE account = ? ORDER BY policy_arn',
    ),
    policyByName: database.prepare<PolicyRow>('SELECT * FROM iam_policy WHERE account = ? AND name = ?'),
    policyByArn: database.prepare<PolicyRow>('SELECT * FROM iam_policy WHERE account = ? AND arn = ?'),
    policies: database.prepare<PolicyRow>('SELECT * FROM iam_policy WHERE account = ? ORDER BY name'),
    savePolicy: database.prepare(`
      INSERT INTO iam_policy VALUES
        (:account, :name, :path, :arn, :policyId, :description, :defaultVersion, :lastVersion, :createdMs, :updatedMs, :tags)
      ON CONFLICT (account, name) DO UPDATE SET
        default_version = :defaultVersion, last_version = :lastVersion, updated_ms = :updatedMs, tags = :tags`),
    deletePolicy: database.prepare('DELETE FROM iam_policy WHERE account = ? AND arn = ?'),
    versions: database.prepare<PolicyVersionRow>(
      'SELECT version, document, created_ms FROM iam_policy_version WHERE account = ? AND policy_arn = ? ORDER BY version DESC',
    ),
    saveVersion: database.prepare('INSERT INTO iam_policy_version VALUES (?, ?, ?, ?, ?)'),
    deleteVersion: database.prepare(
      'DELETE FROM iam_policy_version WHERE account = ? AND policy_arn = ? AND version = ?',
    ),
  };

  return {
    transaction: <Result>(action: () => Result): Result => database.transaction(action),

    role(account: string, name: string): Role | undefined {
      const row = sql.role.get(account, name);
      return row && roleOf(row);
    },
    /** Up to `limit` roles after the name `after` whose path starts with `pathPrefix`. */
    roles(account: string, pathPrefix: string, after: string, limit: number): readonly Role[] {
      return sql.roles.all(account, pathPrefix, after, limit).map(roleOf);
    },
    saveRole(role: Role): void {
      sql.saveRole.run({
        account: role.account,
        name: role.name,
        path: role.path,
        roleId: role.roleId,
        trustPolicy: role.trustPolicy,
        description: role.description ?? null,
        maxSessionDuration: role.maxSessionDuration,
        boundary: role.permissionsBoundary ?? null,
        createdMs: role.createdMs,
        tags: JSON.stringify(role.tags),
      });
    },
    /** The role must have no inline and no attached policies. */
    deleteRole(role: Role): void {
      sql.deleteRole.run(role.account, role.name);
    },

    inlinePolicies(role: Role): readonly InlinePolicy[] {
      return sql.inlinePolicies.all(role.account, role.name);
    },
    saveInlinePolicy(role: Role, name: string, document: string): void {
      sql.saveInlinePolicy.run(role.account, role.name, name, document);
    },
    /** False if there is no policy of this name. */
    deleteInlinePolicy(role: Role, name: string): boolean {
      return sql.deleteInlinePolicy.run(role.account, role.name, name).changes > 0;
    },

    attachments(role: Role): readonly string[] {
      return sql.attachments.all(role.account, role.name).map(({ policy_arn }) => policy_arn);
    },
    attach(role: Role, policyArn: string): void {
      sql.attach.run(role.account, role.name, policyArn);
    },
    /** False if the policy was not attached. */
    detach(role: Role, policyArn: string): boolean {
      return sql.detach.run(role.account, role.name, policyArn).changes > 0;
    },
    attachedRoles(account: string, policyArn: string): readonly Role[] {
      return sql.attachedRoles.all(account, policyArn).map(roleOf);
    },
    attachedArns(account: string): readonly string[] {
      return sql.attachedArns.all(account).map(({ policy_arn }) => policy_arn);
    },
    boundedRoles(account: string, policyArn: string): readonly Role[] {
      return sql.boundedRoles.all(account, policyArn).map(roleOf);
    },

    policyNamed(account: string, name: string): Policy | undefined {
      const row = sql.policyByName.get(account, name);
      return row && policyOf(row);
    },
    policy(account: string, arn: string): Policy | undefined {
      const row = sql.policyByArn.get(account, arn);
      return row && policyOf(row);
    },
    policies(account: string): readonly Policy[] {
      return sql.policies.all(account).map(policyOf);
    },
    savePolicy(policy: Policy): void {
      sql.savePolicy.run({
        account: policy.account,
        name: policy.name,
        path: policy.path,
        arn: policy.arn,
        policyId: policy.policyId,
        description: policy.description ?? null,
        defaultVersion: policy.defaultVersion,
        lastVersion: policy.lastVersion,
        createdMs: policy.createdMs,
        updatedMs: policy.updatedMs,
        tags: JSON.stringify(policy.tags),
      });
    },
    /** Deletes the policy and its versions. */
    deletePolicy(policy: Policy): void {
      sql.deletePolicy.run(policy.account, policy.arn);
    },
    /** Newest first. */
    versions(policy: Policy): readonly PolicyVersion[] {
      return sql.versions
        .all(policy.account, policy.arn)
        .map(({ version, document, created_ms }) => ({ version, document, createdMs: created_ms }));
    },
    saveVersion(policy: Policy, { version, document, createdMs }: PolicyVersion): void {
      sql.saveVersion.run(policy.account, policy.arn, version, document, createdMs);
    },
    deleteVersion(policy: Policy, version: number): void {
      sql.deleteVersion.run(policy.account, policy.arn, version);
    },
  };
}

function roleOf(row: RoleRow): Role {
  return {
    account: row.account,
    name: row.name,
    path: row.path,
    roleId: row.role_id,
    trustPolicy: row.trust_policy,
    description: row.description ?? undefined,
    maxSessionDuration: row.max_session_duration,
    permissionsBoundary: row.permissions_boundary ?? undefined,
    createdMs: row.created_ms,
    tags: JSON.parse(row.tags) as Tags,
  };
}

function policyOf(row: PolicyRow): Policy {
  return {
    account: row.account,
    name: row.name,
    path: row.path,
    arn: row.arn,
    policyId: row.policy_id,
    description: row.description ?? undefined,
    defaultVersion: row.default_version,
    lastVersion: row.last_version,
    createdMs: row.created_ms,
    updatedMs: row.updated_ms,
    tags: JSON.parse(row.tags) as Tags,
  };
}
