/**
 * STS, as far as Lambda's users need it: who is calling, and temporary keys. Any role may be assumed: trust policies
 * are not evaluated. The keys handed out are remembered, so that a later call with them is known by its session.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { parseRoleArn, renderAccountArn, renderAssumedRoleArn } from '../../protocol/arn.ts';
import { renderIsoSeconds } from '../../protocol/dates.ts';
import type { Scope } from '../../protocol/names.ts';
import { STS_NAMESPACE, STS_OPERATIONS, STS_VERSION } from '../../protocol/sts-operations.ts';
import type { Database } from '../../storage/database.ts';
import type { ServiceHandler } from '../../wire/api-call.ts';
import { createQueryHandler, QueryError } from '../../wire/query-protocol.ts';
import type { XmlStructure } from '../../wire/xml.ts';
import type { IamApi } from './iam-api.ts';
import { createUniqueId } from './iam-rules.ts';

export type StsApi = {
  readonly handle: ServiceHandler;
  /** The secret of a temporary access key that has not expired. */
  secretOf(accessKeyId: string): string | undefined;
  /** Whom an access key stands for: its session, else the account itself. */
  identityOf(accessKeyId: string | undefined, scope: Scope): Identity;
};

export type StsApiOptions = {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly iam: Pick<IamApi, 'roleId'>;
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

const DEFAULT_ROLE_SECONDS = 3600;
const DEFAULT_TOKEN_SECONDS = 12 * 3600;

/** Answers for STS. */
export function createStsApi({ database, clock, log, iam }: StsApiOptions): StsApi {
  const sql = {
    session: database.prepare<SessionRow>('SELECT * FROM sts_session WHERE access_key_id = ? AND expires_ms > ?'),
    insert: database.prepare('INSERT INTO sts_session VALUES (?, ?, ?, ?, ?, ?)'),
    deleteExpired: database.prepare('DELETE FROM sts_session WHERE expires_ms <= ?'),
  };
  const sessionOf = (accessKeyId: string) => sql.session.get(accessKeyId, Math.trunc(clock.epochMs()));

  const identityOf = (accessKeyId: string | undefined, scope: Scope): Identity => {
    const session = accessKeyId === undefined ? undefined : sessionOf(accessKeyId);
    if (session !== undefined) return { account: session.account, arn: session.arn, userId: session.user_id };
    return {
      account: scope.account,
      arn: renderAccountArn(scope),
      userId: scope.account,
    };
  };

  const startSession = (identity: Identity, seconds: number): XmlStructure => {
    const nowMs = Math.trunc(clock.epochMs());
    const expiresMs = nowMs + seconds * 1000;
    const accessKeyId = createUniqueId('ASIA');
    const secret = randomBytes(30).toString('base64');
    database.transaction(() => {
      sql.deleteExpired.run(nowMs);
      sql.insert.run(accessKeyId, secret, identity.account, identity.arn, identity.userId, expiresMs);
    });
    return {
      AccessKeyId: accessKeyId,
      SecretAccessKey: secret,
      SessionToken: randomBytes(120).toString('base64'),
      Expiration: renderIsoSeconds(expiresMs),
    };
  };

  const handle = createQueryHandler({
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
        const role = parseRoleArn(input.RoleArn);
        if (role === undefined) throw new QueryError('ValidationError', 400, `${input.RoleArn} is invalid`);
        const roleId =
          iam.roleId({ ...scope, account: role.account }, input.RoleArn) ?? createUniqueId('AROA', input.RoleArn);
        const identity = {
          account: role.account,
          arn: renderAssumedRoleArn({ ...scope, account: role.account }, role.name, input.RoleSessionName),
          userId: `${roleId}:${input.RoleSessionName}`,
        };
        return {
          Credentials: startSession(identity, input.DurationSeconds ?? DEFAULT_ROLE_SECONDS),
          AssumedRoleUser: { AssumedRoleId: identity.userId, Arn: identity.arn },
          SourceIdentity: input.SourceIdentity,
        };
      },
      GetSessionToken: (input, { accessKeyId, scope }) => ({
        Credentials: startSession(identityOf(accessKeyId, scope), input.DurationSeconds ?? DEFAULT_TOKEN_SECONDS),
      }),
      GetAccessKeyInfo: (input, { scope }) => ({ Account: sessionOf(input.AccessKeyId)?.account ?? scope.account }),
    },
    log,
  });
  return { handle, secretOf: (accessKeyId) => sessionOf(accessKeyId)?.secret_access_key, identityOf };
}
