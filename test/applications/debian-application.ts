/**
 * Web applications as Debian packages them, laid out as a function's folder. Nothing is installed: packages are
 * downloaded with apt, unpacked side by side into one tree, and copied out of it with their links, which point across
 * packages and to /etc, replaced by what they mean inside that tree.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { CACHE_DIR } from '../support/php-sandbox.ts';

/** `name version` of each package, as Debian names them, and the root of the tree that they make. */
export type DebianTree = { readonly root: string; readonly versions: Readonly<Record<string, string>> };

/** Unpacks `packages` into `root`. Packages already downloaded are taken from the cache if they are still the current ones. */
export function unpackDebian(packages: readonly string[], root: string): DebianTree {
  const cache = join(CACHE_DIR, 'debian');
  mkdirSync(cache, { recursive: true });
  mkdirSync(root, { recursive: true });
  const uris = execFileSync('apt-get', ['download', '--print-uris', ...packages], { encoding: 'utf8' });
  const versions: Record<string, string> = {};
  for (const [, file = ''] of uris.matchAll(/^'[^']+' (\S+\.deb) /gm)) {
    const [name = '', version = ''] = file.split('_');
    const archive = join(cache, file);
    // apt resumes what is there in part, and downloads into the folder that it is run in.
    if (!existsSync(archive)) execFileSync('apt-get', ['download', '-qq', name], { cwd: cache, stdio: 'pipe' });
    execFileSync('dpkg', ['-x', archive, root]);
    versions[name] = decodeURIComponent(version);
  }
  return { root, versions };
}

/** A package, and the libraries in PHP and JavaScript that it needs. */
export function withLibraries(name: string): string[] {
  const kinds = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'].map((kind) => `--no-${kind}`);
  const listed = execFileSync('apt-cache', ['depends', '--recurse', ...kinds, name], { encoding: 'utf8' });
  return [name, ...new Set(listed.split('\n').filter((line) => /^(php|libjs)-/.test(line)))];
}

/** Copies `from` of the tree (`/usr/share/wordpress`) to the folder `to`, links replaced, without the entries in `leftOut`. */
export function copyOut(tree: DebianTree, from: string, to: string, leftOut: readonly string[] = []): void {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(join(tree.root, from))) {
    if (leftOut.includes(name)) continue;
    const source = followLinks(tree.root, join(from, name));
    if (source === undefined) continue;
    const target = join(to, name);
    if (lstatSync(join(tree.root, source)).isDirectory()) copyOut(tree, source, target);
    else {
      cpSync(join(tree.root, source), target);
      chmodSync(target, 0o644);
    }
  }
}

/** Where `path` leads inside the tree; nothing for what is in no package of it (a file that an installation would make). */
function followLinks(root: string, path: string): string | undefined {
  let resolved = '/';
  const parts = path.split('/').filter(Boolean);
  for (let hops = 0; parts.length > 0 && hops < 100; hops++) {
    const next = join(resolved, parts.shift() ?? '');
    const found = lstatSync(join(root, next), { throwIfNoEntry: false });
    if (found === undefined) return undefined;
    if (!found.isSymbolicLink()) {
      resolved = next;
      continue;
    }
    parts.unshift(
      ...resolve(dirname(next), readlinkSync(join(root, next)))
        .split('/')
        .filter(Boolean),
    );
    resolved = '/';
  }
  return parts.length === 0 ? resolved : undefined;
}
