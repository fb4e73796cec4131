/**
 * Builds everything that a template needs: a zip for each function and layer, and a template that names the zips, which
 * `sam deploy` and `aws cloudformation package` take as well. Nested stacks are built the same way. The same sources
 * give the same bytes, and what has not changed is not built again.
 */
import { readdirSync, rmSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { OperatorError } from '../../operator-error.ts';
import { QUOTAS } from '../../protocol/quotas.ts';
import { makeDirectory } from '../../storage/make-directory.ts';
import { readTemplate } from '../../template/read-template.ts';
import { renderYaml } from '../../template/render-yaml.ts';
import { copy, isObject, type Json, type JsonObject, member, object, type Path, section } from '../../template/tree.ts';
import { type Artifact, findArtifacts, findLocalFiles, type LocalFile, type ProjectTemplate } from './artifacts.ts';
import {
  type BuildRecord,
  type BuiltArtifact,
  createArtifactBuilder,
  readBuildRecord,
  writeBuildRecord,
} from './build-artifact.ts';

export type BuildRequest = {
  /** The template. */
  readonly file: string;
  readonly buildDirectory: string;
  readonly cacheDir: string;
  /** Values of parameters, for locations that a parameter has. */
  readonly parameters?: ReadonlyMap<string, string>;
  /** Whether zips of the last build are kept if their sources have not changed. Defaults to true. */
  readonly usesCache?: boolean;
  /** Builds only the resources with these logical IDs. */
  readonly only?: readonly string[];
  readonly onProgress?: (message: string) => void;
  readonly signal?: AbortSignal | undefined;
};

export type FunctionSize = {
  readonly logicalId: string;
  /** Of the code and of the layers that this template builds, unpacked. */
  readonly unzippedBytes: number;
  readonly layers: readonly string[];
};

export type BuiltProject = {
  /** The template that was built. */
  readonly source: string;
  /** The template that names the zips. */
  readonly template: string;
  readonly body: JsonObject;
  readonly artifacts: readonly BuiltArtifact[];
  readonly functions: readonly FunctionSize[];
  readonly files: readonly LocalFile[];
  /** Built templates of nested stacks, by the logical IDs of the stacks. */
  readonly nested: Readonly<Record<string, BuiltProject>>;
  readonly limits: { readonly zippedBytes: number; readonly unzippedBytes: number };
};

/** Nested stacks in nested stacks. CloudFormation has no limit, a circle of templates must have one. */
const MAX_DEPTH = 10;
const MAX_PARALLEL = 4;
const TEMPLATE_NAME = 'template.yaml';

/** @throws TemplateError, OperatorError 'file-unreadable', 'template-unbuildable', 'build-failed' and others of building */
export function buildProject(request: BuildRequest): Promise<BuiltProject> {
  return buildTemplate(request, 0);
}

/** Reads a template of this machine. @throws TemplateError with the file's name, OperatorError 'file-unreadable' */
export async function readProjectTemplate(file: string): Promise<ProjectTemplate> {
  const text = await readFile(file, 'utf8').catch((failure: Error) => {
    throw new OperatorError('file-unreadable', { file, reason: failure.message }, failure);
  });
  const { body, places } = readTemplate(text, { fileName: file });
  return { file: resolve(file), body, places };
}

async function buildTemplate(request: BuildRequest, depth: number): Promise<BuiltProject> {
  const { file, onProgress = () => {}, parameters = new Map() } = request;
  const project = await readProjectTemplate(file);
  const buildDirectory = resolve(request.buildDirectory);
  const artifacts = findArtifacts(project, parameters);
  const files = findLocalFiles(project);
  refuseImages(project);
  const wanted = chosen(artifacts, request.only, project);
  makeOutput(buildDirectory);
  const record = await readBuildRecord(buildDirectory);
  const context = {
    template: project.file,
    directory: dirname(project.file),
    buildDirectory,
    cacheDir: request.cacheDir,
    phpLayer: artifacts.find(({ kind, method }) => kind === 'layer' && method === 'php')?.buildProperties,
    hasVendorLayer: artifacts.some(({ kind, method }) => kind === 'layer' && method === 'composer'),
    onProgress,
    signal: request.signal,
  };
  const builder = createArtifactBuilder(context, { record, usesCache: request.usesCache !== false });
  let built: BuiltArtifact[];
  try {
    built = await inParallel(wanted, async (artifact) => {
      request.signal?.throwIfAborted();
      return builder.build(artifact);
    });
  } finally {
    // What was built before a failure is not built again.
    await writeBuildRecord(buildDirectory, record);
  }
  if (request.only === undefined) await removeOthers(buildDirectory, record, artifacts);
  const nested = request.only === undefined ? await buildNested(files, request, buildDirectory, depth) : {};
  const body = withBuilt(project, artifacts, files, nested, buildDirectory);
  const template = join(buildDirectory, TEMPLATE_NAME);
  await replaceFile(template, renderYaml(body));
  return {
    source: project.file,
    template,
    body,
    artifacts: built,
    functions: functionSizes(project.body, artifacts, built),
    files,
    nested,
    limits: { zippedBytes: QUOTAS.zippedBytes, unzippedBytes: QUOTAS.unzippedBytes },
  };
}

/** Images are used as they are in a registry. @throws OperatorError 'template-unbuildable' for one that has to be built */
function refuseImages({ body, file, places }: ProjectTemplate): void {
  const inherited = section(section(body, 'Globals'), 'Function');
  for (const [logicalId, resource] of Object.entries(section(body, 'Resources'))) {
    const properties = section(resource, 'Properties');
    const of = (name: string) => member(properties, name) ?? member(inherited, name);
    const uri = of('ImageUri') ?? member(section(properties, 'Code'), 'ImageUri');
    const isLocal = uri === undefined || (typeof uri === 'string' && !uri.includes('.amazonaws.com'));
    const hasDockerfile = member(section(resource, 'Metadata'), 'Dockerfile') !== undefined;
    if (of('PackageType') !== 'Image' || !(hasDockerfile || isLocal)) continue;
    const { line, column } = places.near(['Resources', logicalId, 'Metadata', 'Dockerfile']);
    const reason = `${logicalId} is a container image, which Lamella does not build. Push it to a registry and name it in ImageUri`;
    throw new OperatorError('template-unbuildable', { place: `${file}:${line}:${column}`, reason });
  }
}

function chosen(artifacts: readonly Artifact[], only: readonly string[] | undefined, { file }: ProjectTemplate) {
  const unknown = only?.find((name) => !artifacts.some(({ logicalId }) => logicalId === name));
  if (unknown !== undefined) {
    const known = artifacts.map(({ logicalId }) => logicalId).join(', ') || 'nothing to build';
    throw new OperatorError('template-unbuildable', {
      place: file,
      reason: `it has no function or layer ${unknown} to build. It has ${known}`,
    });
  }
  return only === undefined ? artifacts : artifacts.filter(({ logicalId }) => only.includes(logicalId));
}

/** Makes the directory, and removes what builds that were killed have left in it. */
function makeOutput(directory: string): void {
  try {
    makeDirectory(directory);
    for (const name of readdirSync(directory)) {
      const pid = /\.(\d+)\.part$/.exec(name)?.[1];
      if (pid !== undefined && !isRunning(Number(pid))) rmSync(join(directory, name), { force: true });
    }
  } catch (failure) {
    throw new OperatorError('file-unwritable', { file: directory, reason: (failure as Error).message }, failure);
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (failure) {
    return (failure as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Runs at most four at a time. All end, then the first failure in the order of the items is thrown. */
async function inParallel<Item, Result>(
  items: readonly Item[],
  run: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: PromiseSettledResult<Result>[] = [];
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < items.length; index = next++) {
      const [result] = await Promise.allSettled([run(items[index] as Item)]);
      results[index] = result;
    }
  };
  await Promise.all(Array.from({ length: Math.min(MAX_PARALLEL, availableParallelism()) }, worker));
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

/** Zips of resources that the template no longer has. Only what an earlier build recorded is removed. */
async function removeOthers(directory: string, record: BuildRecord, artifacts: readonly Artifact[]): Promise<void> {
  const known = new Set(artifacts.map(({ logicalId }) => logicalId));
  const gone = [...record.keys()].filter((name) => !known.has(name) && /^[A-Za-z0-9]+$/.test(name));
  for (const name of gone) {
    await rm(join(directory, `${name}.zip`), { force: true });
    record.delete(name);
  }
  if (gone.length > 0) await writeBuildRecord(directory, record);
}

async function buildNested(
  files: readonly LocalFile[],
  request: BuildRequest,
  buildDirectory: string,
  depth: number,
): Promise<Record<string, BuiltProject>> {
  const nested: Record<string, BuiltProject> = {};
  for (const { path, source, isTemplate, place } of files) {
    if (!isTemplate) continue;
    const logicalId = String(path[1]);
    if (depth >= MAX_DEPTH) {
      const at = `${request.file}:${place.line}:${place.column}`;
      throw new OperatorError('template-unbuildable', {
        place: at,
        reason: `more than ${MAX_DEPTH} stacks are nested`,
      });
    }
    const directory = join(buildDirectory, logicalId);
    nested[logicalId] = await buildTemplate(
      { ...request, file: source, buildDirectory: directory, parameters: new Map() },
      depth + 1,
    );
  }
  return nested;
}

/** The template with the zips in place of the sources, and with other local files relative to its new directory. */
function withBuilt(
  { body: source }: ProjectTemplate,
  artifacts: readonly Artifact[],
  files: readonly LocalFile[],
  nested: Readonly<Record<string, BuiltProject>>,
  buildDirectory: string,
): JsonObject {
  const body = copy(source);
  for (const { logicalId, path } of artifacts) setAt(body, path, `${logicalId}.zip`);
  for (const { path, source: from } of files) {
    const built = nested[String(path[1])]?.template;
    setAt(body, path, relative(buildDirectory, built ?? from));
  }
  // Each function has its own location now. This one is relative to another directory.
  const globals = section(section(body, 'Globals'), 'Function');
  if (typeof globals.CodeUri === 'string' && !globals.CodeUri.startsWith('s3://')) delete globals.CodeUri;
  if (Object.keys(globals).length === 0 && isObject(body.Globals)) delete body.Globals.Function;
  if (isObject(body.Globals) && Object.keys(body.Globals).length === 0) delete body.Globals;
  return body;
}

/** Sets a value, and makes the objects on the way to it that are missing. */
export function setAt(body: JsonObject, path: Path, value: Json): void {
  let node: Json = body;
  for (const step of path.slice(0, -1)) {
    const next: Json | undefined = Array.isArray(node) ? node[Number(step)] : member(node, String(step));
    if (next !== undefined && next !== null) node = next;
    else if (isObject(node)) node = node[String(step)] = object();
  }
  const last = path.at(-1);
  if (Array.isArray(node)) node[Number(last)] = value;
  else if (isObject(node)) node[String(last)] = value;
}

/** Sizes of functions with the layers that this template builds; other layers are not known. */
function functionSizes(
  body: JsonObject,
  artifacts: readonly Artifact[],
  built: readonly BuiltArtifact[],
): FunctionSize[] {
  const bytesOf = new Map(built.map(({ logicalId, unzippedBytes }) => [logicalId, unzippedBytes]));
  const globals = section(section(body, 'Globals'), 'Function');
  return artifacts.flatMap(({ logicalId, kind, type }) => {
    const own = bytesOf.get(logicalId);
    if (kind !== 'function' || own === undefined) return [];
    const properties = section(member(section(body, 'Resources'), logicalId), 'Properties');
    const inherited = type === 'AWS::Serverless::Function' ? [member(globals, 'Layers')] : [];
    const layers = [...inherited, member(properties, 'Layers')]
      .flatMap((list) => (Array.isArray(list) ? list : []))
      .map((layer) => String(member(layer, 'Ref')))
      .filter((name) => bytesOf.has(name));
    const unzippedBytes = layers.reduce((total, name) => total + (bytesOf.get(name) ?? 0), own);
    return { logicalId, unzippedBytes, layers };
  });
}

async function replaceFile(file: string, text: string): Promise<void> {
  const unfinished = `${file}.${process.pid}.part`;
  await writeFile(unfinished, text);
  await rename(unfinished, file);
}
