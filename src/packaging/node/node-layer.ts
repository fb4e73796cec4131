/**
 * Builds a runtime layer for TypeScript and JavaScript: a Node binary, and Lamella's runtime (`runtimes/typescript`,
 * one file) or the user's bootstrap. Amazon Linux 2023 has all libraries that the binary needs. Nothing is run, so the
 * same input gives the same bytes, for both architectures.
 *
 *     /opt/bootstrap  /opt/bin/node  /opt/lamella/runtime/main.cjs
 */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseElf, requiredGlibc } from '../../elf/elf.ts';
import { fetchNpmPackage, type Progress } from '../npm-package.ts';
import { checkOutput, sizeOfEntries, type WrittenZip, writeZip, type ZipEntry } from '../zip-writer.ts';
import { findNodeBuild } from './node-builds.ts';
import { TYPESCRIPT_RUNTIME_DIRECTORY } from './typescript-runtime.ts';

export type NodeLayerRequest = {
  /** `22`, or a full version of `node-builds.ts`. */
  readonly version: string;
  /** Defaults to `x86_64`. */
  readonly architecture?: string;
  /** The file to pack as `/opt/bootstrap` in place of Lamella's runtime, with mode 0755. */
  readonly bootstrap?: string;
  /** The zip to write. */
  readonly output: string;
  /** The cache of fetched packages. */
  readonly cacheDir: string;
  readonly onProgress?: Progress;
};

export type NodeLayer = {
  readonly zip: WrittenZip;
  /** Size of all files together, in bytes, as AWS counts it against its quota. */
  readonly unzippedBytes: number;
  readonly nodeVersion: string;
  readonly architecture: string;
  /** The oldest glibc with which it starts. */
  readonly glibc: string;
};

/**
 * Writes the layer to `output`. Throws `OperatorError`: `node-version-unknown`, `package-unavailable`,
 * `package-damaged`, `file-unreadable`.
 */
export async function buildNodeLayer(request: NodeLayerRequest): Promise<NodeLayer> {
  const build = findNodeBuild(request.version, request.architecture);
  checkOutput(request.output);
  const directory = await fetchNpmPackage(build.package, request.cacheDir, request.onProgress);
  const node = join(directory, 'bin/node');
  const entries = [
    file('bin/node', 0o755, node),
    file('lamella/LICENSE-node', 0o644, join(directory, 'LICENSE')),
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

function runtimeEntries(bootstrap: string | undefined): ZipEntry[] {
  if (bootstrap !== undefined) return [file('bootstrap', 0o755, bootstrap)];
  return [
    file('bootstrap', 0o755, join(TYPESCRIPT_RUNTIME_DIRECTORY, 'bootstrap')),
    file('lamella/runtime/main.cjs', 0o644, join(TYPESCRIPT_RUNTIME_DIRECTORY, 'main.cjs')),
  ];
}

function file(path: string, mode: number, source: string): ZipEntry {
  return { path, mode, content: { kind: 'file', source } };
}
