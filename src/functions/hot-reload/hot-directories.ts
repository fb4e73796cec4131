/**
 * Directories of this machine that functions run from: the bucket `hot-reload`, whose keys are absolute paths, and what
 * `lamella dev` mounts. Decides which may be mounted, and watches them. A change is reported only if an environment may
 * have read the directory since the last report: a thousand changed files are one change.
 *
 * The name of the bucket is LocalStack's: https://docs.localstack.cloud/aws/tooling/lambda-tools/hot-reloading/
 */
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, resolve as resolvePath, sep } from 'node:path';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { IGNORE_FILE, parseIgnore } from '../../packaging/function/lamella-ignore.ts';
import { ServiceError } from '../../protocol/service-errors.ts';
import { type TreeWatch, watchTree } from '../../storage/watch-tree.ts';

export const HOT_RELOAD_BUCKET = 'hot-reload';

export type HotDirectories = {
  /** The directory of a key of the bucket, as it is stored. @throws ServiceError if it may not be mounted */
  admit(key: string): string;
  /**
   * The directory to mount now, with links followed. It is watched from here on.
   * @throws ServiceError if it may not be mounted
   */
  open(directory: string): Promise<string>;
  /**
   * What the links of a directory that was opened lead to, if that is outside of it and may be mounted. In a sandbox such
   * a link leads to `target`.
   */
  linked(directory: string): readonly { readonly source: string; readonly target: string }[];
  /** Calls `listener` with every path that changes. Returns a function that stops it. */
  onChange(listener: (directory: string, path: string) => void): () => void;
  /** Takes everything that runs from a directory out of use, as a change in it does. */
  renew(directory: string): void;
  close(): void;
};

export type BuiltDirectories = {
  has(directory: string): boolean;
  /** Resolves when the directory is complete. */
  complete(directory: string): Promise<void>;
};

export type HotDirectoriesOptions = {
  /** Directories below which functions may be mounted, now. */
  readonly allowed: () => readonly string[];
  /** Why nothing may be mounted at all; undefined if it may. */
  readonly refusal?: string | undefined;
  /** Gives the functions that run from a directory a new revision. */
  readonly renew: (directory: string) => void;
  /** Directories that are built. They are not watched: their builder calls `renew`. */
  readonly built?: BuiltDirectories | undefined;
  readonly clock: Clock;
  readonly log: Log;
};

/** Packages are watched after the rest: they have most of the directories and change seldom. */
const DEPENDENCIES = /(^|\/)(node_modules\/(@[^/]+\/)?[^/@]+|vendor\/[^/]+\/[^/]+)$/;
/** Where a function sees its code. */
const TASK_ROOT = '/var/task';
/** Directories of a sandbox that are its own. */
const SANDBOX = /^\/(opt|dev|proc|sys|tmp|usr|bin|sbin|lib\w*|etc|run|var\/(task|runtime|lang))(\/|$)/;
/** Links in one directory that are mounted. Each costs a mount in every cold start. */
const MAX_LINKED = 100;
/** What editors write beside a file while they save it. */
const EDITOR_FILES =
  /(^|\/)(\.[^/]*\.sw[a-p]x?|4913|[^/]*~|\.#[^/]*|#[^/]*#|[^/]*___jb_(tmp|old)___|\.goutputstream-[^/]*)$/;

type Watched = {
  /** Undefined for a directory that is built. */
  readonly watch: TreeWatch | undefined;
  /** Whether an environment was opened since the last report. */
  isRead: boolean;
};

export function createHotDirectories(options: HotDirectoriesOptions): HotDirectories {
  const { allowed, refusal, clock, log } = options;
  const watched = new Map<string, Watched>();
  const listeners = new Set<(directory: string, path: string) => void>();

  /** Whether a path, as it is written and with links followed, is below a directory that is allowed. */
  const isAllowed = (path: string, real: string | undefined) =>
    allowed().some((root) => {
      const top = realDirectory(root);
      return top !== undefined && isWithin(root, path, top) && (real === undefined || isWithin(top, real));
    });

  const resolve = (directory: string): string => {
    if (refusal !== undefined) throw refuse(refusal);
    const real = realDirectory(directory);
    if (!isAllowed(directory, real)) {
      throw refuse(
        `Lamella does not mount ${directory}: it is not below a directory of --hot-reload-dir, or a link leads out of ` +
          `it. Start Lamella with --hot-reload-dir ${directory}.`,
      );
    }
    if (real === undefined) {
      throw refuse(
        `Lamella cannot mount ${directory}: it is not a directory. Create it, or update the function's code.`,
      );
    }
    return real;
  };

  const renew = (directory: string) => {
    const found = watched.get(directory);
    if (found?.isRead === false) return;
    if (found !== undefined) found.isRead = false;
    options.renew(directory);
  };

  const startWatch = (directory: string): Watched => {
    const before = watched.get(directory);
    if (before?.watch?.isCurrent()) return before;
    if (options.built?.has(directory)) {
      const made = before ?? { watch: undefined, isRead: false };
      watched.set(directory, made);
      return made;
    }
    before?.watch?.close();
    const rules = readRules(directory);
    const watch: TreeWatch = watchTree({
      directory,
      ignores: (path, isDirectory) =>
        path !== IGNORE_FILE && (EDITOR_FILES.test(path) || rules.ignores(path, isDirectory)),
      isDeferred: (path) => DEPENDENCIES.test(path),
      onChange: (path) => {
        renew(directory);
        for (const listener of listeners) listener(directory, path);
        // Other directories have to be watched now.
        if (path === IGNORE_FILE) {
          watch.close();
          startWatch(directory);
        }
      },
      onLimit: (setting) =>
        log.warn(
          { directory },
          `this machine has too few inotify watches for ${directory}, so some of it is read every half second instead. ` +
            `Allow more: sudo sysctl ${setting}=${setting.endsWith('watches') ? 524_288 : 1024}`,
        ),
      clock,
    });
    const made = { watch, isRead: before?.isRead ?? false };
    watched.set(directory, made);
    return made;
  };

  return {
    admit(key) {
      if (!key.startsWith('/')) {
        throw refuse(
          `Invalid S3Key "${key}" for the bucket ${HOT_RELOAD_BUCKET}: use the absolute path of a directory, such as ` +
            '/home/me/project/src.',
        );
      }
      const directory = join('/', key).replace(/(?<=.)\/+$/, '');
      resolve(directory);
      return directory;
    },
    async open(directory) {
      if (options.built?.has(directory)) await options.built.complete(directory);
      await startWatch(directory).watch?.ready;
      const real = resolve(directory);
      // From here on the environment may read it. A change before this moment has been made before it does.
      const current = watched.get(directory);
      if (current !== undefined) current.isRead = true;
      return real;
    },
    linked(directory) {
      const { links = new Map<string, string>() } = watched.get(directory)?.watch ?? {};
      const mounts = new Map<string, string>();
      for (const [path, link] of links) {
        const target = resolvePath(TASK_ROOT, dirname(path), link);
        if (SANDBOX.test(target) || target === '/' || target === '/var' || mounts.size >= MAX_LINKED) continue;
        const source = realPath(join(directory, path));
        if (source !== undefined && isAllowed(source, source)) mounts.set(target, source);
      }
      return [...mounts].map(([target, source]) => ({ source, target }));
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    renew,
    close() {
      for (const { watch } of watched.values()) watch?.close();
      watched.clear();
    },
  };
}

function readRules(directory: string) {
  try {
    return parseIgnore(readFileSync(join(directory, IGNORE_FILE), 'utf8'));
  } catch {
    return parseIgnore('');
  }
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    // It leads nowhere.
    return undefined;
  }
}

/** The directory with links followed; undefined if it does not exist. */
function realDirectory(path: string): string | undefined {
  try {
    const real = realpathSync(path);
    return statSync(real).isDirectory() ? real : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a path, as it is written, is one of the roots or below it. */
function isWithin(root: string, path: string, alternative = root): boolean {
  return [root, alternative].some((top) => path === top || path.startsWith(top.endsWith(sep) ? top : `${top}${sep}`));
}

function refuse(message: string): ServiceError {
  return new ServiceError('InvalidParameterValueException', message);
}
