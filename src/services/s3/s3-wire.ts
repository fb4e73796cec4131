/**
 * S3's REST protocol: the bucket and key of a request, responses and errors in S3's XML, dates and ETags.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/
 */
import type { HttpHeaders } from '../../http/exchange.ts';
import type { S3ErrorCode } from '../../protocol/s3-errors.ts';
import { S3_ERRORS } from '../../protocol/s3-errors.ts';
import type { ApiCall } from '../../wire/api-call.ts';
import type { XmlStructure } from '../../wire/xml.ts';
import { renderMembers } from '../../wire/xml.ts';

/** An error that the client receives. */
export class S3Error extends Error {
  readonly code: S3ErrorCode;
  /** Additional elements of the body, such as `BucketName`. */
  readonly members: XmlStructure;

  constructor(code: S3ErrorCode, members: XmlStructure = {}, message?: string) {
    super(message ?? S3_ERRORS[code].message);
    this.name = code;
    this.code = code;
    this.members = members;
  }
}

/** The target of a request: without `bucket` the service, without `key` the bucket. */
export type S3Target = {
  readonly bucket: string | undefined;
  readonly key: string | undefined;
  readonly query: URLSearchParams;
};

/**
 * Path style (`/bucket/key`), or virtual-hosted (`bucket.localhost`, `bucket.s3.localhost`,
 * `bucket.s3.<region>.localhost`).
 */
export function parseTarget(url: string, host: string): S3Target {
  const [path = '/', query = ''] = url.split(/\?(.*)/s, 2);
  const segments = path.replace(/^\//, '');
  const hosted = bucketOfHost(host);
  const slash = segments.indexOf('/');
  const [bucket, key] =
    hosted !== undefined
      ? [hosted, segments]
      : slash < 0
        ? [segments, '']
        : [segments.slice(0, slash), segments.slice(slash + 1)];
  return {
    bucket: bucket === '' ? undefined : decode(bucket),
    key: key === '' ? undefined : decode(key),
    query: new URLSearchParams(query),
  };
}

function bucketOfHost(host: string): string | undefined {
  const name = host.toLowerCase().replace(/:\d+$/, '');
  const match = /^(.+?)(?:\.s3(?:[.-][a-z]{2}(?:-[a-z]+)+-\d)?)?\.localhost$/.exec(name);
  const bucket = match?.[1];
  return bucket === undefined || /^s3([.-][a-z]{2}(-[a-z]+)+-\d)?$/.test(bucket) ? undefined : bucket;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new S3Error('InvalidURI');
  }
}

const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';

/** Responds with an XML document. Lists repeat their element. */
export function sendXml(
  call: ApiCall,
  status: number,
  root: string,
  content: XmlStructure,
  headers: HttpHeaders = {},
): void {
  const xml = `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="${NAMESPACE}">${renderMembers(content, 'repeated')}</${root}>`;
  sendBody(call, status, 'application/xml', xml, headers);
}

export function sendEmpty(call: ApiCall, status: number, headers: HttpHeaders = {}): void {
  call.response.writeHead(status, headers).end();
}

export function sendBody(
  call: ApiCall,
  status: number,
  contentType: string,
  text: string,
  headers: HttpHeaders = {},
): void {
  const body = Buffer.from(text);
  call.response.writeHead(status, { 'Content-Type': contentType, 'Content-Length': body.length, ...headers });
  call.response.end(call.request.method === 'HEAD' ? undefined : body);
}

export function sendS3Error(call: ApiCall, error: S3Error): void {
  const { status } = S3_ERRORS[error.code];
  // Status 304 is not an error for clients, and responses to HEAD have no body.
  if (status === 304 || call.request.method === 'HEAD') {
    sendEmpty(call, status);
    return;
  }
  const content = { Code: error.code, Message: error.message, ...error.members, RequestId: call.requestId };
  const xml = `<?xml version="1.0" encoding="UTF-8"?>\n<Error>${renderMembers(content, 'repeated')}</Error>`;
  sendBody(call, status, 'application/xml', xml);
}

/** `2026-11-22T10:00:00.000Z` */
export function renderS3Date(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

export function quoteEtag(etag: string): string {
  return `"${etag}"`;
}

export function unquoteEtag(text: string): string {
  return text.trim().replace(/^"(.*)"$/, '$1');
}
