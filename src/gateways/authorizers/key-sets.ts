/**
 * Reads the JSON Web Key Sets of JWT authorizers and caches them for two hours, as AWS does. A key ID that the cached set
 * does not have reads the set again, at most every 30 seconds, so that the keys of a restarted issuer work soon.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
 */
import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { createLocalJWKSet, type JSONWebKeySet, type LocalJWKSet } from 'jose';
import type { Clock } from '../../clock.ts';
import { send } from '../../http/client.ts';
import { parseJson } from '../../protocol/json.ts';
import { findUrlFault, type KeySource } from './key-source.ts';

const CACHED_MS = 2 * 3600 * 1000;
const REREAD_AFTER_MS = 30_000;
const MAX_DOCUMENT_BYTES = 1_048_576;
/** AWS allows 1.5 seconds. An issuer on a busy development machine can be slower. */
const FETCH_TIMEOUT_MS = 5_000;

/** The keys cannot be read. The message is AWS's for the client, the cause is for the log. */
export class KeysUnavailable extends Error {}

export type KeySets = {
  /** The key set of a source, which may lack the key with this ID. @throws KeysUnavailable */
  read(source: KeySource, keyId: string): Promise<LocalJWKSet>;
};

type KeySet = { readonly keys: LocalJWKSet; readonly ids: ReadonlySet<unknown>; readonly readMs: number };
type Entry = { set: KeySet | undefined; reading: Promise<KeySet> | undefined };

/** `clock` is the one that tests can advance. */
export function createKeySets(clock: Clock): KeySets {
  // A replaced gateway has new sources, so its old entries are collected with them.
  const entries = new WeakMap<KeySource, Entry>();

  async function readAgain(source: KeySource, entry: Entry): Promise<LocalJWKSet> {
    entry.reading ??= readKeySet(source, clock).finally(() => {
      entry.reading = undefined;
    });
    entry.set = await entry.reading;
    return entry.set.keys;
  }

  return {
    async read(source, keyId) {
      const entry = entries.get(source) ?? { set: undefined, reading: undefined };
      entries.set(source, entry);
      const { set } = entry;
      if (set === undefined) return readAgain(source, entry);
      const ageMs = clock.epochMs() - set.readMs;
      const isUsable = ageMs < CACHED_MS && (set.ids.has(keyId) || ageMs < REREAD_AFTER_MS);
      return isUsable ? set.keys : readAgain(source, entry);
    },
  };
}

async function readKeySet(source: KeySource, clock: Clock): Promise<KeySet> {
  const place = source.kind === 'discovery' ? await discover(source.url, clock) : placeOf(source);
  try {
    const text = source.kind === 'file' ? await readLocal(place) : await fetchText(place, clock);
    const document = parseDocument(text, place) as JSONWebKeySet;
    const keys = createLocalJWKSet(document);
    return { keys, ids: new Set(document.keys.map(({ kid }) => kid)), readMs: clock.epochMs() };
  } catch (failure) {
    throw new KeysUnavailable('JWKS communication error', { cause: failure });
  }
}

function placeOf(source: Exclude<KeySource, { readonly kind: 'discovery' }>): string {
  return source.kind === 'file' ? source.path : source.url;
}

/** The error of `JSON.parse` would quote the document. */
function parseDocument(text: string, place: string): unknown {
  try {
    return parseJson(text);
  } catch {
    throw new Error(`${place} is not valid JSON`);
  }
}

/** The address of the key set in an issuer's OpenID configuration. */
async function discover(url: string, clock: Clock): Promise<string> {
  try {
    const document = parseDocument(await fetchText(url, clock), url) as { readonly jwks_uri?: unknown } | null;
    const uri = document?.jwks_uri;
    if (typeof uri !== 'string') throw new Error(`${url} has no jwks_uri`);
    const fault = findUrlFault(uri);
    if (fault !== undefined) throw new Error(`jwks_uri of ${url} ${fault}`);
    return uri;
  } catch (failure) {
    throw new KeysUnavailable('OIDC discovery endpoint communication error', { cause: failure });
  }
}

/**
 * The path can come from a client of the API port. Its content is never shown, and what could block the service (a pipe, a
 * device, a file of `/proc`, which has no size) is not read.
 */
async function readLocal(path: string): Promise<string> {
  const isReadable = ({ size, isFile }: { size: number; isFile: boolean }) =>
    isFile && size > 0 && size <= MAX_DOCUMENT_BYTES;
  const fail = () => new Error(`${path} must be a file of 1 to ${MAX_DOCUMENT_BYTES} bytes`);
  const found = await stat(path);
  if (!isReadable({ size: found.size, isFile: found.isFile() })) throw fail();
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const opened = await file.stat();
    if (!isReadable({ size: opened.size, isFile: opened.isFile() })) throw fail();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(opened.size), 0, opened.size, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

async function fetchText(url: string, clock: Clock): Promise<string> {
  const abort = new AbortController();
  const cancel = clock.after(FETCH_TIMEOUT_MS, () => {
    abort.abort(new Error(`${url} has not responded within ${FETCH_TIMEOUT_MS} ms`));
  });
  try {
    const response = await send({
      method: 'GET',
      url: new URL(url),
      headers: { accept: 'application/json' },
      body: Buffer.alloc(0),
      signal: abort.signal,
      maxResponseBytes: MAX_DOCUMENT_BYTES,
    });
    if (response.status !== 200) throw new Error(`${url} responded with status ${response.status}`);
    return response.body.toString('utf8');
  } finally {
    cancel();
  }
}
