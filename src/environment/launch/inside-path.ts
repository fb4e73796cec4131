/**
 * Resolves paths as a function sees them to files of the host, before any sandbox exists. Links are followed inside the
 * function's root, not the host's, and permissions are checked for the function's user, not for the current one.
 */
import type { Stats } from 'node:fs';
import { lstatSync, readdirSync, readlinkSync } from 'node:fs';

/** Host directories that a function sees at /var/task and /opt; undefined where there is none. */
export type FunctionTrees = { readonly taskRoot: string | undefined; readonly optRoot: string | undefined };

export type Lookup =
  | { readonly kind: 'found'; readonly hostPath: string; readonly stats: Stats }
  | { readonly kind: 'absent' }
  /** A directory on the path may not be searched. */
  | { readonly kind: 'forbidden' };

/** The kernel's limit of symbolic links in one path. */
const MAX_LINKS = 40;
/**
 * Longer walks are given up. Every part is looked up synchronously, each of 40 links may have 2,000 parts, and a cold
 * start looks up its bootstrap, its extensions and their interpreters.
 */
const MAX_PARTS = 512;
const HOST_DIRECTORIES = new Set(['usr', 'bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32']);

/** Finds the file and follows all links, including the last one. `path` is absolute. */
export function lookUpInside(path: string, trees: FunctionTrees): Lookup {
  let rest = path.split('/').filter(isName);
  let done: string[] = [];
  let links = 0;
  for (let parts = 0; parts <= MAX_PARTS; parts += 1) {
    const hostPath = hostPathOf(done, trees);
    const stats = hostPath === undefined ? undefined : statsOf(hostPath);
    if (hostPath !== undefined && stats === undefined) return { kind: 'absent' };
    if (hostPath !== undefined && stats?.isSymbolicLink()) {
      if (++links > MAX_LINKS) return { kind: 'absent' };
      const target = readlinkSync(hostPath);
      rest = [...target.split('/').filter(isName), ...rest];
      done = target.startsWith('/') ? [] : done.slice(0, -1);
      continue;
    }
    const next = rest.shift();
    if (next === undefined) {
      // The root, /var and similar directories come from the sandbox and contain nothing to run.
      return hostPath === undefined || stats === undefined ? { kind: 'absent' } : { kind: 'found', hostPath, stats };
    }
    if (stats !== undefined && !stats.isDirectory()) return { kind: 'absent' };
    if (stats !== undefined && !mayExecute(stats)) return { kind: 'forbidden' };
    done = next === '..' ? done.slice(0, -1) : [...done, next];
  }
  return { kind: 'absent' };
}

/** The names of everything but directories in a directory, sorted; empty if the function does not see one at `path`. */
export function listInside(path: string, trees: FunctionTrees): readonly string[] {
  const found = lookUpInside(path, trees);
  if (found.kind !== 'found' || !found.stats.isDirectory()) return [];
  return readdirSync(found.hostPath, { withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

/** Whether the function's user may execute a file, or search a directory, of this mode and owner. */
export function mayExecute({ mode, uid, gid }: Pick<Stats, 'mode' | 'uid' | 'gid'>): boolean {
  const ourUid = process.geteuid?.() ?? 0;
  // Started as root, Lamella runs functions as users that own no file of the host. Otherwise they run as this user.
  if (ourUid === 0) return (mode & 0o001) !== 0;
  if (uid === ourUid) return (mode & 0o100) !== 0;
  return (mode & (gid === process.getegid?.() ? 0o010 : 0o001)) !== 0;
}

function hostPathOf(names: readonly string[], { taskRoot, optRoot }: FunctionTrees): string | undefined {
  const [first, second] = names;
  if (first === undefined) return undefined;
  if (first === 'opt') return under(optRoot, names.slice(1));
  if (first === 'var' && second === 'task') return under(taskRoot, names.slice(2));
  if (HOST_DIRECTORIES.has(first)) return `/${names.join('/')}`;
  return undefined;
}

function under(root: string | undefined, names: readonly string[]): string | undefined {
  return root === undefined ? undefined : [root, ...names].join('/');
}

function statsOf(hostPath: string): Stats | undefined {
  try {
    return lstatSync(hostPath);
  } catch {
    return undefined;
  }
}

function isName(part: string): boolean {
  return part !== '' && part !== '.';
}
