/**
 * The files of a PHP that was fetched (`php-layer.ts`) or compiled (`php-compile.ts`). `php-installation.ts` packs
 * them.
 */
import type { ElfFile } from '../../elf/elf.ts';
import type { LibraryRequest } from './php-libraries.ts';

/** A fetched or compiled PHP, with paths of its files. */
export type PhpBinaries = {
  /** `8.4` */
  readonly version: string;
  readonly fullVersion: string;
  readonly architecture: ElfFile['architecture'];
  readonly php: string;
  readonly phpCgi: string;
  readonly modulesDirectory: string;
  /** Extensions that are compiled into the binary, in lower case. */
  readonly builtIn: readonly string[];
  /** Where the libraries of the binaries are found. */
  readonly libraries: Pick<LibraryRequest, 'directories' | 'preferred' | 'systemRoot' | 'anyGlibc'>;
};
