/**
 * What IAM's operations share: errors, names and paths, ids, documents, pages and tags.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
 */
import { createHash, randomBytes } from 'node:crypto';
import type { IamErrorCode } from '../../protocol/iam-operations.ts';
import { IAM_ERRORS, IAM_NAME, IAM_PATH, IAM_QUOTAS } from '../../protocol/iam-operations.ts';
import { QueryError } from '../../wire/query-protocol.ts';
import type { XmlStructure } from '../../wire/xml.ts';
import type { Tags } from './iam-store.ts';
import type { PolicyKind } from './policy-document.ts';
import { findPolicyFault } from './policy-document.ts';

export function iamError(code: IamErrorCode, message: string): QueryError {
  return new QueryError(code, IAM_ERRORS[code], message);
}

/** IAM has its own message for an invalid name, without the model's pattern. @throws QueryError */
export function checkName(member: 'roleName' | 'policyName' | 'userName', value: string): void {
  if (IAM_NAME.test(value)) return;
  throw iamError(
    'ValidationError',
    `The specified value for ${member} is invalid. ` +
      'It must contain only alphanumeric characters and/or the following: +=,.@_-',
  );
}

export function checkPath(value: string): void {
  if (IAM_PATH.test(value)) return;
  throw iamError(
    'ValidationError',
    'The specified value for path is invalid. ' +
      'It must begin and end with / and contain only alphanumeric characters and/or / characters.',
  );
}

/** @throws QueryError MalformedPolicyDocument for a document that IAM rejects */
export function checkPolicyDocument(document: string, kind: PolicyKind): void {
  const fault = findPolicyFault(document, kind);
  if (fault !== undefined) throw iamError('MalformedPolicyDocument', fault);
}

/** The size of a policy. IAM does not count white space. */
export function policySize(document: string): number {
  return document.replace(/\s/g, '').length;
}

const ID_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const ID_CHARACTERS = 17;

/** `AROA` and 17 characters, or `ASIA` and 16: random, or derived from `seed`. */
export function createUniqueId(prefix: 'AROA' | 'ANPA' | 'ASIA', seed?: string): string {
  const bytes = seed === undefined ? randomBytes(ID_CHARACTERS) : createHash('sha256').update(seed).digest();
  const length = prefix === 'ASIA' ? 16 : ID_CHARACTERS;
  return prefix + Array.from(bytes.subarray(0, length), (byte) => ID_ALPHABET[byte % 32]).join('');
}

/** A policy document as IAM returns it: percent-encoded by RFC 3986. */
export function renderDocument(document: string): string {
  return encodeURIComponent(document).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

type PageRequest = { readonly Marker?: string | undefined; readonly MaxItems?: number | undefined };

/** The requested page of `items`, ordered by `keyOf`, whose keys must be unique. */
export function pageOf<Item>(
  items: readonly Item[],
  request: PageRequest,
  keyOf: (item: Item) => string,
): { readonly items: readonly Item[]; readonly end: XmlStructure } {
  const after = request.Marker === undefined ? undefined : parseMarker(request.Marker);
  const rest = items
    .filter((item) => after === undefined || compareKeys(keyOf(item), after) > 0)
    .sort((a, b) => compareKeys(keyOf(a), keyOf(b)));
  const limit = request.MaxItems ?? IAM_QUOTAS.pageItems;
  const page = rest.slice(0, limit);
  const last = rest.length > limit ? page.at(-1) : undefined;
  return { items: page, end: last === undefined ? { IsTruncated: false } : renderMarker(keyOf(last)) };
}

/** The members of a response that continues after `key`. */
export function renderMarker(key: string): XmlStructure {
  return { IsTruncated: true, Marker: Buffer.from(key).toString('base64url') };
}

export function parseMarker(marker: string): string {
  const key = Buffer.from(marker, 'base64url').toString();
  if (key === '' || Buffer.from(key).toString('base64url') !== marker) {
    throw iamError('ValidationError', `Invalid Marker: ${marker}`);
  }
  return key;
}

/**
 * Orders lists by name in lower case. Names that differ only by case, as inline policies can, have a fixed order, too.
 */
export function compareKeys(a: string, b: string): number {
  const left = a.toLowerCase();
  const right = b.toLowerCase();
  if (left !== right) return left < right ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

type TagMember = { readonly Key: string; readonly Value: string };

/** `existing` with the given tags. A key that differs only by case replaces the old one. @throws QueryError */
export function withTags(existing: Tags, tags: readonly TagMember[], quotaName: string): Tags {
  const given = tags.map(({ Key }) => Key.toLowerCase());
  if (new Set(given).size < given.length) {
    throw iamError('InvalidInput', 'Duplicate tag keys found. Please note that Tag keys are case insensitive.');
  }
  const kept = Object.entries(existing).filter(([key]) => !given.includes(key.toLowerCase()));
  const all = [...kept, ...tags.map(({ Key, Value }) => [Key, Value] as const)];
  if (all.length > IAM_QUOTAS.tags) {
    throw iamError('LimitExceeded', `Cannot exceed quota for ${quotaName}: ${IAM_QUOTAS.tags}`);
  }
  return Object.fromEntries(all);
}

export function withoutTags(existing: Tags, keys: readonly string[]): Tags {
  const removed = keys.map((key) => key.toLowerCase());
  return Object.fromEntries(Object.entries(existing).filter(([key]) => !removed.includes(key.toLowerCase())));
}

/** Undefined if there are no tags: AWS omits the element. */
export function renderTags(tags: Tags): readonly XmlStructure[] | undefined {
  const list = listTags(tags);
  return list.length === 0 ? undefined : list;
}

export function listTags(tags: Tags): readonly { readonly Key: string; readonly Value: string }[] {
  return Object.entries(tags)
    .map(([Key, Value]) => ({ Key, Value }))
    .sort((a, b) => compareKeys(a.Key, b.Key));
}
