/** The files of a PHP and what they contain: what `php-builds.ts` fetches or `php-compile.ts` compiles. */
import type { ElfFile } from '../../elf/elf.ts';
import type { LibraryRequest } from './php-libraries.ts';

/** A PHP as it was fetched or compiled. */
export type PhpBinaries = {
  /** `8.4` */
  readonly version: string;
  readonly fullVersion: string;
  readonly architecture: ElfFile['architecture'];
  readonly php: string;
  readonly phpCgi: string;
  readonly modulesDirectory: string;
  /** Extensions inside the binary, in lower case. */
  readonly builtIn: readonly string[];
  /** Where their libraries come from. */
  readonly libraries: Pick<LibraryRequest, 'directories' | 'preferred' | 'systemRoot' | 'anyGlibc'>;
};
