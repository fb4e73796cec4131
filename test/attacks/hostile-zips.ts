/**
 * The second generator of archives: each record of the format is written by itself, from PKWARE's APPNOTE 6.3.10, so that
 * every pair of them can contradict each other: local headers and central directory, sizes and data, zip64 and 32 bits,
 * counts and offsets of the end records, names in two encodings, entries that share their data, and what lies between them.
 */
import { crc32, deflateRawSync } from 'node:zlib';
import type { Random } from './target.ts';

/** One entry as its two headers describe it. The data is written once, or taken from an earlier entry. */
type Described = {
  readonly name: Buffer;
  readonly method: number;
  readonly flags: number;
  readonly crc: number;
  readonly packedBytes: number;
  readonly bytes: number;
  readonly extra: Buffer;
};

type Content = { readonly bytes: Buffer; readonly packed: Buffer; readonly method: number };

const NAMES: readonly (string | Buffer)[] = [
  'bootstrap',
  'bootstrap/',
  'Bootstrap',
  'bootstrap ',
  './bootstrap',
  'a/../bootstrap',
  'lib/a.so',
  'lib',
  'lib/',
  'LIB/a.so',
  'extensions/e',
  'extensions/',
  'link',
  'link/x',
  'link/../x',
  '/etc/passwd',
  '../x',
  '....//x',
  '..\\x',
  'C:x',
  '\\\\host\\share',
  'a\0/../../x',
  'a/./b',
  'é',
  'e\u0301',
  Buffer.from([0x82]),
  Buffer.from([0xc0, 0xae, 0xc0, 0xae, 0x2f, 0x78]),
  Buffer.from([0xed, 0xa0, 0x80]),
  '\u202egpj.sh',
  'aux',
  '-rf',
  '*',
  'x'.repeat(256),
  `${'d/'.repeat(150)}f`,
  `${'d/'.repeat(3_000)}f`,
  'y'.repeat(65_000),
  '',
  '.',
  '..',
  '/',
];

const LINK_TARGETS = [
  '/',
  '..',
  '../..',
  '/etc',
  '/proc/self/root',
  '/proc/1/environ',
  '/var/task',
  '/opt/../..',
  'link',
  'lib',
  './././bootstrap',
  'x'.repeat(4_095),
  'x'.repeat(5_000),
  '\0',
  '',
  '/dev/zero',
  '/dev/stdin',
] as const;

const MODES = [0, 0o100644, 0o100755, 0o104755, 0o102755, 0o040755, 0o120777, 0o020666, 0o060600, 0o010644, 0o140777];

const u16 = (value: number) => {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value & 0xffff);
  return bytes;
};
const u32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(Math.max(0, Math.min(value, 0xffffffff)) >>> 0);
  return bytes;
};
const u64 = (value: number | bigint) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
  return bytes;
};

const field = (id: number, data: Buffer) => Buffer.concat([u16(id), u16(data.length), data]);

function extraOf(random: Random, name: Buffer, bytes: number, packedBytes: number): Buffer {
  const fields = [
    // Zip64: sizes that agree, that do not, that are missing, or huge.
    () => field(1, Buffer.concat([u64(bytes), u64(packedBytes)])),
    () => field(1, Buffer.concat([u64(2n ** 63n), u64(2n ** 64n - 1n), u64(2n ** 40n), u32(7)])),
    () => field(1, Buffer.alloc(random.below(8))),
    // A name in Unicode for another name: Info-ZIP's 0x7075.
    () => field(0x7075, Buffer.concat([Buffer.from([1]), u32(crc32(name)), Buffer.from('../../unicode')])),
    // Owner and group, times, and a link of PKWARE's Unix field.
    () => field(0x7875, Buffer.from([1, 4, 0, 0, 0, 0, 4, 0, 0, 0, 0])),
    () => field(0x5455, Buffer.from([7, 0xff, 0xff, 0xff, 0xff])),
    () => field(0x000d, Buffer.concat([Buffer.alloc(12), Buffer.from('/etc/passwd')])),
    // Strong encryption, and an unknown field.
    () => field(0x9901, Buffer.from([2, 0, 0x41, 0x45, 3, 8, 0])),
    () => field(random.below(65_536), random.bytes(random.below(64))),
    // A length beyond the end.
    () => Buffer.concat([u16(1), u16(60_000)]),
    () => Buffer.from([1]),
  ];
  return Buffer.concat(Array.from({ length: random.pick([0, 0, 0, 1, 2]) }, () => random.pick(fields)()));
}

const repeated = (bytes: number): Content => {
  const content = Buffer.alloc(bytes);
  return { bytes: content, packed: deflateRawSync(content), method: 8 };
};
/** Made once: 64 MB of zeros, 64 KB when packed. */
let bomb: Content | undefined;

function contentOf(random: Random, isLink: boolean, program: string): Content {
  const plain = (bytes: Buffer): Content =>
    random.chance(0.5) ? { bytes, packed: deflateRawSync(bytes), method: 8 } : { bytes, packed: bytes, method: 0 };
  if (isLink) return plain(Buffer.from(random.pick(LINK_TARGETS)));
  return random.pick([
    () => plain(Buffer.from(program)),
    () => plain(Buffer.from(program)),
    () => plain(Buffer.alloc(0)),
    () => plain(random.bytes(random.below(500))),
    () => repeated(1_000_000),
    () => {
      if (random.chance(0.8)) return repeated(100_000);
      bomb ??= repeated(64 * 1024 * 1024);
      return bomb;
    },
    // Data that is not what its method says: cut, random, a block that does not end, or a distance too far.
    () => ({ bytes: Buffer.alloc(100), packed: deflateRawSync(random.bytes(100)).subarray(0, 40), method: 8 }),
    () => ({ bytes: Buffer.alloc(100), packed: random.bytes(50), method: 8 }),
    () => ({ bytes: Buffer.alloc(100), packed: Buffer.alloc(50_000, 0), method: 8 }),
    () => ({ bytes: Buffer.alloc(100), packed: Buffer.from([0x03, 0x02, 0xff]), method: 8 }),
    () => ({ ...plain(Buffer.from('x')), method: random.pick([1, 6, 9, 12, 14, 93, 95, 98, 99, 65_535]) }),
  ])();
}

function headerFields({ method, flags, crc, packedBytes, bytes, name, extra }: Described): Buffer {
  const sizes = [u32(crc), u32(packedBytes), u32(bytes), u16(name.length), u16(extra.length)];
  return Buffer.concat([u16(flags), u16(method), u16(0), u16(0x21), ...sizes]);
}

/** The same entry as another header tells it. */
function contradicted(random: Random, entry: Described): Described {
  return random.pick<() => Described>([
    () => ({ ...entry, name: Buffer.from(random.pick(NAMES)) }),
    () => ({ ...entry, method: random.pick([0, 8, 14]) }),
    () => ({ ...entry, bytes: random.pick([0, 1, entry.bytes + 1, 0xffffffff, 2 ** 31]) }),
    () => ({ ...entry, packedBytes: random.pick([0, 1, entry.packedBytes + 9, 0xffffffff]) }),
    () => ({ ...entry, crc: 0 }),
    () => ({ ...entry, flags: entry.flags ^ random.pick([1, 8, 0x40, 0x800, 0x2000]) }),
    () => ({ ...entry, extra: extraOf(random, entry.name, entry.bytes, entry.packedBytes) }),
  ])();
}

/** An archive whose programs do what `program` says, if it can be run at all. */
export function hostileZip(random: Random, program: string): Buffer {
  const parts: Buffer[] = random.chance(0.1) ? [random.bytes(random.below(300))] : [];
  const directory: Buffer[] = [];
  const offsets: number[] = [];
  let size = parts[0]?.length ?? 0;
  const write = (bytes: Buffer) => {
    parts.push(bytes);
    size += bytes.length;
  };
  const count = random.pick([0, 1, 1, 2, 3, 8, 30]);
  for (let index = 0; index < count; index += 1) {
    const name = Buffer.from(random.chance(0.25) ? 'bootstrap' : random.pick(NAMES));
    const isLink = random.chance(0.25);
    const content = contentOf(random, isLink, program);
    const entry: Described = {
      name,
      method: content.method,
      flags: random.pick([0, 0, 0, 0x800, 8, 1, 0x2041]),
      crc: crc32(content.bytes),
      packedBytes: content.packed.length,
      bytes: content.bytes.length,
      extra: extraOf(random, name, content.bytes.length, content.packed.length),
    };
    // Some entries have no data of their own: they share another entry's header and data.
    const shared = offsets.length > 0 && random.chance(0.1) ? random.pick(offsets) : undefined;
    const offset = shared ?? size;
    if (shared === undefined) {
      const local = random.chance(0.15) ? contradicted(random, entry) : entry;
      offsets.push(size);
      write(Buffer.concat([u32(0x04034b50), u16(20), headerFields(local), local.name, local.extra, content.packed]));
      if ((entry.flags & 8) !== 0 && random.chance(0.8)) {
        const descriptor = [u32(entry.crc), u32(entry.packedBytes), u32(entry.bytes)];
        write(Buffer.concat(random.chance(0.5) ? [u32(0x08074b50), ...descriptor] : descriptor));
      }
      if (random.chance(0.05)) write(random.bytes(random.below(100)));
    }
    const listed = random.chance(0.15) ? contradicted(random, entry) : entry;
    const mode = isLink ? 0o120777 : random.chance(0.5) ? 0o100755 : random.pick(MODES);
    const comment = random.chance(0.05) ? random.bytes(random.below(1_000)) : Buffer.alloc(0);
    const place = random.chance(0.05) ? random.pick([0, size, 0xffffffff, offset + 1]) : offset;
    const fixed = [u16(comment.length), u16(0), u16(0), u32(mode * 65_536), u32(place)];
    const creator = u16((random.chance(0.9) ? 3 : random.pick([0, 10, 19])) * 256 + 20);
    const record = [
      u32(0x02014b50),
      creator,
      u16(20),
      headerFields(listed),
      ...fixed,
      listed.name,
      listed.extra,
      comment,
    ];
    for (let times = random.chance(0.03) ? 3 : 1; times > 0; times -= 1) directory.push(Buffer.concat(record));
  }
  if (random.chance(0.02))
    for (let times = 0; times < 70_000; times += 1) directory.push(directory[0] ?? Buffer.alloc(46));
  return Buffer.concat([...parts, ...endOf(random, directory, size)]);
}

/** The central directory and the records after it, which may lie about it. */
function endOf(random: Random, entries: readonly Buffer[], offset: number): Buffer[] {
  const directory = Buffer.concat(entries);
  const lie = (truth: number) => (random.chance(0.06) ? random.pick([0, truth + 1, 0xffff, 0xffffffff]) : truth);
  const end = (comment: Buffer) =>
    Buffer.concat([
      u32(0x06054b50),
      u16(random.chance(0.03) ? 1 : 0),
      u16(0),
      u16(Math.min(lie(entries.length), 0xffff)),
      u16(Math.min(lie(entries.length), 0xffff)),
      u32(lie(directory.length)),
      u32(lie(offset)),
      u16(random.chance(0.05) ? 60_000 : comment.length),
      comment,
    ]);
  const zip64 = () => {
    const version = [u16(45), u16(45), u32(0), u32(0)];
    const about = [u64(lie(entries.length)), u64(lie(entries.length)), u64(lie(directory.length)), u64(lie(offset))];
    const record = Buffer.concat([u32(0x06064b50), u64(random.chance(0.2) ? 2n ** 63n : 44n), ...version, ...about]);
    const at = random.chance(0.2) ? 2n ** 64n - 1n : BigInt(offset + directory.length);
    return Buffer.concat([record, u32(0x07064b50), u32(0), u64(at), u32(1)]);
  };
  const parts: Buffer[] = [directory];
  if (random.chance(0.2)) parts.push(zip64());
  const comment = random.pick<Buffer>([
    Buffer.alloc(0),
    Buffer.alloc(0),
    random.bytes(200),
    Buffer.from('PK\x05\x06'.repeat(10_000)),
  ]);
  parts.push(end(comment));
  // A second end, which some readers take for the only one.
  if (random.chance(0.08)) parts.push(end(Buffer.alloc(0)));
  if (random.chance(0.05)) parts.push(random.bytes(random.below(70_000)));
  return parts;
}
