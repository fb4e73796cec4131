/**
 * Unpacks the .tgz of an npm package: a gzipped tar (POSIX ustar, with pax and GNU long names) of files and folders.
 * Links and devices, which npm never packs, are refused, and so is a name that leads out of the folder.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';

const BLOCK = 512;

/** Unpacks the bytes of a .tgz below `folder`, without the leading folder of its names (`package/`). */
export async function untarNpmPackage(tgz: Buffer, folder: string): Promise<void> {
  const tar = await promisify(gunzip)(tgz);
  let longName: string | undefined;
  for (let at = 0; at + BLOCK <= tar.length && tar[at] !== 0; ) {
    const header = tar.subarray(at, at + BLOCK);
    const size = Number.parseInt(text(header, 124, 12), 8);
    const body = tar.subarray(at + BLOCK, at + BLOCK + size);
    const type = String.fromCharCode(header[156] ?? 0);
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
    if (type === 'x') longName = /^\d+ path=(.*)$/m.exec(body.toString())?.[1] ?? longName;
    else if (type === 'L') longName = text(body, 0, body.length);
    else if (type !== 'g') {
      const name = longName ?? [text(header, 345, 155), text(header, 0, 100)].filter(Boolean).join('/');
      longName = undefined;
      const target = inside(folder, name);
      if (type === '0' || type === '\0') {
        await mkdir(dirname(target), { recursive: true });
        await writeFile(target, body, { mode: Number.parseInt(text(header, 100, 8), 8) & 0o777 });
      } else if (type !== '5') throw new Error(`the package has an entry of type '${type}': ${name}`);
    }
  }
}

function inside(folder: string, name: string): string {
  const path = normalize(name).split('/').slice(1).join('/');
  if (name.startsWith('/') || normalize(name).startsWith('..')) throw new Error(`the package has a bad name: ${name}`);
  return join(folder, path);
}

function text(bytes: Buffer, start: number, length: number): string {
  const field = bytes.subarray(start, start + length);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end === -1 ? length : end);
}
