/**
 * Collects the external packages of a bundle and their dependencies. They are found as Node finds them, also in parent
 * directories (workspaces) and through links (pnpm), and placed in one node_modules tree where Node finds them again.
 */

import { readFile, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseJson } from '../../protocol/json.ts';
import { entriesOfDirectory } from '../directory-entries.ts';
import type { ZipEntry } from '../zip-writer.ts';
import type { IgnoreRules } from './lamella-ignore.ts';

export type ExternalPackages = {
  /** Files at `node_modules/...`, without ignored ones. */
  readonly entries: readonly ZipEntry[];
  /** Requested packages that are not installed. A layer or the managed runtime may have them. */
  readonly missing: readonly string[];
};

/** Collects the packages `names` of a function whose code is in `directory`. */
export async function externalPackages(
  directory: string,
  names: readonly string[],
  rules: IgnoreRules,
): Promise<ExternalPackages> {
  /** Path in the package -> directory on disk. */
  const placed = new Map<string, string>();
  const missing: string[] = [];

  const visit = async (
    name: string,
    neededBy: { readonly path: string; readonly source: string },
  ): Promise<boolean> => {
    const source = await find(name, neededBy.source);
    if (source === undefined) return false;
    const paths = searchPaths(neededBy.path).map((path) => `${path}node_modules/${name}`);
    const found = paths.find((path) => placed.has(path));
    if (found !== undefined && placed.get(found) === source) return true;
    // In the root node_modules, or in that of the dependent package if it would otherwise find another version.
    const path = (found === undefined ? paths.at(-1) : paths[0]) as string;
    placed.set(path, source);
    const text = await readFile(join(source, 'package.json'), 'utf8');
    const {
      dependencies = {},
      optionalDependencies = {},
      peerDependencies = {},
    } = parseJson(text) as Record<string, object>;
    for (const each of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
      await visit(each, { path: `${path}/`, source });
    }
    return true;
  };
  for (const name of names) {
    if (!(await visit(name, { path: '', source: directory }))) missing.push(name);
  }

  // A rule for node_modules concerns the bundled packages.
  const { ignores } = rules.including([...placed.keys()]);
  const entries: ZipEntry[] = [];
  for (const [path, source] of placed) {
    entries.push(
      ...(await entriesOfDirectory(source, {
        prefix: `${path}/`,
        // Dependencies in its node_modules are placed separately.
        admits: (name, isDirectory) => name !== 'node_modules' && !ignores(`${path}/${name}`, isDirectory),
      })),
    );
  }
  return { entries, missing };
}

/** Returns the package's directory, without links, from the nearest node_modules in `from` or above. */
async function find(name: string, from: string): Promise<string | undefined> {
  for (let parent = from; ; parent = dirname(parent)) {
    const candidate = join(parent, 'node_modules', name);
    const text = await readFile(join(candidate, 'package.json'), 'utf8').catch(() => undefined);
    if (text !== undefined) return realpath(candidate);
    if (parent === dirname(parent)) return undefined;
  }
}

/** Where Node searches from a path in the package, nearest first. Each is '' or ends with a slash. */
function searchPaths(path: string): string[] {
  const paths = [path];
  for (let rest = path; rest !== ''; ) {
    rest = rest.slice(0, rest.lastIndexOf('node_modules/'));
    paths.push(rest);
  }
  return paths;
}
