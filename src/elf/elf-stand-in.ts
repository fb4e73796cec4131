/**
 * Renders a stand-in: a small shared library that replaces a large one. Every function returns the same number, every
 * variable is zero. A program that is linked with a library and never uses it starts with the stand-in too. The caller
 * chooses the libraries. Layout: the System V ABI, chapter 5, and the LSB's symbol versioning.
 */
import type { ElfFile } from './elf.ts';

export type StandIn = {
  readonly soname: string;
  readonly architecture: ElfFile['architecture'];
  /** The symbols to define, each with one version or none. */
  readonly symbols: readonly {
    readonly name: string;
    readonly version: string | undefined;
    readonly isVariable: boolean;
  }[];
  /** The return value of every function. Only its upper 16 bits can be set. */
  readonly result: number;
};

type Processor = { readonly machine: number; readonly page: number; readonly code: (high: number) => number[] };

/** Architecture -> its ELF machine number and page size, and the code that returns `result`. */
const PROCESSORS: Readonly<Record<string, Processor>> = {
  // mov eax, result; ret
  x86_64: { machine: 62, page: 0x1000, code: (high) => [0xb8, 0, 0, high & 0xff, high >> 8, 0xc3, 0x90, 0x90] },
  // movz w0, #high, lsl #16; ret
  arm64: {
    machine: 183,
    page: 0x10000,
    code: (high) => [...little32(0x52a00000 | (high << 5)), ...little32(0xd65f03c0)],
  },
};
const SHT = { strings: 3, dynamic: 6, symbols: 11 };
const PT = { load: 1, dynamic: 2, gnuStack: 0x6474e551 };
const TAG = { hash: 4, strtab: 5, symtab: 6, strsz: 10, syment: 11, soname: 14, versym: 0x6ffffff0 };
const DEFINED = { table: 0x6ffffffc, count: 0x6ffffffd };
const VARIABLE_SIZE = 64;
const HEADERS_SIZE = 64 + 4 * 56;

type StandInSymbol = StandIn['symbols'][number];
/** Offsets in the file, which are also addresses: the first segment begins at 0. */
type Layout = Readonly<Record<'symbols' | 'hash' | 'strings' | 'versions' | 'definitions' | 'code', number>>;

/** Renders the library. The same description gives the same bytes. */
export function renderStandIn({ soname, architecture, symbols, result }: StandIn): Buffer {
  const processor = PROCESSORS[architecture];
  if (processor === undefined) throw new Error(`Stand-ins cannot be rendered for the architecture ${architecture}`);
  const strings = stringTable();
  const sonameAt = strings.add(soname);
  const sorted = [...symbols].sort((a, b) => (a.name < b.name ? -1 : 1));
  const versions = [...new Set(sorted.flatMap(({ version }) => version ?? []))].sort();
  const names = sorted.map(({ name }) => strings.add(name));
  const definitions = Buffer.concat([
    definition(1, soname, sonameAt, versions.length === 0),
    ...versions.map((version, index) =>
      definition(index + 2, version, strings.add(version), index === versions.length - 1),
    ),
  ]);
  const code = Buffer.from(processor.code(result >>> 16));
  const text = strings.bytes();

  // A readable and executable segment, then a writable one, a page further on.
  const allocate = allocator(HEADERS_SIZE);
  const at = {
    symbols: allocate((sorted.length + 1) * 24),
    hash: allocate((2 + 1 + sorted.length + 1) * 4),
    strings: allocate(text.length),
    versions: allocate((sorted.length + 1) * 2),
    definitions: allocate(definitions.length),
    code: allocate(code.length),
  };
  const writable = allocate(0);
  const dynamicAt = writable + processor.page;
  const dynamic = dynamicTable({
    [TAG.soname]: sonameAt,
    [TAG.hash]: at.hash,
    [TAG.strtab]: at.strings,
    [TAG.symtab]: at.symbols,
    [TAG.strsz]: text.length,
    [TAG.syment]: 24,
    [TAG.versym]: at.versions,
    [DEFINED.table]: at.definitions,
    [DEFINED.count]: versions.length + 1,
  });
  const variables = sorted.filter(({ isVariable }) => isVariable);
  const file = Buffer.alloc(writable + dynamic.length + variables.length * VARIABLE_SIZE);
  const variablesAt = dynamicAt + dynamic.length;
  sorted.forEach((symbol, index) => {
    const entry = at.symbols + (index + 1) * 24;
    const address = symbol.isVariable ? variablesAt + variables.indexOf(symbol) * VARIABLE_SIZE : at.code;
    symbolEntry(symbol, names[index] ?? 0, address, code.length).copy(file, entry);
    const version = symbol.version === undefined ? 1 : versions.indexOf(symbol.version) + 2;
    file.writeUInt16LE(version, at.versions + (index + 1) * 2);
  });
  hashTable(sorted.length).copy(file, at.hash);
  text.copy(file, at.strings);
  definitions.copy(file, at.definitions);
  code.copy(file, at.code);
  dynamic.copy(file, writable);
  const dynamicRange = { address: dynamicAt, offset: writable, size: dynamic.length };
  const sections = renderSections(file.length, sectionRows(at, text.length, dynamicRange));
  writeHeaders(file, processor, sections.tableAt, dynamicRange);
  return Buffer.concat([file, sections.bytes]);
}

function symbolEntry({ isVariable }: StandInSymbol, nameAt: number, address: number, codeSize: number): Buffer {
  const entry = Buffer.alloc(24);
  entry.writeUInt32LE(nameAt, 0);
  entry.writeUInt8((1 << 4) | (isVariable ? 1 : 2), 4); // global; object or function
  entry.writeUInt16LE(1, 6);
  entry.writeBigUInt64LE(BigInt(address), 8);
  entry.writeBigUInt64LE(BigInt(isVariable ? 8 : codeSize), 16);
  return entry;
}

/** One bucket, in which the loader looks at each symbol in turn: there are few. */
function hashTable(symbolCount: number): Buffer {
  const chain = Array.from({ length: symbolCount }, (_, index) => (index + 2) % (symbolCount + 1));
  const words = [1, symbolCount + 1, symbolCount > 0 ? 1 : 0, 0, ...chain];
  return Buffer.from(words.flatMap(little32));
}

type Range = { readonly address: number; readonly offset: number; readonly size: number };

function sectionRows(at: Layout, stringsSize: number, dynamic: Range): SectionRow[] {
  const symbolsSize = at.hash - at.symbols;
  const symbols = { ...here(at.symbols), size: symbolsSize, link: 2, entrySize: 24 };
  return [
    { name: '.dynsym', type: SHT.symbols, flags: 2, ...symbols },
    { name: '.dynstr', type: SHT.strings, flags: 2, ...here(at.strings), size: stringsSize },
    { name: '.dynamic', type: SHT.dynamic, flags: 3, ...dynamic, link: 2, entrySize: 16 },
  ];
}

/** Writes the file's header and the program headers. The second segment reaches from `dynamic` to the end of `file`. */
function writeHeaders(file: Buffer, { machine, page }: Processor, sectionsAt: number, dynamic: Range): void {
  const { address, offset, size } = dynamic;
  fileHeader(machine, sectionsAt).copy(file);
  [
    programHeader(PT.load, 5, 0, 0, offset, page),
    programHeader(PT.load, 6, offset, address, file.length - offset, page),
    programHeader(PT.dynamic, 6, offset, address, size, 8),
    programHeader(PT.gnuStack, 6, 0, 0, 0, 16),
  ].forEach((header, index) => {
    header.copy(file, 64 + index * 56);
  });
}

type SectionRow = {
  readonly name: string;
  readonly type: number;
  readonly flags?: number;
  readonly address?: number;
  readonly offset: number;
  readonly size: number;
  readonly link?: number;
  readonly entrySize?: number;
};

/** The loader needs no sections. Tools and `elf.ts` read the library's symbols from them. */
function renderSections(end: number, rows: readonly SectionRow[]): { tableAt: number; bytes: Buffer } {
  const named = [...rows, { name: '.shstrtab', type: SHT.strings, offset: end, size: 0 }];
  const names = stringTable();
  const namesAt = named.map(({ name }) => names.add(name));
  const text = names.bytes();
  const tableAt = Math.ceil((end + text.length) / 8) * 8;
  const headers = named.map((row, index) => {
    const header = Buffer.alloc(64);
    header.writeUInt32LE(namesAt[index] ?? 0, 0);
    header.writeUInt32LE(row.type, 4);
    header.writeUInt32LE(row.link ?? 0, 40);
    header.writeUInt32LE(row.type === SHT.symbols ? 1 : 0, 44);
    const size = row.offset === end ? text.length : row.size;
    const wide = [8, row.flags ?? 0, 16, row.address ?? 0, 24, row.offset, 32, size, 48, 1, 56, row.entrySize ?? 0];
    for (let at = 0; at < wide.length; at += 2) header.writeBigUInt64LE(BigInt(wide[at + 1] ?? 0), wide[at]);
    return header;
  });
  const padding = Buffer.alloc(tableAt - end - text.length);
  return { tableAt, bytes: Buffer.concat([text, padding, Buffer.alloc(64), ...headers]) };
}

function fileHeader(machine: number, sectionsAt: number): Buffer {
  const header = Buffer.alloc(64);
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]).copy(header);
  for (const [field, value] of [
    [16, 3],
    [18, machine],
    [52, 64],
    [54, 56],
    [56, 4],
    [58, 64],
    [60, 5],
    [62, 4],
  ] as const) {
    header.writeUInt16LE(value, field);
  }
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(64n, 32);
  header.writeBigUInt64LE(BigInt(sectionsAt), 40);
  return header;
}

function programHeader(
  type: number,
  flags: number,
  offset: number,
  address: number,
  size: number,
  align: number,
): Buffer {
  const header = Buffer.alloc(56);
  header.writeUInt32LE(type, 0);
  header.writeUInt32LE(flags, 4);
  [offset, address, address, size, size, align].forEach((value, index) => {
    header.writeBigUInt64LE(BigInt(value), 8 + index * 8);
  });
  return header;
}

function definition(number: number, name: string, nameAt: number, isLast: boolean): Buffer {
  const bytes = Buffer.alloc(28);
  bytes.writeUInt16LE(1, 0);
  bytes.writeUInt16LE(number === 1 ? 1 : 0, 2);
  bytes.writeUInt16LE(number, 4);
  bytes.writeUInt16LE(1, 6);
  bytes.writeUInt32LE(elfHash(name), 8);
  bytes.writeUInt32LE(20, 12);
  bytes.writeUInt32LE(isLast ? 0 : 28, 16);
  bytes.writeUInt32LE(nameAt, 20);
  return bytes;
}

function dynamicTable(entries: Readonly<Record<number, number>>): Buffer {
  const rows = [...Object.entries(entries), [0, 0] as const];
  const table = Buffer.alloc(rows.length * 16);
  rows.forEach(([tag, value], index) => {
    table.writeBigUInt64LE(BigInt(tag), index * 16);
    table.writeBigUInt64LE(BigInt(value), index * 16 + 8);
  });
  return table;
}

function stringTable(): { add: (text: string) => number; bytes: () => Buffer } {
  let content = '\0';
  return {
    add: (text) => {
      const at = content.length;
      content += `${text}\0`;
      return at;
    },
    bytes: () => Buffer.from(content, 'latin1'),
  };
}

/** A range in the first segment, where addresses equal offsets. */
function here(at: number): { address: number; offset: number } {
  return { address: at, offset: at };
}

/** Allocates consecutive ranges, each at a multiple of 8. */
function allocator(start: number): (size: number) => number {
  let next = start;
  return (size) => {
    const at = Math.ceil(next / 8) * 8;
    next = at + size;
    return at;
  };
}

/** The hash function of the System V ABI. */
function elfHash(name: string): number {
  let hash = 0;
  for (const byte of Buffer.from(name)) {
    hash = ((hash << 4) + byte) >>> 0;
    const high = hash & 0xf0000000;
    hash = ((hash ^ (high >>> 24)) & ~high) >>> 0;
  }
  return hash;
}

function little32(value: number): number[] {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return [...bytes];
}
