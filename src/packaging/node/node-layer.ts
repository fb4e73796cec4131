/**
 * Builds a runtime layer for TypeScript and JavaScript: a Node binary and our runtime (`runtimes/typescript`, one file)
 * or the user's own bootstrap. Node's own binary needs nothing that Amazon Linux 2023 does not have. Nothing is run, so
 * the same input gives the same bytes, for either architecture.
 *
 *     /opt/bootstrap  /opt/bin/node  /opt/lamella/runtime/main.cjs
 */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseElf, requiredGlibc } from '../../elf/elf.ts';
import { fetchNpmPackage, type Progress } from '../npm-package.ts';
import { sizeOfEntries, type WrittenZip, writeZip, type ZipEntry } from '../zip-writer.ts';
import { findNodeBuild } from './node-builds.ts';
import { TYPESCRIPT_RUNTIME_DIRECTORY } from './typescript-runtime.ts';

export type NodeLayerRequest = {
  /** `22`, or a full version that we know. */
  readonly version: string;
  /** `x86_64` unless said otherwise. */
  readonly architecture?: string;
  /** The file to pack as `/opt/bootstrap` in place of our runtime. It is made executable. */
  readonly bootstrap?: string;
  /** The zip to write. */
  readonly output: string;
  /** Where fetched packages are kept between builds. */
  readonly cacheDir: string;
  readonly onProgress?: Progress;
};

export type NodeLayer = {
  readonly zip: WrittenZip;
  /** Bytes of all files together, as AWS counts them against its limit. */
  readonly unzippedBytes: number;
  readonly nodeVersion: string;
  readonly architecture: string;
  /** The oldest glibc on which it starts. */
  readonly glibc: string;
};

/**
 * Builds the layer into `output`. Throws `OperatorError`: `node-version-unknown`, `package-unavailable`,
 * `package-damaged`, `file-unreadable`.
 */
export async function buildNodeLayer(request: NodeLayerRequest): Promise<NodeLayer> {
  const build = findNodeBuild(request.version, request.architecture);
  const folder = await fetchNpmPackage(build.package, request.cacheDir, request.onProgress);
  const node = join(folder, 'bin/node');
  const entries = [
    file('bin/node', 0o755, node),
    file('lamella/LICENSE-node', 0o644, join(folder, 'LICENSE')),
    ...runtimeEntries(request.bootstrap),
  ];
  const unzippedBytes = await sizeOfEntries(entries);
  request.onProgress?.(`Writing ${basename(request.output)}`);
  return {
    zip: await writeZip(request.output, entries),
    unzippedBytes,
    nodeVersion: build.fullVersion,
    architecture: build.architecture,
    glibc: requiredGlibc([parseElf(await readFile(node))]) ?? '2.0',
  };
}

function runtimeEntries(own: string | undefined): ZipEntry[] {
  if (own !== undefined) return [file('bootstrap', 0o755, own)];
  return [
    file('bootstrap', 0o755, join(TYPESCRIPT_RUNTIME_DIRECTORY, 'bootstrap')),
    file('lamella/runtime/main.cjs', 0o644, join(TYPESCRIPT_RUNTIME_DIRECTORY, 'main.cjs')),
  ];
}

function file(path: string, mode: number, source: string): ZipEntry {
  return { path, mode, content: { kind: 'file', source } };
}
