/**
 * Reads what the dynamic loader reads of an ELF file (64 bits, little-endian: x86_64 and aarch64): needed libraries,
 * search paths, own name, symbol versions, symbols. And the closure of the libraries that a set of programs needs.
 * It changes nothing (that is `elf-search-path.ts`) and runs nothing, so a file for another machine is read as well.
 * Layout: the System V ABI, chapter 5, and the LSB's symbol versioning.
 */
import { readFile } from 'node:fs/promises';

export type ElfFile = {
  readonly architecture: 'x86_64' | 'arm64' | 'other';
  /** The loader that a program asks for; a library has none. */
  readonly interpreter: string | undefined;
  readonly soname: string | undefined;
  readonly needed: readonly string[];
  readonly rpath: string | undefined;
  readonly runpath: string | undefined;
  /** Library -> the symbol versions of it that this file was linked against, for example `GLIBC_2.34`. */
  readonly versionNeeds: ReadonlyMap<string, readonly string[]>;
  /** The symbol versions that this file offers. */
  readonly versionsDefined: ReadonlySet<string>;
  /** Symbols that this file offers to others. */
  readonly defines: ReadonlySet<string>;
  /** Symbols that others must offer. */
  readonly wants: ReadonlySet<string>;
  /** Symbols that others may offer (weak ones). */
  readonly wouldTake: ReadonlySet<string>;
  /** Of all that this file asks of others, weak or not, what it asks of one library in one version. */
  readonly versionedWants: readonly VersionedSymbol[];
};

export type VersionedSymbol = { readonly symbol: string; readonly library: string; readonly version: string };

/**
 * Libraries that belong to glibc: they must come from the same build as the loader, which belongs to the system. So no
 * layer may carry them.
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
/** The highest bit of a version number only says whether it is the default one. */
const VERSION_NUMBER = 0x7fff;

/** Whether `library` is glibc's own (`libc.so.6`, `ld-linux-x86-64.so.2`, ...). */
export function isGlibcLibrary(library: string): boolean {
  return GLIBC_LIBRARIES.test(library);
}

/** Whether these bytes begin like an ELF file that `parseElf` reads. */
export function isElf(bytes: Buffer): boolean {
  return bytes.subarray(0, ELF64_LITTLE_ENDIAN.length).equals(ELF64_LITTLE_ENDIAN);
}

/** Reads an ELF file. Throws if it is none, or damaged. A static program has nothing needed. */
export function parseElf(bytes: Buffer): ElfFile {
  if (!isElf(bytes)) throw new Error('not a 64-bit little-endian ELF file');
  const segments = readSegments(bytes);
  const dynamic = readDynamic(bytes, segments);
  const stringsAt = dynamic.find(({ tag }) => tag === TAG.strtab)?.value;
  const strings = stringsAt === undefined ? undefined : fileOffset(segments, stringsAt);
  const text = (offset: number) => (strings === undefined ? '' : cString(bytes, strings + offset));
  const texts = (wanted: number) => dynamic.filter(({ tag }) => tag === wanted).map(({ value }) => text(value));
  const interpreter = segments.find(({ type }) => type === PT_INTERP);
  const needs = readVersionNeeds(bytes, segments, dynamic, text);
  const versionsAt = dynamic.find(({ tag }) => tag === TAG.versym)?.value;
  return {
    architecture: ARCHITECTURES[bytes.readUInt16LE(18)] ?? 'other',
    interpreter: interpreter && cString(bytes, interpreter.offset),
    soname: texts(TAG.soname)[0],
    needed: texts(TAG.needed),
    rpath: texts(TAG.rpath)[0],
    runpath: texts(TAG.runpath)[0],
    versionNeeds: byLibrary(needs),
    versionsDefined: readVersionsDefined(bytes, segments, dynamic, text),
    ...readSymbols(bytes, needs, versionsAt === undefined ? undefined : fileOffset(segments, versionsAt)),
  };
}

export type Library = { readonly soname: string; readonly path: string; readonly elf: ElfFile };

export type LibraryClosure = {
  /** What must be carried, by the name that is asked for, sorted. */
  readonly libraries: readonly Library[];
  /** Names that `find` did not know, each with the files that need it. */
  readonly missing: ReadonlyMap<string, readonly string[]>;
};

/**
 * All libraries that `programs` need, directly or through others, except glibc's own and those that `isProvided`
 * says the target system has. `find` gives the path of a library for its name, or undefined.
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

/** The oldest glibc (`2.34`) on which all of `files` can start, or undefined if none asks for a version. */
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

/** Negative, zero or positive as `a` is older than, the same as or newer than `b`; `2.4` is older than `2.34`. */
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

/** What one file asks of one version of a library, and the number that its symbols use for that. */
type VersionNeed = { readonly library: string; readonly version: string; readonly number: number };

function readVersionNeeds(
  bytes: Buffer,
  segments: readonly Segment[],
  dynamic: readonly DynamicEntry[],
  text: (offset: number) => string,
): VersionNeed[] {
  const needs: VersionNeed[] = [];
  const address = dynamic.find(({ tag }) => tag === NEED.table)?.value;
  const count = dynamic.find(({ tag }) => tag === NEED.count)?.value ?? 0;
  let at = address === undefined ? undefined : fileOffset(segments, address);
  for (let index = 0; at !== undefined && index < count; index++) {
    const library = text(bytes.readUInt32LE(at + 4));
    let auxiliary = at + bytes.readUInt32LE(at + 8);
    for (let left = bytes.readUInt16LE(at + 2); left > 0; left--) {
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

/** The first name of each definition is the version; what follows are the versions that it includes. */
function readVersionsDefined(
  bytes: Buffer,
  segments: readonly Segment[],
  dynamic: readonly DynamicEntry[],
  text: (offset: number) => string,
): Set<string> {
  const versions = new Set<string>();
  const address = dynamic.find(({ tag }) => tag === TAG.verdef)?.value;
  const count = dynamic.find(({ tag }) => tag === TAG.verdefnum)?.value ?? 0;
  let at = address === undefined ? undefined : fileOffset(segments, address);
  for (let index = 0; at !== undefined && index < count; index++) {
    const isFileItself = (bytes.readUInt16LE(at + 2) & 1) !== 0;
    if (!isFileItself) versions.add(text(bytes.readUInt32LE(at + bytes.readUInt32LE(at + 12))));
    at += bytes.readUInt32LE(at + 16);
  }
  return versions;
}

/** From the section table, which `strip` leaves for dynamic symbols; without one there is nothing to report. */
function readSymbols(
  bytes: Buffer,
  needs: readonly VersionNeed[],
  versionsAt: number | undefined,
): Pick<ElfFile, 'defines' | 'wants' | 'wouldTake' | 'versionedWants'> {
  const defines = new Set<string>();
  const wants = new Set<string>();
  const wouldTake = new Set<string>();
  const versionedWants: VersionedSymbol[] = [];
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
      const name = cString(bytes, strings + bytes.readUInt32LE(symbol));
      const isUndefined = bytes.readUInt16LE(symbol + 6) === 0;
      if (!isUndefined) {
        defines.add(name);
        continue;
      }
      (bytes.readUInt8(symbol + 4) >> 4 === STB_WEAK ? wouldTake : wants).add(name);
      if (versionsAt === undefined) continue;
      const number = bytes.readUInt16LE(versionsAt + ((symbol - start) / 24) * 2) & VERSION_NUMBER;
      const need = byNumber.get(number);
      if (need) versionedWants.push({ symbol: name, library: need.library, version: need.version });
    }
  }
  return { defines, wants, wouldTake, versionedWants };
}

/** Where the byte for a memory address lies in the file. */
function fileOffset(segments: readonly Segment[], address: number): number | undefined {
  const segment = segments.find(
    ({ type, address: start, fileSize }) => type === PT_LOAD && address >= start && address < start + fileSize,
  );
  return segment && address - segment.address + segment.offset;
}

function cString(bytes: Buffer, at: number): string {
  return bytes.toString('latin1', at, bytes.indexOf(0, at));
}

function number64(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64LE(at));
}
