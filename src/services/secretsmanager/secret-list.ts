/** Secrets as DescribeSecret and ListSecrets show them, and the filters of lists. Pure. */
import type { Secret } from './secret-store.ts';

export type SecretFilter = { readonly Key: string; readonly Values: readonly string[] };

export function renderEntry(secret: Secret) {
  const { deletion, accessedMs, versions, tags } = secret;
  return {
    ARN: secret.arn,
    Name: secret.name,
    Description: secret.description,
    KmsKeyId: secret.keyId,
    LastChangedDate: secret.changedMs / 1000,
    LastAccessedDate: accessedMs === undefined ? undefined : accessedMs / 1000,
    DeletedDate: deletion === undefined ? undefined : deletion.markedMs / 1000,
    Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
    SecretVersionsToStages: Object.fromEntries(
      versions.filter(({ stages }) => stages.length > 0).map(({ id, stages }) => [id, stages]),
    ),
    CreatedDate: secret.createdMs / 1000,
  };
}

/**
 * One test for all filters: each must hold, by one of its values. A value that begins with `!` excludes; others match
 * the start of a word, without regard to case.
 * https://docs.aws.amazon.com/secretsmanager/latest/userguide/manage_search-secret.html
 */
export function filterSecrets(filters: readonly SecretFilter[] = []): (secret: Secret) => boolean {
  return (secret) =>
    filters.every(({ Key: key, Values: values }) => {
      const texts = textsOf(secret, key);
      const excluded = values.filter((value) => value.startsWith('!')).map((value) => value.slice(1));
      const wanted = values.filter((value) => !value.startsWith('!'));
      const has = (value: string) => texts.some((text) => matches(text, value, key));
      return !excluded.some(has) && (wanted.length === 0 || wanted.some(has));
    });
}

function textsOf({ name, description = '', tags, scope }: Secret, key: string): readonly string[] {
  switch (key) {
    case 'name':
      return [name];
    case 'description':
      return [description];
    case 'tag-key':
      return Object.keys(tags);
    case 'tag-value':
      return Object.values(tags);
    case 'primary-region':
      return [scope.region];
    case 'owning-service':
      return [];
    default:
      return [name, description, ...Object.keys(tags), ...Object.values(tags)];
  }
}

function matches(text: string, value: string, key: string): boolean {
  // Names and tags are case-sensitive and match from their start.
  if (key !== 'description' && key !== 'all') return text.startsWith(value);
  const words = text.toLowerCase().split(/[^a-z0-9]+/);
  const given = value
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');
  return given.every((part) => words.some((word) => word.startsWith(part)));
}
