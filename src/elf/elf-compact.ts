/**
 * Makes a program or library smaller by removing what nothing reads at run time: symbols for debuggers, stack unwinding
 * tables in files without C++, and the padding between segments (up to 2 MiB each in programs linked for huge pages).
 * Addresses do not change, so code and relocations stay as they are. Parsing is in `elf.ts`.
 */
import { isElf, parseElf } from './elf.ts';

type Header = { at: number; type: number; offset: number; address: number; fileSize: number };
type Section = {
  at: number;
  name: string;
  type: number;
  isLoaded: boolean;
  address: number;
  offset: number;
  size: number;
};

const PT_NULL = 0;
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_GNU_EH_FRAME = 0x6474e550;
const SHT_NULL = 0;
const SHT_NOBITS = 8;
const SHF_ALLOC = 2;
const HEADER_SIZE = 64;
/** The page size on x86_64. Other processors may use larger pages, up to a segment's alignment. */
const PAGE_X86_64 = 0x1000;
const LOOKS_AT_THE_STACK = new Set(['_Unwind_Backtrace', '_Unwind_GetCFA', '_Unwind_GetIP', '_Unwind_GetIPInfo']);
const UNWIND_TABLES = new Set(['.eh_frame', '.eh_frame_hdr']);

/**
 * Returns a smaller copy of the program or library `original` that behaves the same. Returns `original` itself if it is
 * not a dynamic ELF file, has an unusual layout, or would not become smaller.
 */
export function compactElf(original: Buffer): Buffer {
  if (!isElf(original)) return original;
  const bytes = Buffer.from(original);
  const headers = readHeaders(bytes);
  const sections = readSections(bytes);
  const loads = headers.filter(({ type }) => type === PT_LOAD).sort((a, b) => a.offset - b.offset);
  const [first] = loads;
  const names = sections.find(({ at }) => at === sectionAt(bytes, bytes.readUInt16LE(62)));
  if (first?.offset !== 0 || names === undefined || !headers.some(({ type }) => type === PT_DYNAMIC)) return original;

  if (!usesExceptions(original, sections)) dropUnwindTables(bytes, headers, sections);
  const pieces: Buffer[] = [];
  const moved = new Map<Header, number>();
  let end = 0;
  for (const load of loads) {
    const page = parseElf(original).architecture === 'x86_64' ? PAGE_X86_64 : number64(bytes, load.at + 48);
    const offset = load === first ? 0 : end + ((((load.address - end) % page) + page) % page);
    pieces.push(Buffer.alloc(offset - end), bytes.subarray(load.offset, load.offset + load.fileSize));
    moved.set(load, offset);
    end = offset + load.fileSize;
  }

  const newOffset = (offset: number, address: number): number | undefined => {
    const reaches = (each: Header) => each.address + memorySize(bytes, each);
    const load =
      loads.find((each) => address >= each.address && address < reaches(each)) ??
      loads.find((each) => address === reaches(each));
    return load && offset - load.offset + (moved.get(load) ?? 0);
  };
  const head = Buffer.from(bytes.subarray(0, number64(bytes, 32) + headers.length * bytes.readUInt16LE(54)));
  for (const header of headers) {
    const offset =
      moved.get(header) ?? (header.address > 0 ? newOffset(header.offset, header.address) : undefined) ?? 0;
    head.writeBigUInt64LE(BigInt(offset), header.at + 8);
    if (header.type !== PT_LOAD || bytes.readUInt16LE(18) !== 62) continue;
    head.writeBigUInt64LE(BigInt(PAGE_X86_64), header.at + 48);
  }

  const table = renderSections(bytes, sections, names, newOffset, end);
  const tableAt = Math.ceil((end + table.names.length) / 8) * 8;
  head.writeBigUInt64LE(BigInt(tableAt), 40);
  const padding = Buffer.alloc(tableAt - end - table.names.length);
  const compact = Buffer.concat([...pieces, table.names, padding, table.headers]);
  head.copy(compact);
  return compact.length < original.length ? compact : original;
}

/**
 * C++ code has exception tables (`.gcc_except_table`), and code that unwinds the stack itself links libgcc's unwinder.
 * Functions that only inspect the stack do not count: PHP's JIT calls them for debuggers.
 */
function usesExceptions(original: Buffer, sections: readonly Section[]): boolean {
  const { needed, versionedSymbols } = parseElf(original);
  const fromLibgcc = versionedSymbols.filter(({ library }) => library.startsWith('libgcc_s'));
  const onlyLooks = fromLibgcc.length > 0 && fromLibgcc.every(({ symbol }) => LOOKS_AT_THE_STACK.has(symbol));
  return (
    sections.some(({ name }) => name === '.gcc_except_table') ||
    needed.some(
      (library) => /^(libstdc\+\+|libc\+\+|libunwind)/.test(library) || (/^libgcc_s/.test(library) && !onlyLooks),
    )
  );
}

/**
 * Without these tables, unwinding stops at the first frame of this file. In C only thread cancellation unwinds, and it
 * treats that frame as the last one. The tables are removed only where they end their segment, which becomes shorter.
 */
function dropUnwindTables(bytes: Buffer, headers: readonly Header[], sections: readonly Section[]): void {
  const tables = sections.filter(({ name, isLoaded }) => isLoaded && UNWIND_TABLES.has(name));
  const load = headers.find(({ type, offset, fileSize }) => {
    return type === PT_LOAD && tables.every((table) => table.offset >= offset && table.offset < offset + fileSize);
  });
  if (load === undefined || tables.length === 0) return;
  const start = Math.min(...tables.map(({ offset }) => offset));
  const inside = sections.filter(({ isLoaded, type, address }) => {
    return isLoaded && type !== SHT_NOBITS && address >= load.address && address < load.address + load.fileSize;
  });
  if (start === load.offset || inside.some((section) => section.offset > start && !tables.includes(section))) return;
  if (memorySize(bytes, load) !== load.fileSize) return;
  load.fileSize = start - load.offset;
  bytes.writeBigUInt64LE(BigInt(load.fileSize), load.at + 32);
  bytes.writeBigUInt64LE(BigInt(load.fileSize), load.at + 40);
  for (const header of headers) {
    if (header.type !== PT_GNU_EH_FRAME) continue;
    bytes.fill(0, header.at, header.at + bytes.readUInt16LE(54));
    header.type = PT_NULL;
    header.fileSize = 0;
  }
  for (const table of tables) table.isLoaded = false;
}

/** Sections keep their numbers, because symbols refer to them. Removed sections become empty ones. */
function renderSections(
  bytes: Buffer,
  sections: readonly Section[],
  names: Section,
  newOffset: (offset: number, address: number) => number | undefined,
  namesAt: number,
): { names: Buffer; headers: Buffer } {
  const headers = Buffer.alloc(sections.length * HEADER_SIZE);
  sections.forEach((section, index) => {
    const isNames = section === names;
    if (section.type === SHT_NULL || !(section.isLoaded || isNames)) return;
    const to = index * HEADER_SIZE;
    bytes.copy(headers, to, section.at, section.at + HEADER_SIZE);
    const offset = isNames ? namesAt : (newOffset(section.offset, section.address) ?? 0);
    headers.writeBigUInt64LE(BigInt(offset), to + 24);
  });
  return { names: bytes.subarray(names.offset, names.offset + names.size), headers };
}

function readHeaders(bytes: Buffer): Header[] {
  const size = bytes.readUInt16LE(54);
  return Array.from({ length: bytes.readUInt16LE(56) }, (_, index) => {
    const at = number64(bytes, 32) + index * size;
    return {
      at,
      type: bytes.readUInt32LE(at),
      offset: number64(bytes, at + 8),
      address: number64(bytes, at + 16),
      fileSize: number64(bytes, at + 32),
    };
  });
}

function readSections(bytes: Buffer): Section[] {
  const count = number64(bytes, 40) === 0 ? 0 : bytes.readUInt16LE(60);
  const names = count === 0 ? 0 : number64(bytes, sectionAt(bytes, bytes.readUInt16LE(62)) + 24);
  return Array.from({ length: count }, (_, index) => {
    const at = sectionAt(bytes, index);
    const name = names + bytes.readUInt32LE(at);
    return {
      at,
      name: bytes.toString('latin1', name, bytes.indexOf(0, name)),
      type: bytes.readUInt32LE(at + 4),
      isLoaded: (number64(bytes, at + 8) & SHF_ALLOC) !== 0,
      address: number64(bytes, at + 16),
      offset: number64(bytes, at + 24),
      size: number64(bytes, at + 32),
    };
  });
}

function sectionAt(bytes: Buffer, index: number): number {
  return number64(bytes, 40) + index * bytes.readUInt16LE(58);
}

function memorySize(bytes: Buffer, { at }: Header): number {
  return number64(bytes, at + 40);
}

function number64(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64LE(at));
}
