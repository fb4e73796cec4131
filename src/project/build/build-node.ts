/**
 * `BuildMethod: nodejs` (or `nodejs22.x`): the code with the packages that npm installs for production. `BuildMethod:
 * esbuild`, as SAM has it: one bundle for each entry point, and nothing else. npm runs in a copy.
 * https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-using-build-typescript.html
 */
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildOptions, Loader } from 'esbuild';
import { OperatorError } from '../../operator-error.ts';
import { entriesOfDirectory } from '../../packaging/directory-entries.ts';
import { runEsbuild } from '../../packaging/function/bundle-handlers.ts';
import { planFunction } from '../../packaging/function/package-function.ts';
import { runTool } from '../../packaging/run-tool.ts';
import type { ZipEntry } from '../../packaging/zip-writer.ts';
import { parseJson } from '../../protocol/json.ts';
import type { Artifact } from './artifacts.ts';
import type { BuildContext, BuildPlan } from './build-plan.ts';
import { type BuildProperties, readBuildProperties } from './build-properties.ts';
import { digestOf, digestOfEntries } from './digests.ts';
import { copySources, inWorkspace } from './workspace.ts';

/** What npm reads of a project. */
const NPM_FILES = ['package.json', 'package-lock.json', 'npm-shrinkwrap.json', '.npmrc'];
const LOCK_FILES = ['package-lock.json', 'npm-shrinkwrap.json'];
const SHOWN_LINES = 15;

/** The code of a function with node_modules, or a layer with `nodejs/node_modules`. */
export async function planNodejs(artifact: Artifact, context: BuildContext): Promise<BuildPlan> {
  readBuildProperties(artifact, ['UseNpmCi']);
  const { source, kind } = artifact;
  const prefix = kind === 'layer' ? 'nodejs/' : '';
  const own = await planFunction({
    directory: source,
    bundle: false,
    compiles: kind === 'function',
    excluded: ['node_modules'],
  });
  const entries = own.entries.map((entry) => ({ ...entry, path: prefix + entry.path }));
  const { leftOut } = own;
  const project = await readNpmProject(artifact);
  return {
    description: 'npm',
    inputs: digestOf('nodejs', prefix, project.files, await digestOfEntries(entries)),
    build: (use) =>
      withPackages(artifact, project, context, async (directory) => {
        const modules = join(directory, 'node_modules');
        const installed = existsSync(modules)
          ? await entriesOfDirectory(modules, {
              prefix: `${prefix}node_modules/`,
              admits: (path) => path !== '.package-lock.json',
            })
          : [];
        const warnings = [...own.warnings.filter((warning) => !/empty/.test(warning)), ...project.warnings];
        return use({ entries: [...entries, ...installed], leftOut, warnings });
      }),
  };
}

/** One bundle for each of `EntryPoints`. */
export async function planEsbuild(artifact: Artifact, context: BuildContext): Promise<BuildPlan> {
  const properties = readBuildProperties(artifact, ESBUILD_PROPERTIES);
  const points = properties.list('EntryPoints') ?? [];
  if (points.length === 0) {
    throw failed(
      artifact,
      'BuildProperties has no EntryPoints',
      'List the source files, such as EntryPoints: [src/app.ts].',
    );
  }
  const project = existsSync(join(artifact.source, 'package.json')) ? await readNpmProject(artifact) : undefined;
  const isInstalled =
    project === undefined || !project.hasDependencies || existsSync(join(artifact.source, 'node_modules'));
  const bundle = async (directory: string): Promise<ZipEntry[]> => {
    const options = esbuildOptions(directory, points, properties);
    const { outputFiles = [] } = await runEsbuild(directory, options);
    return outputFiles.map(({ path, contents }) => ({
      path: path.slice(join(directory, OUTPUT).length + 1),
      mode: 0o644,
      content: { kind: 'bytes', bytes: Buffer.from(contents) },
    }));
  };
  const contentsOf = async (directory: string) => ({
    entries: await bundle(directory),
    leftOut: [],
    warnings: project?.warnings ?? [],
  });
  return {
    description: 'esbuild',
    // Bundling costs less than reading everything that it might read.
    inputs: undefined,
    async build(use) {
      if (isInstalled || project === undefined) return use(await contentsOf(artifact.source));
      return withPackages(artifact, project, context, async (directory) => {
        await copySources(artifact.source, directory, [
          context.buildDirectory,
          ...NPM_FILES.map((name) => join(artifact.source, name)),
        ]);
        return use(await contentsOf(directory));
      });
    },
  };
}

/** SAM's options of esbuild, and their defaults. */
const ESBUILD_PROPERTIES = [
  ...['EntryPoints', 'External', 'Format', 'KeepNames', 'Loader', 'MainFields', 'Minify', 'OutExtension', 'Sourcemap'],
  ...['SourcesContent', 'Target', 'Banner', 'UseNpmCi'],
];
/** Below the source directory only by name: esbuild does not write here. */
const OUTPUT = '.lamella-bundle';

function esbuildOptions(directory: string, points: readonly string[], properties: BuildProperties): BuildOptions {
  const pairs = (name: string) =>
    Object.fromEntries(
      (properties.list(name) ?? []).map((pair) => [pair.split('=', 1)[0], pair.slice(pair.indexOf('=') + 1)]),
    );
  const format = properties.choice('Format', ['cjs', 'esm'] as const) ?? 'cjs';
  const mainFields = properties.list('MainFields');
  return {
    absWorkingDir: directory,
    entryPoints: points.map((point) => join(directory, point)),
    outdir: join(directory, OUTPUT),
    write: false,
    bundle: true,
    platform: 'node',
    format,
    target: (properties.list('Target') ?? ['es2020']) as string[],
    minify: properties.flag('Minify') ?? true,
    keepNames: properties.flag('KeepNames') ?? false,
    sourcemap: properties.flag('Sourcemap') ?? false,
    sourcesContent: properties.flag('SourcesContent') ?? true,
    external: properties.list('External') ?? [],
    outExtension: pairs('OutExtension'),
    loader: pairs('Loader') as Record<string, Loader>,
    banner: pairs('Banner'),
    ...(mainFields && { mainFields }),
    logLevel: 'silent',
    charset: 'utf8',
  };
}

type NpmProject = {
  readonly hasDependencies: boolean;
  readonly hasLock: boolean;
  readonly files: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
};

async function readNpmProject(artifact: Artifact): Promise<NpmProject> {
  const { source, logicalId } = artifact;
  const files: Record<string, string> = {};
  for (const name of NPM_FILES) {
    const text = await readFile(join(source, name), 'utf8').catch(() => undefined);
    if (text !== undefined) files[name] = text;
  }
  const text = files['package.json'];
  if (text === undefined)
    throw failed(artifact, `there is no ${join(source, 'package.json')}`, 'Write one, or leave out BuildMethod.');
  const dependencies = dependenciesOf(artifact, text);
  const local = Object.entries(dependencies).find(([, version]) => /^(file|link|workspace):/.test(String(version)));
  if (local !== undefined) {
    throw failed(
      artifact,
      `the package ${local[0]} is a local directory (${local[1]}), which npm cannot install in a copy`,
      'Bundle the code with BuildMethod esbuild, or use makefile.',
    );
  }
  const hasDependencies = Object.keys(dependencies).length > 0;
  const hasLock = LOCK_FILES.some((name) => files[name] !== undefined);
  const warning = `${logicalId}: without a package-lock.json, npm may install other versions each time.`;
  return { hasDependencies, hasLock, files, warnings: hasDependencies && !hasLock ? [warning] : [] };
}

function dependenciesOf(artifact: Artifact, text: string): Readonly<Record<string, unknown>> {
  try {
    const { dependencies, optionalDependencies } = (parseJson(text) ?? {}) as Record<
      string,
      Record<string, unknown> | undefined
    >;
    return { ...dependencies, ...optionalDependencies };
  } catch (failure) {
    throw failed(
      artifact,
      `${join(artifact.source, 'package.json')} is not valid JSON: ${(failure as Error).message}`,
      'Correct the file.',
    );
  }
}

/** Calls `use` with a directory in which npm has installed the packages for production. */
async function withPackages<Result>(
  artifact: Artifact,
  { files, hasLock, hasDependencies }: NpmProject,
  { onProgress, signal }: BuildContext,
  use: (directory: string) => Promise<Result>,
): Promise<Result> {
  return inWorkspace(async (workspace) => {
    // Not the workspace itself: npm would look for a project above it.
    const directory = join(workspace, 'package');
    await mkdir(directory);
    for (const name of Object.keys(files)) await copyFile(join(artifact.source, name), join(directory, name));
    if (hasDependencies) {
      const command = [hasLock ? 'ci' : 'install', '--omit=dev', '--no-audit', '--no-fund', '--no-progress'];
      const { code, stdout, stderr } = await runTool({
        command: 'npm',
        arguments: command,
        directory,
        onLine: onProgress,
        signal,
      });
      if (code !== 0) {
        const output = `${stdout}\n${stderr}`.trim().split('\n').slice(-SHOWN_LINES).join('\n');
        throw failed(
          artifact,
          `npm ${command[0]} ended with ${code}:\n${output}`,
          'Correct package.json, or check that npm reaches its registry (`npm ping`).',
        );
      }
    }
    return use(directory);
  });
}

function failed({ logicalId }: Artifact, reason: string, remedy: string): OperatorError {
  return new OperatorError('build-failed', { logicalId, reason, remedy });
}
