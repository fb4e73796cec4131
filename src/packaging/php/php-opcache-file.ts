/**
 * The files of opcache's cache, as PHP 8.5 writes them, without what only chance put into them. An operand that an
 * instruction does not use is never set: it holds what was on the stack, such as the number, new in each process, by which
 * glibc knows a damaged stack, or a time. Two processes that compile the same file differ in nothing else.
 */

const MAGIC = 'OPCACHE\0';
/** Of the header: https://github.com/php/php-src/blob/PHP-8.5/ext/opcache/zend_file_cache.c, `zend_file_cache_metainfo`. */
const CHECKSUM_AT = 72;
const HEADER_BYTES = 80;
/** Operands have this size, and lie at its multiples. */
const OPERAND_BYTES = 4;
const ADLER_MODULUS = 65521;
/** So many bytes can be added up before a sum must be reduced to stay exact. */
const ADLER_BLOCK = 4096;

/** What both have in common, with zeroes where they differ, and the checksum for that. Two that are not alike: the first. */
export function withoutChance(one: Buffer, other: Buffer): Buffer {
  const isCache = (bytes: Buffer) => bytes.subarray(0, MAGIC.length).toString('latin1') === MAGIC;
  if (one.length !== other.length || !isCache(one) || !isCache(other) || one.equals(other)) return one;
  const settled = Buffer.from(one);
  for (let at = HEADER_BYTES; at < one.length; at += OPERAND_BYTES) {
    if (one.compare(other, at, at + OPERAND_BYTES, at, at + OPERAND_BYTES) !== 0) {
      settled.fill(0, at, Math.min(at + OPERAND_BYTES, one.length));
    }
  }
  settled.writeUInt32LE(adler32(settled.subarray(HEADER_BYTES)), CHECKSUM_AT);
  return settled;
}

/** https://www.rfc-editor.org/rfc/rfc1950#section-8.2 */
function adler32(bytes: Buffer): number {
  let low = 1;
  let high = 0;
  for (let start = 0; start < bytes.length; start += ADLER_BLOCK) {
    for (const byte of bytes.subarray(start, start + ADLER_BLOCK)) {
      low += byte;
      high += low;
    }
    low %= ADLER_MODULUS;
    high %= ADLER_MODULUS;
  }
  return ((high << 16) | low) >>> 0;
}
