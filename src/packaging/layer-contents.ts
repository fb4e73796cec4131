/**
 * Inspects the archive of a layer, ours or another's, without running anything in it: the sizes of its files, its PHP
 * and extensions, the libraries that it misses and the glibc that it needs. Also compares two layers. The archive is
 * unpacked by the rules that apply to a published one (`unpack-layer.ts`).
 */
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { compareVersions, type ElfFile, isElf, isGlibcLibrary, parseElf, requiredGlibc } from '../elf/elf.ts';
import type { NamedElf } from '../elf/elf-links.ts';
import { unresolvedLinks } from '../elf/elf-links.ts';
import { QUOTAS } from '../protocol/quotas.ts';
import { entriesOfDirectory } from './directory-entries.ts';
import { AMAZON_LINUX_2023_GLIBC, isInAmazonLinux2023 } from './php/amazon-linux-2023.ts';
import { unpackLayer } from './unpack-layer.ts';

export type LayerFile = {
  readonly path: string;
  /** Three octal digits; `-` for a link. */
  readonly mode: string;
  readonly bytes: number;
  /** SHA-256 of the content, or of a link's target, in hex. */
  readonly digest: string;
};

export type LayerContents = {
  readonly path: string;
  readonly zippedBytes: number;
  /** SHA-256 of the archive in Base64, as Lambda returns it. */
  readonly codeSha256: string;
  readonly unzippedBytes: number;
  /** Lambda's quota for the code and all layers of a function together, unpacked. */
  readonly limitBytes: number;
  /** Sorted by size, largest first. */
  readonly files: readonly LayerFile[];
  readonly hasBootstrap: boolean;
  /** The architectures of its programs and libraries. More than one is a mistake. */
  readonly architectures: readonly string[];
  readonly phpVersion: string | undefined;
  /** PHP extension modules, and whether the layer's ini files enable them. */
  readonly extensions: readonly { readonly name: string; readonly isEnabled: boolean }[];
  /** The oldest glibc with which everything in it starts; undefined if nothing in it needs glibc. */
  readonly glibc: string | undefined;
  readonly runsOnAmazonLinux2023: boolean;
  /** Programs and libraries that are truncated or damaged, and so cannot start. */
  readonly damaged: readonly string[];
  /** Libraries that it expects from Amazon Linux 2023, which has them. */
  readonly fromAmazonLinux2023: readonly string[];
  /** Libraries that neither the layer nor Amazon Linux 2023 has. */
  readonly missing: readonly {
    readonly file: string;
    readonly library: string;
    /** The missing versions of the library; empty if the library itself is missing. */
    readonly versions: readonly string[];
  }[];
};

export type LayerDifference = {
  readonly path: string;
  readonly kind: 'added' | 'removed' | 'changed' | 'mode';
  readonly before: LayerFile | undefined;
  readonly after: LayerFile | undefined;
};

/** Inspects the archive at `file`. Throws `OperatorError` `file-unreadable` if it is not a zip that Lambda accepts. */
export async function inspectLayer(file: string): Promise<LayerContents> {
  const workspace = await mkdtemp(join(tmpdir(), 'lamella-inspect-'));
  try {
    const directory = join(workspace, 'opt');
    // More than Lambda accepts, so that a layer that is too large can be inspected as well.
    const unpackedBytes = 16 * QUOTAS.unzippedBytes;
    const zip = await unpackLayer(file, { directory, staging: join(workspace, 'staging'), unpackedBytes });
    return { ...(await describe(directory)), path: resolve(file), ...measure(zip) };
  } finally {
    await rm(workspace, { recursive: true, force: true });
  }
}

/** Returns the differences from `before` to `after`, sorted by path. */
export function compareLayers(before: LayerContents, after: LayerContents): LayerDifference[] {
  const old = new Map(before.files.map((file) => [file.path, file]));
  const now = new Map(after.files.map((file) => [file.path, file]));
  const paths = [...new Set([...old.keys(), ...now.keys()])].sort();
  return paths.flatMap((path): LayerDifference[] => {
    const [one, other] = [old.get(path), now.get(path)];
    if (one === undefined) return [{ path, kind: 'added', before: one, after: other }];
    if (other === undefined) return [{ path, kind: 'removed', before: one, after: other }];
    if (one.digest !== other.digest) return [{ path, kind: 'changed', before: one, after: other }];
    return one.mode === other.mode ? [] : [{ path, kind: 'mode', before: one, after: other }];
  });
}

function measure(zip: Buffer) {
  return {
    zippedBytes: zip.length,
    codeSha256: createHash('sha256').update(zip).digest('base64'),
    limitBytes: QUOTAS.unzippedBytes,
  };
}

/** Undefined for a damaged file. */
function readElf(bytes: Buffer): ElfFile | undefined {
  try {
    return parseElf(bytes);
  } catch {
    return undefined;
  }
}

async function describe(
  tree: string,
): Promise<Omit<LayerContents, 'path' | 'zippedBytes' | 'codeSha256' | 'limitBytes'>> {
  const files: LayerFile[] = [];
  const elves: NamedElf[] = [];
  const damaged: string[] = [];
  const inis: string[] = [];
  let phpVersion: string | undefined;
  for (const { path, mode, content } of await entriesOfDirectory(tree)) {
    if (content.kind === 'directory') continue;
    const bytes =
      content.kind === 'file'
        ? await readFile(content.source)
        : Buffer.from(content.kind === 'link' ? content.target : '');
    const digest = createHash('sha256').update(bytes).digest('hex');
    files.push({ path, mode: content.kind === 'link' ? '-' : mode.toString(8), bytes: bytes.length, digest });
    if (content.kind !== 'file') continue;
    if (path.endsWith('.ini')) inis.push(bytes.toString());
    if (!isElf(bytes)) continue;
    const elf = readElf(bytes);
    if (elf === undefined) {
      damaged.push(path);
      continue;
    }
    elves.push({ name: path, elf });
    phpVersion ??= /\0X-Powered-By: PHP\/(\d[\w.-]*)\0/.exec(bytes.toString('latin1'))?.[1];
  }
  files.sort((a, b) => b.bytes - a.bytes || (a.path < b.path ? -1 : 1));
  const glibc = requiredGlibc(elves.map(({ elf }) => elf));
  const missing = missingIn(elves);
  return {
    files,
    unzippedBytes: files.reduce((total, { bytes, mode }) => total + (mode === '-' ? 0 : bytes), 0),
    hasBootstrap: files.some(({ path }) => path === 'bootstrap'),
    architectures: [...new Set(elves.map(({ elf }) => elf.architecture))].sort(),
    phpVersion,
    extensions: extensionsIn(elves, inis),
    glibc,
    damaged,
    runsOnAmazonLinux2023:
      missing.length + damaged.length === 0 && compareVersions(glibc ?? '0', AMAZON_LINUX_2023_GLIBC) <= 0,
    fromAmazonLinux2023: expectedFromAmazonLinux(elves),
    missing,
  };
}

/** PHP loads a module through `get_module` or `zend_extension_entry`, which no other library defines. */
function extensionsIn(elves: readonly NamedElf[], inis: readonly string[]): LayerContents['extensions'] {
  const enabled = inis.flatMap((ini) =>
    [...ini.matchAll(/^\s*(?:zend_)?extension\s*=\s*"?([^"\s;]+)/gm)].map((match) => moduleName(match[1] ?? '')),
  );
  return elves
    .filter(({ elf }) => elf.defines.has('get_module') || elf.defines.has('zend_extension_entry'))
    .filter(({ elf }) => elf.interpreter === undefined)
    .map(({ name }) => ({ name: moduleName(name), isEnabled: enabled.includes(moduleName(name)) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function moduleName(path: string): string {
  return (path.split('/').at(-1) ?? path).replace(/\.so$/, '');
}

function expectedFromAmazonLinux(elves: readonly NamedElf[]): string[] {
  const packed = new Set(elves.flatMap(({ name, elf }) => [name.split('/').at(-1) ?? name, elf.soname ?? name]));
  const needed = new Set(elves.flatMap(({ elf }) => elf.needed));
  return [...needed].filter((library) => !packed.has(library) && isInAmazonLinux2023(library, [])).sort();
}

function missingIn(elves: readonly NamedElf[]): LayerContents['missing'] {
  const onSystem = new Set(expectedFromAmazonLinux(elves));
  const unresolved = unresolvedLinks(elves, { isOnSystem: (library) => onSystem.has(library) });
  const tooOld = elves.flatMap(({ name, elf }) =>
    [...elf.versionNeeds].flatMap(([library, versions]) => {
      if (!onSystem.has(library) || isGlibcLibrary(library)) return [];
      const newer = versions.filter((version) => !isInAmazonLinux2023(library, [version]));
      return newer.length > 0 ? [{ file: name, library, versions: newer }] : [];
    }),
  );
  const absent = unresolved.map(({ file, library, missing }) => ({
    file,
    library,
    versions: missing === 'library' ? [] : missing,
  }));
  return [...absent, ...tooOld];
}
