/**
 * Resolves requested extensions to the modules of a PHP build and their loading order. A module that uses another's
 * symbols must be loaded after it (pdo_mysql after pdo and mysqlnd). The order is derived from the files, not from a
 * list.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ElfFile } from '../../elf/elf.ts';
import { parseElf } from '../../elf/elf.ts';
import { OperatorError } from '../../operator-error.ts';
import { nearestOf } from '../../options.ts';
import type { PhpBinaries } from './php-binaries.ts';

export type PhpExtension = {
  readonly name: string;
  readonly path: string;
  /** 0 if it needs no other module; otherwise 1 more than the maximum depth of those that it needs. */
  readonly depth: number;
};

/**
 * Returns the modules for `requested` and those that they need, in loading order. Names may have Composer's or PHP's
 * spelling (`ext-curl`, `Zend OPcache`). Extensions that are compiled into the binary have no module. Throws
 * `OperatorError` `php-extension-unknown`.
 */
export async function resolveExtensions(
  build: Pick<PhpBinaries, 'version' | 'builtIn' | 'modulesDirectory'>,
  binary: ElfFile,
  requested: readonly string[],
): Promise<PhpExtension[]> {
  const directory = build.modulesDirectory;
  const modules = new Map<string, { readonly path: string; readonly elf: ElfFile }>();
  for (const file of (await readdir(directory)).filter((name) => name.endsWith('.so')).sort()) {
    const name = file.slice(0, -'.so'.length);
    modules.set(name, { path: join(directory, file), elf: parseElf(await readFile(join(directory, file))) });
  }
  const ordered = new Map<string, PhpExtension>();
  const add = (name: string): void => {
    const module = modules.get(name);
    if (module === undefined || ordered.has(name)) return;
    const needed = modulesUsedBy(module.elf, binary, modules).filter((other) => other !== name);
    for (const other of needed) add(other);
    const depth = Math.max(0, ...needed.map((other) => (ordered.get(other)?.depth ?? 0) + 1));
    ordered.set(name, { name, path: module.path, depth });
  };
  for (const name of [...new Set(requested.map(canonicalName))].sort()) {
    if (!modules.has(name) && !build.builtIn.includes(name)) {
      const known = [...modules.keys()].join(', ');
      const builtIn = build.builtIn.join(', ');
      const nearest = nearestOf(name.replace(/^php\d*(\.\d+)?-/, ''), [...modules.keys(), ...build.builtIn]);
      const hint = nearest === undefined ? '' : `Did you mean ${nearest}? `;
      throw new OperatorError('php-extension-unknown', {
        version: build.version,
        extension: name,
        known,
        builtIn,
        hint,
      });
    }
    add(name);
  }
  return [...ordered.values()];
}

function canonicalName(name: string): string {
  return name
    .trim()
    .toLowerCase()
    .replace(/^ext-/, '')
    .replace(/^zend[ -]opcache$/, 'opcache');
}

function modulesUsedBy(
  elf: ElfFile,
  binary: ElfFile,
  modules: ReadonlyMap<string, { readonly elf: ElfFile }>,
): string[] {
  // Symbols of C++ templates and exceptions are defined in every file that uses them, so they prove no dependency.
  const symbols = [...elf.undefinedSymbols].filter(
    (symbol) => !binary.defines.has(symbol) && !/^(_Z|__cxa_|__gxx_)/.test(symbol),
  );
  return [...modules]
    .filter(([, { elf: other }]) => symbols.some((symbol) => other.defines.has(symbol)))
    .map(([name]) => name);
}
