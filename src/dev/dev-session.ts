/**
 * Keeps a running service equal to a project: deploys its template, and again when the template or a layer changes.
 * Changes of code need no deployment, because the code is mounted (`sources.ts`). An error leaves what ran before.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Cancel, Clock } from '../clock.ts';
import type { EmbeddedLamella } from '../lamella.ts';
import { OperatorError } from '../operator-error.ts';
import type { LocalFile } from '../project/build/artifacts.ts';
import type { Scope } from '../protocol/names.ts';
import { knownTypes } from '../stacks/providers/known-types.ts';
import { type TreeWatch, watchTree } from '../storage/watch-tree.ts';
import type { Place } from '../template/places.ts';
import { TemplateError } from '../template/template-error.ts';
import { type Json, section } from '../template/tree.ts';
import { validateTemplate } from '../template/validate-template.ts';
import { type DeployedStack, deployStack, type StackFailure } from './deploy-stack.ts';
import { type EnvFile, readVariables } from './environment-files.ts';
import { type Project, type ProjectPlace, readProject, renderProject, stackNameOf } from './project.ts';
import { type BuildResult, DEV_BUCKET, type Sources } from './sources.ts';

/** Something that the developer has to repair. */
export type Problem = {
  readonly message: string;
  readonly place?: Place | undefined;
  readonly suggestion?: string | undefined;
};

export type DevEvent =
  | {
      readonly kind: 'deployed';
      readonly stack: DeployedStack;
      readonly project: Project;
      readonly ms: number;
      readonly isFirst: boolean;
    }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[]; readonly isFirst: boolean }
  | { readonly kind: 'built'; readonly logicalId: string; readonly ms: number }
  | { readonly kind: 'changed'; readonly paths: readonly string[]; readonly functions: readonly string[] };

export type DevSessionOptions = {
  readonly place: ProjectPlace;
  readonly service: Pick<EmbeddedLamella, 'call' | 'writeObject' | 'hotDirectories' | 'url'>;
  readonly sources: Sources;
  readonly scope: Scope;
  readonly parameters: ReadonlyMap<string, string>;
  readonly envFiles: readonly EnvFile[];
  readonly envVars: string | undefined;
  /** Names of variables in these files that functions do not get. */
  readonly onLeftOut: (names: readonly string[]) => void;
  readonly report: (event: DevEvent) => void;
  readonly clock: Clock;
};

export type DevSession = {
  /** Deploys for the first time. */
  start(): Promise<void>;
  /** Deploys again, because a source has changed. */
  refresh(): void;
  /** A function was built again after a change, or could not be. */
  built(logicalId: string, result: BuildResult): void;
  close(): Promise<void>;
};

/** Milliseconds without a change after which a deployment begins, and after which changes of code are reported. */
const QUIET_MS = 50;

export function createDevSession(options: DevSessionOptions): DevSession {
  const { place, service, sources, scope, clock, report } = options;
  const watches: TreeWatch[] = [];
  let isFirst = true;
  let isClosed = false;
  let isWanted = false;
  let running: Promise<void> | undefined;
  let cancelWanted: Cancel | undefined;
  let project: Project | undefined;
  let hasBucket = false;
  let hasFailed = false;

  const upload = async (key: string, content: Buffer) => {
    if (!hasBucket) await service.call(scope, 's3', 'CreateBucket', { Bucket: DEV_BUCKET }).catch(ignoreExisting);
    hasBucket = true;
    await service.writeObject(DEV_BUCKET, key, content);
  };

  const deploy = async (): Promise<void> => {
    const startMs = clock.monotonicMs();
    const variables = readVariables(options.envFiles, options.envVars);
    if (variables.leftOut.length > 0) options.onLeftOut(variables.leftOut);
    const read = await readProject(place, options.parameters);
    project = read;
    const locations = await sources.locate(read.artifacts, read.file);
    const files = await uploadFiles(read.files, upload);
    const text = renderProject(read, { locations, files, variables });
    const key = 'template.json';
    await upload(key, Buffer.from(text));
    const parameters = declaredOf(read, options.parameters);
    const result = await deployStack(
      { call: service.call, scope, clock },
      { name: stackNameOf(place), templateUrl: `${service.url}/${DEV_BUCKET}/${key}`, parameters },
    );
    if ('failure' in result) throw new DeploymentFailure(result);
    report({ kind: 'deployed', stack: result, project: read, ms: clock.monotonicMs() - startMs, isFirst });
    isFirst = false;
  };

  const deployOnce = async (): Promise<void> => {
    while (isWanted && !isClosed) {
      isWanted = false;
      try {
        await deploy();
        hasFailed = false;
      } catch (failure) {
        const problems = await problemsOf(failure, project, scope.region, options.parameters);
        if (problems === undefined) throw failure;
        hasFailed = true;
        report({ kind: 'problems', problems, isFirst });
      }
    }
  };
  const begin = (): Promise<void> => {
    isWanted = true;
    running ??= deployOnce().finally(() => {
      running = undefined;
    });
    return running;
  };
  const refresh = () => {
    if (isClosed) return;
    cancelWanted?.();
    cancelWanted = clock.after(QUIET_MS, () => void begin());
  };

  /** Watches single files, also those that do not exist yet. */
  const watchFile = (file: string) => {
    if (!existsSync(dirname(file))) return;
    const watch = watchTree({
      directory: dirname(file),
      ignores: (path) => path !== basename(file),
      onChange: refresh,
      clock,
    });
    watches.push(watch);
  };

  let paths = new Set<string>();
  let directories = new Set<string>();
  let cancelReport: Cancel | undefined;
  const reportChanges = () => {
    const functions =
      project?.artifacts.filter(({ kind, source }) => kind === 'function' && directories.has(source)) ?? [];
    report({ kind: 'changed', paths: [...paths], functions: functions.map(({ logicalId }) => logicalId) });
    paths = new Set();
    directories = new Set();
  };
  const stopListening = service.hotDirectories.onChange((directory, path) => {
    paths.add(path);
    directories.add(directory);
    cancelReport?.();
    cancelReport = clock.after(QUIET_MS, reportChanges);
    // The way in which the code runs may be another one now.
    if (/^(package\.json|node_modules|vendor)$|\.[cm]?tsx?$/.test(path)) refresh();
  });

  return {
    async start() {
      for (const { file } of options.envFiles) watchFile(file);
      if (options.envVars !== undefined) watchFile(options.envVars);
      if (place.file !== undefined) watchFile(place.file);
      await Promise.all(watches.map(({ ready }) => ready));
      await begin();
    },
    refresh,
    built(logicalId, result) {
      if ('ms' in result) {
        report({ kind: 'built', logicalId, ms: result.ms });
        if (hasFailed) refresh();
        return;
      }
      const { failure } = result;
      if (!(failure instanceof OperatorError)) throw failure;
      report({ kind: 'problems', problems: [{ message: failure.message, suggestion: failure.remedy }], isFirst });
    },
    async close() {
      isClosed = true;
      stopListening();
      cancelWanted?.();
      cancelReport?.();
      for (const watch of watches) watch.close();
      sources.close();
      await running?.catch(() => undefined);
    },
  };
}

/** Uploads local files that are no code. */
async function uploadFiles(
  files: readonly LocalFile[],
  upload: (key: string, content: Buffer) => Promise<void>,
): Promise<Map<LocalFile, Json>> {
  const locations = new Map<LocalFile, Json>();
  for (const file of files) {
    const content = await readFile(file.source).catch((failure: Error) => {
      throw new OperatorError('file-unreadable', { file: file.source, reason: failure.message }, failure);
    });
    const key = `${file.path.join('-')}-${basename(file.source)}`;
    await upload(key, content);
    const { form } = file;
    locations.set(
      file,
      typeof form === 'object'
        ? { [form.bucket]: DEV_BUCKET, [form.key]: key }
        : form === 'uri'
          ? `s3://${DEV_BUCKET}/${key}`
          : `https://s3.amazonaws.com/${DEV_BUCKET}/${key}`,
    );
  }
  return locations;
}

class DeploymentFailure extends Error {
  readonly result: StackFailure;

  constructor(result: StackFailure) {
    super(result.failure);
    this.result = result;
  }
}

/** What the developer sees; undefined for a bug. */
async function problemsOf(
  failure: unknown,
  project: Project | undefined,
  region: string,
  parameters: ReadonlyMap<string, string>,
): Promise<readonly Problem[] | undefined> {
  if (failure instanceof TemplateError) return shortList(failure.problems);
  if (failure instanceof OperatorError) return [{ message: failure.message, suggestion: failure.remedy }];
  if (!(failure instanceof DeploymentFailure)) return undefined;
  const { failure: message, causes } = failure.result;
  if (causes.length === 0) {
    const found = project === undefined ? [] : await refusedParts(project, region, parameters);
    return found.length > 0 ? found : [{ message, place: placeIn(message, project) }];
  }
  return causes.map(({ logicalId, reason }) => ({
    message: `${logicalId}: ${reason}`,
    place: placeOf(logicalId, project),
  }));
}

/** Why a template is refused, with places, which the message of an operation does not have. */
async function refusedParts(
  project: Project,
  region: string,
  parameters: ReadonlyMap<string, string>,
): Promise<readonly Problem[]> {
  const given = declaredOf(project, parameters);
  const template = { ...project, format: 'yaml' as const, warnings: [] };
  const problems = await validateTemplate(template, { region, parameters: given, ...(await knownTypes()) });
  return problems.filter(({ isWarning }) => !isWarning);
}

/** The parameters that the template has. */
function declaredOf({ body }: Project, parameters: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const declared = section(body, 'Parameters');
  return new Map([...parameters].filter(([name]) => Object.hasOwn(declared, name)));
}

/** After a syntax error the rest of the text is misread. */
function shortList(problems: readonly Problem[]): readonly Problem[] {
  const [first] = problems;
  return first?.message.includes('not well-formed') ? [first] : problems;
}

/** The resource that a name in the deployed template came from: SAM makes HelloRole from Hello. */
function placeOf(logicalId: string, project: Project | undefined): Place | undefined {
  const names = Object.keys((project?.body.Resources ?? {}) as object).filter((name) => logicalId.startsWith(name));
  const name = names.sort((a, b) => b.length - a.length)[0];
  return name === undefined ? undefined : project?.places.near(['Resources', name]);
}

/** Most messages about a template name its resource in brackets or quotes. */
function placeIn(message: string, project: Project | undefined): Place | undefined {
  const names = Object.keys((project?.body.Resources ?? {}) as object);
  const words = new Set(message.match(/[A-Za-z0-9]+/g) ?? []);
  const name = names.find((candidate) => words.has(candidate));
  return name === undefined ? undefined : project?.places.near(['Resources', name]);
}

function ignoreExisting(failure: unknown): void {
  if (/BucketAlreadyOwnedByYou|BucketAlreadyExists/.test(String((failure as { code?: unknown }).code))) return;
  throw failure;
}
