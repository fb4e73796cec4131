/**
 * Versions of a secret and their staging labels. Pure. A label is on one version at a time; a version without labels is
 * deprecated, and the oldest of those are deleted.
 * https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html
 */
import { JsonError } from '../../wire/json-protocol.ts';
import type { Secret, SecretValue, SecretVersion } from './secret-store.ts';

export const CURRENT = 'AWSCURRENT';
const PREVIOUS = 'AWSPREVIOUS';
/** AWS keeps about this many. */
const MAX_VERSIONS = 100;

/** Adds a version with these labels, which the other versions lose. @throws JsonError if its id is in use */
export function addVersion(
  secret: Secret,
  { id, value, stages, nowMs }: { id: string; value: SecretValue; stages: readonly string[]; nowMs: number },
): Secret {
  const known = secret.versions.find((version) => version.id === id);
  if (known !== undefined) {
    // The same request again, by a client that did not see the response.
    if (known.value.string === value.string && known.value.binary === value.binary) return secret;
    const message = `You can't use ClientRequestToken ${id} because that value is already in use for a version of secret ${secret.arn}.`;
    throw new JsonError('ResourceExistsException', message);
  }
  const isFirst = secret.versions.length === 0;
  const given = isFirst && !stages.includes(CURRENT) ? [...stages, CURRENT] : stages;
  const added = { ...secret, versions: [...secret.versions, { id, createdMs: nowMs, stages: [], value }] };
  const labeled = given.reduce((result, stage) => moveStage(result, stage, id), added as Secret);
  return { ...labeled, changedMs: nowMs, versions: withoutOldest(labeled.versions) };
}

/** Puts a label on a version, or on none. AWSPREVIOUS follows AWSCURRENT. */
export function moveStage(secret: Secret, stage: string, to: string | undefined): Secret {
  const from = secret.versions.find(({ stages }) => stages.includes(stage));
  const versions = secret.versions.map((version) => {
    const others = version.stages.filter((name) => name !== stage);
    return { ...version, stages: version.id === to ? [...others, stage] : others };
  });
  const moved = { ...secret, versions };
  const isReplaced = stage === CURRENT && from !== undefined && from.id !== to;
  return isReplaced ? moveStage(moved, PREVIOUS, from.id) : moved;
}

/** @throws JsonError if there is no such version */
export function selectVersion(
  secret: Secret,
  { id, stage }: { readonly id?: string | undefined; readonly stage?: string | undefined },
): SecretVersion {
  const byId = id === undefined ? undefined : secret.versions.find((version) => version.id === id);
  if (id !== undefined && byId === undefined) throw missing(`VersionId: ${id}`);
  if (byId !== undefined) {
    if (stage === undefined || byId.stages.includes(stage)) return byId;
    const message = 'You provided a VersionStage that is not associated to the provided VersionId.';
    throw new JsonError('InvalidRequestException', message);
  }
  const wanted = stage ?? CURRENT;
  const found = secret.versions.find(({ stages }) => stages.includes(wanted));
  if (found === undefined) throw missing(`staging label: ${wanted}`);
  return found;
}

function missing(what: string): JsonError {
  return new JsonError(
    'ResourceNotFoundException',
    `Secrets Manager can't find the specified secret value for ${what}`,
  );
}

function withoutOldest(versions: readonly SecretVersion[]): readonly SecretVersion[] {
  const surplus = versions
    .filter(({ stages }) => stages.length === 0)
    .slice(0, Math.max(0, versions.length - MAX_VERSIONS));
  return versions.filter((version) => !surplus.includes(version));
}
