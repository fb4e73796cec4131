/**
 * `BuildMethod: php` and `BuildMethod: composer`: the runtime layer with PHP and its extensions, the vendor layer of a
 * Composer project, and functions with their vendor directory. `BuildProperties` have the names of the options of
 * `lamella layer build php`.
 */
import { existsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { OperatorError } from '../../operator-error.ts';
import { installVendor } from '../../packaging/composer/composer-layer.ts';
import { readComposerJson } from '../../packaging/composer/composer-project.ts';
import { planFunction } from '../../packaging/function/package-function.ts';
import { findPhpBuild } from '../../packaging/php/php-builds.ts';
import { PHP_RUNTIME_DIRECTORY, planPhpLayer } from '../../packaging/php/php-layer.ts';
import { projectExtensions } from '../../packaging/php/php-project-extensions.ts';
import type { PhpVariant } from '../../packaging/php/php-variants.ts';
import type { JsonObject } from '../../template/tree.ts';
import type { Artifact } from './artifacts.ts';
import type { BuildContext, BuildPlan } from './build-plan.ts';
import { type BuildProperties, readBuildProperties } from './build-properties.ts';
import { digestOf, digestOfDirectory, digestOfEntries, digestOfFile } from './digests.ts';

const DEFAULT_VERSION = '8.4';
const VARIANTS = ['lean', 'http', 'full'] as const;
/** What a layer or a vendor directory must have in common with the runtime layer. */
const RUNTIME_PROPERTIES = ['Version', 'Variant', 'Extensions'] as const;

/** The runtime layer. */
export async function planPhp(artifact: Artifact, context: BuildContext): Promise<BuildPlan> {
  if (artifact.kind !== 'layer') {
    const reason = 'BuildMethod php builds a runtime layer, not a function';
    throw new OperatorError('build-failed', {
      logicalId: artifact.logicalId,
      reason,
      remedy: 'Leave out BuildMethod to package the code as it is, or use composer to add the vendor directory.',
    });
  }
  const properties = readBuildProperties(artifact, [...RUNTIME_PROPERTIES, 'Base', 'Kerberos', 'Bootstrap', 'Project']);
  const runtime = await runtimeOf(artifact, properties, context);
  const bootstrap = properties.text('Bootstrap');
  const base = properties.choice('Base', ['glibc', 'al2023'] as const);
  const request = {
    ...runtime,
    architecture: artifact.architecture,
    ...(base && { base }),
    ...(properties.flag('Kerberos') && { kerberos: true }),
    ...(bootstrap !== undefined && { bootstrap: resolve(context.directory, bootstrap) }),
  };
  const { package: pinned, fullVersion } = findPhpBuild(request.version, request.architecture);
  const program =
    bootstrap === undefined
      ? await digestOfDirectory(PHP_RUNTIME_DIRECTORY)
      : await digestOfBootstrap(request.bootstrap ?? '');
  return {
    description: `PHP ${fullVersion}`,
    inputs: digestOf('php', pinned, { ...request, bootstrap: bootstrap !== undefined }, program),
    async build(use) {
      const { entries } = await planPhpLayer({
        ...request,
        cacheDir: context.cacheDir,
        onProgress: context.onProgress,
      });
      return use({ entries, leftOut: [], warnings: [] });
    },
  };
}

/** The vendor layer, or a function with its code and its vendor directory. */
export async function planComposer(artifact: Artifact, context: BuildContext): Promise<BuildPlan> {
  const properties = readBuildProperties(artifact, RUNTIME_PROPERTIES, matching(context.phpLayer));
  const runtime = await runtimeOf(artifact, properties, context);
  const { cacheDir, onProgress } = context;
  const own =
    artifact.kind === 'layer'
      ? { entries: [], leftOut: [], warnings: [] }
      : await planFunction({ directory: artifact.source, bundle: false, compiles: false, excluded: ['vendor'] });
  const project = await digestOfProject(artifact.source);
  return {
    description: `composer for PHP ${runtime.version}`,
    inputs: digestOf('composer', runtime, project, await digestOfEntries(own.entries)),
    build: (use) =>
      installVendor({ directory: artifact.source, ...runtime, cacheDir, onProgress }, ({ entries }) =>
        use({ entries: [...own.entries, ...entries], leftOut: own.leftOut, warnings: own.warnings }),
      ),
  };
}

type Runtime = { version: string; variant?: PhpVariant; extensions?: readonly string[] };

/** Version, variant and extensions. `auto` stands for the extensions that the project's composer.json requires. */
async function runtimeOf(artifact: Artifact, properties: BuildProperties, context: BuildContext): Promise<Runtime> {
  const variant = properties.choice('Variant', VARIANTS);
  const runtime = { version: properties.text('Version') ?? DEFAULT_VERSION, ...(variant && { variant }) };
  const names = properties.list('Extensions');
  if (names === undefined) return runtime;
  if (!names.includes('auto')) return { ...runtime, extensions: names };
  const named = properties.text('Project');
  const project = named === undefined ? artifact.source : resolve(context.directory, named);
  const { extensions } = await projectExtensions(project);
  return { ...runtime, extensions: [...extensions, ...names.filter((name) => name !== 'auto')] };
}

function matching(phpLayer: JsonObject | undefined): JsonObject {
  const entries = RUNTIME_PROPERTIES.flatMap((name) =>
    phpLayer?.[name] === undefined ? [] : [[name, phpLayer[name]]],
  );
  return Object.fromEntries(entries) as JsonObject;
}

/** What Composer reads: composer.json, the lock file and the packages of path repositories. */
async function digestOfProject(directory: string): Promise<string> {
  const json = await readComposerJson(directory);
  const lock = await readFile(join(directory, 'composer.lock'), 'utf8').catch(() => '');
  const urls = Object.values(json.repositories ?? []).flatMap((repository) => {
    const { type, url } = (repository ?? {}) as { type?: unknown; url?: unknown };
    return type === 'path' && typeof url === 'string' ? url : [];
  });
  // A pattern such as ../packages/* stands for what is in its directory.
  const paths = urls.map((url) => resolve(directory, url.replace(/[^/]*[*?[{].*$/, '')));
  // Composer looks for the classes in these.
  const classes = [json.autoload?.classmap ?? []].flat().map((path) => resolve(directory, path));
  const local: string[] = [];
  for (const path of [...paths, ...classes]) {
    if (!existsSync(path)) continue;
    const isFile = statSync(path).isFile();
    local.push(isFile ? await digestOfFile(path) : await digestOfDirectory(path, [join(directory, 'vendor')]));
  }
  return digestOf(json, lock, local);
}

async function digestOfBootstrap(file: string): Promise<string> {
  return digestOfFile(file).catch((failure: Error) => {
    throw new OperatorError('file-unreadable', { file, reason: failure.message }, failure);
  });
}
