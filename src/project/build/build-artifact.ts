/**
 * Builds one artifact as a zip, unless the zip that is there was built from the same inputs. Which inputs that were is in
 * `build.json` beside the zips. Zips are replaced by renaming, so that an interrupted build leaves the old ones.
 */
import { lstatSync, statSync } from 'node:fs';
import { copyFile, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OperatorError } from '../../operator-error.ts';
import { sizeOfEntry, withNormalMode, writeZip, type ZipEntry } from '../../packaging/zip-writer.ts';
import { parseJson } from '../../protocol/json.ts';
import { QUOTAS } from '../../protocol/quotas.ts';
import { ArchiveError, listArchive } from '../../storage/archive.ts';
import type { Artifact } from './artifacts.ts';
import type { BuildContents, BuildContext, BuildPlan } from './build-plan.ts';
import { digestOfEntries, digestOfFile } from './digests.ts';
import { planArtifact } from './methods.ts';

export type BuiltArtifact = {
  readonly logicalId: string;
  readonly kind: Artifact['kind'];
  /** How it was built, for people. */
  readonly description: string;
  readonly source: string;
  /** The absolute path of the zip. */
  readonly zip: string;
  readonly bytes: number;
  /** SHA-256 of the zip, in hex. */
  readonly sha256: string;
  /** Size of all files together, as AWS counts it. */
  readonly unzippedBytes: number;
  readonly files: number;
  /** Largest first. */
  readonly largest: readonly { readonly path: string; readonly bytes: number }[];
  /** Whether the zip was there already. */
  readonly isUnchanged: boolean;
  readonly leftOut: readonly string[];
  readonly warnings: readonly string[];
};

/** What is recorded of a zip. `size` and `modifiedMs` tell whether it is still the one that was written. */
type RecordedBuild = Omit<BuiltArtifact, 'isUnchanged' | 'kind' | 'logicalId' | 'source'> & {
  readonly inputs: string;
  readonly modifiedMs: number;
};

export type BuildRecord = Map<string, RecordedBuild>;

const RECORD_FILE = 'build.json';
/** Compressing more takes seconds. */
const LARGE_BYTES = 20_000_000;
/** Entries that are recorded and reported. */
const LARGEST = 10;

/** The builds that the directory has. Empty if there is no valid record. */
export async function readBuildRecord(buildDirectory: string): Promise<BuildRecord> {
  try {
    const value = parseJson(await readFile(join(buildDirectory, RECORD_FILE), 'utf8')) as { artifacts?: object };
    return new Map(Object.entries((value?.artifacts ?? {}) as Record<string, RecordedBuild>));
  } catch {
    return new Map();
  }
}

export async function writeBuildRecord(buildDirectory: string, record: BuildRecord): Promise<void> {
  const file = join(buildDirectory, RECORD_FILE);
  const unfinished = `${file}.${process.pid}.part`;
  const artifacts = Object.fromEntries([...record].sort(([one], [other]) => (one < other ? -1 : 1)));
  await writeFile(unfinished, `${JSON.stringify({ artifacts }, undefined, 2)}\n`);
  await rename(unfinished, file);
}

export type ArtifactBuilder = {
  /** Builds or keeps the zip of an artifact. */
  build(artifact: Artifact): Promise<BuiltArtifact>;
};

/** Builds artifacts of one template. Artifacts with the same inputs are built once. `record` is updated. */
export function createArtifactBuilder(
  context: BuildContext,
  { record, usesCache }: { readonly record: BuildRecord; readonly usesCache: boolean },
): ArtifactBuilder {
  /** Zips that are written or kept in this run, by their inputs. */
  const zips = new Map<string, Promise<RecordedBuild>>();

  const keep = (logicalId: string, inputs: string): RecordedBuild | undefined => {
    const recorded = record.get(logicalId);
    if (!usesCache || recorded?.inputs !== inputs || !isRecord(recorded)) return undefined;
    const stats = statSync(zipOf(context, logicalId), { throwIfNoEntry: false });
    const isIntact = stats?.isFile() && stats.size === recorded.bytes && stats.mtimeMs === recorded.modifiedMs;
    return isIntact ? recorded : undefined;
  };
  const write = async (artifact: Artifact, plan: BuildPlan, inputs: string, contents: BuildContents) => {
    const same = zips.get(inputs);
    if (same !== undefined) return copyBuild(await same, zipOf(context, artifact.logicalId));
    const made = writeArtifact(artifact, plan, inputs, contents, context);
    zips.set(inputs, made);
    return made;
  };
  return {
    async build(artifact) {
      const { logicalId, kind, source } = artifact;
      const finish = (recorded: RecordedBuild, isUnchanged: boolean): BuiltArtifact => {
        record.set(logicalId, recorded);
        const { inputs: _, modifiedMs: __, ...rest } = recorded;
        // The record may be that of another directory, of which this one is a copy.
        return { ...rest, zip: zipOf(context, logicalId), logicalId, kind, source, isUnchanged };
      };
      if (isArchive(source)) return finish(await keepArchive(artifact, context), false);
      const plan = await planArtifact(artifact, context);
      const kept = plan.inputs === undefined ? undefined : keep(logicalId, plan.inputs);
      if (kept !== undefined) return finish(kept, true);
      return plan.build(async (contents) => {
        const entries = contents.entries.map(withNormalMode);
        const inputs = plan.inputs ?? (await digestOfEntries(entries));
        const present = keep(logicalId, inputs);
        if (present !== undefined)
          return finish({ ...present, warnings: contents.warnings, leftOut: contents.leftOut }, true);
        return finish(await write(artifact, plan, inputs, { ...contents, entries }), false);
      });
    },
  };
}

function zipOf({ buildDirectory }: BuildContext, logicalId: string): string {
  return join(buildDirectory, `${logicalId}.zip`);
}

/** Whether a record has the members that are used of it: somebody may have changed the file. */
function isRecord({ warnings, leftOut, largest, sha256, bytes, description }: RecordedBuild): boolean {
  const hasLists = [warnings, leftOut, largest].every((list) => Array.isArray(list));
  return hasLists && /^[0-9a-f]{64}$/.test(sha256) && typeof bytes === 'number' && typeof description === 'string';
}

/** Whether a location is a package that is used as it is. */
export function isArchive(source: string): boolean {
  return /\.(zip|jar)$/i.test(source) && statSync(source, { throwIfNoEntry: false })?.isFile() === true;
}

async function writeArtifact(
  { logicalId, source }: Artifact,
  { description }: BuildPlan,
  inputs: string,
  { entries, leftOut, warnings }: BuildContents,
  context: BuildContext,
): Promise<RecordedBuild> {
  const sizes: { path: string; bytes: number }[] = [];
  for (const entry of entries) sizes.push({ path: entry.path, bytes: await sizeOfEntry(entry) });
  const unzippedBytes = sizes.reduce((total, { bytes }) => total + bytes, 0);
  if (unzippedBytes > QUOTAS.unzippedBytes) {
    throw new OperatorError('package-too-large', {
      directory: source,
      bytes: unzippedBytes,
      limit: QUOTAS.unzippedBytes,
    });
  }
  if (entries.length === 0) {
    throw new OperatorError('build-failed', {
      logicalId,
      reason: `${source} has no files to package`,
      remedy: 'Correct the location in the template, or the patterns in .lamellaignore.',
    });
  }
  const zip = zipOf(context, logicalId);
  if (unzippedBytes > LARGE_BYTES) {
    context.onProgress(`Compressing ${logicalId}: ${entries.length} files, ${Math.round(unzippedBytes / 1e6)} MB`);
  }
  const written = await writeZip(zip, entries, context.signal).catch((failure: NodeJS.ErrnoException) =>
    unusable(failure, zip, entries),
  );
  return {
    description,
    zip,
    bytes: written.bytes,
    sha256: await digestOfFile(zip),
    unzippedBytes,
    files: written.entries,
    largest: largestOf(sizes),
    leftOut,
    warnings,
    inputs,
    modifiedMs: lstatSync(zip).mtimeMs,
  };
}

function largestOf(sizes: readonly { path: string; bytes: number }[]) {
  return [...sizes].sort((a, b) => b.bytes - a.bytes || (a.path < b.path ? -1 : 1)).slice(0, LARGEST);
}

function unusable(failure: NodeJS.ErrnoException, zip: string, entries: readonly ZipEntry[]): never {
  if (failure.code === undefined) throw failure;
  const isSource = entries.some(({ content }) => content.kind === 'file' && content.source === failure.path);
  const file = isSource ? String(failure.path) : zip;
  throw new OperatorError(isSource ? 'file-unreadable' : 'file-unwritable', { file, reason: failure.message }, failure);
}

async function copyBuild(recorded: RecordedBuild, zip: string): Promise<RecordedBuild> {
  await copyInto(recorded.zip, zip);
  return { ...recorded, zip, modifiedMs: lstatSync(zip).mtimeMs };
}

async function copyInto(from: string, to: string): Promise<void> {
  if (from === to) return;
  const unfinished = `${to}.${process.pid}.part`;
  try {
    await copyFile(from, unfinished);
    await rename(unfinished, to);
  } finally {
    await rm(unfinished, { force: true });
  }
}

/** A zip that somebody else built. */
async function keepArchive({ logicalId, source }: Artifact, context: BuildContext): Promise<RecordedBuild> {
  const zip = zipOf(context, logicalId);
  await copyInto(source, zip);
  const { size, mtimeMs } = lstatSync(zip);
  const sha256 = await digestOfFile(zip);
  const sizes = await entriesOf(zip);
  return {
    description: 'archive',
    zip,
    bytes: size,
    sha256,
    unzippedBytes: sizes.reduce((total, { bytes }) => total + bytes, 0),
    files: sizes.length,
    largest: largestOf(sizes),
    leftOut: [],
    warnings: [],
    inputs: sha256,
    modifiedMs: mtimeMs,
  };
}

/** More than Lambda accepts: the size is reported, and `lamella check` explains it. */
const LISTED = { unpackedBytes: 16 * QUOTAS.unzippedBytes, entries: 1_000_000 };

async function entriesOf(file: string): Promise<{ path: string; bytes: number }[]> {
  const entries = await listArchive(await readFile(file), LISTED).catch((failure: unknown) => {
    if (!(failure instanceof ArchiveError)) throw failure;
    throw new OperatorError('file-unreadable', { file, reason: failure.message }, failure);
  });
  return entries.filter(({ kind }) => kind === 'file').map(({ path, bytes }) => ({ path, bytes }));
}
