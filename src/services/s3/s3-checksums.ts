/**
 * The checksums that S3 clients send and request: CRC-32, CRC-32C, CRC-64/NVME, SHA-1 and SHA-256, as Base64.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

export const CHECKSUM_ALGORITHMS = ['crc32', 'crc32c', 'crc64nvme', 'sha1', 'sha256'] as const;
export type ChecksumAlgorithm = (typeof CHECKSUM_ALGORITHMS)[number];

/** A running checksum. */
export type Checksum = { update(piece: Uint8Array): void; base64(): string };

export function startChecksum(algorithm: ChecksumAlgorithm): Checksum {
  switch (algorithm) {
    case 'sha1':
    case 'sha256': {
      const hash = createHash(algorithm);
      return { update: (piece) => void hash.update(piece), base64: () => hash.digest('base64') };
    }
    case 'crc32': {
      let value = 0;
      return {
        update(piece) {
          value = crc32(piece, value);
        },
        base64: () => base64Of32(value),
      };
    }
    case 'crc32c': {
      let value = 0xffffffff;
      return {
        update(piece) {
          for (const byte of piece) value = (CRC32C_TABLE[(value ^ byte) & 0xff] ?? 0) ^ (value >>> 8);
        },
        base64: () => base64Of32(~value >>> 0),
      };
    }
    case 'crc64nvme': {
      // Two halves of 32 bits. BigInt arithmetic per byte would be forty times slower.
      let high = 0xffffffff;
      let low = 0xffffffff;
      return {
        update(piece) {
          for (const byte of piece) {
            const index = (low ^ byte) & 0xff;
            low = ((low >>> 8) | (high << 24)) ^ (CRC64_LOW[index] ?? 0);
            high = (high >>> 8) ^ (CRC64_HIGH[index] ?? 0);
          }
        },
        base64() {
          const bytes = Buffer.alloc(8);
          bytes.writeUInt32BE(~high >>> 0, 0);
          bytes.writeUInt32BE(~low >>> 0, 4);
          return bytes.toString('base64');
        },
      };
    }
  }
}

function base64Of32(value: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0, 0);
  return bytes.toString('base64');
}

const CRC32C_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value >>> 0;
});

const CRC64_TABLE = Array.from({ length: 256 }, (_, index) => {
  let value = BigInt(index);
  for (let bit = 0; bit < 8; bit += 1) value = value & 1n ? (value >> 1n) ^ 0x9a6c9329ac4bc9b5n : value >> 1n;
  return value;
});
const CRC64_HIGH = Uint32Array.from(CRC64_TABLE, (value) => Number(value >> 32n));
const CRC64_LOW = Uint32Array.from(CRC64_TABLE, (value) => Number(value & 0xffffffffn));
