/**
 * How the code of each function gets to where it runs. Interpreted code is mounted from the working tree. What must be
 * compiled or installed is built into a directory of its own, again after each change and before the next invocation.
 * Layers are zips, built again when their sources change.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../clock.ts';
import { HOT_RELOAD_BUCKET } from '../functions/hot-reload/hot-directories.ts';
import { IGNORE_FILE, parseIgnore } from '../packaging/function/lamella-ignore.ts';
import type { Artifact } from '../project/build/artifacts.ts';
import {
  createArtifactBuilder,
  isArchive,
  readBuildRecord,
  writeBuildRecord,
} from '../project/build/build-artifact.ts';
import type { BuildContext } from '../project/build/build-plan.ts';
import { planArtifact } from '../project/build/methods.ts';
import { parseJson } from '../protocol/json.ts';
import { makeDirectory } from '../storage/make-directory.ts';
import { type TreeWatch, watchTree } from '../storage/watch-tree.ts';
import { type Json, objectOf } from '../template/tree.ts';
import { createSyncedDirectory, type SyncedDirectory } from './sync-directory.ts';

/** The bucket of what dev uploads. */
export const DEV_BUCKET = 'lamella-dev';

export type SourcesDependencies = {
  /** Where zips and built functions are. */
  readonly buildDirectory: string;
  readonly cacheDir: string;
  /** Stores an object in `DEV_BUCKET`. */
  readonly upload: (key: string, content: Buffer) => Promise<void>;
  /** Takes environments out of use whose directory is being built again. */
  readonly renew: (directory: string) => void;
  /** A source of a layer or of an uploaded package has changed. */
  readonly onStale: (logicalId: string) => void;
  /** A function was built again after a change, or could not be. Not called for what `locate` builds. */
  readonly onBuilt: (logicalId: string, result: BuildResult) => void;
  readonly onProgress: (message: string) => void;
  readonly onLimit: (setting: string) => void;
  readonly clock: Clock;
};

/** `ms`: how long it took. */
export type BuildResult = { readonly ms: number } | { readonly failure: unknown };

export type Sources = {
  /** The location of each artifact, by its logical ID, for the template to deploy. Builds what has to be built. */
  locate(artifacts: readonly Artifact[], template: string): Promise<ReadonlyMap<string, Json>>;
  /** Whether a directory is built here, and when it is complete. */
  has(directory: string): boolean;
  complete(directory: string): Promise<void>;
  /** Directories below which functions may be mounted. */
  allowed(): readonly string[];
  close(): void;
};

type BuiltFunction = {
  readonly directory: string;
  artifact: Artifact;
  readonly files: SyncedDirectory;
  /** The build that runs, and whether another one must follow. */
  running: Promise<number> | undefined;
  isStale: boolean;
  failure: unknown;
};

const NODE_RUNTIME = /^nodejs(\d+\.x)?$/;
/** What a layer with PHP or with Composer's packages is built from. */
const COMPOSER_FILES = /^composer\.(json|lock)$/;
const TYPESCRIPT_ENDINGS = ['.ts', '.mts', '.cts', '.tsx'];

export function createSources(dependencies: SourcesDependencies): Sources {
  const { buildDirectory, cacheDir, upload, renew, onStale, onBuilt, onProgress, onLimit, clock } = dependencies;
  const functions = new Map<string, BuiltFunction>();
  const watches = new Map<string, TreeWatch>();
  const uploaded = new Set<string>();
  let allowed: readonly string[] = [];
  let context: BuildContext | undefined;

  const contextOf = (artifacts: readonly Artifact[], template: string): BuildContext => ({
    template,
    directory: dirname(template),
    buildDirectory,
    cacheDir,
    phpLayer: artifacts.find(({ kind, method }) => kind === 'layer' && method === 'php')?.buildProperties,
    hasVendorLayer: artifacts.some(({ kind, method }) => kind === 'layer' && method === 'composer'),
    onProgress,
  });

  const build = async (made: BuiltFunction): Promise<number> => {
    const startMs = clock.monotonicMs();
    while (made.isStale && context !== undefined) {
      made.isStale = false;
      try {
        const plan = await planArtifact(made.artifact, context);
        await plan.build(({ entries }) => made.files.sync(entries));
        made.failure = undefined;
      } catch (failure) {
        made.failure = failure;
      }
    }
    return clock.monotonicMs() - startMs;
  };
  const startBuild = (made: BuiltFunction): Promise<number> => {
    made.isStale = true;
    made.running ??= build(made).finally(() => {
      made.running = undefined;
    });
    return made.running;
  };

  /** Watches the source of an artifact that is not mounted. */
  const watchSource = (artifact: Artifact, onChange: () => void) => {
    const { source, logicalId, kind, method } = artifact;
    const isPhp = kind === 'layer' && (method === 'php' || method === 'composer');
    const isDirectory = statSync(source, { throwIfNoEntry: false })?.isDirectory() ?? false;
    const directory = isDirectory ? source : dirname(source);
    const name = source.slice(directory.length + 1);
    const rules = parseIgnore(textOf(join(directory, IGNORE_FILE)));
    watches.get(logicalId)?.close();
    const watch = watchTree({
      directory,
      ignores: (path, below) =>
        isDirectory ? rules.ignores(path, below) || isOutput(join(directory, path)) : path !== name,
      isDeferred: (path) => /(^|\/)(node_modules|vendor)(\/|$)/.test(path),
      onChange: (path) => {
        if (!isPhp || COMPOSER_FILES.test(path)) onChange();
      },
      onLimit,
      clock,
    });
    watches.set(logicalId, watch);
  };
  const isOutput = (path: string) => path === buildDirectory || path.startsWith(`${buildDirectory}/`);

  const locateFunction = async (artifact: Artifact): Promise<Json> => {
    const { logicalId } = artifact;
    const directory = join(buildDirectory, 'functions', logicalId);
    if (isMountable(artifact)) {
      forget(logicalId, directory);
      return location(artifact, HOT_RELOAD_BUCKET, artifact.source);
    }
    let made = functions.get(directory);
    if (made === undefined) {
      const files = createSyncedDirectory(directory);
      made = { directory, artifact, files, running: undefined, isStale: false, failure: undefined };
      functions.set(directory, made);
    }
    const owned = made;
    const isSame = JSON.stringify(owned.artifact) === JSON.stringify(artifact) && watches.has(logicalId);
    if (isSame && owned.failure === undefined) {
      await owned.running;
    } else {
      owned.artifact = artifact;
      watchSource(artifact, () => {
        const isBuilding = owned.running !== undefined;
        const built = startBuild(owned);
        renew(directory);
        if (isBuilding) return;
        void built.then((ms) => onBuilt(logicalId, owned.failure === undefined ? { ms } : { failure: owned.failure }));
      });
      await startBuild(owned);
    }
    if (owned.failure !== undefined) throw owned.failure;
    return location(artifact, HOT_RELOAD_BUCKET, directory);
  };
  const forget = (logicalId: string, directory: string) => {
    functions.delete(directory);
    watches.get(logicalId)?.close();
    watches.delete(logicalId);
  };

  return {
    async locate(artifacts, template) {
      makeDirectory(buildDirectory);
      context = contextOf(artifacts, template);
      allowed = [dirname(template), buildDirectory, ...artifacts.map(({ source }) => source)];
      const names = new Set(artifacts.map(({ logicalId }) => logicalId));
      for (const name of watches.keys()) if (!names.has(name)) forget(name, join(buildDirectory, 'functions', name));
      const record = await readBuildRecord(buildDirectory);
      const builder = createArtifactBuilder(context, { record, usesCache: true });
      const locations = new Map<string, Json>();
      try {
        for (const artifact of artifacts) {
          const { logicalId, kind, source } = artifact;
          if (kind === 'function' && !isArchive(source)) {
            locations.set(logicalId, await locateFunction(artifact));
            continue;
          }
          watchSource(artifact, () => onStale(logicalId));
          const { zip, sha256 } = await builder.build(artifact);
          const key = `${logicalId}-${sha256}.zip`;
          if (!uploaded.has(key)) await upload(key, await readFile(zip));
          uploaded.add(key);
          locations.set(logicalId, location(artifact, DEV_BUCKET, key));
        }
      } finally {
        await writeBuildRecord(buildDirectory, record);
      }
      return locations;
    },
    has: (directory) => functions.has(directory),
    async complete(directory) {
      await functions.get(directory)?.running;
    },
    allowed: () => allowed,
    close() {
      for (const watch of watches.values()) watch.close();
      watches.clear();
    },
  };
}

/** SAM's types and CloudFormation's spell a location in S3 in different ways. */
function location({ type }: Artifact, bucket: string, key: string): Json {
  return type.startsWith('AWS::Serverless::')
    ? objectOf({ Bucket: bucket, Key: key })
    : objectOf({ S3Bucket: bucket, S3Key: key });
}

/** Whether the sources are what runs: nothing to compile, and the packages are installed. */
function isMountable({ source, method = 'none', runtime = '', handler = '' }: Artifact): boolean {
  if (!(statSync(source, { throwIfNoEntry: false })?.isDirectory() ?? false)) return false;
  const has = (name: string) => existsSync(join(source, name));
  if (method === 'composer') return has('vendor');
  if (method !== 'none' && !NODE_RUNTIME.test(method)) return false;
  const stem = handler.slice(0, handler.lastIndexOf('/') + 1) + (handler.split('/').at(-1)?.split('.', 1)[0] ?? '');
  const isNode = NODE_RUNTIME.test(runtime) || runtime.startsWith('nodejs');
  if ((isNode || runtime.startsWith('provided')) && TYPESCRIPT_ENDINGS.some((ending) => has(stem + ending)))
    return false;
  return !isNode || has('node_modules') || !hasDependencies(join(source, 'package.json'));
}

function hasDependencies(file: string): boolean {
  try {
    const { dependencies = {} } = parseJson(readFileSync(file, 'utf8')) as { dependencies?: object };
    return Object.keys(dependencies).length > 0;
  } catch {
    return false;
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
