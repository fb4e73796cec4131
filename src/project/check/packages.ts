/**
 * What is in the zips of a build: modes, first lines of scripts, and what programs and libraries need. The zips are read as
 * AWS reads them, so that it makes no difference how they were built.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ElfFile, isElf, isGlibcLibrary, parseElf } from '../../elf/elf.ts';
import type { NamedElf } from '../../elf/elf-links.ts';
import { entriesOfDirectory } from '../../packaging/directory-entries.ts';
import { unpackLayer } from '../../packaging/unpack-layer.ts';
import { QUOTAS } from '../../protocol/quotas.ts';

export type ScannedPackage = {
  /** Files and links with their modes. */
  readonly files: ReadonlyMap<string, number>;
  readonly bytes: number;
  readonly elves: readonly NamedElf[];
  /** Programs and libraries that cannot be read. */
  readonly damaged: readonly string[];
  /** First lines of files that begin with `#!`, by path. */
  readonly shebangs: ReadonlyMap<string, string>;
};

/** More than Lambda accepts, so that the size is reported and not the unpacking. */
const UNPACKED_BYTES = 16 * QUOTAS.unzippedBytes;
const SHEBANG_BYTES = 512;

/** Reads a zip. @throws OperatorError 'file-unreadable' */
export async function scanPackage(zip: string): Promise<ScannedPackage> {
  const workspace = await mkdtemp(join(tmpdir(), 'lamella-check-'));
  try {
    const directory = join(workspace, 'package');
    await unpackLayer(zip, { directory, staging: join(workspace, 'staging'), unpackedBytes: UNPACKED_BYTES });
    return await scan(directory);
  } finally {
    await rm(workspace, { recursive: true, force: true });
  }
}

async function scan(directory: string): Promise<ScannedPackage> {
  const files = new Map<string, number>();
  const elves: NamedElf[] = [];
  const damaged: string[] = [];
  const shebangs = new Map<string, string>();
  let bytes = 0;
  for (const { path, mode, content } of await entriesOfDirectory(directory)) {
    if (content.kind === 'directory') continue;
    files.set(path, mode);
    if (content.kind !== 'file') continue;
    const text = await readFile(content.source);
    bytes += text.length;
    if (text.subarray(0, 2).toString('latin1') === '#!') {
      shebangs.set(path, text.subarray(2, SHEBANG_BYTES).toString('latin1').split('\n', 1)[0] ?? '');
    }
    if (!isElf(text)) continue;
    const elf = readElf(text);
    if (elf === undefined) damaged.push(path);
    else elves.push({ name: path, elf });
  }
  return { files, bytes, elves, damaged, shebangs };
}

function readElf(bytes: Buffer): ElfFile | undefined {
  try {
    return parseElf(bytes);
  } catch {
    return undefined;
  }
}

/** Names by which other files may need a library. */
export function libraryNames({ elves, files }: ScannedPackage): string[] {
  const names = elves.flatMap(({ name, elf }) => [name.split('/').at(-1) ?? name, elf.soname ?? name]);
  // Links to libraries have their names too.
  return [...names, ...[...files.keys()].map((path) => path.split('/').at(-1) ?? path)];
}

/** Libraries that a file needs, without those of glibc. */
export function neededLibraries(elf: ElfFile): string[] {
  return elf.needed.filter((library) => !isGlibcLibrary(library));
}
