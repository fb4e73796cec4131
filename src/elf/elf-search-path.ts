/**
 * Rewrites the library search path and the needed libraries of a program. The path becomes a DT_RPATH, not the newer
 * DT_RUNPATH: RPATH is searched *before* LD_LIBRARY_PATH (which AWS sets to /lib64 and others) and also applies to the
 * libraries of libraries and to extension modules loaded later. So a program finds the libraries that it was packed
 * with wherever it runs, and other programs are not affected. See ld.so(8). Parsing is in `elf.ts`.
 */
import { isElf, parseElf } from './elf.ts';

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_NOTE = 4;
const SHT_STRTAB = 3;
const DT_NULL = 0n;
const DT_NEEDED = 1n;
const DT_STRTAB = 5n;
const DT_STRSZ = 10n;
const DT_RPATH = 15n;
const DT_RUNPATH = 29n;
const PAGE = 0x1000;

/**
 * Returns a copy of the program or library `original` that searches `path` first, in place of any search path that it
 * had. `$ORIGIN` stands for the file's own directory. Throws if the file has no room for it, which no common linker
 * causes.
 */
export function withSearchPath(original: Buffer, path: string): Buffer {
  const { rpath, runpath } = parseElf(original);
  const bytes = Buffer.from(original);
  if ((runpath ?? rpath) !== path) return appendSearchPath(bytes, path);
  for (const at of dynamicEntries(bytes)) {
    if (bytes.readBigUInt64LE(at) === DT_RUNPATH) bytes.writeBigUInt64LE(DT_RPATH, at);
  }
  return bytes;
}

/**
 * Returns a copy of `original` that no longer needs the libraries in `unused`. Linkers record every library on their
 * command line, even if the file uses none of its symbols. Entries at the end of the table are left empty.
 */
export function withoutNeeded(original: Buffer, unused: ReadonlySet<string>): Buffer {
  if (!parseElf(original).needed.some((library) => unused.has(library))) return original;
  const bytes = Buffer.from(original);
  const entries = dynamicEntries(bytes);
  const names = parseElf(original).needed.values();
  const kept = entries
    .map((at) => Buffer.from(bytes.subarray(at, at + 16)))
    .filter((entry) => entry.readBigUInt64LE() !== DT_NEEDED || !unused.has(names.next().value ?? ''));
  entries.forEach((at, index) => {
    (kept[index] ?? Buffer.alloc(16)).copy(bytes, at);
  });
  return bytes;
}

/**
 * The string table grows by one string, so a copy of it is appended to the file. A PT_NOTE header, which only tools
 * read, becomes the PT_LOAD that maps it.
 */
function appendSearchPath(bytes: Buffer, path: string): Buffer {
  const headers = programHeaders(bytes);
  const loads = headers.filter((at) => bytes.readUInt32LE(at) === PT_LOAD);
  const spare = headers.findLast((at) => bytes.readUInt32LE(at) === PT_NOTE);
  const lastLoad = loads.at(-1);
  if (spare === undefined || lastLoad === undefined || spare < lastLoad) {
    throw new Error('No PT_NOTE program header after the last PT_LOAD');
  }
  const entries = dynamicEntries(bytes);
  const entry = (tag: bigint) => entries.find((at) => bytes.readBigUInt64LE(at) === tag);
  const tableAt = entry(DT_STRTAB);
  const sizeAt = entry(DT_STRSZ);
  const pathAt = entry(DT_RUNPATH) ?? entry(DT_RPATH) ?? spareDynamicEntry(bytes, entries);
  if (tableAt === undefined || sizeAt === undefined) throw new Error('No dynamic string table');

  const oldAddress = bytes.readBigUInt64LE(tableAt + 8);
  const oldSize = Number(bytes.readBigUInt64LE(sizeAt + 8));
  const oldOffset = offsetOf(bytes, loads, oldAddress);
  const strings = Buffer.concat([bytes.subarray(oldOffset, oldOffset + oldSize), Buffer.from(`${path}\0`)]);
  const offset = roundUp(bytes.length, PAGE);
  const address = loads
    .map((at) => Number(bytes.readBigUInt64LE(at + 16) + bytes.readBigUInt64LE(at + 40)))
    .reduce((highest, end) => Math.max(highest, roundUp(end, PAGE)), 0);

  // Nothing reads the old table again, and zeros compress well.
  bytes.fill(0, oldOffset, oldOffset + oldSize);
  bytes.writeUInt32LE(PT_LOAD, spare);
  bytes.writeUInt32LE(4, spare + 4); // readable
  for (const [field, value] of [
    [8, offset],
    [16, address],
    [24, address],
    [32, strings.length],
    [40, strings.length],
    [48, PAGE],
  ] as const) {
    bytes.writeBigUInt64LE(BigInt(value), spare + field);
  }
  bytes.writeBigUInt64LE(BigInt(address), tableAt + 8);
  bytes.writeBigUInt64LE(BigInt(strings.length), sizeAt + 8);
  bytes.writeBigUInt64LE(DT_RPATH, pathAt);
  bytes.writeBigUInt64LE(BigInt(oldSize), pathAt + 8);
  moveSection(bytes, oldAddress, { offset, address, size: strings.length });
  return Buffer.concat([bytes, Buffer.alloc(offset - bytes.length), strings]);
}

/** Updates the section table for readelf, strip and debuggers. The loader does not read it. */
function moveSection(bytes: Buffer, oldAddress: bigint, to: { offset: number; address: number; size: number }): void {
  const tableAt = Number(bytes.readBigUInt64LE(40));
  const entrySize = bytes.readUInt16LE(58);
  for (let index = 0; index < bytes.readUInt16LE(60); index++) {
    const at = tableAt + index * entrySize;
    if (bytes.readUInt32LE(at + 4) !== SHT_STRTAB || bytes.readBigUInt64LE(at + 16) !== oldAddress) continue;
    bytes.writeBigUInt64LE(BigInt(to.address), at + 16);
    bytes.writeBigUInt64LE(BigInt(to.offset), at + 24);
    bytes.writeBigUInt64LE(BigInt(to.size), at + 32);
  }
}

function programHeaders(bytes: Buffer): number[] {
  if (!isElf(bytes)) throw new Error('Not a 64-bit little-endian ELF file');
  const tableAt = Number(bytes.readBigUInt64LE(32));
  const entrySize = bytes.readUInt16LE(54);
  return Array.from({ length: bytes.readUInt16LE(56) }, (_, index) => tableAt + index * entrySize);
}

/** Offsets of the dynamic entries up to and including the first DT_NULL. */
function dynamicEntries(bytes: Buffer): number[] {
  const header = programHeaders(bytes).find((at) => bytes.readUInt32LE(at) === PT_DYNAMIC);
  if (header === undefined) throw new Error('Statically linked');
  const start = Number(bytes.readBigUInt64LE(header + 8));
  const entries: number[] = [];
  for (let at = start; at < start + Number(bytes.readBigUInt64LE(header + 32)); at += 16) {
    entries.push(at);
    if (bytes.readBigUInt64LE(at) === DT_NULL) break;
  }
  return entries;
}

/** Linkers end the table with several DT_NULL. The first can be used if another one follows it. */
function spareDynamicEntry(bytes: Buffer, entries: readonly number[]): number {
  const first = entries.at(-1);
  if (first === undefined || bytes.readBigUInt64LE(first + 16) !== DT_NULL) throw new Error('No unused dynamic entry');
  return first;
}

function offsetOf(bytes: Buffer, loads: readonly number[], address: bigint): number {
  const load = loads.find((at) => {
    const start = bytes.readBigUInt64LE(at + 16);
    return address >= start && address < start + bytes.readBigUInt64LE(at + 32);
  });
  if (load === undefined) throw new Error('The string table is not in a loaded segment');
  return Number(address - bytes.readBigUInt64LE(load + 16) + bytes.readBigUInt64LE(load + 8));
}

function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}
