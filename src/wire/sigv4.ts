/**
 * AWS Signature Version 4 on the service's side: reads the credential scope of a request and verifies its signature.
 * Supports signatures in the header, presigned URLs and the signed chunks of an S3 upload. Pure: the caller has the
 * keys and the body. The errors of each protocol are in `protocol/authentication-errors.ts`.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { SignatureFaultKind } from '../protocol/authentication-errors.ts';
import { renderBasicDate } from '../protocol/dates.ts';

export type CredentialScope = {
  readonly accessKeyId: string;
  /** `20261122` */
  readonly date: string;
  /** Undefined for SigV4A, whose signatures are valid in several regions. */
  readonly region: string | undefined;
  /** The signing name: `lambda`, `iam`, `sts`, `logs`, `s3` ... */
  readonly service: string;
};

/** A request as received. */
export type SignedRequest = {
  readonly method: string;
  /** Path and query, as sent. */
  readonly target: string;
  /** Alternating names and values, as in Node.js. */
  readonly rawHeaders: readonly string[];
};

/** A valid signature. */
export type VerifiedSignature = {
  readonly scope: CredentialScope;
  /** Hexadecimal. The signatures of an upload's chunks form a chain that starts with it. */
  readonly signature: string;
  readonly signingKey: Buffer;
  /** `20261122T100000Z` */
  readonly timestamp: string;
  /** The signed value for the body: a hexadecimal digest, or a name such as `UNSIGNED-PAYLOAD`. */
  readonly payloadHash: string;
};

/** An access key as a service stores it. */
export type AccessKey = {
  readonly secret: string;
  /** The token in every request with a temporary key. Undefined for a long-term key. */
  readonly sessionToken?: string | undefined;
  /** When a temporary key expires, in milliseconds since 1970. */
  readonly expiresMs?: number | undefined;
};

/** The reason why a signature is rejected. */
export type SignatureFault = {
  readonly kind: SignatureFaultKind;
  /** AWS's message, if it is the same for all services. */
  readonly message: string;
};

export type VerificationOptions = {
  /** Looks up an access key. Undefined for an unknown one. */
  readonly keyOf: (accessKeyId: string) => AccessKey | undefined;
  readonly nowMs: number;
  /** Hexadecimal SHA-256 of the body. Undefined if the body has not been read, as in a streamed upload. */
  readonly bodyHash: string | undefined;
};

const ALGORITHM = 'AWS4-HMAC-SHA256';
const EMPTY_HASH = createHash('sha256').digest('hex');
/** Maximum difference between the client's clock and the service's: 15 minutes for S3, 5 minutes for other services. */
const SKEW_MS = { s3: 15 * 60_000, others: 5 * 60_000 };
const MAX_EXPIRY_SECONDS = 7 * 24 * 3600;

/** The credential scope of a signed or presigned request, which is not verified. Undefined if it cannot be parsed. */
export function parseCredentialScope(
  authorization: string | undefined,
  query: URLSearchParams,
): CredentialScope | undefined {
  const inHeader = /^AWS4-\S+\s.*?\bCredential=([^,\s]+)/.exec(authorization ?? '')?.[1];
  const credential = inHeader ?? query.get('X-Amz-Credential');
  return credential ? parseCredential(credential) : undefined;
}

function parseCredential(credential: string): CredentialScope | undefined {
  // AWS's access keys contain no slash, but test keys may. Count from the end.
  const parts = credential.split('/');
  if (parts.pop() !== 'aws4_request') return undefined;
  const service = parts.pop();
  const regionOrDate = parts.pop();
  if (!service || !regionOrDate) return undefined;
  if (/^\d{8}$/.test(regionOrDate) && !/^\d{8}$/.test(parts.at(-1) ?? '')) {
    return { accessKeyId: parts.join('/'), date: regionOrDate, region: undefined, service };
  }
  const date = parts.pop() ?? '';
  return { accessKeyId: parts.join('/'), date, region: regionOrDate, service };
}

/** Checks the request's signature. */
export function verifySignature(
  request: SignedRequest,
  options: VerificationOptions,
): { readonly verified: VerifiedSignature } | { readonly fault: SignatureFault } {
  const headers = mergeHeaders(request.rawHeaders);
  const [path = '/', rawQuery = ''] = splitOnce(request.target, '?');
  const query = parseRawQuery(rawQuery);
  const claim = parseClaim(headers, query);
  if ('kind' in claim) return { fault: claim };
  const { scope } = claim;
  const key = options.keyOf(scope.accessKeyId);
  const token = headers.get('x-amz-security-token') ?? query.find(([name]) => name === 'X-Amz-Security-Token')?.[1];
  const rejected = findKeyFault(key, token, options.nowMs);
  if (key === undefined || rejected) return { fault: rejected ?? UNKNOWN_KEY };
  const stale = findTimeFault(claim, options.nowMs);
  if (stale) return { fault: stale };

  const isS3 = scope.service === 's3';
  const payloadHash =
    headers.get('x-amz-content-sha256') ??
    (isS3 && claim.isPresigned ? 'UNSIGNED-PAYLOAD' : (options.bodyHash ?? EMPTY_HASH));
  const isDigest = /^[0-9a-f]{64}$/.test(payloadHash);
  if (isDigest && options.bodyHash !== undefined && options.bodyHash !== payloadHash)
    return fault('mismatch', MISMATCH);
  const canonicalRequest = [
    request.method,
    isS3 ? canonicalS3Path(path) : canonicalPath(path),
    canonicalQuery(query.filter(([name]) => !claim.isPresigned || name !== 'X-Amz-Signature')),
    ...claim.signedHeaders.map((name) => `${name}:${headers.get(name) ?? ''}`),
    '',
    claim.signedHeaders.join(';'),
    payloadHash,
  ].join('\n');
  const scopeText = `${scope.date}/${scope.region}/${scope.service}/aws4_request`;
  const signingKey = deriveSigningKey(key.secret, scope);
  const signature = hmac(signingKey, [ALGORITHM, claim.timestamp, scopeText, sha256(canonicalRequest)].join('\n'));
  if (!isEqual(signature.toString('hex'), claim.signature)) return fault('mismatch', MISMATCH);
  return { verified: { scope, signature: claim.signature, signingKey, timestamp: claim.timestamp, payloadHash } };
}

const INVALID_TOKEN = 'The security token included in the request is invalid.';
const UNKNOWN_KEY: SignatureFault = { kind: 'unknown-key', message: INVALID_TOKEN };

/** AWS reports a temporary key without its token as unknown, and a token with a long-term key as invalid. */
function findKeyFault(
  key: AccessKey | undefined,
  token: string | undefined,
  nowMs: number,
): SignatureFault | undefined {
  if (key === undefined || (key.sessionToken !== undefined && token === undefined)) return UNKNOWN_KEY;
  if (token !== undefined && (key.sessionToken === undefined || !isEqual(token, key.sessionToken))) {
    return { kind: 'invalid-token', message: INVALID_TOKEN };
  }
  if (key.expiresMs !== undefined && nowMs >= key.expiresMs) {
    return { kind: 'expired-token', message: 'The security token included in the request is expired' };
  }
  return undefined;
}

/** The expected signature of a chunk. `previous` is the signature of the chunk before, or of the request. */
export function signChunk(context: VerifiedSignature, previous: string, contentHash: string): string {
  const text = [`${ALGORITHM}-PAYLOAD`, ...chunkPreamble(context), previous, EMPTY_HASH, contentHash].join('\n');
  return hmac(context.signingKey, text).toString('hex');
}

/** The expected signature of the trailing headers of a chunked upload. */
export function signTrailer(context: VerifiedSignature, previous: string, trailer: string): string {
  const text = [`${ALGORITHM}-TRAILER`, ...chunkPreamble(context), previous, sha256(trailer)].join('\n');
  return hmac(context.signingKey, text).toString('hex');
}

function chunkPreamble({ timestamp, scope }: VerifiedSignature): readonly string[] {
  return [timestamp, `${scope.date}/${scope.region}/${scope.service}/aws4_request`];
}

const MISMATCH =
  'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key ' +
  'and signing method. Consult the service documentation for details.';

type Claim = {
  readonly scope: CredentialScope;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  readonly timestamp: string;
  readonly isPresigned: boolean;
  readonly expiresSeconds: number;
};

type Headers = ReadonlyMap<string, string>;
type Query = readonly (readonly [name: string, value: string])[];

function parseClaim(headers: Headers, query: Query): Claim | SignatureFault {
  const authorization = headers.get('authorization');
  const parameter = (name: string) => query.find(([other]) => other === name)?.[1];
  const isPresigned = authorization === undefined && parameter('X-Amz-Signature') !== undefined;
  if (authorization === undefined && !isPresigned) {
    return { kind: 'missing', message: 'Missing Authentication Token' };
  }
  const algorithm = isPresigned ? parameter('X-Amz-Algorithm') : authorization?.split(/\s/, 1)[0];
  if (algorithm !== ALGORITHM) {
    return malformed(`Unsupported signing algorithm '${algorithm}': only ${ALGORITHM} can be verified.`);
  }
  const part = (name: string) =>
    isPresigned ? parameter(`X-Amz-${name}`) : new RegExp(`[\\s,]${name}=([^,\\s]+)`).exec(authorization ?? '')?.[1];
  const [credential, signedHeaders, signature] = [part('Credential'), part('SignedHeaders'), part('Signature')];
  for (const [name, value] of Object.entries({
    Credential: credential,
    Signature: signature,
    SignedHeaders: signedHeaders,
  })) {
    if (!value) return malformed(`Authorization header requires '${name}' parameter. Authorization=${authorization}`);
  }
  const scope = parseCredential(credential ?? '');
  if (scope?.region === undefined) {
    return malformed(
      `Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '${credential}'`,
    );
  }
  const timestamp = isPresigned ? parameter('X-Amz-Date') : (headers.get('x-amz-date') ?? isoDate(headers.get('date')));
  if (timestamp === undefined || !/^\d{8}T\d{6}Z$/.test(timestamp)) {
    return malformed(
      `Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=${authorization}`,
    );
  }
  if (!timestamp.startsWith(scope.date)) {
    return malformed(
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${scope.date}' != '${timestamp.slice(0, 8)}', from '${timestamp}'.`,
    );
  }
  const names = (signedHeaders ?? '').split(';');
  if (!names.includes('host'))
    return malformed("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
  return {
    scope,
    signedHeaders: names,
    signature: signature ?? '',
    timestamp,
    isPresigned,
    expiresSeconds: Number(parameter('X-Amz-Expires') ?? 300),
  };
}

function malformed(message: string): SignatureFault {
  return { kind: 'malformed', message };
}

function fault(kind: SignatureFaultKind, message: string): { readonly fault: SignatureFault } {
  return { fault: { kind, message } };
}

function findTimeFault(claim: Claim, nowMs: number): SignatureFault | undefined {
  const signedMs = Date.parse(claim.timestamp.replace(/(....)(..)(..)T(..)(..)(..)Z/, '$1-$2-$3T$4:$5:$6Z'));
  const skewMs = claim.scope.service === 's3' ? SKEW_MS.s3 : SKEW_MS.others;
  const minutes = skewMs / 60_000;
  const [now, earliest, latest] = [nowMs, nowMs - skewMs, nowMs + skewMs].map(renderBasicDate);
  if (signedMs > nowMs + skewMs) {
    const message = `Signature not yet current: ${claim.timestamp} is still later than ${latest} (${now} + ${minutes} min.)`;
    return { kind: 'skewed', message };
  }
  if (claim.isPresigned) {
    const isOver = !(claim.expiresSeconds <= MAX_EXPIRY_SECONDS) || nowMs > signedMs + claim.expiresSeconds * 1000;
    return isOver
      ? { kind: 'expired', message: `Signature expired: ${claim.timestamp} is now too old (${now}).` }
      : undefined;
  }
  if (signedMs >= nowMs - skewMs) return undefined;
  const message = `Signature expired: ${claim.timestamp} is now earlier than ${earliest} (${now} - ${minutes} min.)`;
  return { kind: 'skewed', message };
}

function isoDate(httpDate: string | undefined): string | undefined {
  const epochMs = Date.parse(httpDate ?? '');
  return Number.isNaN(epochMs) ? undefined : renderBasicDate(epochMs);
}

/** Headers as in the canonical request: lower-case names, joined values, collapsed white space. */
function mergeHeaders(rawHeaders: readonly string[]): Headers {
  const headers = new Map<string, string>();
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase();
    const value = (rawHeaders[index + 1] ?? '').trim().replace(/\s+/g, ' ');
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before},${value}`);
  }
  return headers;
}

function splitOnce(text: string, separator: string): readonly string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function parseRawQuery(raw: string): Query {
  if (raw === '') return [];
  return raw
    .split('&')
    .filter(Boolean)
    .map((pair) => {
      const [name = '', value = ''] = splitOnce(pair, '=');
      return [decode(name), decode(value)] as const;
    });
}

function canonicalQuery(query: Query): string {
  return query
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : x > y ? 1 : 0))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

/** All services but S3 sign the path without dot segments and with its percent signs encoded again. */
function canonicalPath(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  const end = path.endsWith('/') && segments.length > 0 ? '/' : '';
  return `/${segments.map(encode).join('/')}${end}`;
}

function canonicalS3Path(path: string): string {
  return path
    .split('/')
    .map((segment) => encode(decode(segment)))
    .join('/');
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function deriveSigningKey(secret: string, { date, region, service }: CredentialScope): Buffer {
  const dateKey = hmac(`AWS4${secret}`, date);
  return hmac(hmac(hmac(dateKey, region ?? ''), service), 'aws4_request');
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function isEqual(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
