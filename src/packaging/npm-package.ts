/**
 * Fetches a pinned npm package with npm, which applies the user's registry, proxy and credentials, checks its integrity
 * and unpacks it into a cache. A directory in the cache appears by a rename, so an existing one is complete.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { OperatorError } from '../operator-error.ts';
import { makeDirectory } from '../storage/make-directory.ts';
import { runTool } from './run-tool.ts';
import { markUnfinished } from './unfinished-files.ts';
import { untarNpmPackage } from './untar.ts';

export type PinnedPackage = {
  readonly name: string;
  readonly version: string;
  /** `sha512-` and Base64, as in package-lock.json. */
  readonly integrity: string;
};

/** Receives a line of text before each slow step, for the terminal. */
export type Progress = (message: string) => void;

/**
 * Returns the directory with the unpacked package, which is fetched if it is not in `cacheDir`. Throws `OperatorError`
 * `package-unavailable` or `package-damaged`.
 */
export async function fetchNpmPackage(pinned: PinnedPackage, cacheDir: string, onProgress?: Progress): Promise<string> {
  const unpacked = join(cacheDir, 'npm', `${pinned.name.replace('/', '+')}@${pinned.version}`);
  if (existsSync(unpacked)) return unpacked;
  makeDirectory(join(cacheDir, 'npm'));
  const staging = await mkdtemp(join(cacheDir, 'npm', '.fetch-'));
  const finish = markUnfinished(staging);
  try {
    onProgress?.(`Fetching ${pinned.name}@${pinned.version}`);
    const tgz = await download(pinned, staging, cacheDir);
    onProgress?.(`Unpacking ${pinned.name}@${pinned.version}`);
    await untarNpmPackage(tgz, join(staging, 'package'));
    await rename(join(staging, 'package'), unpacked).catch(async (failure: NodeJS.ErrnoException) => {
      // Another build has unpacked the same package in the meantime.
      if (failure.code !== 'ENOTEMPTY' && failure.code !== 'EEXIST') throw failure;
    });
    return unpacked;
  } finally {
    await rm(staging, { recursive: true, force: true });
    finish();
  }
}

async function download(
  { name, version, integrity }: PinnedPackage,
  directory: string,
  cacheDir: string,
): Promise<Buffer> {
  // By default npm retries for minutes when the network is down, and asks for its own newest version.
  const requests = [
    '--fetch-retries=1',
    '--fetch-retry-mintimeout=500',
    '--fetch-retry-maxtimeout=2000',
    '--no-update-notifier',
  ];
  const npm = await runTool({
    command: 'npm',
    arguments: ['pack', `${name}@${version}`, '--json', '--prefer-offline', '--ignore-scripts', ...requests],
    directory,
  });
  if (npm.code !== 0) {
    throw new OperatorError('package-unavailable', { name, version, cacheDir, reason: reasonIn(npm.stderr) });
  }
  const [packed] = JSON.parse(npm.stdout) as [{ filename: string }];
  const tgz = await readFile(join(directory, packed.filename.replace('@', '').replace('/', '-')));
  const actual = `sha512-${createHash('sha512').update(tgz).digest('base64')}`;
  if (actual !== integrity) throw new OperatorError('package-damaged', { name, version, expected: integrity, actual });
  return tgz;
}

/** The first line of npm's error, without its prefix, its code and the path of its log. */
function reasonIn(stderr: string): string {
  const lines = stderr
    .split('\n')
    .map((line) => /^npm (?:error|ERR!) (.+)$/.exec(line)?.[1] ?? '')
    .filter((line) => line !== '' && !/complete log|^code |^errno |^syscall /i.test(line));
  return (lines[0] ?? 'npm failed without a message').replace(/\.$/, '');
}
