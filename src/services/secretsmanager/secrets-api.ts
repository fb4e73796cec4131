/**
 * Secrets Manager: what functions read at run time, and what stacks create. Rotation and replicas are refused by name.
 * https://docs.aws.amazon.com/secretsmanager/latest/apireference/
 */
import { randomInt, randomUUID } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { renderSecretArn } from '../../protocol/arn.ts';
import { parseJson } from '../../protocol/json.ts';
import type { Scope } from '../../protocol/names.ts';
import { SECRETS_OPERATIONS, SECRETS_QUOTAS, SECRETS_TARGET_PREFIX } from '../../protocol/secretsmanager-operations.ts';
import type { ServiceApi } from '../../wire/api-call.ts';
import { createJsonApi, JsonError } from '../../wire/json-protocol.ts';
import { createRandomPassword } from './random-password.ts';
import { filterSecrets, renderEntry } from './secret-list.ts';
import { findSecret, requireActiveSecret, requireSecret } from './secret-lookup.ts';
import type { Secret, SecretStore, SecretValue } from './secret-store.ts';
import { addVersion, CURRENT, moveStage, selectVersion } from './secret-versions.ts';

export type SecretsApiOptions = { readonly secrets: SecretStore; readonly clock: Clock; readonly log: Log };

const DAY_MS = 24 * 3600 * 1000;
const BODY_LIMIT_BYTES = 1024 * 1024;

/** Creates the API of Secrets Manager. */
export function createSecretsApi({ secrets, clock, log }: SecretsApiOptions): ServiceApi {
  const nowMs = () => Math.trunc(clock.epochMs());
  const active = (scope: Scope, id: string) => requireActiveSecret(secrets, scope, id);

  const readValue = (secret: Secret, wanted: { id?: string | undefined; stage?: string | undefined }): object => {
    const version = selectVersion(secret, wanted);
    const today = nowMs() - (nowMs() % DAY_MS);
    if (secret.accessedMs !== today) secrets.save({ ...secret, accessedMs: today });
    return {
      ARN: secret.arn,
      Name: secret.name,
      VersionId: version.id,
      SecretString: version.value.string,
      SecretBinary: version.value.binary,
      VersionStages: version.stages,
      CreatedDate: version.createdMs / 1000,
    };
  };

  return createJsonApi({
    name: 'Secrets Manager',
    targetPrefix: SECRETS_TARGET_PREFIX,
    operations: SECRETS_OPERATIONS,
    bodyLimitBytes: BODY_LIMIT_BYTES,
    log,
    handlers: {
      CreateSecret(input, { scope }) {
        const {
          Name: name,
          ClientRequestToken: token = randomUUID(),
          Description: description,
          KmsKeyId: keyId,
        } = input;
        if (input.AddReplicaRegions?.length) throw refusedReplicas();
        checkName(name);
        const value = givenValue(input);
        const tags = tagsOf(input.Tags);
        const known = secrets.find(scope, name);
        if (known?.deletion !== undefined) {
          const message =
            "You can't create this secret because a secret with this name is already scheduled for deletion.";
          throw new JsonError('InvalidRequestException', message);
        }
        const isSame = known?.versions.some(
          ({ id, value: stored }) => id === token && stored.string === value?.string && stored.binary === value?.binary,
        );
        if (known !== undefined && !isSame) {
          const message = `The operation failed because the secret ${name} already exists.`;
          throw new JsonError('ResourceExistsException', message);
        }
        const now = nowMs();
        const fresh: Secret = known ?? {
          scope,
          name,
          arn: renderSecretArn(scope, name, randomSuffix()),
          createdMs: now,
          changedMs: now,
          description,
          keyId,
          tags,
          versions: [],
        };
        const secret = value ? addVersion(fresh, { id: token, value, stages: [CURRENT], nowMs: now }) : fresh;
        secrets.save(secret);
        return { ARN: secret.arn, Name: name, VersionId: value && token };
      },

      GetSecretValue: ({ SecretId, VersionId: id, VersionStage: stage }, { scope }) =>
        readValue(active(scope, SecretId), { id, stage }),

      BatchGetSecretValue({ SecretIdList: ids, Filters, MaxResults = 20, NextToken }, { scope }) {
        if ((ids === undefined) === (Filters === undefined)) {
          throw invalid("Either 'SecretIdList' or 'Filters' must be provided, but not both.");
        }
        const page = ids ? { items: ids, nextToken: undefined } : namesPage(scope, { Filters, MaxResults, NextToken });
        const values: object[] = [];
        const errors: object[] = [];
        for (const id of page.items) {
          try {
            values.push(readValue(active(scope, id), {}));
          } catch (failure) {
            if (!(failure instanceof JsonError)) throw failure;
            errors.push({ SecretId: id, ErrorCode: failure.code, Message: failure.message });
          }
        }
        return { SecretValues: values, Errors: errors, NextToken: page.nextToken };
      },

      PutSecretValue(input, { scope }) {
        const secret = active(scope, input.SecretId);
        const value = givenValue(input);
        if (value === undefined) throw invalidRequest('You must provide either SecretString or SecretBinary.');
        const id = input.ClientRequestToken ?? randomUUID();
        const changed = addVersion(secret, { id, value, stages: input.VersionStages ?? [CURRENT], nowMs: nowMs() });
        secrets.save(changed);
        const stages = changed.versions.find((version) => version.id === id)?.stages;
        return { ARN: secret.arn, Name: secret.name, VersionId: id, VersionStages: stages };
      },

      UpdateSecret(input, { scope }) {
        const secret = active(scope, input.SecretId);
        const value = givenValue(input);
        const id = input.ClientRequestToken ?? randomUUID();
        const described = {
          ...secret,
          description: input.Description ?? secret.description,
          keyId: input.KmsKeyId ?? secret.keyId,
          changedMs: nowMs(),
        };
        secrets.save(value ? addVersion(described, { id, value, stages: [CURRENT], nowMs: nowMs() }) : described);
        return { ARN: secret.arn, Name: secret.name, VersionId: value && id };
      },

      UpdateSecretVersionStage(
        { SecretId, VersionStage: stage, RemoveFromVersionId: from, MoveToVersionId: to },
        { scope },
      ) {
        const secret = active(scope, SecretId);
        for (const id of [from, to]) if (id !== undefined) selectVersion(secret, { id });
        const holder = secret.versions.find(({ stages }) => stages.includes(stage))?.id;
        if (holder !== undefined && holder !== to && from !== holder) {
          throw invalid(
            `The parameter RemoveFromVersionId can't be empty. Staging label ${stage} is currently attached to version ${holder}, so you must explicitly reference that version in RemoveFromVersionId.`,
          );
        }
        if (stage === CURRENT && to === undefined) {
          throw invalid(
            `You can only move staging label ${CURRENT} to a different secret version. It can’t be completely removed.`,
          );
        }
        secrets.save({ ...moveStage(secret, stage, to), changedMs: nowMs() });
        return { ARN: secret.arn, Name: secret.name };
      },

      DescribeSecret: ({ SecretId }, { scope }) => {
        const { SecretVersionsToStages: versions, ...entry } = renderEntry(requireSecret(secrets, scope, SecretId));
        return { ...entry, VersionIdsToStages: versions };
      },

      ListSecrets({ IncludePlannedDeletion = false, SortOrder = 'desc', ...page }, { scope }) {
        const { items, nextToken } = namesPage(scope, {
          ...page,
          isDeletedToo: IncludePlannedDeletion,
          order: SortOrder,
        });
        const found = items.flatMap((name) => secrets.find(scope, name) ?? []);
        return { SecretList: found.map(renderEntry), NextToken: nextToken };
      },

      ListSecretVersionIds({ SecretId, MaxResults = 100, NextToken, IncludeDeprecated = false }, { scope }) {
        const secret = requireSecret(secrets, scope, SecretId);
        const versions = secret.versions.filter(({ stages }) => IncludeDeprecated || stages.length > 0);
        const start = NextToken === undefined ? 0 : Number(NextToken) || 0;
        const page = versions.slice(start, start + MaxResults);
        return {
          ARN: secret.arn,
          Name: secret.name,
          Versions: page.map(({ id, stages, createdMs }) => ({
            VersionId: id,
            VersionStages: stages.length > 0 ? stages : undefined,
            CreatedDate: createdMs / 1000,
          })),
          NextToken: start + MaxResults < versions.length ? String(start + MaxResults) : undefined,
        };
      },

      DeleteSecret({ SecretId, RecoveryWindowInDays: days, ForceDeleteWithoutRecovery: isForced = false }, { scope }) {
        if (isForced && days !== undefined) {
          throw invalid("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.");
        }
        if (days !== undefined && (days < 7 || days > 30)) {
          throw invalid('The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).');
        }
        const now = nowMs();
        const secret = findSecret(secrets, scope, SecretId);
        // A secret that does not exist can be deleted by force, as on AWS.
        if (secret === undefined && isForced) return { ARN: undefined, Name: SecretId, DeletionDate: now / 1000 };
        const { arn, name, deletion } = secret ?? requireSecret(secrets, scope, SecretId);
        if (deletion !== undefined && !isForced) {
          throw invalidRequest(
            "You can't perform this operation on the secret because it was already scheduled for deletion.",
          );
        }
        const atMs = now + (isForced ? 0 : (days ?? SECRETS_QUOTAS.defaultRecoveryDays) * DAY_MS);
        if (secret !== undefined && isForced) secrets.remove(secret);
        else if (secret !== undefined) secrets.save({ ...secret, deletion: { markedMs: now, atMs } });
        return { ARN: arn, Name: name, DeletionDate: atMs / 1000 };
      },

      RestoreSecret({ SecretId }, { scope }) {
        const secret = requireSecret(secrets, scope, SecretId);
        secrets.save({ ...secret, deletion: undefined });
        return { ARN: secret.arn, Name: secret.name };
      },

      TagResource({ SecretId, Tags }, { scope }) {
        const secret = active(scope, SecretId);
        const tags = { ...secret.tags, ...tagsOf(Tags) };
        checkTagCount(tags);
        secrets.save({ ...secret, tags });
        return {};
      },

      UntagResource({ SecretId, TagKeys }, { scope }) {
        const secret = active(scope, SecretId);
        const left = Object.entries(secret.tags).filter(([key]) => !TagKeys.includes(key));
        secrets.save({ ...secret, tags: Object.fromEntries(left) });
        return {};
      },

      GetRandomPassword: (rules) => ({ RandomPassword: createRandomPassword(rules) }),

      PutResourcePolicy({ SecretId, ResourcePolicy: policy }, { scope }) {
        const secret = active(scope, SecretId);
        checkPolicy(policy);
        secrets.save({ ...secret, policy });
        return { ARN: secret.arn, Name: secret.name };
      },

      GetResourcePolicy({ SecretId }, { scope }) {
        const { arn, name, policy } = active(scope, SecretId);
        return { ARN: arn, Name: name, ResourcePolicy: policy };
      },

      DeleteResourcePolicy({ SecretId }, { scope }) {
        const secret = active(scope, SecretId);
        secrets.save({ ...secret, policy: undefined });
        return { ARN: secret.arn, Name: secret.name };
      },
    },
  });

  function namesPage(
    scope: Scope,
    given: {
      readonly Filters?: Parameters<typeof filterSecrets>[0];
      readonly MaxResults?: number | undefined;
      readonly NextToken?: string | undefined;
      readonly isDeletedToo?: boolean;
      readonly order?: string;
    },
  ): { readonly items: readonly string[]; readonly nextToken: string | undefined } {
    const kept = filterSecrets(given.Filters);
    const found: Secret[] = [];
    for (const secret of secrets.list(scope, '')) {
      if ((secret.deletion === undefined || given.isDeletedToo) && kept(secret)) found.push(secret);
    }
    // By the time of creation, like AWS.
    found.sort((one, other) => (given.order === 'asc' ? 1 : -1) * (one.createdMs - other.createdMs));
    const start = given.NextToken === undefined ? 0 : Number(Buffer.from(given.NextToken, 'base64url').toString()) || 0;
    const end = start + (given.MaxResults ?? 100);
    return {
      items: found.slice(start, end).map(({ name }) => name),
      nextToken: end < found.length ? Buffer.from(String(end)).toString('base64url') : undefined,
    };
  }
}

/** The text of a secret's current version. */
export function currentText(secrets: SecretStore, scope: Scope, id: string): string | undefined {
  const secret = findSecret(secrets, scope, id);
  if (secret === undefined || secret.deletion !== undefined) return undefined;
  return secret.versions.find(({ stages }) => stages.includes(CURRENT))?.value.string;
}

type Given = { readonly SecretString?: string | undefined; readonly SecretBinary?: string | undefined };

/** @throws JsonError if there are two values, or one that is too long */
function givenValue({ SecretString: string, SecretBinary: binary }: Given): SecretValue | undefined {
  if (string !== undefined && binary !== undefined) {
    const message = "You can't specify both a binary secret value and a string secret value in the same secret.";
    throw invalid(message);
  }
  if (string === undefined && binary === undefined) return undefined;
  const bytes = string === undefined ? Buffer.byteLength(binary as string, 'base64') : Buffer.byteLength(string);
  if (bytes > SECRETS_QUOTAS.valueBytes) {
    throw new JsonError('ValidationException', `Secret value must be at most ${SECRETS_QUOTAS.valueBytes} bytes long.`);
  }
  return { string, binary };
}

function checkName(name: string): void {
  if (!/^[\w/+=.@!-]+$/.test(name)) {
    const message =
      'Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!';
    throw new JsonError('ValidationException', message);
  }
}

function tagsOf(
  tags: readonly { readonly Key?: string | undefined; readonly Value?: string | undefined }[] = [],
): Readonly<Record<string, string>> {
  const byKey = Object.fromEntries(tags.map(({ Key = '', Value = '' }) => [Key, Value]));
  checkTagCount(byKey);
  return byKey;
}

function checkTagCount(tags: Readonly<Record<string, string>>): void {
  if (Object.keys(tags).length > SECRETS_QUOTAS.tags) {
    throw invalid(`A secret can have at most ${SECRETS_QUOTAS.tags} tags.`);
  }
}

function checkPolicy(policy: string): void {
  try {
    parseJson(policy);
  } catch {
    throw new JsonError('MalformedPolicyDocumentException', 'This resource policy contains invalid Json.');
  }
}

function refusedReplicas(): JsonError {
  return invalid('Lamella does not replicate secrets: leave out AddReplicaRegions.');
}

function invalid(message: string): JsonError {
  return new JsonError('InvalidParameterException', message);
}

function invalidRequest(message: string): JsonError {
  return new JsonError('InvalidRequestException', message);
}

function randomSuffix(): string {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
  return Array.from({ length: 6 }, () => letters[randomInt(letters.length)]).join('');
}
