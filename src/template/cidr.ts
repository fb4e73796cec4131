/** `Fn::Cidr`: blocks of addresses inside a block, of IPv4 or IPv6. */
import { isIPv4, isIPv6 } from 'node:net';

/**
 * The first `count` blocks with `hostBits` bits of host part. Undefined if the arguments are not possible: no block, more
 * than 256 blocks, or more than fit.
 */
export function subdivide(block: string, count: number, hostBits: number | undefined): string[] | undefined {
  const [address = '', length = ''] = block.split('/');
  const bits = isIPv4(address) ? 32 : isIPv6(address) ? 128 : undefined;
  const prefix = Number(length);
  const host = hostBits ?? (bits === 128 ? 64 : undefined);
  if (bits === undefined || host === undefined || !/^\d{1,3}$/.test(length) || prefix > bits) return undefined;
  if (!Number.isInteger(count) || count < 1 || count > 256 || !Number.isInteger(host) || host < 1) return undefined;
  const free = bits - prefix - host;
  if (free < 0 || (free < 9 && count > 2 ** free)) return undefined;
  const base = (parse(address, bits) >> BigInt(bits - prefix)) << BigInt(bits - prefix);
  return Array.from({ length: count }, (_, index) => {
    const start = base + (BigInt(index) << BigInt(host));
    return `${render(start, bits)}/${bits - host}`;
  });
}

function parse(address: string, bits: number): bigint {
  if (bits === 32) return address.split('.').reduce((value, part) => (value << 8n) | BigInt(part), 0n);
  const [head = '', tail] = withoutDots(address).split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [...front, ...Array(8 - front.length - back.length).fill('0'), ...back];
  return groups.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}

/** `::ffff:1.2.3.4` as `::ffff:102:304`. */
function withoutDots(address: string): string {
  return address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) =>
    [Number(a) * 256 + Number(b), Number(c) * 256 + Number(d)].map((group) => group.toString(16)).join(':'),
  );
}

function render(value: bigint, bits: number): string {
  if (bits === 32) return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join('.');
  const groups = Array.from({ length: 8 }, (_, at) => ((value >> BigInt(112 - at * 16)) & 0xffffn).toString(16)).join(
    ':',
  );
  // The longest run of zero groups becomes "::", as the address is usually written.
  const runs = groups.match(/\b0(?::0)+\b/g) ?? [];
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), '');
  return longest ? groups.replace(new RegExp(`:?\\b${longest}\\b:?`), '::') : groups;
}
