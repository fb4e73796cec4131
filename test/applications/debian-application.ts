/**
 * Web applications from Debian's packages, laid out as a function's directory. Nothing is installed: packages are downloaded with
 * apt, unpacked into one tree, and copied out of it. Their links, which point across packages and to /etc, are replaced by their
 * targets in the tree.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { CACHE_DIR } from '../support/php-sandbox.ts';

/** `name version` of each package, as in Debian, and the root of the tree that they form. */
export type DebianTree = { readonly root: string; readonly versions: Readonly<Record<string, string>> };

/** Unpacks `packages` into `root`. Uses downloaded packages of the cache if they are current. */
export function unpackDebian(packages: readonly string[], root: string): DebianTree {
  const cache = join(CACHE_DIR, 'debian');
  mkdirSync(cache, { recursive: true });
  mkdirSync(root, { recursive: true });
  const uris = execFileSync('apt-get', ['download', '--print-uris', ...packages], { encoding: 'utf8' });
  const versions: Record<string, string> = {};
  for (const [, file = ''] of uris.matchAll(/^'[^']+' (\S+\.deb) /gm)) {
    const [name = '', version = ''] = file.split('_');
    const archive = join(cache, file);
    // apt resumes partial downloads, and downloads into its working directory.
    if (!existsSync(archive)) execFileSync('apt-get', ['download', '-qq', name], { cwd: cache, stdio: 'pipe' });
    execFileSync('dpkg', ['-x', archive, root]);
    versions[name] = decodeURIComponent(version);
  }
  return { root, versions };
}

/** A package and the PHP and JavaScript libraries that it depends on. */
export function withLibraries(name: string): string[] {
  const kinds = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'].map((kind) => `--no-${kind}`);
  const listed = execFileSync('apt-cache', ['depends', '--recurse', ...kinds, name], { encoding: 'utf8' });
  return [name, ...new Set(listed.split('\n').filter((line) => /^(php|libjs)-/.test(line)))];
}

/** Copies `from` of the tree (`/usr/share/wordpress`) to the directory `to`, with links replaced and without `leftOut`. */
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

/** Resolves `path` inside the tree. Undefined if no package contains it (a file that an installation would create). */
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
