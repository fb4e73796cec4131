/**
 * What the dynamic loader would find missing when it starts a set of programs with the libraries packed beside them:
 * libraries, symbol versions (`OPENSSL_3.4.0`), symbols. glibc is taken to be there in the version that is said elsewhere
 * (`requiredGlibc`), and so is what the caller says the system has.
 */
import type { ElfFile } from './elf.ts';
import { isGlibcLibrary } from './elf.ts';

/** An ELF file by the name that a message can give it. */
export type NamedElf = { readonly name: string; readonly elf: ElfFile };

export type UnresolvedLink = {
  /** The file that asks. */
  readonly file: string;
  /** Empty for a symbol that could come from any library. */
  readonly library: string;
  /** What is missing of it: the library itself, some versions, some symbols. */
  readonly missing: 'library' | readonly string[];
};

export type LinkedSystem = {
  /** Whether the system has a library that is not among the files, in every version asked for. */
  readonly isOnSystem?: (library: string) => boolean;
  readonly glibc?: readonly ElfFile[];
};

/**
 * Every link of `files` that neither another of them nor the system (`isOnSystem`) answers. Symbols
 * without a version may come from any library that the program has loaded: they are judged only if all of those can be
 * read, those of `glibc` included (none are judged without them).
 */
export function unresolvedLinks(
  files: readonly NamedElf[],
  { isOnSystem = () => false, glibc = [] }: LinkedSystem = {},
): UnresolvedLink[] {
  const packed = new Map(files.map(({ name, elf }) => [elf.soname ?? name.split('/').at(-1) ?? name, elf]));
  for (const { name, elf } of files) packed.set(name.split('/').at(-1) ?? name, elf);
  const offered = new Set([...files.map(({ elf }) => elf), ...glibc].flatMap(({ defines }) => [...defines]));
  const judgesSymbols = glibc.length > 0 && !files.some(({ elf }) => elf.needed.some((library) => isOnSystem(library)));
  const unresolved: UnresolvedLink[] = [];
  for (const { name, elf } of files) {
    for (const library of elf.needed) {
      if (!packed.has(library) && !isGlibcLibrary(library) && !isOnSystem(library)) {
        unresolved.push({ file: name, library, missing: 'library' });
      }
    }
    for (const [library, versions] of elf.versionNeeds) {
      const provider = packed.get(library);
      const missing =
        provider === undefined ? [] : versions.filter((version) => !provider.versionsDefined.has(version));
      if (missing.length > 0) unresolved.push({ file: name, library, missing });
    }
    const versioned = new Set(elf.versionedWants.map(({ symbol }) => symbol));
    const symbols = [...elf.wants].filter((symbol) => !versioned.has(symbol) && !offered.has(symbol));
    if (symbols.length > 0 && judgesSymbols) unresolved.push({ file: name, library: '', missing: symbols });
  }
  return unresolved;
}
