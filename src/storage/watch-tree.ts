/**
 * Watches a directory with everything below it, by one inotify watch for each directory. A change is reported in the
 * same turn of the event loop in which the kernel reports it, before any request that a client sent after the change.
 * chokidar watches each file and reads it first; Node's own recursive watching does so too.
 *
 * Without free inotify watches, the directories that are not watched are read regularly instead.
 */
import { type Dirent, type FSWatcher, readdirSync, readlinkSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';
import type { Cancel, Clock } from '../clock.ts';

export type TreeWatch = {
  /** Resolves when the directory is watched, without what is deferred. Never rejects. */
  readonly ready: Promise<void>;
  /** How many directories are watched. */
  readonly size: number;
  /** The links in the directories that are watched: their relative paths, with what they contain. */
  readonly links: ReadonlyMap<string, string>;
  /** Whether the path still leads to the directory that is watched. It does not after it was replaced. */
  isCurrent(): boolean;
  close(): void;
};

export type TreeWatchOptions = {
  /** An absolute path. */
  readonly directory: string;
  /** Paths that are not reported. Relative to the directory, with `/` between their parts. */
  readonly ignores: (path: string, isDirectory: boolean) => boolean;
  /** Directories that are watched later than the others, because there are many, such as `node_modules`. */
  readonly isDeferred?: (path: string) => boolean;
  /** Called with the relative path of what changed: a file that was written, made, renamed or removed. */
  readonly onChange: (path: string) => void;
  /** Called once if there are too few inotify watches. */
  readonly onLimit?: (reason: string) => void;
  readonly clock: Clock;
  /** Milliseconds between two readings of a directory that cannot be watched. */
  readonly pollMs?: number;
};

const POLL_MS = 500;
/** Directories that are read at once while deferred ones are added, so that requests are served between them. */
const BATCH = 50;

/** Starts to watch. */
export function watchTree(options: TreeWatchOptions): TreeWatch {
  const { directory, ignores, isDeferred = () => false, onChange, onLimit, clock, pollMs = POLL_MS } = options;
  const watchers = new Map<string, FSWatcher>();
  /** Directories that are read regularly, with what was found. */
  const polled = new Map<string, string>();
  const links = new Map<string, string>();
  let isClosed = false;
  let hasLimit = false;
  let cancelPoll: Cancel | undefined;
  const root = identityOf(directory);
  const deferred: string[] = [];

  const report = (path: string) => {
    if (!isClosed) onChange(path);
  };

  const onEvent = (parent: string, kind: string, name: string | null) => {
    if (isClosed || name === null) return;
    const path = parent === '' ? name : `${parent}/${name}`;
    if (kind === 'rename') {
      const isKnown = watchers.has(path) || polled.has(path);
      const isDirectory = isDirectoryAt(join(directory, path));
      if (ignores(path, isDirectory || isKnown)) return;
      noteLink(path);
      report(path);
      if (isKnown) forget(path);
      if (isDirectory) add(path);
      return;
    }
    if (!ignores(path, watchers.has(path))) report(path);
  };

  const noteLink = (path: string) => {
    const target = linkAt(join(directory, path));
    if (target === undefined) links.delete(path);
    else links.set(path, target);
  };

  const forget = (path: string) => {
    for (const known of links.keys()) if (known.startsWith(`${path}/`)) links.delete(known);
    for (const [known, watcher] of watchers) {
      if (known !== path && !known.startsWith(`${path}/`)) continue;
      watcher.close();
      watchers.delete(known);
    }
    for (const known of polled.keys()) if (known === path || known.startsWith(`${path}/`)) polled.delete(known);
  };

  /** Watches one directory and returns the directories in it. */
  const addOne = (path: string): string[] => {
    if (isClosed || watchers.has(path) || polled.has(path)) return [];
    const place = join(directory, path);
    let watcher: FSWatcher | undefined;
    if (!hasLimit) {
      try {
        watcher = watch(place, { persistent: false }, (kind, name) => onEvent(path, kind, name));
        // The directory was removed.
        watcher.on('error', () => forget(path));
        watchers.set(path, watcher);
      } catch (failure) {
        const { code } = failure as NodeJS.ErrnoException;
        if (code !== 'ENOSPC' && code !== 'EMFILE') return [];
        hasLimit = true;
        onLimit?.(code === 'ENOSPC' ? 'fs.inotify.max_user_watches' : 'fs.inotify.max_user_instances');
      }
    }
    const entries = entriesOf(place);
    for (const entry of entries)
      if (entry.isSymbolicLink()) noteLink(path === '' ? entry.name : `${path}/${entry.name}`);
    if (watcher === undefined) {
      polled.set(path, stateOf(place, entries));
      cancelPoll ??= clock.after(pollMs, poll);
    }
    return entries.flatMap((entry) => {
      const inside = path === '' ? entry.name : `${path}/${entry.name}`;
      return isWatchable(entry, join(directory, inside), inside) && !ignores(inside, true) ? [inside] : [];
    });
  };

  /** A link is followed unless it leads to a directory above it, which would have no end. */
  const isWatchable = (entry: Dirent, place: string, path: string): boolean => {
    if (entry.isDirectory()) return true;
    if (!entry.isSymbolicLink() || path.split('/').length > 32) return false;
    const found = identityOf(place);
    if (found === undefined || !isDirectoryAt(place)) return false;
    const above = path.split('/').map((_, depth, parts) => join(directory, ...parts.slice(0, depth)));
    return !above.some((one) => identityOf(one) === found);
  };

  const add = (path: string) => {
    const waiting = [path];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      for (const inside of addOne(next)) {
        if (isDeferred(inside)) deferred.push(inside);
        else waiting.push(inside);
      }
    }
    if (deferred.length > 0) void addDeferred();
  };

  let isAdding = false;
  const addDeferred = async () => {
    if (isAdding) return;
    isAdding = true;
    let count = 0;
    for (let next = deferred.pop(); next !== undefined && !isClosed; next = deferred.pop()) {
      deferred.push(...addOne(next));
      count += 1;
      if (count % BATCH === 0) await nextTurn();
    }
    isAdding = false;
  };

  const poll = () => {
    cancelPoll = undefined;
    if (isClosed) return;
    for (const [path, before] of polled) {
      const place = join(directory, path);
      const entries = entriesOf(place);
      const now = stateOf(place, entries);
      if (now === before) continue;
      polled.set(path, now);
      for (const name of differences(before, now)) {
        const inside = path === '' ? name : `${path}/${name}`;
        const isDirectory = isDirectoryAt(join(directory, inside));
        if (ignores(inside, isDirectory)) continue;
        noteLink(inside);
        report(inside);
        if (isDirectory) add(inside);
      }
    }
    cancelPoll = clock.after(pollMs, poll);
  };

  const ready = (async () => {
    const waiting = [''];
    let count = 0;
    for (let next = waiting.pop(); next !== undefined && !isClosed; next = waiting.pop()) {
      for (const inside of addOne(next)) (isDeferred(inside) ? deferred : waiting).push(inside);
      count += 1;
      if (count % BATCH === 0) await nextTurn();
    }
    void addDeferred();
  })();
  return {
    ready,
    links,
    get size() {
      return watchers.size + polled.size;
    },
    isCurrent: () =>
      root !== undefined && !isClosed && identityOf(directory) === root && (watchers.has('') || polled.has('')),
    close() {
      isClosed = true;
      cancelPoll?.();
      for (const watcher of watchers.values()) watcher.close();
      watchers.clear();
      polled.clear();
    },
  };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function entriesOf(place: string): Dirent[] {
  try {
    return readdirSync(place, { withFileTypes: true });
  } catch {
    // It was removed, or this user may not read it.
    return [];
  }
}

/** One line for each entry: its name, and what a change of its content changes. */
function stateOf(place: string, entries: readonly Dirent[]): string {
  return entries
    .map(({ name }) => {
      const stats = statSync(join(place, name), { throwIfNoEntry: false });
      const content = stats?.isDirectory() ? 'directory' : `${stats?.size} ${stats?.mtimeMs}`;
      return `${name}\0${stats?.ino} ${content}`;
    })
    .sort()
    .join('\n');
}

/** The names of lines that are in one state only. */
function differences(before: string, now: string): string[] {
  const old = new Set(before.split('\n'));
  const current = new Set(now.split('\n'));
  const changed = [...old, ...current].filter((line) => line !== '' && !(old.has(line) && current.has(line)));
  return [...new Set(changed.map((line) => line.split('\0', 1)[0] ?? ''))];
}

function linkAt(place: string): string | undefined {
  try {
    return readlinkSync(place);
  } catch {
    return undefined;
  }
}

function isDirectoryAt(place: string): boolean {
  return statSync(place, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Tells a directory from another one that has taken its place. */
function identityOf(place: string): string | undefined {
  try {
    const stats = statSync(place, { throwIfNoEntry: false });
    return stats && `${stats.dev}:${stats.ino}`;
  } catch {
    // A link that leads to itself.
    return undefined;
  }
}
