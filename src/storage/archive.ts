/**
 * Unpacks a zip archive that somebody uploaded, safely, into a folder: all of it or nothing. Everything that the
 * archive's directory claims is judged before the first byte is written, and what comes out must be what was claimed.
 * Where archives are kept is `archives.ts`' business; what AWS says to a bad one is the caller's.
 *
 * Modes are honored as on Lambda, set-id bits dropped. Folders always belong to their owner (0700), so that the
 * service can clear them away; without a Unix mode a file is 0644 and cannot be executed.
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
  /** Not a zip, or its end is missing. */
  | 'not-a-zip'
  /** Nothing in it. */
  | 'empty'
  /** More bytes than allowed would come out. */
  | 'too-large'
  /** More entries than allowed. */
  | 'too-many-entries'
  /** `..`, an absolute or unusable name, or one with a backslash. */
  | 'unsafe-name'
  /** The same name twice, or a name below something that is no folder. */
  | 'conflicting-names'
  /** A link that leads out of the tree. */
  | 'unsafe-link'
  /** A device or a socket. */
  | 'unsupported-kind'
  | 'encrypted'
  | 'unsupported-compression'
  /** Compressed data, size or checksum is not what the directory says. */
  | 'damaged';

/** The archive is not fit to be unpacked; nothing was left on disk. */
export class ArchiveError extends Error {
  readonly problem: ArchiveProblem;

  constructor(problem: ArchiveProblem, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'ArchiveError';
    this.problem = problem;
  }
}

export type ArchiveLimits = {
  /** Bytes of all files together. */
  readonly unpackedBytes: number;
  readonly entries: number;
  /** Where the tree will be seen by its users, e.g. `/opt`: absolute links below these stay inside. */
  readonly mountPoints: readonly string[];
};

export type Unpacked = {
  readonly files: number;
  /** Bytes of all files together. */
  readonly bytes: number;
};

type Node = { readonly path: string; readonly mode: number } & (
  | { readonly kind: 'directory' }
  | { readonly kind: 'file' | 'link'; readonly entry: Entry }
);

const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const S_IFDIR = 0o040000;
const S_IFLNK = 0o120000;
/** What the zip program notes for a file that was piped into it. */
const S_IFIFO = 0o010000;
/** "Version made by": systems whose external attributes carry a Unix mode. */
const UNIX_SYSTEMS: ReadonlySet<number> = new Set([3, 19]);
const MAX_NAME_BYTES = 255;
const MAX_PATH_BYTES = 2048;
const MAX_LINK_BYTES = 4095;
const MAX_LINKS_FOLLOWED = 40;
/** Larger entries are inflated piece by piece instead of in one buffer. */
const INFLATED_AT_ONCE_BYTES = 4 * 1024 * 1024;
const IN_FLIGHT = 8;

const inflateAtOnce = promisify(inflateRaw);

/**
 * Unpacks `zip` as the folder `target`, which must not exist yet; `staging` must not exist either and lie on the same
 * disk. `target` appears by a rename when everything is written.
 * @throws ArchiveError when the archive is not fit, OperatorError 'disk-full'; neither leaves anything behind.
 */
export async function unpackArchive(
  zip: Buffer,
  { target, staging, limits }: { target: string; staging: string; limits: ArchiveLimits },
): Promise<Unpacked> {
  const nodes = await readDirectory(zip, limits);
  const links = new Map<string, string>();
  for (const node of nodes.values()) {
    if (node.kind !== 'link') continue;
    if (node.entry.uncompressedSize > MAX_LINK_BYTES) {
      throw new ArchiveError('unsafe-link', `the link ${node.path} is too long`);
    }
    links.set(node.path, (await contentOf(zip, node.entry)).toString('utf8'));
  }
  for (const [path, destination] of links) refuseEscape(path, destination, links, limits.mountPoints);

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
 * What unpacking `zip` gives, by its directory alone: true only for an archive that was unpacked before.
 * @throws ArchiveError as `unpackArchive` does
 */
export async function measureArchive(zip: Buffer, limits: ArchiveLimits): Promise<Unpacked> {
  return measure(await readDirectory(zip, limits));
}

function measure(nodes: ReadonlyMap<string, Node>): Unpacked {
  let files = 0;
  let bytes = 0;
  for (const node of nodes.values()) {
    if (node.kind !== 'file') continue;
    files += 1;
    bytes += node.entry.uncompressedSize;
  }
  return { files, bytes };
}

/** Reads and judges the archive's directory. Parents come before what is in them. */
async function readDirectory(zip: Buffer, limits: ArchiveLimits): Promise<Map<string, Node>> {
  const nodes = new Map<string, Node>();
  let bytes = 0;
  for await (const entry of entriesOf(zip)) {
    const node = nodeOf(entry);
    if (node === undefined) continue;
    // Without a limit on entries a small archive could use up the disk's inodes.
    addFolders(nodes, posix.dirname(node.path));
    const present = nodes.get(node.path);
    // The same folder twice is what merging two archives gives; it harms nobody. The later mode holds.
    if (present !== undefined && !(present.kind === 'directory' && node.kind === 'directory')) {
      throw new ArchiveError('conflicting-names', `the name ${node.path} stands for more than one thing`);
    }
    nodes.set(node.path, node);
    if (nodes.size > limits.entries) throw new ArchiveError('too-many-entries', `more than ${limits.entries} entries`);
    if (node.kind === 'directory') continue;
    bytes += entry.uncompressedSize;
    if (bytes > limits.unpackedBytes) {
      throw new ArchiveError('too-large', `more than ${limits.unpackedBytes} bytes unpacked`);
    }
  }
  if (nodes.size === 0) throw new ArchiveError('empty', 'there is nothing in the archive');
  return nodes;
}

async function* entriesOf(zip: Buffer): AsyncGenerator<Entry> {
  // Names come as bytes: the library's own judgment of them would not tell one problem from another.
  const options = { lazyEntries: true, strictFileNames: true, decodeStrings: false, validateEntrySizes: true } as const;
  let reading = 'the archive cannot be read';
  try {
    const archive = await fromBufferPromise(zip, options);
    reading = 'the directory of the archive is damaged';
    yield* archive.eachEntry();
  } catch (failure) {
    if (failure instanceof ArchiveError) throw failure;
    throw new ArchiveError('not-a-zip', `${reading}: ${(failure as Error).message}`, failure);
  }
}

function nodeOf(entry: Entry): Node | undefined {
  const name = nameOf(entry);
  const path = safePath(name);
  const isUnix = UNIX_SYSTEMS.has(entry.versionMadeBy >>> 8);
  const attributes = isUnix ? entry.externalFileAttributes >>> 16 : 0;
  const kind = attributes & S_IFMT;
  if (entry.isEncrypted()) throw new ArchiveError('encrypted', `${name} is encrypted`);
  if (entry.compressionMethod !== 0 && entry.compressionMethod !== 8) {
    throw new ArchiveError('unsupported-compression', `${name} is compressed by method ${entry.compressionMethod}`);
  }
  if (name.endsWith('/') || kind === S_IFDIR) {
    if (path === '.') return undefined;
    return { kind: 'directory', path, mode: attributes === 0 ? 0o755 : (attributes & 0o777) | 0o700 };
  }
  if (path === '.') throw new ArchiveError('unsafe-name', `${JSON.stringify(name)} is no name for a file`);
  if (kind === S_IFLNK) return { kind: 'link', path, mode: 0o777, entry };
  if (kind !== 0 && kind !== S_IFREG && kind !== S_IFIFO) {
    throw new ArchiveError('unsupported-kind', `${name} is neither file nor folder`);
  }
  return { kind: 'file', path, mode: attributes === 0 ? 0o644 : attributes & 0o777, entry };
}

/** Many tools write UTF-8 without saying so; only what cannot be UTF-8 is read as the archive declares it. */
function nameOf(entry: Entry): string {
  const utf8 = entry.fileNameRaw.toString('utf8');
  if (Buffer.from(utf8, 'utf8').equals(entry.fileNameRaw)) return utf8;
  return getFileNameLowLevel(entry.generalPurposeBitFlag, entry.fileNameRaw, entry.extraFields, true);
}

/** The name without `.` and empty parts; `.` for the tree itself. */
function safePath(name: string): string {
  const refuse = (why: string) => new ArchiveError('unsafe-name', `the name ${JSON.stringify(name)} ${why}`);
  if (name === '') throw refuse('is empty');
  if (name.includes('\\')) throw refuse('has a backslash');
  if (name.includes('\0')) throw refuse('has a null character');
  if (name.startsWith('/') || /^[a-zA-Z]:/.test(name)) throw refuse('is absolute');
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw refuse('leads out of the archive');
  if (Buffer.byteLength(name) > MAX_PATH_BYTES) throw refuse('is too long');
  if (parts.some((part) => Buffer.byteLength(part) > MAX_NAME_BYTES)) throw refuse('has a part that is too long');
  return parts.join('/') || '.';
}

/** The folders above an entry, where the archive does not name them itself. */
function addFolders(nodes: Map<string, Node>, folder: string): void {
  if (folder === '.') return;
  const present = nodes.get(folder);
  if (present?.kind === 'directory') return;
  // Also how writing through a link is refused: a link is no folder.
  if (present !== undefined) {
    throw new ArchiveError('conflicting-names', `${folder} is used as a folder and is none`);
  }
  addFolders(nodes, posix.dirname(folder));
  nodes.set(folder, { kind: 'directory', path: folder, mode: 0o755 });
}

/** Follows a link the way the kernel would, through the archive's other links, and refuses to leave the tree. */
function refuseEscape(
  path: string,
  destination: string,
  links: ReadonlyMap<string, string>,
  mountPoints: readonly string[],
): void {
  const leadsOut = () => new ArchiveError('unsafe-link', `the link ${path} leads out of the archive (${destination})`);
  let followed = 0;
  const walk = (from: readonly string[], target: string): readonly string[] => {
    const mount = target.startsWith('/')
      ? mountPoints.find((point) => target === point || target.startsWith(`${point}/`))
      : '';
    if (mount === undefined || target === '' || target.includes('\0')) throw leadsOut();
    let here = mount === '' ? from : [];
    for (const part of target.slice(mount.length).split('/')) {
      if (part === '' || part === '.') continue;
      if (part === '..' && here.length === 0) throw leadsOut();
      here = part === '..' ? here.slice(0, -1) : [...here, part];
      const next = part === '..' ? undefined : links.get(here.join('/'));
      if (next === undefined) continue;
      followed += 1;
      // The kernel gives up here too: such a link leads nowhere, so not out either.
      if (followed > MAX_LINKS_FOLLOWED) return here;
      here = walk(here.slice(0, -1), next);
    }
    return here;
  };
  walk(path.split('/').slice(0, -1), destination);
}

async function writeTree(
  zip: Buffer,
  root: string,
  nodes: ReadonlyMap<string, Node>,
  links: ReadonlyMap<string, string>,
): Promise<void> {
  const folders = [...nodes.values()].filter((node) => node.kind === 'directory');
  // A parent's name is a prefix of its children's, so sorting puts it first.
  for (const folder of folders.sort((a, b) => (a.path < b.path ? -1 : 1))) {
    await mkdir(join(root, folder.path), { mode: 0o700 });
  }
  const others = [...nodes.values()].filter((node) => node.kind !== 'directory').values();
  let failed = false;
  const worker = async () => {
    for (const node of others) {
      if (failed) return;
      const path = join(root, node.path);
      if (node.kind === 'link') await symlink(links.get(node.path) ?? '', path);
      else await writeFileOf(zip, node.entry, path, node.mode);
    }
  };
  const workers = Array.from({ length: IN_FLIGHT }, () =>
    worker().catch((failure: unknown) => {
      failed = true;
      throw failure;
    }),
  );
  // All of them must have stopped before the caller may clear the folder away.
  for (const result of await Promise.allSettled(workers)) if (result.status === 'rejected') throw result.reason;
  for (const folder of folders) await chmod(join(root, folder.path), folder.mode);
  await chmod(root, 0o755);
}

async function writeFileOf(zip: Buffer, entry: Entry, path: string, mode: number): Promise<void> {
  // 'wx': the file must be new, so nothing is ever written through a link.
  const file = await open(path, 'wx', 0o600);
  try {
    if (entry.uncompressedSize <= INFLATED_AT_ONCE_BYTES) await file.writeFile(await contentOf(zip, entry));
    else await inflateInto(file, zip, entry);
    await file.chmod(mode);
  } finally {
    await file.close();
  }
}

/** The whole content of an entry, checked against its size and checksum. */
async function contentOf(zip: Buffer, entry: Entry): Promise<Buffer> {
  const packed = packedDataOf(zip, entry);
  let content = packed;
  if (entry.compressionMethod === 8) {
    try {
      // Stops as soon as one byte more than claimed comes out.
      content = await inflateAtOnce(packed, { maxOutputLength: Math.max(1, entry.uncompressedSize) });
    } catch (failure) {
      throw damaged(entry, (failure as Error).message, failure);
    }
  }
  if (content.length !== entry.uncompressedSize) throw damaged(entry, 'its size is not what the directory says');
  if (crc32(content) !== entry.crc32) throw damaged(entry, 'its checksum is wrong');
  return content;
}

async function inflateInto(file: FileHandle, zip: Buffer, entry: Entry): Promise<void> {
  const packed = packedDataOf(zip, entry);
  let size = 0;
  let checksum = 0;
  const take = async (piece: Buffer) => {
    size += piece.length;
    if (size > entry.uncompressedSize) throw damaged(entry, 'it is larger than the directory says');
    checksum = crc32(piece, checksum);
    await file.writeFile(piece);
  };
  if (entry.compressionMethod === 0) {
    await take(packed);
  } else {
    const inflating = createInflateRaw({ chunkSize: 256 * 1024 });
    inflating.end(packed);
    try {
      for await (const piece of inflating) await take(piece as Buffer);
    } catch (failure) {
      const isZlib = failure instanceof Error && 'code' in failure && String(failure.code).startsWith('Z_');
      throw isZlib ? damaged(entry, failure.message, failure) : failure;
    }
  }
  if (size !== entry.uncompressedSize) throw damaged(entry, 'it is smaller than the directory says');
  if (checksum !== entry.crc32) throw damaged(entry, 'its checksum is wrong');
}

/** The entry's compressed bytes: they follow its local header, whose two last lengths are its own. */
function packedDataOf(zip: Buffer, entry: Entry): Buffer {
  const header = entry.relativeOffsetOfLocalHeader;
  if (header + 30 > zip.length || zip.readUInt32LE(header) !== 0x04034b50) {
    throw damaged(entry, 'its header is not where the directory says');
  }
  const start = header + 30 + zip.readUInt16LE(header + 26) + zip.readUInt16LE(header + 28);
  const end = start + entry.compressedSize;
  if (end > zip.length) throw damaged(entry, 'its end is missing');
  return zip.subarray(start, end);
}

function damaged(entry: Entry, why: string, cause?: unknown): ArchiveError {
  return new ArchiveError('damaged', `${JSON.stringify(nameOf(entry))} is damaged: ${why}`, cause);
}
