/**
 * AWS Signature Version 4 for Lamella's own requests. A service reads the region and the access key from the signature,
 * so that `lamella invoke --region` reaches the functions of that region.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
import { createHash, createHmac } from 'node:crypto';
import { renderBasicDate } from '../protocol/dates.ts';

export type SigningKey = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  /** The service's name in the credential scope, such as `lambda`. */
  readonly service: string;
};

type Signable = {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
};

/**
 * The headers of `request`, with `host`, `x-amz-date` and `authorization` added, for S3 also `x-amz-content-sha256`.
 * Names must be in lower case. Paths for S3 must be encoded as `encodePath` does.
 */
export function signRequest(request: Signable, key: SigningKey, epochMs: number): Record<string, string> {
  const time = renderBasicDate(epochMs);
  const payload = sha256(request.body);
  const isS3 = key.service === 's3';
  const headers: Record<string, string> = {
    ...request.headers,
    host: request.url.host,
    'x-amz-date': time,
    ...(isS3 && { 'x-amz-content-sha256': payload }),
  };
  const names = Object.keys(headers).sort();
  const signedHeaders = names.join(';');
  const canonical = [
    request.method,
    // All services but S3 sign the path with its percent signs encoded again.
    isS3 ? request.url.pathname : request.url.pathname.split('/').map(encode).join('/'),
    [...request.url.searchParams]
      .map(([name, value]) => `${encode(name)}=${encode(value)}`)
      .sort()
      .join('&'),
    ...names.map((name) => `${name}:${(headers[name] ?? '').trim().replace(/\s+/g, ' ')}`),
    '',
    signedHeaders,
    payload,
  ].join('\n');
  const scope = `${time.slice(0, 8)}/${key.region}/${key.service}/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n');
  const signingKey = scope
    .split('/')
    .reduce<Buffer | string>((secret, part) => hmac(secret, part), `AWS4${key.secretAccessKey}`);
  const signature = hmac(signingKey, text).toString('hex');
  const credential = `${key.accessKeyId}/${scope}`;
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${signedHeaders}, Signature=${signature}`;
  return headers;
}

/** The path of an object, as its signature has it: everything is encoded but unreserved characters and `/`. */
export function encodePath(path: string): string {
  return path.split('/').map(encode).join('/');
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

function sha256(content: Buffer | string): string {
  return createHash('sha256').update(content).digest('hex');
}

function hmac(key: Buffer | string, content: string): Buffer {
  return createHmac('sha256', key).update(content).digest();
}
