/**
 * Unpacks the .tgz of an npm package with node-tar. npm packs only files and directories below one root (`package/`).
 * An archive with anything else (links, devices, names that lead out of the root) is refused before anything is
 * written.
 */
import { mkdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { Parser } from 'tar';

/** The largest packages that layers are built from have 130 MB unpacked. */
const MAX_UNPACKED_BYTES = 1024 ** 3;

/** Unpacks the bytes of a .tgz into `directory`, without the root of its names. Throws if the archive is invalid. */
export async function untarNpmPackage(tgz: Buffer, directory: string, maxBytes = MAX_UNPACKED_BYTES): Promise<void> {
  const archive = await promisify(gunzip)(tgz, { maxOutputLength: maxBytes });
  // Imported here because the service loads this module when it starts, and never unpacks a package.
  const { extract, list } = await import('tar');
  const failures: Error[] = [];
  const read = (parser: Parser) => {
    parser.on('error', (failure) => failures.push(failure as Error));
    parser.end(archive);
    if (failures[0] !== undefined) throw failures[0];
  };
  read(list({ strict: true, onReadEntry: (entry) => failures.push(...problemsOf(entry)) }));
  await mkdir(directory, { recursive: true });
  // Synchronous, so that after a failure nothing is still being written.
  read(
    extract({
      sync: true,
      strict: true,
      cwd: directory,
      strip: 1,
      preserveOwner: false,
      noMtime: true,
      onReadEntry: (entry) => {
        entry.mode = (entry.mode ?? 0o644) & 0o777;
      },
    }),
  );
}

function problemsOf({ path, type }: { readonly path: string; readonly type: string }): Error[] {
  const parts = path.split('/');
  if (path.startsWith('/') || parts.includes('..') || parts.length < 2) {
    return [new Error(`The package contains an invalid name: ${path}`)];
  }
  if (type === 'File' || type === 'OldFile' || type === 'Directory') return [];
  return [new Error(`The package contains an entry of the unsupported type ${type}: ${path}`)];
}
