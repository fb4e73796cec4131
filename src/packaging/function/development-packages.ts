/**
 * Finds the installed npm packages that only development needs: those that `devDependencies` of the package.json lead
 * to, and that nothing else leads to. Packages are found as Node finds them, also through links (pnpm). Packages that
 * package.json does not lead to at all are not among them.
 */

import { readFile, realpath } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { parseJson } from '../../protocol/json.ts';

type Manifest = Readonly<
  Partial<
    Record<
      'dependencies' | 'optionalDependencies' | 'peerDependencies' | 'devDependencies',
      Readonly<Record<string, string>>
    >
  >
>;

/** Returns paths relative to `directory` (`node_modules/typescript`), also those of links to packages. */
export async function developmentPackages(directory: string): Promise<ReadonlySet<string>> {
  const top = await realpath(directory);
  const manifest = await readManifest(top);
  if (manifest?.devDependencies === undefined) return new Set();
  const needed = await reachable(top, [...requiredNames(manifest)]);
  const forDevelopment = await reachable(top, Object.keys(manifest.devDependencies));
  return new Set([...forDevelopment].filter((path) => !needed.has(path)).map((path) => relative(top, path)));
}

/** The paths of packages that `names` lead to from `top`: as they are found, and without links. */
async function reachable(top: string, names: readonly string[]): Promise<Set<string>> {
  const paths = new Set<string>();
  const open = names.map((name) => ({ name, from: top }));
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { name, from } = next;
    const found = await findPackage(name, from, top);
    if (found === undefined || paths.has(found)) continue;
    paths.add(found);
    const real = await realpath(found);
    if (real !== found && paths.has(real)) continue;
    paths.add(real);
    const manifest = await readManifest(real);
    if (manifest !== undefined)
      for (const required of requiredNames(manifest)) open.push({ name: required, from: real });
  }
  return paths;
}

async function findPackage(name: string, from: string, top: string): Promise<string | undefined> {
  for (let directory = from; ; directory = dirname(directory)) {
    const path = join(directory, 'node_modules', name);
    if ((await readManifest(path)) !== undefined) return path;
    if (directory === top || directory === dirname(directory)) return undefined;
  }
}

function requiredNames({ dependencies, optionalDependencies, peerDependencies }: Manifest): Set<string> {
  return new Set([dependencies, optionalDependencies, peerDependencies].flatMap((names) => Object.keys(names ?? {})));
}

/** Undefined if there is none, or it cannot be read. */
async function readManifest(directory: string): Promise<Manifest | undefined> {
  try {
    const manifest: unknown = parseJson(await readFile(join(directory, 'package.json'), 'utf8'));
    return typeof manifest === 'object' && manifest !== null ? (manifest as Manifest) : undefined;
  } catch {
    return undefined;
  }
}
