/**
 * Packages that a bundle leaves outside, with those that they need: found where Node would find them (also above the
 * folder, as in workspaces, and through pnpm's links), laid out in one node_modules that Node finds them in again.
 */
import { readFile, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { entriesOfDirectory } from '../directory-entries.ts';
import type { ZipEntry } from '../zip-writer.ts';
import type { IgnoreRules } from './lamella-ignore.ts';

export type ExternalPackages = {
  /** At `node_modules/...`, without what is ignored. */
  readonly entries: readonly ZipEntry[];
  /** Names that were asked for and are not installed: a layer or the managed runtime may have them. */
  readonly missing: readonly string[];
};

/** Collects `names` for a function whose code is in `directory`. */
export async function externalPackages(
  directory: string,
  names: readonly string[],
  rules: IgnoreRules,
): Promise<ExternalPackages> {
  /** Place in the package -> folder on disk. */
  const placed = new Map<string, string>();
  const missing: string[] = [];

  const visit = async (
    name: string,
    neededBy: { readonly place: string; readonly folder: string },
  ): Promise<boolean> => {
    const folder = await find(name, neededBy.folder);
    if (folder === undefined) return false;
    const places = placesFrom(neededBy.place).map((place) => `${place}node_modules/${name}`);
    const seen = places.find((place) => placed.has(place));
    if (seen !== undefined && placed.get(seen) === folder) return true;
    // At the top, or, where another version is seen from here, beside whoever needs it.
    const place = (seen === undefined ? places.at(-1) : places[0]) as string;
    placed.set(place, folder);
    const text = await readFile(join(folder, 'package.json'), 'utf8');
    const { dependencies = {}, optionalDependencies = {}, peerDependencies = {} } = JSON.parse(text);
    for (const each of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
      await visit(each, { place: `${place}/`, folder });
    }
    return true;
  };
  for (const name of names) {
    if (!(await visit(name, { place: '', folder: directory }))) missing.push(name);
  }

  // A rule for node_modules is meant for the packages that are bundled.
  const { ignores } = rules.including([...placed.keys()]);
  const entries: ZipEntry[] = [];
  for (const [place, folder] of placed) {
    entries.push(
      ...(await entriesOfDirectory(folder, {
        prefix: `${place}/`,
        // What lies below came here by its own name, if it is needed.
        admits: (path, isDirectory) => path !== 'node_modules' && !ignores(`${place}/${path}`, isDirectory),
      })),
    );
  }
  return { entries, missing };
}

/** The package's real folder, in the nearest node_modules from `from` upwards. */
async function find(name: string, from: string): Promise<string | undefined> {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name);
    const text = await readFile(join(candidate, 'package.json'), 'utf8').catch(() => undefined);
    if (text !== undefined) return realpath(candidate);
    if (folder === dirname(folder)) return undefined;
  }
}

/** Where Node looks from a place in the package, nearest first; each '' or with a slash at its end. */
function placesFrom(place: string): string[] {
  const places = [place];
  for (let rest = place; rest !== ''; ) {
    rest = rest.slice(0, rest.lastIndexOf('node_modules/'));
    places.push(rest);
  }
  return places;
}
