/**
 * Fetches a pinned npm package through npm itself (so its registry, proxy and credentials settings hold), checks its
 * integrity and unpacks it once into a cache. A folder in the cache is whole: it appears by rename.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { OperatorError } from '../operator-error.ts';
import { makeDirectory } from '../storage/make-directory.ts';
import { runTool } from './run-tool.ts';
import { untarNpmPackage } from './untar.ts';

export type PinnedPackage = {
  readonly name: string;
  readonly version: string;
  /** As npm writes it: `sha512-` and base64. */
  readonly integrity: string;
};

/** Told in words what is being done; a slow step announces itself before it starts. */
export type Progress = (message: string) => void;

/**
 * The folder that holds `pinned`, unpacked; fetched if `cacheDir` does not have it yet. Throws `OperatorError`
 * `package-unavailable` or `package-damaged`.
 */
export async function fetchNpmPackage(pinned: PinnedPackage, cacheDir: string, onProgress?: Progress): Promise<string> {
  const unpacked = join(cacheDir, 'npm', `${pinned.name.replace('/', '+')}@${pinned.version}`);
  if (existsSync(unpacked)) return unpacked;
  makeDirectory(join(cacheDir, 'npm'));
  const staging = await mkdtemp(join(cacheDir, 'npm', '.fetch-'));
  try {
    onProgress?.(`Fetching ${pinned.name}@${pinned.version}`);
    const tgz = await download(pinned, staging, cacheDir);
    onProgress?.(`Unpacking ${pinned.name}@${pinned.version}`);
    await untarNpmPackage(tgz, join(staging, 'package'));
    await rename(join(staging, 'package'), unpacked).catch(async (failure: NodeJS.ErrnoException) => {
      // Another build was faster; what it unpacked has the same integrity.
      if (failure.code !== 'ENOTEMPTY' && failure.code !== 'EEXIST') throw failure;
    });
    return unpacked;
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function download(
  { name, version, integrity }: PinnedPackage,
  folder: string,
  cacheDir: string,
): Promise<Buffer> {
  // npm's own patience with a network that is down is minutes.
  const patience = ['--fetch-retries=1', '--fetch-retry-mintimeout=500', '--fetch-retry-maxtimeout=2000'];
  const npm = await runTool({
    command: 'npm',
    arguments: ['pack', `${name}@${version}`, '--json', '--prefer-offline', '--ignore-scripts', ...patience],
    directory: folder,
  });
  if (npm.code !== 0) {
    throw new OperatorError('package-unavailable', { name, version, cacheDir, reason: reasonIn(npm.stderr) });
  }
  const [packed] = JSON.parse(npm.stdout) as [{ filename: string }];
  const tgz = await readFile(join(folder, packed.filename.replace('@', '').replace('/', '-')));
  const actual = `sha512-${createHash('sha512').update(tgz).digest('base64')}`;
  if (actual !== integrity) throw new OperatorError('package-damaged', { name, version, expected: integrity, actual });
  return tgz;
}

/** npm's own words, without its prefixes and without where its log lies. */
function reasonIn(stderr: string): string {
  const lines = stderr
    .split('\n')
    .map((line) => /^npm (?:error|ERR!) (.+)$/.exec(line)?.[1] ?? '')
    .filter((line) => line !== '' && !/complete log|^code |^errno |^syscall /i.test(line));
  return (lines[0] ?? 'npm failed').replace(/\.$/, '');
}
