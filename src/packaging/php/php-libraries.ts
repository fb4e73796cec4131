/**
 * Selects the libraries of a PHP layer: all that its programs and modules need, except glibc, those of the target
 * system, and those that stand-ins replace. Every reference is resolved, including symbol versions: if a file needs a
 * newer version than the target system's library has, the layer packs that library.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { ElfFile, Library } from '../../elf/elf.ts';
import { compareVersions, libraryClosure, parseElf, requiredGlibc } from '../../elf/elf.ts';
import { unresolvedLinks } from '../../elf/elf-links.ts';
import { renderStandIn } from '../../elf/elf-stand-in.ts';
import { OperatorError } from '../../operator-error.ts';
import { AMAZON_LINUX_2023_GLIBC, isInAmazonLinux2023 } from './amazon-linux-2023.ts';

/** The target system: any with `glibc`, or `al2023`, whose libraries the layer does not pack. */
export const LIBRARY_BASES = ['glibc', 'al2023'] as const;
export type LibraryBase = (typeof LIBRARY_BASES)[number];

export type LibraryRequest = {
  /** Paths of the programs and modules. */
  readonly programs: readonly string[];
  readonly architecture: ElfFile['architecture'];
  readonly base: LibraryBase;
  /** Directories that are searched before those of the system. The functions may fetch them. */
  readonly directories: readonly (() => Promise<string>)[];
  /** Soname -> the directory that is searched for it before all others. */
  readonly preferred?: ReadonlyMap<string, () => Promise<string>>;
  /** The root directory of the system from which other libraries are taken. Defaults to `/`. */
  readonly systemRoot?: string;
  /** Whether to pack the real Kerberos libraries in place of their stand-in. */
  readonly kerberos?: boolean;
  /** Whether to accept libraries of the system that need a newer glibc than Amazon Linux 2023 has. */
  readonly anyGlibc?: boolean;
};

export type PackedLibrary = { readonly soname: string; readonly bytes: Buffer; readonly elf: ElfFile };

export type CollectedLibraries = {
  readonly libraries: readonly PackedLibrary[];
  /** Sonames of those of `libraries` that are stand-ins. */
  readonly standIns: readonly string[];
  /** Libraries that files are linked with and use no symbol of. Remove the references with `withoutNeeded`. */
  readonly unused: ReadonlySet<string>;
  /** Sonames of libraries that the target system provides. */
  readonly leftToSystem: readonly string[];
};

type StandInRow = {
  /** The return value of every function: an error. */
  readonly result: number;
  /** The symbols that are variables, not functions. */
  readonly variables: RegExp;
  /** The library's symbols, if they have no version that identifies the library. */
  readonly unversioned?: RegExp;
};

/**
 * Kerberos is an authentication method of curl and others. Outside of a realm its functions fail anyway, here with
 * GSS_S_UNAVAILABLE, and the stand-in saves six libraries. Capstone (10 MB) disassembles the code of PHP's JIT for
 * `opcache.jit_debug`, which prints nothing without it. Libedit and its terminal library read lines from a terminal,
 * which functions do not have: `readline()` returns false, as at the end of its input.
 */
const STAND_INS: Readonly<Record<string, StandInRow>> = {
  'libgssapi_krb5.so.2': { result: 0x0010_0000, variables: /^GSS_C_|^gss_mech_|_oid$/ },
  'libedit.so.0': {
    result: 0,
    variables: /^rl_(?!callback|completion_matches|on_new_line|redisplay)/,
    unversioned:
      /^(rl_|(add|clear|read|write|using)_history$|history_(get_history_state|list)$|readline$|tilde_expand$)/,
  },
  'libcapstone.so.4': { result: 0x0001_0000, variables: /^$/, unversioned: /^cs_/ },
};
const GLIBC = ['libc.so.6', 'libm.so.6', 'libresolv.so.2', 'ld-linux-x86-64.so.2', 'ld-linux-aarch64.so.1'];
const SYSTEM_DIRECTORIES = ['lib64', 'usr/lib64', ...multiarch('x86_64'), ...multiarch('aarch64'), 'usr/lib', 'lib'];

type NamedFile = { readonly name: string; readonly elf: ElfFile };

/**
 * Selects the libraries and renders the stand-ins. Throws `OperatorError`: `library-missing`, `library-too-new`,
 * `library-unsuitable`.
 */
export async function collectLibraries(request: LibraryRequest): Promise<CollectedLibraries> {
  const tooNew = new Map<string, string>();
  const mustPack = new Set<string>();
  const unused = new Set<string>();
  const programs = await Promise.all(
    request.programs.map(async (path) => ({ name: basename(path), elf: parseElf(await readFile(path)) })),
  );
  const isOnBase = (soname: string) =>
    request.base === 'al2023' && !mustPack.has(soname) && isInAmazonLinux2023(soname, []);
  const isReplaced = (soname: string) =>
    !(request.kerberos === true && /gss/.test(soname)) && Object.hasOwn(STAND_INS, soname);
  const isLeftOut = (soname: string) => isOnBase(soname) || isReplaced(soname) || unused.has(soname);
  // Each pass may find more unused libraries, and libraries of the base that are too old. Both change the closure.
  for (;;) {
    const find = (soname: string) => findLibrary(soname, request, tooNew);
    const { libraries, missing } = await libraryClosure(request.programs, find, isLeftOut);
    const leftToSystem = missingButOnSystem(missing, tooNew);
    const files: NamedFile[] = [...programs, ...libraries.map(({ soname, elf }) => ({ name: soname, elf }))];
    for (const library of files.flatMap(({ elf }) => elf.needed)) if (isOnBase(library)) leftToSystem.add(library);

    const before = mustPack.size + unused.size;
    for (const library of libraries) if (!isUsed(library, files)) unused.add(library.soname);
    for (const library of leftToSystem) {
      const versions = files.flatMap(({ elf }) => elf.versionNeeds.get(library) ?? []);
      if (!isInAmazonLinux2023(library, versions)) mustPack.add(library);
    }
    if (mustPack.size + unused.size > before) continue;

    const standIns = standInsFor(request, files, (soname) => isReplaced(soname) && !isOnBase(soname));
    const packed = [...(await Promise.all(libraries.map(read))), ...standIns].sort((a, b) =>
      a.soname < b.soname ? -1 : 1,
    );
    const packedFiles = [...programs, ...packed.map(({ soname, elf }) => ({ name: soname, elf }))];
    refuseUnresolved(packedFiles, unused, leftToSystem, await glibcOf(request));
    return {
      libraries: packed,
      standIns: standIns.map(({ soname }) => soname),
      unused,
      leftToSystem: [...leftToSystem].sort(),
    };
  }
}

/** This machine may have a library only for a newer glibc. Amazon Linux has its own of most of them. */
function missingButOnSystem(
  missing: ReadonlyMap<string, readonly string[]>,
  tooNew: ReadonlyMap<string, string>,
): Set<string> {
  for (const [library, [path = '']] of missing) {
    const file = basename(path);
    const glibc = tooNew.get(library);
    if (glibc === undefined) throw new OperatorError('library-missing', { library, file });
    if (!isInAmazonLinux2023(library, [])) throw new OperatorError('library-too-new', { library, glibc, file });
  }
  return new Set(missing.keys());
}

function refuseUnresolved(
  files: readonly NamedFile[],
  unused: ReadonlySet<string>,
  onSystem: ReadonlySet<string>,
  glibc: readonly ElfFile[],
): void {
  const reduced = files.map(({ name, elf }) => ({
    name,
    elf: { ...elf, needed: elf.needed.filter((library) => !unused.has(library)) },
  }));
  const [link] = unresolvedLinks(reduced, { isOnSystem: (library) => onSystem.has(library), glibc });
  if (link === undefined) return;
  const symbols = link.missing === 'library' ? '' : ` (${link.missing.slice(0, 5).join(', ')})`;
  throw new OperatorError('library-unsuitable', { file: link.file, library: `${link.library}${symbols}`.trim() });
}

/** Returns the library's path. Records in `tooNew` the glibc that the system's library needs, if that is too new. */
async function findLibrary(
  soname: string,
  request: LibraryRequest,
  tooNew: Map<string, string>,
): Promise<string | undefined> {
  const preferred = request.preferred?.get(soname);
  for (const directory of preferred === undefined ? request.directories : [preferred, ...request.directories]) {
    const path = join(await directory(), soname);
    if (existsSync(path)) return path;
  }
  for (const directory of SYSTEM_DIRECTORIES) {
    const path = join(request.systemRoot ?? '/', directory, soname);
    if (!existsSync(path)) continue;
    const elf = parseElf(await readFile(path));
    if (elf.architecture !== request.architecture) continue;
    const glibc = requiredGlibc([elf]) ?? '2.0';
    if (request.anyGlibc === true || compareVersions(glibc, AMAZON_LINUX_2023_GLIBC) <= 0) return path;
    tooNew.set(soname, glibc);
    return undefined;
  }
  return undefined;
}

/** A stand-in defines exactly the symbols that the packed files need from the library. */
function standInsFor(
  { architecture }: LibraryRequest,
  files: readonly NamedFile[],
  isReplaced: (soname: string) => boolean,
): PackedLibrary[] {
  const needed = new Set(files.flatMap(({ elf }) => elf.needed).filter(isReplaced));
  return [...needed].map((soname) => {
    const { result = 0, variables = /^$/, unversioned } = STAND_INS[soname] ?? {};
    const versions = new Map<string, string | undefined>();
    for (const { elf } of files) {
      for (const { library, symbol, version } of elf.versionedSymbols)
        if (library === soname) versions.set(symbol, version);
      for (const symbol of elf.undefinedSymbols) if (unversioned?.test(symbol)) versions.set(symbol, undefined);
    }
    const symbols = [...versions].map(([name, version]) => ({ name, version, isVariable: variables.test(name) }));
    const bytes = renderStandIn({ soname, architecture, symbols, result });
    return { soname, bytes, elf: parseElf(bytes) };
  });
}

function isUsed({ soname, elf: library }: Library, files: readonly NamedFile[]): boolean {
  return files.some(({ elf }) => {
    if (elf === library) return false;
    if (elf.versionNeeds.has(soname)) return true;
    return [...elf.undefinedSymbols, ...elf.weakSymbols].some((symbol) => library.defines.has(symbol));
  });
}

/** This machine's glibc, for the check of symbols without a version. Those are old, so every glibc has them. */
async function glibcOf(request: LibraryRequest): Promise<ElfFile[]> {
  const own = { ...request, directories: [], anyGlibc: true };
  const paths = await Promise.all(GLIBC.map((soname) => findLibrary(soname, own, new Map())));
  return Promise.all(paths.flatMap((path) => path ?? []).map(async (path) => parseElf(await readFile(path))));
}

async function read({ soname, path, elf }: Library): Promise<PackedLibrary> {
  return { soname, elf, bytes: await readFile(path) };
}

function multiarch(processor: string): string[] {
  return [`lib/${processor}-linux-gnu`, `usr/lib/${processor}-linux-gnu`];
}
