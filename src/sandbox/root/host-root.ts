/**
 * The part of a sandbox's root that comes from the host: its program directories, and an /etc that is assembled once per
 * service. Some files of /etc are copied, and copied again when the host changes them (name servers, library cache,
 * certificates). Some directories are bound. Secrets are never included: no private keys, no shadow, no ssh.
 */
import {
  chmodSync,
  copyFileSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { HostRoot } from './bwrap-arguments.ts';
import { NSSWITCH } from './etc-files.ts';

const PROGRAM_DIRECTORIES = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];

/** Directories to bind: many small files, which would take long to copy. Those that the host lacks are left out. */
const ETC_DIRECTORIES = [
  'alternatives',
  'ca-certificates/extracted',
  'crypto-policies',
  'ld.so.conf.d',
  'pki/ca-trust/extracted',
  'ssl/certs',
];

/** Files to copy once. */
const ETC_FILES = ['ld.so.conf', 'os-release', 'pki/tls/openssl.cnf', 'protocols', 'services', 'ssl/openssl.cnf'];

/** Where distributions keep the CA certificates in one file. The first that exists is used. */
const CERTIFICATE_BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** Where programs look for the CA certificates, Amazon Linux's paths first. The first is the file, the others link to it. */
const CERTIFICATE_PATHS = [
  'pki/tls/certs/ca-bundle.crt',
  'pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  'pki/tls/cert.pem',
  'ssl/certs/ca-certificates.crt',
  'ssl/cert.pem',
] as const;

/** A host root whose /etc can be updated from the host's. */
export type LiveHostRoot = HostRoot & {
  /** Copies the files again that the host has changed. Cheap: one stat per file. */
  refresh(): void;
};

/** Assembles the sandboxes' /etc in `directory`, which must not exist. */
export function prepareHostRoot(directory: string): LiveHostRoot {
  createDirectory(directory);
  const shown = ETC_DIRECTORIES.filter((name) => isDirectory(join('/etc', name)));
  for (const name of shown) createDirectory(join(directory, name));
  for (const name of ETC_FILES) copyFile(join('/etc', name), join(directory, name));
  const own = { 'nsswitch.conf': NSSWITCH, passwd: '', group: '', hosts: '' };
  for (const [name, text] of Object.entries(own)) writeReadable(join(directory, name), text);
  // Sandboxes use UTC, as on Lambda, whatever the host's time zone is.
  symlinkSync('/usr/share/zoneinfo/UTC', join(directory, 'localtime'));
  linkCertificates(directory, shown);

  const followed = followedFiles(directory);
  for (const file of followed) file.refresh();
  return {
    programs: hostPrograms(),
    etc: directory,
    etcDirectories: shown,
    refresh() {
      for (const file of followed) file.refresh();
    },
  };
}

/** Returns the host's /usr, and the other directories of its root that contain programs or libraries. */
export function hostPrograms(): HostRoot['programs'] {
  const beside = PROGRAM_DIRECTORIES.flatMap((path): HostRoot['programs'] => {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats?.isSymbolicLink()) return [{ path, kind: 'link', to: readlinkSync(path) }];
    return stats?.isDirectory() ? [{ path, kind: 'directory' }] : [];
  });
  return [{ path: '/usr', kind: 'directory' }, ...beside];
}

type FollowedFile = { refresh(): void };

function followedFiles(directory: string): FollowedFile[] {
  const bundle = CERTIFICATE_BUNDLES.find((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
  const certificates = join(directory, CERTIFICATE_PATHS[0]);
  return [
    followedFile('/etc/resolv.conf', join(directory, 'resolv.conf')),
    followedFile('/etc/ld.so.cache', join(directory, 'ld.so.cache')),
    ...(bundle === undefined ? [] : [followedFile(bundle, certificates)]),
  ];
}

/** Links every path that is not in a bound directory to the certificate file. */
function linkCertificates(directory: string, shown: readonly string[]): void {
  for (const path of CERTIFICATE_PATHS) {
    createDirectory(dirname(join(directory, path)));
    if (path === CERTIFICATE_PATHS[0] || shown.some((name) => path.startsWith(`${name}/`))) continue;
    symlinkSync(`/etc/${CERTIFICATE_PATHS[0]}`, join(directory, path));
  }
}

function followedFile(source: string, target: string): FollowedFile {
  let seen = '';
  return {
    refresh() {
      const stats = statSync(source, { throwIfNoEntry: false });
      if (stats === undefined) return;
      const signature = `${stats.dev} ${stats.ino} ${stats.mtimeMs} ${stats.size}`;
      if (signature === seen) return;
      const content = readOrUndefined(source);
      if (content === undefined) return;
      // Rename is atomic. Running sandboxes read the same directory.
      writeReadable(`${target}.new`, content);
      renameSync(`${target}.new`, target);
      seen = signature;
    },
  };
}

function readOrUndefined(source: string): Buffer | undefined {
  try {
    return readFileSync(source);
  } catch {
    return undefined; // The file was replaced after the stat. The next refresh copies the new one.
  }
}

/** Copies a file or link. Skips it if it does not exist or is not world-readable. */
function copyFile(source: string, target: string): void {
  const stats = lstatSync(source, { throwIfNoEntry: false });
  if (stats === undefined) return;
  createDirectory(dirname(target));
  if (stats.isSymbolicLink()) {
    symlinkSync(readlinkSync(source), target);
  } else if (stats.isFile() && (stats.mode & 0o004) !== 0) {
    copyFileSync(source, target);
    chmodSync(target, 0o644);
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Creates a directory that the function can read, whatever the service's umask is. */
function createDirectory(directory: string): void {
  const made = mkdirSync(directory, { recursive: true });
  if (made === undefined) return;
  for (let path = directory; path.length >= made.length; path = dirname(path)) chmodSync(path, 0o755);
}

function writeReadable(file: string, content: string | Buffer): void {
  writeFileSync(file, content);
  chmodSync(file, 0o644);
}
