/**
 * What a request's AWS signature says: who signed, for which region and service. Reading it proves nothing.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
 */

export type CredentialScope = {
  readonly accessKeyId: string;
  /** `20261122` */
  readonly date: string;
  /** Undefined for SigV4A, whose signatures hold for several regions. */
  readonly region: string | undefined;
  /** The signing name: `lambda`, `iam`, `sts`, `logs`, `s3` ... */
  readonly service: string;
};

/** The credential scope of a signed or presigned request; undefined when there is none to be read. */
export function parseCredentialScope(
  authorization: string | undefined,
  query: URLSearchParams,
): CredentialScope | undefined {
  const inHeader = /^AWS4-\S+\s.*?\bCredential=([^,\s]+)/.exec(authorization ?? '')?.[1];
  const credential = inHeader ?? query.get('X-Amz-Credential');
  if (!credential) return undefined;
  // Access keys hold no slash, but a careless tester's may: the scope is counted from the end.
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
