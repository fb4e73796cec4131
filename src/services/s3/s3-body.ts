/**
 * Receives the body of an upload into a file without holding it in memory. Decodes aws-chunked and verifies chunk
 * signatures, digests and checksums. The file is complete and verified when the promise resolves, and removed when it
 * rejects.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
 */
import { createHash } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { S3_QUOTAS } from '../../protocol/s3-errors.ts';
import type { ApiCall } from '../../wire/api-call.ts';
import { signChunk, signTrailer } from '../../wire/sigv4.ts';
import type { Checksum, ChecksumAlgorithm } from './s3-checksums.ts';
import { CHECKSUM_ALGORITHMS, startChecksum } from './s3-checksums.ts';
import type { ReceivedFile, S3Store } from './s3-store.ts';
import { S3Error } from './s3-wire.ts';

export type ReceivedBody = ReceivedFile & {
  /** The checksum that the client sent or requested. */
  readonly checksum: { readonly algorithm: ChecksumAlgorithm; readonly value: string } | undefined;
};

/** Receives the request's body into a file of the store, which the caller stores or removes. @throws S3Error */
export async function receiveBody(call: ApiCall, store: S3Store): Promise<ReceivedBody> {
  const { headers } = call.request;
  const declared = header(isChunked(call) ? headers['x-amz-decoded-content-length'] : headers['content-length']);
  if (declared !== undefined && Number(declared) > S3_QUOTAS.putBytes) throw new S3Error('EntityTooLarge');
  const expectations = readExpectations(call);
  const path = store.receivingPath();
  const file = await open(path, 'wx', 0o600);
  try {
    const md5 = createHash('md5');
    const sha256 = createHash('sha256');
    const trailers = new Map<string, string>();
    let size = 0;
    try {
      for await (const piece of contentOf(call, trailers)) {
        size += piece.length;
        if (size > S3_QUOTAS.putBytes) throw new S3Error('EntityTooLarge');
        md5.update(piece);
        if (expectations.sha256 !== undefined) sha256.update(piece);
        expectations.checksum?.running.update(piece);
        await writeAll(file, piece);
      }
    } finally {
      await file.close();
    }
    if (declared !== undefined && size !== Number(declared)) throw new S3Error('IncompleteBody');
    const digest = md5.digest();
    if (expectations.md5 !== undefined && expectations.md5 !== digest.toString('base64'))
      throw new S3Error('BadDigest');
    if (expectations.sha256 !== undefined && expectations.sha256 !== sha256.digest('hex')) {
      throw new S3Error('XAmzContentSHA256Mismatch');
    }
    const checksum = checkedChecksum(expectations.checksum, trailers);
    const kept = store.keptPath();
    await rename(path, kept);
    return { path: kept, size, etag: digest.toString('hex'), checksum };
  } catch (failure) {
    await rm(path, { force: true });
    throw failure;
  }
}

async function writeAll(file: Awaited<ReturnType<typeof open>>, piece: Buffer): Promise<void> {
  let written = 0;
  while (written < piece.length) written += (await file.write(piece, written)).bytesWritten;
}

type Expectations = {
  /** Base64. */
  readonly md5: string | undefined;
  /** Hexadecimal. Undefined if the payload is not signed as a whole. */
  readonly sha256: string | undefined;
  readonly checksum:
    | { readonly algorithm: ChecksumAlgorithm; readonly running: Checksum; readonly given: string | undefined }
    | undefined;
};

function readExpectations({ request }: ApiCall): Expectations {
  const { headers } = request;
  const md5 = header(headers['content-md5']);
  if (md5 !== undefined && Buffer.from(md5, 'base64').length !== 16) throw new S3Error('InvalidDigest');
  const sha256 = header(headers['x-amz-content-sha256']);
  const given = CHECKSUM_ALGORITHMS.find((name) => headers[`x-amz-checksum-${name}`] !== undefined);
  const announced = header(headers['x-amz-trailer'])
    ?.toLowerCase()
    .replace(/^x-amz-checksum-/, '');
  const requested = header(headers['x-amz-sdk-checksum-algorithm'])?.toLowerCase();
  const algorithm = given ?? CHECKSUM_ALGORITHMS.find((name) => name === announced || name === requested);
  return {
    md5,
    sha256: sha256 !== undefined && /^[0-9a-f]{64}$/.test(sha256) ? sha256 : undefined,
    checksum: algorithm && {
      algorithm,
      running: startChecksum(algorithm),
      given: given && header(headers[`x-amz-checksum-${given}`]),
    },
  };
}

function checkedChecksum(
  expected: Expectations['checksum'],
  trailers: ReadonlyMap<string, string>,
): ReceivedBody['checksum'] {
  if (expected === undefined) return undefined;
  const { algorithm, running } = expected;
  const value = running.base64();
  const given = expected.given ?? trailers.get(`x-amz-checksum-${algorithm}`);
  if (given !== undefined && given !== value) {
    throw new S3Error(
      'BadDigest',
      {},
      `The ${algorithm.toUpperCase()} you specified did not match the calculated checksum.`,
    );
  }
  return { algorithm, value };
}

function header(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

/** The content of the body, decoded from its chunks if it has any. Fills `trailers` with the headers after them. */
async function* contentOf(call: ApiCall, trailers: Map<string, string>): AsyncGenerator<Buffer> {
  const pieces = piecesOf(call);
  if (isChunked(call)) yield* decodeChunks(new PieceReader(pieces), call, trailers);
  else yield* pieces;
}

function isChunked({ request }: ApiCall): boolean {
  const codings = header(request.headers['content-encoding'])?.split(',') ?? [];
  return (
    header(request.headers['x-amz-content-sha256'])?.startsWith('STREAMING-') ||
    codings.some((coding) => coding.trim() === 'aws-chunked')
  );
}

async function* piecesOf({ request }: ApiCall): AsyncGenerator<Buffer> {
  try {
    // An error in the middle must leave the connection open for the response.
    for await (const piece of request.iterator({ destroyOnReturn: false })) yield piece as Buffer;
  } catch (failure) {
    // The client disconnected, so it will not read this error.
    throw new S3Error('IncompleteBody', {}, failure instanceof Error ? failure.message : undefined);
  }
}

async function* decodeChunks(
  reader: PieceReader,
  call: ApiCall,
  trailers: Map<string, string>,
): AsyncGenerator<Buffer> {
  const isSigned = header(call.request.headers['x-amz-content-sha256'])?.startsWith(
    'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
  );
  const context = isSigned ? call.signature : undefined;
  let previous = context?.signature ?? '';
  for (;;) {
    const line = await reader.line();
    const match = /^([0-9a-fA-F]{1,10})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(line);
    if (!match?.[1]) throw new S3Error('IncompleteBody');
    const length = Number.parseInt(match[1], 16);
    const hash = createHash('sha256');
    for await (const piece of reader.take(length)) {
      if (context) hash.update(piece);
      yield piece;
    }
    if (context) {
      const expected = signChunk(context, previous, hash.digest('hex'));
      if (match[2] !== expected) throw new S3Error('SignatureDoesNotMatch');
      previous = expected;
    }
    if (length === 0) break;
    if ((await reader.line()) !== '') throw new S3Error('IncompleteBody');
  }
  let signed = '';
  for (;;) {
    const line = await reader.lastLine();
    if (line === undefined || line === '') break;
    const colon = line.indexOf(':');
    const [name, value] = [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
    if (name === 'x-amz-trailer-signature') {
      if (context && value !== signTrailer(context, previous, signed)) throw new S3Error('SignatureDoesNotMatch');
      continue;
    }
    signed += `${name}:${value}\n`;
    trailers.set(name, value);
  }
}

const LINE_BYTES = 8192;

/** Reads lines and byte counts from pieces that end anywhere. */
class PieceReader {
  readonly #pieces: AsyncGenerator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(pieces: AsyncGenerator<Buffer>) {
    this.#pieces = pieces;
  }

  async #more(): Promise<boolean> {
    const { value, done } = await this.#pieces.next();
    if (done) return false;
    this.#rest = this.#rest.length === 0 ? value : Buffer.concat([this.#rest, value]);
    return true;
  }

  /** The next line without its CR LF. @throws S3Error at the end */
  async line(): Promise<string> {
    const line = await this.lastLine();
    if (line === undefined) throw new S3Error('IncompleteBody');
    return line;
  }

  /** The next line, whose CR LF can be missing at the end. Undefined after it. */
  async lastLine(): Promise<string | undefined> {
    for (;;) {
      const end = this.#rest.indexOf('\r\n');
      if (end >= 0) {
        const line = this.#rest.subarray(0, end).toString('latin1');
        this.#rest = this.#rest.subarray(end + 2);
        return line;
      }
      if (this.#rest.length > LINE_BYTES) throw new S3Error('IncompleteBody');
      if (!(await this.#more())) {
        const line = this.#rest.toString('latin1');
        this.#rest = Buffer.alloc(0);
        return line === '' ? undefined : line;
      }
    }
  }

  /** Exactly `length` bytes. */
  async *take(length: number): AsyncGenerator<Buffer> {
    let missing = length;
    while (missing > 0) {
      if (this.#rest.length === 0 && !(await this.#more())) throw new S3Error('IncompleteBody');
      const piece = this.#rest.subarray(0, missing);
      this.#rest = this.#rest.subarray(piece.length);
      missing -= piece.length;
      yield piece;
    }
  }
}
