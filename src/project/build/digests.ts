/**
 * What a build is made from, as a digest: the same sources give the same digest, also for another user, in another
 * directory and at another time. Reads contents, not times.
 */
import { createHash } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { PACKAGE_DIRECTORY } from '../../package-directory.ts';
import { entriesOfDirectory } from '../../packaging/directory-entries.ts';
import type { ZipEntry } from '../../packaging/zip-writer.ts';
import { withNormalMode } from '../../packaging/zip-writer.ts';

/** The SHA-256 of a file, in hex. */
export async function digestOfFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** Names, modes and contents of entries. */
export async function digestOfEntries(entries: readonly ZipEntry[]): Promise<string> {
  const hash = createHash('sha256');
  const sorted = entries.map(withNormalMode).sort((a, b) => (a.path < b.path ? -1 : 1));
  for (const { path, mode, content } of sorted) {
    hash.update(JSON.stringify([path, mode, content.kind, await contentDigest(content)]));
  }
  return hash.digest('hex');
}

/** Names that no build reads. */
const NOT_SOURCES = new Set(['.git', '.svn', '.hg', '.aws-sam']);

/** Whether a path below a source directory can be an input of a build. */
export function isSource(path: string): boolean {
  return !NOT_SOURCES.has(path.split('/').at(-1) ?? '');
}

/** Everything below a directory, except version control and builds. `excluded` are absolute paths. */
export async function digestOfDirectory(directory: string, excluded: readonly string[] = []): Promise<string> {
  const admits = (path: string) => isSource(path) && !excluded.includes(`${directory}/${path}`);
  return digestOfEntries(await entriesOfDirectory(directory, { admits }));
}

/** Lamella's version: another one may build in another way. */
const VERSION = (JSON.parse(readFileSync(join(PACKAGE_DIRECTORY, 'package.json'), 'utf8')) as { version: string })
  .version;

/** One digest of several facts. */
export function digestOf(...facts: readonly unknown[]): string {
  return createHash('sha256')
    .update(JSON.stringify([VERSION, ...facts]))
    .digest('hex');
}

async function contentDigest(content: ZipEntry['content']): Promise<string> {
  if (content.kind === 'file') return digestOfFile(content.source);
  if (content.kind === 'bytes') return createHash('sha256').update(content.bytes).digest('hex');
  return content.kind === 'link' ? content.target : '';
}
