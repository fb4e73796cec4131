/**
 * Finds what the dynamic loader would miss when it starts programs with the libraries packed beside them: libraries,
 * symbol versions (`OPENSSL_3.4.0`), symbols. glibc counts as present: `requiredGlibc` computes the version to require.
 */
import type { ElfFile } from './elf.ts';
import { isGlibcLibrary } from './elf.ts';

/** An ELF file, with its name for messages. */
export type NamedElf = { readonly name: string; readonly elf: ElfFile };

export type UnresolvedLink = {
  /** The file with the unresolved reference. */
  readonly file: string;
  /** Empty for symbols that could come from any library. */
  readonly library: string;
  /** The library as a whole, or the names of the missing versions or symbols. */
  readonly missing: 'library' | readonly string[];
};

export type LinkedSystem = {
  /** Whether the system provides a library, in every version that the files need. */
  readonly isOnSystem?: (library: string) => boolean;
  /** The files of a glibc. Without them, symbols without a version are not checked. */
  readonly glibc?: readonly ElfFile[];
};

/**
 * Returns every reference in `files` that neither another of the files nor the system resolves. A symbol without a
 * version may come from any library that is loaded, so such symbols are checked only if all of those libraries are
 * known.
 */
export function unresolvedLinks(
  files: readonly NamedElf[],
  { isOnSystem = () => false, glibc = [] }: LinkedSystem = {},
): UnresolvedLink[] {
  const packed = new Map(files.map(({ name, elf }) => [elf.soname ?? name.split('/').at(-1) ?? name, elf]));
  for (const { name, elf } of files) packed.set(name.split('/').at(-1) ?? name, elf);
  const defined = new Set([...files.map(({ elf }) => elf), ...glibc].flatMap(({ defines }) => [...defines]));
  const checksSymbols = glibc.length > 0 && !files.some(({ elf }) => elf.needed.some((library) => isOnSystem(library)));
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
    const versioned = new Set(elf.versionedSymbols.map(({ symbol }) => symbol));
    const symbols = [...elf.undefinedSymbols].filter((symbol) => !versioned.has(symbol) && !defined.has(symbol));
    if (symbols.length > 0 && checksSymbols) unresolved.push({ file: name, library: '', missing: symbols });
  }
  return unresolved;
}
