/**
 * A copy of a Composer project to install from, so that the person's own folder is never touched. It lies below a
 * temporary root at the same path as the original, and so do links to what its repositories name outside of it: relative
 * paths mean the same there, and what Composer writes about them does not depend on where the copy was.
 */
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join, normalize, relative, resolve, sep } from 'node:path';
import { OperatorError } from '../../operator-error.ts';

/** The parts of composer.json that matter here; everything else is carried along. */
export type ComposerJson = {
  readonly autoload?: Autoload;
  readonly repositories?: readonly unknown[] | Readonly<Record<string, unknown>>;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly [key: string]: unknown;
};

export type Autoload = {
  readonly 'psr-4'?: Readonly<Record<string, string | readonly string[]>>;
  readonly 'psr-0'?: Readonly<Record<string, string | readonly string[]>>;
  readonly classmap?: readonly string[];
  readonly files?: readonly string[];
  readonly [key: string]: unknown;
};

const NOT_COPIED = new Set(['.git', 'node_modules']);

/** Reads `composer.json` of a project. Throws `OperatorError` `composer-project-unreadable`. */
export async function readComposerJson(directory: string): Promise<ComposerJson> {
  const file = join(directory, 'composer.json');
  const fail = (reason: string, cause?: unknown) =>
    new OperatorError('composer-project-unreadable', { file, reason }, cause);
  const text = await readFile(file, 'utf8').catch((failure: NodeJS.ErrnoException) => {
    throw fail(failure.code === 'ENOENT' ? 'there is no such file' : failure.message, failure);
  });
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as ComposerJson;
  } catch (failure) {
    throw fail((failure as Error).message, failure);
  }
  throw fail('it is not a JSON object');
}

/** Copies the project at `directory` below `root` and links what it refers to; returns the copy's folder. */
export async function copyProject(directory: string, json: ComposerJson, root: string): Promise<string> {
  const original = resolve(directory);
  const copy = join(root, original);
  const vendor = resolve(original, String(json.config?.['vendor-dir'] ?? 'vendor'));
  await mkdir(dirname(copy), { recursive: true });
  await cp(original, copy, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (source) => source !== vendor && !(source !== original && NOT_COPIED.has(basename(source))),
  });
  for (const outside of outsidePaths(original, json)) await linkOutside(outside, original, root);
  return copy;
}

/** Writes `json` as the copy's composer.json. */
export async function writeComposerJson(copy: string, json: ComposerJson): Promise<void> {
  await writeFile(join(copy, 'composer.json'), `${JSON.stringify(json, null, 4)}\n`);
}

/** Folders outside the project that its repositories name by a relative path, up to the first wildcard. */
function outsidePaths(original: string, json: ComposerJson): string[] {
  const repositories: unknown[] = Object.values(json.repositories ?? []);
  const urls = repositories.map((repository) => (repository as { url?: unknown } | null)?.url);
  return urls
    .filter((url): url is string => typeof url === 'string' && normalize(url).startsWith('..'))
    .map((url) => resolve(original, url.replace(/[^/]*[*?[{].*$/, '')))
    .filter((path) => path !== original && !path.startsWith(original + sep));
}

/** Links `outside` below `root`; where the copy itself must lie inside it, its other members one by one. */
async function linkOutside(outside: string, original: string, root: string): Promise<void> {
  if (!existsSync(outside)) return;
  if (!original.startsWith(outside + sep)) {
    const place = join(root, outside);
    if (existsSync(place)) return;
    await mkdir(dirname(place), { recursive: true });
    await symlink(outside, place);
    return;
  }
  const ownBranch = relative(outside, original).split(sep)[0];
  for (const member of await readdir(outside)) {
    if (member !== ownBranch) await linkOutside(join(outside, member), original, root);
  }
}
