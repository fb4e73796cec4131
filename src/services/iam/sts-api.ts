/**
 * The part of STS that Lambda's users need: the caller's identity and temporary keys. Every role can be assumed,
 * because trust policies are not evaluated. Issued keys are stored, so that requests with them have the session's
 * identity.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { parseRoleArn, renderAccountArn, renderAssumedRoleArn } from '../../protocol/arn.ts';
import { renderIsoSeconds } from '../../protocol/dates.ts';
import type { Scope } from '../../protocol/names.ts';
import { STS_NAMESPACE, STS_OPERATIONS, STS_VERSION } from '../../protocol/sts-operations.ts';
import type { Database } from '../../storage/database.ts';
import type { ServiceApi } from '../../wire/api-call.ts';
import { createQueryApi, QueryError } from '../../wire/query-protocol.ts';
import type { AccessKey } from '../../wire/sigv4.ts';
import type { XmlStructure } from '../../wire/xml.ts';
import type { IamApi } from './iam-api.ts';
import { createUniqueId } from './iam-rules.ts';

export type StsApi = ServiceApi & {
  /** A temporary access key. Undefined for an unknown one. */
  keyOf(accessKeyId: string): AccessKey | undefined;
  /** The identity of an access key: its session's, or the account's root. */
  identityOf(accessKeyId: string | undefined, scope: Scope): Identity;
};

export type StsApiOptions = {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly iam: Pick<IamApi, 'roleId'>;
  /** Returns the function and role that an access key was issued for; undefined for other keys. Optional. */
  readonly functionIdentityOf?:
    | ((accessKeyId: string) => { readonly roleArn: string; readonly functionName: string } | undefined)
    | undefined;
};

type SessionRow = {
  readonly access_key_id: string;
  readonly secret_access_key: string;
  readonly account: string;
  readonly arn: string;
  readonly user_id: string;
  readonly expires_ms: number;
};

export type Identity = { readonly account: string; readonly arn: string; readonly userId: string };

/** How long expired keys are reported as expired instead of as unknown. */
const KEPT_EXPIRED_MS = 24 * 3600_000;
const DEFAULT_ROLE_SECONDS = 3600;
const DEFAULT_TOKEN_SECONDS = 12 * 3600;

/** Creates the handler of STS's requests. */
export function createStsApi({ database, clock, log, iam, functionIdentityOf }: StsApiOptions): StsApi {
  const sql = {
    session: database.prepare<SessionRow>('SELECT * FROM sts_session WHERE access_key_id = ?'),
    insert: database.prepare('INSERT INTO sts_session VALUES (?, ?, ?, ?, ?, ?)'),
    deleteExpired: database.prepare('DELETE FROM sts_session WHERE expires_ms <= ?'),
  };
  const sessionOf = (accessKeyId: string) => {
    const session = sql.session.get(accessKeyId);
    return session !== undefined && session.expires_ms > clock.epochMs() ? session : undefined;
  };

  const identityOf = (accessKeyId: string | undefined, scope: Scope): Identity => {
    const session = accessKeyId === undefined ? undefined : sessionOf(accessKeyId);
    if (session !== undefined) return { account: session.account, arn: session.arn, userId: session.user_id };
    const caller = accessKeyId === undefined ? undefined : functionIdentityOf?.(accessKeyId);
    return (
      (caller && roleSession(caller.roleArn, caller.functionName, scope)) ?? {
        account: scope.account,
        arn: renderAccountArn(scope),
        userId: scope.account,
      }
    );
  };

  /** A session of a role; undefined if the ARN is not a role's. The role need not exist. */
  const roleSession = (roleArn: string, sessionName: string, scope: Scope): Identity | undefined => {
    const role = parseRoleArn(roleArn);
    if (role === undefined) return undefined;
    const roleScope = { ...scope, account: role.account };
    const roleId = iam.roleId(roleScope, roleArn) ?? createUniqueId('AROA', roleArn);
    return {
      account: role.account,
      arn: renderAssumedRoleArn(roleScope, role.name, sessionName),
      userId: `${roleId}:${sessionName}`,
    };
  };

  const startSession = (identity: Identity, seconds: number): XmlStructure => {
    const nowMs = Math.trunc(clock.epochMs());
    const expiresMs = nowMs + seconds * 1000;
    const accessKeyId = createUniqueId('ASIA');
    const secret = randomBytes(30).toString('base64');
    database.transaction(() => {
      sql.deleteExpired.run(nowMs - KEPT_EXPIRED_MS);
      sql.insert.run(accessKeyId, secret, identity.account, identity.arn, identity.userId, expiresMs);
    });
    return {
      AccessKeyId: accessKeyId,
      SecretAccessKey: secret,
      SessionToken: tokenOf(secret),
      Expiration: renderIsoSeconds(expiresMs),
    };
  };

  const api = createQueryApi({
    name: 'STS',
    version: STS_VERSION,
    namespace: STS_NAMESPACE,
    operations: STS_OPERATIONS,
    handlers: {
      GetCallerIdentity: (_input, { accessKeyId, scope }) => {
        const { account, arn, userId } = identityOf(accessKeyId, scope);
        return { Arn: arn, UserId: userId, Account: account };
      },
      AssumeRole: (input, { scope }) => {
        const identity = roleSession(input.RoleArn, input.RoleSessionName, scope);
        if (identity === undefined) throw new QueryError('ValidationError', 400, `${input.RoleArn} is invalid`);
        return {
          Credentials: startSession(identity, input.DurationSeconds ?? DEFAULT_ROLE_SECONDS),
          AssumedRoleUser: { AssumedRoleId: identity.userId, Arn: identity.arn },
          SourceIdentity: input.SourceIdentity,
        };
      },
      GetSessionToken: (input, { accessKeyId, scope }) => ({
        Credentials: startSession(identityOf(accessKeyId, scope), input.DurationSeconds ?? DEFAULT_TOKEN_SECONDS),
      }),
      GetAccessKeyInfo: (input, { scope }) => ({ Account: identityOf(input.AccessKeyId, scope).account }),
    },
    log,
  });
  return {
    ...api,
    keyOf(accessKeyId) {
      const session = sql.session.get(accessKeyId);
      if (session === undefined) return undefined;
      const secret = session.secret_access_key;
      return { secret, sessionToken: tokenOf(secret), expiresMs: session.expires_ms };
    },
    identityOf,
  };
}

/** The session token of a key. Derived from the secret, so that it need not be stored. */
function tokenOf(secret: string): string {
  return ['1', '2', '3'].map((part) => createHmac('sha256', secret).update(`token ${part}`).digest('base64')).join('');
}
