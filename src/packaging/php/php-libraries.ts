/**
 * Which libraries a PHP layer carries: all that its programs and modules need except glibc's own, those that the system
 * it is made for has, and those that stand-ins replace. Nothing is left unresolved, symbol versions included: what asks
 * for a newer version than the system's library has is given a library of its own.
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

/** `glibc`: every library but glibc's own is carried. `al2023`: also those stay out that Amazon Linux 2023 has. */
export const LIBRARY_BASES = ['glibc', 'al2023'] as const;
export type LibraryBase = (typeof LIBRARY_BASES)[number];

export type LibraryRequest = {
  /** Paths of the programs and modules. */
  readonly programs: readonly string[];
  readonly architecture: ElfFile['architecture'];
  readonly base: LibraryBase;
  /** Folders that came with the programs, searched before the system's. May fetch what it searches. */
  readonly directories: readonly (() => Promise<string>)[];
  /** Folders that are searched for these libraries before all others. */
  readonly preferred?: ReadonlyMap<string, () => Promise<string>>;
  /** Where the system that lends the remaining libraries begins: `/`, or another system's root folder. */
  readonly systemRoot?: string;
  /** Carries Kerberos's own libraries in place of the stand-in for them. */
  readonly kerberos?: boolean;
  /** Takes the system's libraries also when they ask for a newer glibc than Amazon Linux 2023 has. */
  readonly anyGlibc?: boolean;
};

export type CarriedLibrary = { readonly soname: string; readonly bytes: Buffer; readonly elf: ElfFile };

export type CollectedLibraries = {
  readonly libraries: readonly CarriedLibrary[];
  /** Those of `libraries` that only stand in for the real ones. */
  readonly standIns: readonly string[];
  /** Asked for without need: nothing uses a symbol of theirs. The files that ask for them need not. */
  readonly unused: ReadonlySet<string>;
  /** Left to the system that the layer will run on. */
  readonly leftToSystem: readonly string[];
};

type StandInRow = {
  /** What every function says: that it cannot. */
  readonly result: number;
  readonly variables: RegExp;
  /** Its symbols, where they have no version that says whose they are. */
  readonly unversioned?: RegExp;
};

/**
 * Kerberos is what curl and others can log in with; without a realm, which no function is part of, its functions fail in
 * any case, and the stand-in spares six libraries (GSS_S_UNAVAILABLE). Capstone, 10 MB, is for reading the machine code
 * that PHP's JIT makes (`opcache.jit_debug`); without it that is not printed. Libedit, with a library for terminals, reads
 * lines from a person, of whom there is none in a function: `readline()` gives false, as it does at the end of its input.
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

/** Throws `OperatorError`: `library-missing`, `library-too-new`, `library-unsuitable`. */
export async function collectLibraries(request: LibraryRequest): Promise<CollectedLibraries> {
  const tooNew = new Map<string, string>();
  const mustCarry = new Set<string>();
  const unused = new Set<string>();
  for (;;) {
    const isLent = (soname: string) =>
      request.base === 'al2023' && !mustCarry.has(soname) && isInAmazonLinux2023(soname, []);
    const isReplaced = (soname: string) =>
      !(request.kerberos === true && /gss/.test(soname)) && Object.hasOwn(STAND_INS, soname);
    const find = (soname: string) => findLibrary(soname, request, tooNew);
    const isAbsent = (soname: string) => isLent(soname) || isReplaced(soname) || unused.has(soname);
    const { libraries, missing } = await libraryClosure(request.programs, find, isAbsent);
    const leftToSystem = new Set<string>();
    for (const [library, [file = '']] of missing) {
      const glibc = tooNew.get(library);
      if (glibc === undefined) throw new OperatorError('library-missing', { library, file: basename(file) });
      // A newer system than Amazon Linux lends no library, but Amazon Linux has its own of most.
      if (!isInAmazonLinux2023(library, []))
        throw new OperatorError('library-too-new', { library, glibc, file: basename(file) });
      leftToSystem.add(library);
    }
    const programs = await Promise.all(
      request.programs.map(async (path) => ({ name: basename(path), elf: parseElf(await readFile(path)) })),
    );
    const files = [...programs, ...libraries.map(({ soname, elf }) => ({ name: soname, elf }))];
    for (const library of files.flatMap(({ elf }) => elf.needed)) if (isLent(library)) leftToSystem.add(library);

    const before = mustCarry.size + unused.size;
    for (const library of libraries) if (!isUsed(library, files)) unused.add(library.soname);
    for (const library of leftToSystem) {
      const versions = files.flatMap(({ elf }) => elf.versionNeeds.get(library) ?? []);
      if (!isInAmazonLinux2023(library, versions)) mustCarry.add(library);
    }
    if (mustCarry.size + unused.size > before) continue;

    const standIns = standInsFor(request, files, (soname) => isReplaced(soname) && !isLent(soname));
    const carried = [...(await Promise.all(libraries.map(read))), ...standIns].sort((a, b) =>
      a.soname < b.soname ? -1 : 1,
    );
    const packed = [...programs, ...carried.map(({ soname, elf }) => ({ name: soname, elf }))].map(({ name, elf }) => ({
      name,
      elf: { ...elf, needed: elf.needed.filter((library) => !unused.has(library)) },
    }));
    const isOnSystem = (library: string) => leftToSystem.has(library);
    const [link] = unresolvedLinks(packed, { isOnSystem, glibc: await glibcOf(request) });
    if (link !== undefined) {
      const what = link.missing === 'library' ? '' : ` (${link.missing.slice(0, 5).join(', ')})`;
      throw new OperatorError('library-unsuitable', { file: link.file, library: `${link.library}${what}`.trim() });
    }
    return {
      libraries: carried,
      standIns: standIns.map(({ soname }) => soname),
      unused,
      leftToSystem: [...leftToSystem].sort(),
    };
  }
}

async function findLibrary(
  soname: string,
  request: LibraryRequest,
  tooNew: Map<string, string>,
): Promise<string | undefined> {
  const preferred = request.preferred?.get(soname);
  for (const folder of preferred === undefined ? request.directories : [preferred, ...request.directories]) {
    const path = join(await folder(), soname);
    if (existsSync(path)) return path;
  }
  for (const folder of SYSTEM_DIRECTORIES) {
    const path = join(request.systemRoot ?? '/', folder, soname);
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

/** A stand-in offers exactly what the packed files ask of the library. */
function standInsFor(
  { architecture }: LibraryRequest,
  files: readonly { readonly elf: ElfFile }[],
  isReplaced: (soname: string) => boolean,
): CarriedLibrary[] {
  const asked = new Set(files.flatMap(({ elf }) => elf.needed).filter(isReplaced));
  return [...asked].map((soname) => {
    const { result = 0, variables = /^$/, unversioned } = STAND_INS[soname] ?? {};
    const wanted = new Map<string, string | undefined>();
    for (const { elf } of files) {
      for (const { library, symbol, version } of elf.versionedSymbols)
        if (library === soname) wanted.set(symbol, version);
      for (const symbol of elf.undefinedSymbols) if (unversioned?.test(symbol)) wanted.set(symbol, undefined);
    }
    const symbols = [...wanted].map(([name, version]) => ({ name, version, isVariable: variables.test(name) }));
    const bytes = renderStandIn({ soname, architecture, symbols, result });
    return { soname, bytes, elf: parseElf(bytes) };
  });
}

function isUsed({ soname, elf: library }: Library, files: readonly { readonly elf: ElfFile }[]): boolean {
  return files.some(({ elf }) => {
    if (elf === library) return false;
    if (elf.versionNeeds.has(soname)) return true;
    return [...elf.undefinedSymbols, ...elf.weakSymbols].some((symbol) => library.defines.has(symbol));
  });
}

/** The symbols of this machine's glibc stand for those of any: a symbol without a version is an old one. */
async function glibcOf(request: LibraryRequest): Promise<ElfFile[]> {
  const own = { ...request, directories: [], anyGlibc: true };
  const paths = await Promise.all(GLIBC.map((soname) => findLibrary(soname, own, new Map())));
  return Promise.all(paths.flatMap((path) => path ?? []).map(async (path) => parseElf(await readFile(path))));
}

async function read({ soname, path, elf }: Library): Promise<CarriedLibrary> {
  return { soname, elf, bytes: await readFile(path) };
}

function multiarch(processor: string): string[] {
  return [`lib/${processor}-linux-gnu`, `usr/lib/${processor}-linux-gnu`];
}
