/**
 * The part of a sandbox's root that comes from the host: which program folders there are, and one /etc, copied together
 * once per service and kept up to date where hosts change theirs while running (name servers, library cache,
 * certificates). Nothing of it is the user's own: of /etc/ssl everything but the private keys, never shadow or ssh.
 */
import { chmodSync, lstatSync, readFileSync, readlinkSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { chmod, copyFile, lstat, mkdir, readdir, readlink, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { HostRoot } from './bwrap-arguments.ts';
import { NSSWITCH } from './etc-files.ts';

const PROGRAM_FOLDERS = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];

/** Copied as they are, links as links. What a host does not have is left out. */
const ETC_COPIES = [
  'alternatives',
  'ca-certificates/extracted',
  'crypto-policies',
  'ld.so.conf',
  'ld.so.conf.d',
  'os-release',
  'pki/ca-trust/extracted',
  'pki/tls/certs',
  'pki/tls/openssl.cnf',
  'protocols',
  'services',
  'ssl/certs',
  'ssl/openssl.cnf',
];

/** Where distributions keep the certificates of the authorities in one file; the first found is taken. */
const CERTIFICATE_BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** Where programs look for it: Amazon Linux's places first, then those of other builds. */
const CERTIFICATE_PLACES = [
  'pki/tls/certs/ca-bundle.crt',
  'pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  'pki/tls/cert.pem',
  'ssl/certs/ca-certificates.crt',
  'ssl/certs/ca-bundle.crt',
  'ssl/cert.pem',
];

/** A host root whose /etc follows the host's. */
export type LiveHostRoot = HostRoot & {
  /** Copies again what the host has changed since. Cheap: one stat per followed file. */
  refresh(): void;
};

/** Builds the sandbox's /etc in `folder`, which does not exist yet. */
export async function prepareHostRoot(folder: string): Promise<LiveHostRoot> {
  await makeFolder(folder);
  for (const name of ETC_COPIES) await copyTree(join('/etc', name), join(folder, name));
  const own = { 'nsswitch.conf': NSSWITCH, passwd: '', group: '', hosts: '' };
  for (const [name, text] of Object.entries(own)) await writeReadable(join(folder, name), text);
  // Lambda's clock is UTC whatever the host's is.
  await symlink('/usr/share/zoneinfo/UTC', join(folder, 'localtime'));

  const followed = await followedFiles(folder);
  return {
    programs: hostPrograms(),
    etc: folder,
    refresh() {
      for (const file of followed) file.refresh();
    },
  };
}

/** The host's /usr and the folders beside it that hold programs or libraries. */
export function hostPrograms(): HostRoot['programs'] {
  const beside = PROGRAM_FOLDERS.flatMap((path): HostRoot['programs'] => {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats?.isSymbolicLink()) return [{ path, kind: 'link', to: readlinkSync(path) }];
    return stats?.isDirectory() ? [{ path, kind: 'folder' }] : [];
  });
  return [{ path: '/usr', kind: 'folder' }, ...beside];
}

type FollowedFile = { refresh(): void };

async function followedFiles(folder: string): Promise<FollowedFile[]> {
  const bundle = CERTIFICATE_BUNDLES.find((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
  const pairs: readonly (readonly [string, readonly string[]])[] = [
    ['/etc/resolv.conf', ['resolv.conf']],
    ['/etc/ld.so.cache', ['ld.so.cache']],
    ...(bundle === undefined ? [] : [[bundle, CERTIFICATE_PLACES] as const]),
  ];
  const files: FollowedFile[] = [];
  for (const [source, places] of pairs) {
    const targets = places.map((place) => join(folder, place));
    for (const target of targets) await makeFolder(dirname(target));
    const file = followedFile(source, targets);
    file.refresh();
    files.push(file);
  }
  return files;
}

function followedFile(source: string, targets: readonly string[]): FollowedFile {
  let seen = '';
  return {
    refresh() {
      const stats = statSync(source, { throwIfNoEntry: false });
      if (stats === undefined) return;
      const signature = `${stats.dev} ${stats.ino} ${stats.mtimeMs} ${stats.size}`;
      if (signature === seen) return;
      const content = readOrUndefined(source);
      if (content === undefined) return;
      for (const target of targets) {
        // By rename, because running sandboxes read the same folder; and because the copy of /etc/ssl may hold a link.
        writeFileSync(`${target}.new`, content);
        chmodSync(`${target}.new`, 0o644);
        renameSync(`${target}.new`, target);
      }
      seen = signature;
    },
  };
}

function readOrUndefined(source: string): Buffer | undefined {
  try {
    return readFileSync(source);
  } catch {
    return undefined; // Between our stat and the reading somebody replaced it; the next refresh sees the new one.
  }
}

/** Copies a file, link or folder; what is not there or not ours to read is left out. */
async function copyTree(source: string, target: string): Promise<void> {
  const stats = await lstat(source).catch(() => undefined);
  if (stats === undefined) return;
  await makeFolder(dirname(target));
  if (stats.isSymbolicLink()) return symlink(await readlink(source), target);
  if (stats.isDirectory()) {
    await makeFolder(target);
    const names = await readdir(source).catch(() => []);
    for (const name of names) await copyTree(join(source, name), join(target, name));
  }
  if (stats.isFile() && (stats.mode & 0o004) !== 0) {
    await copyFile(source, target);
    await chmod(target, 0o644);
  }
}

/** Folders and files here must be readable to the function whatever the service's umask. */
async function makeFolder(folder: string): Promise<void> {
  const made = await mkdir(folder, { recursive: true });
  if (made === undefined) return;
  for (let path = folder; path.length >= made.length; path = dirname(path)) await chmod(path, 0o755);
}

async function writeReadable(file: string, text: string): Promise<void> {
  await writeFile(file, text);
  await chmod(file, 0o644);
}
