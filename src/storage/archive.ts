/**
 * Unpacks an untrusted zip archive into a directory, completely or not at all. The archive's central directory is
 * checked before the first byte is written, and the unpacked data must match what it claims. Archives are stored by
 * `archives.ts`; the caller maps an `ArchiveError` to AWS's response.
 *
 * As on AWS, a backslash is part of a name, the later of two files with one name applies, and a symbolic link may lead
 * anywhere: only a function's sandbox follows it. Nothing is written through a link, because every directory of the tree
 * is an entry of its own, and no link can replace one. Code that reads an unpacked tree on the host must not follow
 * links (`environment/launch/inside-path.ts`).
 *
 * The work is linear in the size of the archive: entries are read once, and their compressed data may not overlap.
 *
 * Modes are kept as on Lambda, without set-id bits. The owner can always read and write directories (0700), so that the
 * service can remove them. A file without a Unix mode gets 0644 and is not executable.
 */
import type { FileHandle } from 'node:fs/promises';
import { chmod, mkdir, open, rename, rm, symlink } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { promisify } from 'node:util';
import { crc32, createInflateRaw, inflateRaw } from 'node:zlib';
import type { Entry } from 'yauzl';
import { fromBufferPromise, getFileNameLowLevel } from 'yauzl';
import { diskFullOf } from './disk-full.ts';

export type ArchiveProblem =
  /** Not a zip archive, or cut off at its end. */
  | 'not-a-zip'
  /** The archive has no entries. */
  | 'empty'
  /** Unpacked, it has more bytes than the limit. */
  | 'too-large'
  /** It has more entries than the limit. */
  | 'too-many-entries'
  /** A name that is absolute, contains `..`, or is otherwise unusable. */
  | 'unsafe-name'
  /** A name that is both a directory and something else. */
  | 'conflicting-names'
  /** A symbolic link that the kernel cannot create: empty, too long, or with a null character. */
  | 'unusable-link'
  /** A device or a socket. */
  | 'unsupported-kind'
  | 'encrypted'
  | 'unsupported-compression'
  /** Data, size or checksum do not match the central directory. */
  | 'damaged';

/** The archive cannot be unpacked. Nothing of it is left on disk. */
export class ArchiveError extends Error {
  readonly problem: ArchiveProblem;

  constructor(problem: ArchiveProblem, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'ArchiveError';
    this.problem = problem;
  }
}

export type ArchiveLimits = {
  /** Maximum size of all files together, in bytes. */
  readonly unpackedBytes: number;
  /** Maximum number of entries, and of the directories above them. */
  readonly entries: number;
};

export type Unpacked = {
  readonly files: number;
  /** Bytes of all files together. */
  readonly bytes: number;
};

type Node = { readonly path: string; readonly mode: number } & (
  | { readonly kind: 'directory' }
  | { readonly kind: 'file' | 'link'; readonly packed: PackedData }
);

/** Where an entry's data is, and what it must unpack to. */
type PackedData = Pick<
  Entry,
  'compressionMethod' | 'compressedSize' | 'uncompressedSize' | 'crc32' | 'relativeOffsetOfLocalHeader'
>;

const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const S_IFDIR = 0o040000;
const S_IFLNK = 0o120000;
/** The kind that the zip program records for a file that was piped into it. */
const S_IFIFO = 0o010000;
/** "Version made by": systems whose external attributes contain a Unix mode. */
const UNIX_SYSTEMS: ReadonlySet<number> = new Set([3, 19]);
const MAX_NAME_BYTES = 255;
const MAX_PATH_BYTES = 2048;
const MAX_LINK_BYTES = 4095;
/** Longer names are cut off in messages. */
const SHOWN_NAME_CHARACTERS = 200;
/** Larger entries are inflated in chunks, not into one buffer. */
const INFLATED_AT_ONCE_BYTES = 4 * 1024 * 1024;
/** A larger stored entry is written in parts, so that its checksum does not block the event loop. */
const STORED_AT_ONCE_BYTES = 1024 * 1024;
const IN_FLIGHT = 8;

const inflateAtOnce = promisify(inflateRaw);

/**
 * Unpacks `zip` into the new directory `target`. Files are written to `staging`, which is renamed to `target` at the
 * end: neither may exist yet, and both must be on the same file system.
 * @throws ArchiveError, OperatorError 'disk-full'; neither leaves anything behind.
 */
export async function unpackArchive(
  zip: Buffer,
  { target, staging, limits }: { target: string; staging: string; limits: ArchiveLimits },
): Promise<Unpacked> {
  const nodes = await readDirectory(zip, limits);
  const links = await readLinks(zip, nodes);
  try {
    await mkdir(staging, { mode: 0o755 });
    await writeTree(zip, staging, nodes, links);
    await rename(staging, target);
  } catch (failure) {
    await rm(staging, { recursive: true, force: true });
    throw diskFullOf(failure, staging) ?? failure;
  }
  return measure(nodes);
}

/**
 * Returns what unpacking `zip` would, from its central directory alone. The data is not checked: use it only for an
 * archive that has been unpacked before.
 * @throws ArchiveError as `unpackArchive` does
 */
export async function measureArchive(zip: Buffer, limits: ArchiveLimits): Promise<Unpacked> {
  return measure(await readDirectory(zip, limits));
}

export type ListedEntry = {
  readonly path: string;
  readonly kind: 'file' | 'link' | 'directory';
  readonly mode: number;
  /** Unpacked; 0 for a directory. */
  readonly bytes: number;
  /** Of the content; 0 for a directory. */
  readonly crc32: number;
};

/** Returns what is in `zip`, from its central directory alone. @throws ArchiveError as `unpackArchive` does */
export async function listArchive(zip: Buffer, limits: ArchiveLimits): Promise<ListedEntry[]> {
  const nodes = [...(await readDirectory(zip, limits)).values()];
  return nodes.map((node) => {
    const { path, kind, mode } = node;
    return { path, kind, mode, bytes: sizeOf(node), crc32: node.kind === 'directory' ? 0 : node.packed.crc32 };
  });
}

function measure(nodes: ReadonlyMap<string, Node>): Unpacked {
  let files = 0;
  let bytes = 0;
  for (const node of nodes.values()) {
    if (node.kind !== 'file') continue;
    files += 1;
    bytes += node.packed.uncompressedSize;
  }
  return { files, bytes };
}

/** Reads and checks the central directory. Parents come before their children. */
async function readDirectory(zip: Buffer, limits: ArchiveLimits): Promise<Map<string, Node>> {
  const nodes = new Map<string, Node>();
  let read = 0;
  let bytes = 0;
  let packedBytes = 0;
  for await (const entry of entriesOf(zip)) {
    read += 1;
    const node = nodeOf(entry);
    if (node !== undefined) {
      addParents(nodes, posix.dirname(node.path));
      const present = nodes.get(node.path);
      if (present !== undefined && (present.kind === 'directory') !== (node.kind === 'directory')) {
        throw new ArchiveError('conflicting-names', `${shown(node.path)} is both a directory and a file or a link`);
      }
      // The later entry applies. It keeps the place of the earlier one, after its parents.
      nodes.set(node.path, node);
      bytes += sizeOf(node) - (present === undefined ? 0 : sizeOf(present));
    }
    // A small archive must not use up the disk's inodes, nor the service's time with entries that replace each other.
    if (Math.max(nodes.size, read) > limits.entries) {
      throw new ArchiveError('too-many-entries', `it has more than ${limits.entries} entries`);
    }
    if (bytes > limits.unpackedBytes) {
      throw new ArchiveError('too-large', `it has more than ${limits.unpackedBytes} bytes unpacked`);
    }
    packedBytes += entry.compressedSize;
    // Many entries that share the same data would be unpacked many times.
    if (packedBytes > zip.length) throw new ArchiveError('damaged', 'its entries overlap');
  }
  if (nodes.size === 0) throw new ArchiveError('empty', 'the archive is empty');
  return nodes;
}

function sizeOf(node: Node): number {
  return node.kind === 'directory' ? 0 : node.packed.uncompressedSize;
}

/** The destinations of all symbolic links, by path. They may lead anywhere; nothing here follows them. */
async function readLinks(zip: Buffer, nodes: ReadonlyMap<string, Node>): Promise<Map<string, string>> {
  const links = new Map<string, string>();
  for (const { path, ...node } of nodes.values()) {
    if (node.kind !== 'link') continue;
    const refuse = (reason: string) => new ArchiveError('unusable-link', `the link ${shown(path)} ${reason}`);
    if (node.packed.uncompressedSize > MAX_LINK_BYTES) throw refuse(`is longer than ${MAX_LINK_BYTES} bytes`);
    const destination = (await contentOf(zip, node.packed, path)).toString('utf8');
    if (destination === '') throw refuse('is empty');
    if (destination.includes('\0')) throw refuse('contains a null character');
    links.set(path, destination);
  }
  return links;
}

async function* entriesOf(zip: Buffer): AsyncGenerator<Entry> {
  // With decodeStrings, yauzl would check names itself and not distinguish the problems.
  const options = { lazyEntries: true, strictFileNames: true, decodeStrings: false, validateEntrySizes: true } as const;
  let context = 'not a zip archive';
  try {
    const archive = await fromBufferPromise(zip, options);
    context = 'the central directory is damaged';
    yield* archive.eachEntry();
  } catch (failure) {
    if (failure instanceof ArchiveError) throw failure;
    throw new ArchiveError('not-a-zip', `${context}: ${(failure as Error).message}`, failure);
  }
}

function nodeOf(entry: Entry): Node | undefined {
  const name = nameOf(entry);
  const path = safePath(name);
  const isUnix = UNIX_SYSTEMS.has(entry.versionMadeBy >>> 8);
  const attributes = isUnix ? entry.externalFileAttributes >>> 16 : 0;
  const kind = attributes & S_IFMT;
  if (entry.isEncrypted()) throw new ArchiveError('encrypted', `${shown(name)} is encrypted`);
  if (entry.compressionMethod !== 0 && entry.compressionMethod !== 8) {
    throw new ArchiveError(
      'unsupported-compression',
      `${shown(name)} uses compression method ${entry.compressionMethod}; only stored (0) and deflated (8) are supported`,
    );
  }
  if (name.endsWith('/') || kind === S_IFDIR) {
    if (path === '.') return undefined;
    return { kind: 'directory', path, mode: attributes === 0 ? 0o755 : (attributes & 0o777) | 0o700 };
  }
  if (path === '.') throw new ArchiveError('unsafe-name', `${shown(name)} is not a valid file name`);
  const { compressionMethod, compressedSize, uncompressedSize, crc32, relativeOffsetOfLocalHeader } = entry;
  // Not the entry itself, which holds three buffers: an archive may have hundreds of thousands of entries.
  const packed = { compressionMethod, compressedSize, uncompressedSize, crc32, relativeOffsetOfLocalHeader };
  if (kind === S_IFLNK) return { kind: 'link', path, mode: 0o777, packed };
  if (kind !== 0 && kind !== S_IFREG && kind !== S_IFIFO) {
    throw new ArchiveError('unsupported-kind', `${shown(name)} is not a file, directory or symbolic link`);
  }
  return { kind: 'file', path, mode: attributes === 0 ? 0o644 : attributes & 0o777, packed };
}

/** Many tools write UTF-8 without setting the flag. Only a name that is not valid UTF-8 is decoded as declared. */
function nameOf(entry: Entry): string {
  const utf8 = entry.fileNameRaw.toString('utf8');
  if (Buffer.from(utf8, 'utf8').equals(entry.fileNameRaw)) return utf8;
  return getFileNameLowLevel(entry.generalPurposeBitFlag, entry.fileNameRaw, entry.extraFields, true);
}

/** The name without `.` and empty parts; `.` for the root. */
function safePath(name: string): string {
  const refuse = (reason: string) => new ArchiveError('unsafe-name', `the name ${shown(name)} ${reason}`);
  if (name === '') throw refuse('is empty');
  if (name.includes('\0')) throw refuse('contains a null character');
  if (name.startsWith('/')) throw refuse('is absolute');
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw refuse('leads out of the archive');
  if (Buffer.byteLength(name) > MAX_PATH_BYTES) throw refuse(`is longer than ${MAX_PATH_BYTES} bytes`);
  if (parts.some((part) => Buffer.byteLength(part) > MAX_NAME_BYTES))
    throw refuse(`has a part longer than ${MAX_NAME_BYTES} bytes`);
  return parts.join('/') || '.';
}

/** Adds the directories above an entry that the archive does not list itself. */
function addParents(nodes: Map<string, Node>, directory: string): void {
  if (directory === '.') return;
  const present = nodes.get(directory);
  if (present?.kind === 'directory') return;
  // This also refuses to write through a link.
  if (present !== undefined) {
    throw new ArchiveError('conflicting-names', `${shown(directory)} is used as a directory but is not one`);
  }
  addParents(nodes, posix.dirname(directory));
  nodes.set(directory, { kind: 'directory', path: directory, mode: 0o755 });
}

async function writeTree(
  zip: Buffer,
  root: string,
  nodes: ReadonlyMap<string, Node>,
  links: ReadonlyMap<string, string>,
): Promise<void> {
  const directories = [...nodes.values()].filter((node) => node.kind === 'directory');
  for (const { path } of directories) await mkdir(join(root, path), { mode: 0o700 });
  const others = [...nodes.values()].filter((node) => node.kind !== 'directory').values();
  let failed = false;
  const worker = async () => {
    for (const node of others) {
      if (failed) return;
      const path = join(root, node.path);
      if (node.kind === 'link') await symlink(links.get(node.path) ?? '', path);
      else await writeFileOf(zip, node, path);
    }
  };
  const workers = Array.from({ length: IN_FLIGHT }, () =>
    worker().catch((failure: unknown) => {
      failed = true;
      throw failure;
    }),
  );
  // All workers must have stopped before the caller removes the directory.
  for (const result of await Promise.allSettled(workers)) if (result.status === 'rejected') throw result.reason;
  for (const { path, mode } of directories) await chmod(join(root, path), mode);
  await chmod(root, 0o755);
}

async function writeFileOf(zip: Buffer, node: Node & { readonly packed: PackedData }, path: string): Promise<void> {
  const { packed } = node;
  // 'wx' fails if the path exists, so nothing is written through a link.
  const file = await open(path, 'wx', 0o600);
  try {
    if (packed.uncompressedSize <= INFLATED_AT_ONCE_BYTES)
      await file.writeFile(await contentOf(zip, packed, node.path));
    else await inflateInto(file, zip, packed, node.path);
    await file.chmod(node.mode);
  } finally {
    await file.close();
  }
}

/** The whole content of an entry, checked against its size and checksum. */
async function contentOf(zip: Buffer, packed: PackedData, name: string): Promise<Buffer> {
  const data = packedDataOf(zip, packed, name);
  let content = data;
  if (packed.compressionMethod === 8) {
    try {
      // Fails at the first byte beyond the claimed size.
      content = await inflateAtOnce(data, { maxOutputLength: Math.max(1, packed.uncompressedSize) });
    } catch (failure) {
      throw damaged(name, (failure as Error).message, failure);
    }
  }
  if (content.length !== packed.uncompressedSize) {
    throw damaged(name, 'its size is not the one in the central directory');
  }
  if (crc32(content) !== packed.crc32) throw damaged(name, 'its checksum is wrong');
  return content;
}

async function inflateInto(file: FileHandle, zip: Buffer, packed: PackedData, name: string): Promise<void> {
  const data = packedDataOf(zip, packed, name);
  let size = 0;
  let checksum = 0;
  const write = async (piece: Buffer) => {
    size += piece.length;
    if (size > packed.uncompressedSize) throw damaged(name, 'it is larger than the size in the central directory');
    checksum = crc32(piece, checksum);
    await file.writeFile(piece);
  };
  if (packed.compressionMethod === 0) {
    for (let at = 0; at < data.length; at += STORED_AT_ONCE_BYTES) {
      await write(data.subarray(at, at + STORED_AT_ONCE_BYTES));
    }
  } else {
    const inflating = createInflateRaw({ chunkSize: 256 * 1024 });
    inflating.end(data);
    try {
      for await (const piece of inflating) await write(piece as Buffer);
    } catch (failure) {
      const isZlib = failure instanceof Error && 'code' in failure && String(failure.code).startsWith('Z_');
      throw isZlib ? damaged(name, failure.message, failure) : failure;
    }
  }
  if (size !== packed.uncompressedSize) throw damaged(name, 'it is smaller than the size in the central directory');
  if (checksum !== packed.crc32) throw damaged(name, 'its checksum is wrong');
}

/** The entry's compressed bytes. They follow its local header, whose name and extra field have lengths of their own. */
function packedDataOf(zip: Buffer, packed: PackedData, name: string): Buffer {
  const header = packed.relativeOffsetOfLocalHeader;
  if (header + 30 > zip.length || zip.readUInt32LE(header) !== 0x04034b50) {
    throw damaged(name, 'its header is not where the central directory says');
  }
  const start = header + 30 + zip.readUInt16LE(header + 26) + zip.readUInt16LE(header + 28);
  const end = start + packed.compressedSize;
  if (end > zip.length) throw damaged(name, 'its end is missing');
  return zip.subarray(start, end);
}

function damaged(name: string, reason: string, cause?: unknown): ArchiveError {
  return new ArchiveError('damaged', `${shown(name)} is damaged: ${reason}`, cause);
}

/** A name from the archive for a message: quoted, and not longer than a line. */
function shown(name: string): string {
  return JSON.stringify(name.length > SHOWN_NAME_CHARACTERS ? `${name.slice(0, SHOWN_NAME_CHARACTERS - 1)}…` : name);
}
