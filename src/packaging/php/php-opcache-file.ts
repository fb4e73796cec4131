/**
 * Makes files of the opcache file cache of PHP 8.5 reproducible. PHP never sets operands that an instruction does not
 * use, so they contain whatever was on the stack, such as a time or the stack guard of glibc, which is random in each
 * process. Two processes that compile the same file differ in nothing else.
 */

const MAGIC = 'OPCACHE\0';
/** `zend_file_cache_metainfo`: https://github.com/php/php-src/blob/PHP-8.5/ext/opcache/zend_file_cache.c */
const CHECKSUM_AT = 72;
const HEADER_BYTES = 80;
/** Size and alignment of operands. */
const OPERAND_BYTES = 4;
const ADLER_MODULUS = 65521;
/** The sums stay exact for this number of bytes before they must be reduced. */
const ADLER_BLOCK = 4096;

/**
 * Returns a copy of `one` with zeros where `other` differs, and with the checksum for that. Returns `one` itself if the
 * two are equal, differ in size or are not cache files.
 */
export function withoutDifferences(one: Buffer, other: Buffer): Buffer {
  const isCache = (bytes: Buffer) => bytes.subarray(0, MAGIC.length).toString('latin1') === MAGIC;
  if (one.length !== other.length || !isCache(one) || !isCache(other) || one.equals(other)) return one;
  const result = Buffer.from(one);
  for (let at = HEADER_BYTES; at < one.length; at += OPERAND_BYTES) {
    if (one.compare(other, at, at + OPERAND_BYTES, at, at + OPERAND_BYTES) !== 0) {
      result.fill(0, at, Math.min(at + OPERAND_BYTES, one.length));
    }
  }
  result.writeUInt32LE(adler32(result.subarray(HEADER_BYTES)), CHECKSUM_AT);
  return result;
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
