/**
 * Parses what the dynamic loader reads of a 64-bit little-endian ELF file (x86_64 and aarch64): needed libraries,
 * search paths, soname, symbol versions, symbols. Also computes the libraries that a set of programs needs. Runs
 * nothing, so the files may be for another machine. Editing is in `elf-search-path.ts` and `elf-compact.ts`. Layout:
 * the System V ABI, chapter 5, and the LSB's symbol versioning.
 */
import { readFile } from 'node:fs/promises';

export type ElfFile = {
  readonly architecture: 'x86_64' | 'arm64' | 'other';
  /** The path of a program's loader; undefined for a library. */
  readonly interpreter: string | undefined;
  readonly soname: string | undefined;
  readonly needed: readonly string[];
  readonly rpath: string | undefined;
  readonly runpath: string | undefined;
  /** Library -> the symbol versions that this file needs from it, for example `GLIBC_2.34`. */
  readonly versionNeeds: ReadonlyMap<string, readonly string[]>;
  /** The symbol versions that this file defines. */
  readonly versionsDefined: ReadonlySet<string>;
  /** Symbols that this file exports. */
  readonly defines: ReadonlySet<string>;
  /** Undefined symbols that another file must define. */
  readonly undefinedSymbols: ReadonlySet<string>;
  /** Weak undefined symbols: another file may define them. */
  readonly weakSymbols: ReadonlySet<string>;
  /** Undefined symbols, weak or not, that are bound to a version of a library. */
  readonly versionedSymbols: readonly VersionedSymbol[];
};

export type VersionedSymbol = { readonly symbol: string; readonly library: string; readonly version: string };

/**
 * The libraries of glibc. They must come from the same build as the loader, and the loader is the system's, so a layer
 * must not contain them.
 */
const GLIBC_LIBRARIES =
  /^(libc|libm|libmvec|libpthread|libdl|librt|libresolv|libutil|libanl|libnsl|libBrokenLocale|libthread_db|libnss_\w+)\.so\.\d+$|^ld-linux[\w-]*\.so\.\d+$|^ld64\.so/;

const ELF64_LITTLE_ENDIAN = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
const ARCHITECTURES: Readonly<Record<number, ElfFile['architecture']>> = { 62: 'x86_64', 183: 'arm64' };
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const SHT_DYNSYM = 11;
const TAG = {
  needed: 1,
  strtab: 5,
  soname: 14,
  rpath: 15,
  runpath: 29,
  versym: 0x6ffffff0,
  verdef: 0x6ffffffc,
  verdefnum: 0x6ffffffd,
};
const NEED = { table: 0x6ffffffe, count: 0x6fffffff };
const STB_WEAK = 2;
/** The highest bit of a version number is a flag: whether it is the default version. */
const VERSION_NUMBER = 0x7fff;

/** Whether `library` is part of glibc (`libc.so.6`, `ld-linux-x86-64.so.2`, ...). */
export function isGlibcLibrary(library: string): boolean {
  return GLIBC_LIBRARIES.test(library);
}

/** Whether these bytes begin like an ELF file that `parseElf` accepts. */
export function isElf(bytes: Buffer): boolean {
  return bytes.subarray(0, ELF64_LITTLE_ENDIAN.length).equals(ELF64_LITTLE_ENDIAN);
}

/** Parses an ELF file. Throws if it is damaged or not such a file. A static program needs no libraries. */
export function parseElf(bytes: Buffer): ElfFile {
  if (!isElf(bytes)) throw new Error('Not a 64-bit little-endian ELF file');
  const segments = readSegments(bytes);
  const dynamic = readDynamic(bytes, segments);
  const stringsAt = dynamic.find(({ tag }) => tag === TAG.strtab)?.value;
  const strings = stringsAt === undefined ? undefined : fileOffset(segments, stringsAt);
  const limits = createLimits(bytes);
  const text = (offset: number) => (strings === undefined ? '' : limits.name(strings + offset));
  const texts = (wanted: number) => dynamic.filter(({ tag }) => tag === wanted).map(({ value }) => text(value));
  const interpreter = segments.find(({ type }) => type === PT_INTERP);
  const needs = readVersionNeeds(bytes, segments, dynamic, text, limits);
  const versionsAt = dynamic.find(({ tag }) => tag === TAG.versym)?.value;
  return {
    architecture: ARCHITECTURES[bytes.readUInt16LE(18)] ?? 'other',
    interpreter: interpreter && limits.name(interpreter.offset),
    soname: texts(TAG.soname)[0],
    needed: texts(TAG.needed),
    rpath: texts(TAG.rpath)[0],
    runpath: texts(TAG.runpath)[0],
    versionNeeds: byLibrary(needs),
    versionsDefined: readVersionsDefined(bytes, segments, dynamic, text, limits),
    ...readSymbols(bytes, needs, versionsAt === undefined ? undefined : fileOffset(segments, versionsAt), limits),
  };
}

export type Library = { readonly soname: string; readonly path: string; readonly elf: ElfFile };

export type LibraryClosure = {
  /** The libraries to pack, sorted by soname. */
  readonly libraries: readonly Library[];
  /** Sonames that `find` did not find, each with the files that need it. */
  readonly missing: ReadonlyMap<string, readonly string[]>;
};

/**
 * Returns all libraries that `programs` need, directly or through other libraries, except those of glibc and those for
 * which `isProvided` is true. `find` returns the path of a library, or undefined.
 */
export async function libraryClosure(
  programs: readonly string[],
  find: (soname: string, neededBy: string) => Promise<string | undefined>,
  isProvided: (soname: string) => boolean = () => false,
): Promise<LibraryClosure> {
  const libraries = new Map<string, Library>();
  const missing = new Map<string, string[]>();
  const queue = [...programs];
  for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
    for (const soname of parseElf(await readFile(path)).needed) {
      if (libraries.has(soname) || isGlibcLibrary(soname) || isProvided(soname)) continue;
      const found = missing.has(soname) ? undefined : await find(soname, path);
      if (found === undefined) {
        missing.set(soname, [...(missing.get(soname) ?? []), path]);
        continue;
      }
      libraries.set(soname, { soname, path: found, elf: parseElf(await readFile(found)) });
      queue.push(found);
    }
  }
  const sorted = [...libraries.values()].sort((a, b) => (a.soname < b.soname ? -1 : 1));
  return { libraries: sorted, missing };
}

/** The oldest glibc (`2.34`) with which all of `files` can start, or undefined if none needs a version of it. */
export function requiredGlibc(files: Iterable<ElfFile>): string | undefined {
  let newest: string | undefined;
  for (const file of files) {
    for (const version of [...file.versionNeeds.values()].flat()) {
      const glibc = /^GLIBC_(\d+(?:\.\d+)+)$/.exec(version)?.[1];
      if (glibc !== undefined && (newest === undefined || compareVersions(glibc, newest) > 0)) newest = glibc;
    }
  }
  return newest;
}

/** Compares versions number by number, for sorting from old to new: `2.4` is older than `2.34`. */
export function compareVersions(a: string, b: string): number {
  const left = a.split('.').map(Number);
  const right = b.split('.').map(Number);
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

type Segment = { type: number; offset: number; address: number; fileSize: number };
type DynamicEntry = { tag: number; value: number };

function readSegments(bytes: Buffer): Segment[] {
  const tableAt = number64(bytes, 32);
  const entrySize = bytes.readUInt16LE(54);
  return Array.from({ length: bytes.readUInt16LE(56) }, (_, index) => {
    const at = tableAt + index * entrySize;
    return {
      type: bytes.readUInt32LE(at),
      offset: number64(bytes, at + 8),
      address: number64(bytes, at + 16),
      fileSize: number64(bytes, at + 32),
    };
  });
}

function readDynamic(bytes: Buffer, segments: readonly Segment[]): DynamicEntry[] {
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  const entries: DynamicEntry[] = [];
  if (dynamic === undefined) return entries;
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.fileSize; at += 16) {
    const tag = number64(bytes, at);
    if (tag === 0) break;
    entries.push({ tag, value: number64(bytes, at + 8) });
  }
  return entries;
}

/** A version of a library that a file needs, and the number by which the file's symbols refer to it. */
type VersionNeed = { readonly library: string; readonly version: string; readonly number: number };

function readVersionNeeds(
  bytes: Buffer,
  segments: readonly Segment[],
  dynamic: readonly DynamicEntry[],
  text: (offset: number) => string,
  limits: Limits,
): VersionNeed[] {
  const needs: VersionNeed[] = [];
  const address = dynamic.find(({ tag }) => tag === NEED.table)?.value;
  const count = dynamic.find(({ tag }) => tag === NEED.count)?.value ?? 0;
  let at = address === undefined ? undefined : fileOffset(segments, address);
  for (let index = 0; at !== undefined && index < count; index++) {
    const library = text(bytes.readUInt32LE(at + 4));
    let auxiliary = at + bytes.readUInt32LE(at + 8);
    limits.record();
    for (let left = bytes.readUInt16LE(at + 2); left > 0; left--) {
      limits.record();
      const version = text(bytes.readUInt32LE(auxiliary + 8));
      needs.push({ library, version, number: bytes.readUInt16LE(auxiliary + 6) & VERSION_NUMBER });
      auxiliary += bytes.readUInt32LE(auxiliary + 12);
    }
    at += bytes.readUInt32LE(at + 12);
  }
  return needs;
}

function byLibrary(needs: readonly VersionNeed[]): Map<string, string[]> {
  const libraries = new Map<string, string[]>();
  for (const { library, version } of needs) {
    const versions = libraries.get(library);
    if (versions === undefined) libraries.set(library, [version]);
    else versions.push(version);
  }
  return libraries;
}

/** The first name of each definition is the version itself. The names after it are the versions that it includes. */
function readVersionsDefined(
  bytes: Buffer,
  segments: readonly Segment[],
  dynamic: readonly DynamicEntry[],
  text: (offset: number) => string,
  limits: Limits,
): Set<string> {
  const versions = new Set<string>();
  const address = dynamic.find(({ tag }) => tag === TAG.verdef)?.value;
  const count = dynamic.find(({ tag }) => tag === TAG.verdefnum)?.value ?? 0;
  let at = address === undefined ? undefined : fileOffset(segments, address);
  for (let index = 0; at !== undefined && index < count; index++) {
    limits.record();
    const isFileItself = (bytes.readUInt16LE(at + 2) & 1) !== 0;
    if (!isFileItself) versions.add(text(bytes.readUInt32LE(at + bytes.readUInt32LE(at + 12))));
    at += bytes.readUInt32LE(at + 16);
  }
  return versions;
}

/** Read from the section table, where `strip` keeps the dynamic symbols. Without such a table the result is empty. */
function readSymbols(
  bytes: Buffer,
  needs: readonly VersionNeed[],
  versionsAt: number | undefined,
  limits: Limits,
): Pick<ElfFile, 'defines' | 'undefinedSymbols' | 'weakSymbols' | 'versionedSymbols'> {
  const defines = new Set<string>();
  const undefinedSymbols = new Set<string>();
  const weakSymbols = new Set<string>();
  const versionedSymbols: VersionedSymbol[] = [];
  const byNumber = new Map(needs.map((need) => [need.number, need]));
  const tableAt = number64(bytes, 40);
  const entrySize = bytes.readUInt16LE(58);
  const count = tableAt === 0 ? 0 : bytes.readUInt16LE(60);
  for (let index = 0; index < count; index++) {
    const section = tableAt + index * entrySize;
    if (bytes.readUInt32LE(section + 4) !== SHT_DYNSYM) continue;
    const strings = number64(bytes, tableAt + bytes.readUInt32LE(section + 40) * entrySize + 24);
    const start = number64(bytes, section + 24);
    const end = start + number64(bytes, section + 32);
    for (let symbol = start + 24; symbol < end; symbol += 24) {
      limits.record();
      const name = limits.name(strings + bytes.readUInt32LE(symbol));
      const isUndefined = bytes.readUInt16LE(symbol + 6) === 0;
      if (!isUndefined) {
        defines.add(name);
        continue;
      }
      (bytes.readUInt8(symbol + 4) >> 4 === STB_WEAK ? weakSymbols : undefinedSymbols).add(name);
      if (versionsAt === undefined) continue;
      const number = bytes.readUInt16LE(versionsAt + ((symbol - start) / 24) * 2) & VERSION_NUMBER;
      const need = byNumber.get(number);
      if (need) versionedSymbols.push({ symbol: name, library: need.library, version: need.version });
    }
  }
  return { defines, undefinedSymbols, weakSymbols, versionedSymbols };
}

/** The offset in the file of a memory address. */
function fileOffset(segments: readonly Segment[], address: number): number | undefined {
  const segment = segments.find(
    ({ type, address: start, fileSize }) => type === PT_LOAD && address >= start && address < start + fileSize,
  );
  return segment && address - segment.address + segment.offset;
}

/** Bounds the work on a damaged or hostile file, whose tables can overlap, repeat themselves and claim any length. */
type Limits = {
  /** Counts one entry of a table. @throws Error */
  record(): void;
  /** Reads the text at an offset up to a NUL. @throws Error */
  name(at: number): string;
};

/** Names share their ends in the string table, but real files repeat less than this many times its size. */
const MAX_REPETITIONS = 16;
/** The smallest entry of a table. */
const MIN_RECORD_BYTES = 16;

function createLimits(bytes: Buffer): Limits {
  let records = bytes.length / MIN_RECORD_BYTES;
  let characters = bytes.length * MAX_REPETITIONS;
  return {
    record() {
      records -= 1;
      if (records < 0) throw new Error('Invalid ELF file: a table has more entries than the file can hold');
    },
    name(at) {
      const end = bytes.indexOf(0, at);
      characters -= (end === -1 ? bytes.length : end) - at;
      if (characters < 0) throw new Error('Invalid ELF file: its names overlap');
      return bytes.toString('latin1', at, end);
    },
  };
}

function number64(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64LE(at));
}
