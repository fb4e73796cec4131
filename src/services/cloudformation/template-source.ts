/**
 * Where a request's template comes from: its body, an object in the local S3 by any of S3's addresses, or the stack's
 * previous template. Tools write AWS's own host names into TemplateURL even when they use another endpoint.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
 */
import { CLOUDFORMATION_QUOTAS } from '../../protocol/cloudformation-operations.ts';
import { invalid } from '../../stacks/stack-error.ts';

/** Reads an object of the local S3. */
export type ReadObject = (
  bucket: string,
  key: string,
  versionId?: string,
) => Promise<{ readonly bytes: Buffer } | { readonly errorCode: string; readonly errorMessage: string }>;

export type TemplateSource = {
  readonly TemplateBody?: string | undefined;
  readonly TemplateURL?: string | undefined;
};

/** The text, or undefined if the request has neither. @throws StackError */
export async function readTemplateSource(
  readObject: ReadObject,
  { TemplateBody, TemplateURL }: TemplateSource,
  baseUrl: string,
): Promise<string | undefined> {
  if (TemplateBody !== undefined && TemplateURL !== undefined) {
    throw invalid('Only one of TemplateBody and TemplateURL may be specified.');
  }
  if (TemplateURL === undefined) return TemplateBody;
  return readUrl(readObject, TemplateURL, baseUrl);
}

/** The text at an address of S3. @throws StackError */
export async function readUrl(readObject: ReadObject, address: string, baseUrl: string): Promise<string> {
  const { bucket, key, versionId } = parseObjectUrl(address, baseUrl);
  const found = await readObject(bucket, key, versionId);
  if ('errorCode' in found) throw invalid(`S3 error: ${found.errorMessage}`);
  if (found.bytes.length > CLOUDFORMATION_QUOTAS.templateObjectBytes) {
    const limit = CLOUDFORMATION_QUOTAS.templateObjectBytes;
    throw invalid(`Template may not exceed ${limit} bytes in size.`);
  }
  return found.bytes.toString('utf8');
}

export type ObjectAddress = {
  readonly bucket: string;
  readonly key: string;
  readonly versionId?: string | undefined;
};

const S3_HOST = /^(?:(.+)\.)?s3(?:[.-](?:dualstack\.)?[a-z]{2,}(?:-[a-z0-9]+)+-\d)?\.amazonaws\.com(?:\.cn)?$/;
const LOCAL_HOST = /^(?:(.+)\.)?s3(?:\.[a-z0-9-]+)?\.localhost$/;

/** Bucket and key of an address. @throws StackError */
export function parseObjectUrl(address: string, baseUrl: string): ObjectAddress {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || !['http:', 'https:', 's3:'].includes(url.protocol)) {
    throw invalid('TemplateURL must be a supported URL.');
  }
  const path = decodePath(url.pathname.slice(1));
  const versionId = url.searchParams.get('versionId') ?? undefined;
  // AWS refuses its own `s3://` form here.
  if (url.protocol === 's3:') {
    throw invalid(`S3 error: Domain name specified in ${url.hostname} is not a valid S3 domain`);
  }
  const [, subdomain] = S3_HOST.exec(url.hostname) ?? LOCAL_HOST.exec(url.hostname) ?? [undefined, null];
  if (subdomain !== null && subdomain !== undefined) return { bucket: subdomain, key: path, versionId };
  const isOwn = subdomain === undefined || url.host === new URL(baseUrl).host || isLoopback(url.hostname);
  if (!isOwn) throw invalid(`S3 error: Domain name specified in ${url.hostname} is not a valid S3 domain`);
  const slash = path.indexOf('/');
  if (slash <= 0) throw invalid('TemplateURL must reference a valid S3 object to which you have access.');
  return { bucket: path.slice(0, slash), key: path.slice(slash + 1), versionId };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw invalid('TemplateURL must be a supported URL.');
  }
}
