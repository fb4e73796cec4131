/**
 * Copies a Composer project, so that Composer never modifies the user's directory. The copy is below a temporary root
 * at the path of the original, with links to the path repositories outside of the project. So relative paths stay
 * valid, and the paths that Composer writes do not depend on the temporary root.
 */

import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join, normalize, relative, resolve, sep } from 'node:path';
import { OperatorError } from '../../operator-error.ts';
import { parseJson } from '../../protocol/json.ts';

/** composer.json; only the properties that are used here are typed. */
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

/** Reads a project's composer.json. Throws `OperatorError` `composer-project-unreadable`. */
export async function readComposerJson(directory: string): Promise<ComposerJson> {
  const file = join(directory, 'composer.json');
  const fail = (reason: string, cause?: unknown) =>
    new OperatorError('composer-project-unreadable', { file, reason }, cause);
  const text = await readFile(file, 'utf8').catch((failure: NodeJS.ErrnoException) => {
    throw fail(failure.code === 'ENOENT' ? 'no such file' : failure.message, failure);
  });
  try {
    const json: unknown = parseJson(text);
    if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as ComposerJson;
  } catch (failure) {
    throw fail((failure as Error).message, failure);
  }
  throw fail('not a JSON object');
}

/** Copies the project at `directory` below `root`, links its path repositories, and returns the copy's directory. */
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

/** Paths outside the project that its repositories refer to relatively, up to the first wildcard. */
function outsidePaths(original: string, json: ComposerJson): string[] {
  const repositories: unknown[] = Object.values(json.repositories ?? []);
  const urls = repositories.map((repository) => (repository as { url?: unknown } | null)?.url);
  return urls
    .filter((url): url is string => typeof url === 'string' && normalize(url).startsWith('..'))
    .map((url) => resolve(original, url.replace(/[^/]*[*?[{].*$/, '')))
    .filter((path) => path !== original && !path.startsWith(original + sep));
}

/** Links `outside` below `root`. If it contains the project, links its other members instead. */
async function linkOutside(outside: string, original: string, root: string): Promise<void> {
  if (!existsSync(outside)) return;
  if (!original.startsWith(outside + sep)) {
    const link = join(root, outside);
    if (existsSync(link)) return;
    await mkdir(dirname(link), { recursive: true });
    await symlink(outside, link);
    return;
  }
  const ownBranch = relative(outside, original).split(sep)[0];
  for (const member of await readdir(outside)) {
    if (member !== ownBranch) await linkOutside(join(outside, member), original, root);
  }
}
