import { createHash } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import { describe, expect, it } from 'vitest';
import type { SignedRequest } from './sigv4.ts';
import { parseCredentialScope, signChunk, verifySignature } from './sigv4.ts';

const KEY = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };

const sha256 = (content: Buffer | string) => createHash('sha256').update(content).digest('hex');
const keyOf = (id: string) => (id === KEY.accessKeyId ? { secret: KEY.secretAccessKey } : undefined);

describe('SigV4', () => {
  // https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html and sigv4-streaming.html
  const DATE = '20130524';
  const TIME = `${DATE}T000000Z`;
  const NOW = Date.UTC(2013, 4, 24);
  const authorization = (signedHeaders: string, signature: string) =>
    `AWS4-HMAC-SHA256 Credential=${KEY.accessKeyId}/${DATE}/us-east-1/s3/aws4_request,SignedHeaders=${signedHeaders},Signature=${signature}`;
  const verdict = (request: SignedRequest, bodyHash?: string, nowMs = NOW) => {
    const result = verifySignature(request, { keyOf, nowMs, bodyHash });
    return 'fault' in result ? result.fault.kind : 'verified';
  };
  const documented = (signature: string, target = '/test.txt', range = 'bytes=0-9'): SignedRequest => ({
    method: 'GET',
    target,
    rawHeaders: [
      'Host',
      'examplebucket.s3.amazonaws.com',
      'Authorization',
      authorization('host;range;x-amz-content-sha256;x-amz-date', signature),
      'Range',
      range,
      'x-amz-content-sha256',
      sha256(''),
      'x-amz-date',
      TIME,
    ],
  });
  const DOCUMENTED = 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41';

  it("accepts the documentation's example of a GET, and no changed copy of it", () => {
    expect(verdict(documented(DOCUMENTED))).toBe('verified');
    expect(verdict(documented(DOCUMENTED.replace('f', 'e')))).toBe('mismatch');
    expect(verdict(documented(DOCUMENTED, '/test.tx'))).toBe('mismatch');
    expect(verdict(documented(DOCUMENTED, '/test.txt?a=b'))).toBe('mismatch');
    expect(verdict(documented(DOCUMENTED, '/test.txt', 'bytes=0-8'))).toBe('mismatch');
    expect(verdict(documented(DOCUMENTED), sha256('something'))).toBe('mismatch');
    expect(verdict(documented('\u00e9'.repeat(64)))).toBe('mismatch');
  });

  it('accepts it only within 15 minutes of its time', () => {
    for (const [minutes, expected] of [
      [14, 'verified'],
      [16, 'skewed'],
      [-14, 'verified'],
      [-16, 'skewed'],
    ] as const) {
      expect(verdict(documented(DOCUMENTED), undefined, NOW + minutes * 60_000)).toBe(expected);
    }
  });

  it("accepts the documentation's example of a PUT whose key needs escaping", () => {
    const request = {
      method: 'PUT',
      target: '/test%24file.text',
      rawHeaders: [
        'Host',
        'examplebucket.s3.amazonaws.com',
        'Date',
        'Fri, 24 May 2013 00:00:00 GMT',
        'Authorization',
        authorization(
          'date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class',
          '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
        ),
        'x-amz-content-sha256',
        sha256('Welcome to Amazon S3.'),
        'x-amz-date',
        TIME,
        'x-amz-storage-class',
        'REDUCED_REDUNDANCY',
      ],
    };
    expect(verdict(request)).toBe('verified');
    expect(verdict({ ...request, target: '/test$file.text' })).toBe('verified');
  });

  it("accepts the documentation's presigned URL until it expires", () => {
    const target =
      '/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request' +
      `&X-Amz-Date=${TIME}&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404`;
    const request = { method: 'GET', target, rawHeaders: ['Host', 'examplebucket.s3.amazonaws.com'] };
    expect(verdict(request)).toBe('verified');
    expect(verdict(request, undefined, NOW + 86_400_000)).toBe('verified');
    expect(verdict(request, undefined, NOW + 86_401_000)).toBe('expired');
    expect(verdict({ ...request, target: target.replace('86400', '86401') })).toBe('mismatch');
    expect(verdict({ ...request, method: 'PUT' })).toBe('mismatch');
  });

  it("signs chunks as in the documentation's example of a chunked upload", () => {
    const seed = '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9';
    const result = verifySignature(
      {
        method: 'PUT',
        target: '/examplebucket/chunkObject.txt',
        rawHeaders: [
          'Host',
          's3.amazonaws.com',
          'x-amz-date',
          TIME,
          'x-amz-storage-class',
          'REDUCED_REDUNDANCY',
          'Authorization',
          authorization(
            'content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class',
            seed,
          ),
          'x-amz-content-sha256',
          'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
          'Content-Encoding',
          'aws-chunked',
          'x-amz-decoded-content-length',
          '66560',
          'Content-Length',
          '66824',
        ],
      },
      { keyOf, nowMs: NOW, bodyHash: undefined },
    );
    if ('fault' in result) throw new Error(result.fault.message);
    const first = signChunk(result.verified, seed, sha256('a'.repeat(65536)));
    expect(first).toBe('ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648');
    const second = signChunk(result.verified, first, sha256('a'.repeat(1024)));
    expect(second).toBe('0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497');
    expect(signChunk(result.verified, second, sha256(''))).toBe(
      'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9',
    );
  });

  it.each([
    ['/2015-03-31/functions/hello/invocations', {}],
    ['/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Ahello/configuration', {}],
    ['/a//b/../c/./d/', { Qualifier: '$LATEST', b: ['2', '1', '10'], 'x y': 'ü/+*~' }],
    ['/', {}],
  ])("accepts what AWS's own signer makes of %s", async (path, query) => {
    const signer = new SignatureV4({ credentials: KEY, region: 'eu-west-1', service: 'lambda', sha256: NodeSha256 });
    const body = '{"name":"World"}';
    const request = {
      method: 'POST',
      protocol: 'http:',
      hostname: '127.0.0.1',
      port: 3001,
      path,
      query: query as Record<string, string | string[]>,
      headers: { host: '127.0.0.1:3001', 'content-type': 'application/json', 'x-custom': '  spaced    out ' },
      body,
    };
    const signed = await signer.sign(request, { signingDate: new Date(NOW) });
    const pairs = Object.entries(query).flatMap(([name, value]) => [value].flat().map((item) => [name, item] as const));
    const raw = pairs.map((pair) => pair.map((text) => encodeURIComponent(text as string)).join('=')).join('&');
    const wire = {
      method: 'POST',
      target: raw ? `${path}?${raw}` : path,
      rawHeaders: Object.entries(signed.headers).flat(),
    };
    expect(verdict(wire, sha256(body))).toBe('verified');
    expect(verdict(wire, sha256(`${body} `))).toBe('mismatch');
    expect(verdict({ ...wire, method: 'PUT' }, sha256(body))).toBe('mismatch');
  });

  it('distinguishes missing, malformed and unknown signatures', () => {
    const request = (...rawHeaders: string[]) => ({
      method: 'GET',
      target: '/',
      rawHeaders: ['Host', 'x', ...rawHeaders],
    });
    const signed = (value: string) => request('Authorization', value, 'X-Amz-Date', TIME);
    const scope = `${DATE}/us-east-1/lambda/aws4_request`;
    expect(verdict(request())).toBe('missing');
    expect(verdict(signed('Basic dXNlcjpwYXNz'))).toBe('malformed');
    expect(verdict(signed('AWS4-HMAC-SHA256 '))).toBe('malformed');
    expect(verdict(signed(`AWS4-HMAC-SHA256 Credential=${KEY.accessKeyId}/${scope}, SignedHeaders=host`))).toBe(
      'malformed',
    );
    expect(
      verdict(signed(`AWS4-HMAC-SHA256 Credential=${KEY.accessKeyId}/nonsense, SignedHeaders=host, Signature=0`)),
    ).toBe('malformed');
    expect(
      verdict(signed(`AWS4-HMAC-SHA256 Credential=${KEY.accessKeyId}/${scope}, SignedHeaders=x-amz-date, Signature=0`)),
    ).toBe('malformed');
    expect(
      verdict(
        request(
          'Authorization',
          `AWS4-HMAC-SHA256 Credential=${KEY.accessKeyId}/${scope}, SignedHeaders=host, Signature=0`,
        ),
      ),
    ).toBe('malformed');
    expect(verdict(signed(`AWS4-HMAC-SHA256 Credential=AKIDOTHER/${scope}, SignedHeaders=host, Signature=0`))).toBe(
      'unknown-key',
    );
    expect(
      verdict(signed(`AWS4-HMAC-SHA256 Credential=${KEY.accessKeyId}/${scope}, SignedHeaders=host, Signature=0`)),
    ).toBe('mismatch');
  });

  it('parses the scope of any signature without verifying it', () => {
    const scopeOf = (text: string) => parseCredentialScope(text, new URLSearchParams());
    const sigv4 = 'AWS4-HMAC-SHA256 Credential=AKID/20261122/us-east-1/lambda/aws4_request, Signature=x';
    expect(scopeOf(sigv4)).toEqual({ accessKeyId: 'AKID', date: '20261122', region: 'us-east-1', service: 'lambda' });
    const sigv4a = 'AWS4-ECDSA-P256-SHA256 Credential=AKID/20261122/s3/aws4_request, Signature=x';
    expect(scopeOf(sigv4a)).toEqual({ accessKeyId: 'AKID', date: '20261122', region: undefined, service: 's3' });
    for (const text of [
      '',
      'Bearer x',
      'AWS4-HMAC-SHA256 Credential=AKID',
      'AWS4-HMAC-SHA256 Credential=aws4_request',
    ]) {
      expect(scopeOf(text)).toBeUndefined();
    }
  });
});

/** The hash interface that the SDK's signer expects. */
class NodeSha256 {
  readonly #chunks: Buffer[] = [];
  readonly #secret: Buffer | undefined;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#secret = secret === undefined ? undefined : bytesOf(secret);
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#chunks.push(bytesOf(data));
  }

  async digest(): Promise<Uint8Array> {
    const { createHmac } = await import('node:crypto');
    const hash = this.#secret === undefined ? createHash('sha256') : createHmac('sha256', this.#secret);
    return new Uint8Array(hash.update(Buffer.concat(this.#chunks)).digest());
  }

  reset(): void {
    this.#chunks.length = 0;
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Buffer {
  if (typeof data === 'string') return Buffer.from(data);
  return ArrayBuffer.isView(data) ? Buffer.from(data.buffer, data.byteOffset, data.byteLength) : Buffer.from(data);
}
