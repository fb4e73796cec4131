/** The build methods: which plan an artifact gets. */
import { existsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OperatorError } from '../../operator-error.ts';
import { entriesOfDirectory } from '../../packaging/directory-entries.ts';
import { findHandlerSource, isTypeScript } from '../../packaging/function/bundle-handlers.ts';
import { planFunction } from '../../packaging/function/package-function.ts';
import { parseJson } from '../../protocol/json.ts';
import type { Artifact } from './artifacts.ts';
import { planMakefile } from './build-makefile.ts';
import { planEsbuild, planNodejs } from './build-node.ts';
import { planComposer, planPhp } from './build-php.ts';
import type { BuildContext, BuildPlan } from './build-plan.ts';
import { readBuildProperties } from './build-properties.ts';

type PlanArtifact = (artifact: Artifact, context: BuildContext) => Promise<BuildPlan>;

const METHODS: Readonly<Record<string, PlanArtifact>> = {
  none: planPackage,
  php: planPhp,
  composer: planComposer,
  nodejs: planNodejs,
  esbuild: planEsbuild,
  makefile: planMakefile,
};

/** Those of SAM that are built in another language's own way. */
const NODE_RUNTIME = /^nodejs\d+\.x$/;

/** Whether an artifact is built, not only packaged: `lamella dev` can mount the others as they are. */
export function isBuilt(artifact: Artifact): boolean {
  return artifact.method !== undefined && artifact.method !== 'none';
}

/**
 * Plans the build of one artifact. Nothing is run yet.
 * @throws OperatorError 'build-method-unknown', 'build-property', 'build-failed', 'file-unreadable' and those of layers
 */
export async function planArtifact(artifact: Artifact, context: BuildContext): Promise<BuildPlan> {
  const { method = 'none', logicalId, place } = artifact;
  const name = NODE_RUNTIME.test(method) ? 'nodejs' : method;
  const plan = Object.hasOwn(METHODS, name) ? METHODS[name] : undefined;
  if (plan === undefined) {
    const where = `${place.file === undefined ? '' : `${place.file}:`}${place.line}:${place.column}`;
    throw new OperatorError('build-method-unknown', {
      place: where,
      logicalId,
      method,
      known: Object.keys(METHODS).join(', '),
    });
  }
  // A PHP layer needs no sources.
  if (name !== 'php' && !existsSync(artifact.source)) {
    throw new OperatorError('file-unreadable', {
      file: artifact.source,
      reason: `no such file or directory (${logicalId})`,
    });
  }
  return plan(artifact, context);
}

/** Without a build method: the directory as it is, except that the TypeScript of a handler is bundled. */
async function planPackage(artifact: Artifact, context: BuildContext): Promise<BuildPlan> {
  readBuildProperties(artifact, []);
  const { source, kind, logicalId } = artifact;
  if (statSync(source).isFile()) return planFile(artifact);
  const found = kind === 'function' ? await handlerSource(artifact) : undefined;
  // As SAM does for managed runtimes.
  if (found === undefined && (await needsNpm(artifact))) return planNodejs(artifact, context);
  const excluded = ownFiles(artifact, context);
  return {
    description: found === undefined ? 'packaged as it is' : 'bundled',
    inputs: undefined,
    async build(use) {
      const { entries, leftOut, warnings } = await planFunction({
        directory: source,
        bundle: true,
        excluded,
        ...(found === undefined ? { compiles: false } : { handlers: [artifact.handler ?? ''] }),
      });
      return use({
        entries,
        leftOut,
        warnings: [...warnings, ...missingPackages(artifact, context, entries)].map(
          (warning) => `${logicalId}: ${warning}`,
        ),
      });
    },
  };
}

/** What belongs to the project and not to the code, relative to the source directory: the template, its settings, builds. */
function ownFiles({ source }: Artifact, { template, buildDirectory, directory }: BuildContext): string[] {
  const settings = ['samconfig.toml', 'samconfig.yaml', 'samconfig.yml'].map((name) => join(directory, name));
  return [template, buildDirectory, join(directory, '.aws-sam'), ...settings]
    .filter((path) => path.startsWith(`${source}/`))
    .map((path) => path.slice(source.length + 1));
}

/** A source file that is not a zip is a package of its own, as AWS's tools make it. */
function planFile({ source }: Artifact): BuildPlan {
  return {
    description: 'one file',
    inputs: undefined,
    build: (use) =>
      use({
        entries: [
          {
            path: source.split('/').at(-1) ?? '',
            mode: statSync(source).mode & 0o777,
            content: { kind: 'file', source },
          },
        ],
        leftOut: [],
        warnings: [],
      }),
  };
}

/** The TypeScript file of a handler, for functions that may have one. */
async function handlerSource({ source, runtime = '', handler }: Artifact): Promise<string | undefined> {
  if (handler === undefined || !/^(nodejs|provided)/.test(runtime)) return undefined;
  const admits = (path: string) => !/(^|\/)(node_modules|vendor|\.git|\.aws-sam)(\/|$)/.test(path);
  const paths = (await entriesOfDirectory(source, { admits })).map(({ path }) => path);
  try {
    return findHandlerSource(paths, [handler]).find(isTypeScript);
  } catch (failure) {
    if (failure instanceof OperatorError && failure.code === 'handler-source-missing') return undefined;
    throw failure;
  }
}

/** Whether a Node.js function names packages that are not installed. */
async function needsNpm({ source, kind, runtime = '' }: Artifact): Promise<boolean> {
  if (kind !== 'function' || !runtime.startsWith('nodejs') || existsSync(join(source, 'node_modules'))) return false;
  const text = await readFile(join(source, 'package.json'), 'utf8').catch(() => '{}');
  const { dependencies = {} } = readJsonObject(text);
  return Object.keys(dependencies as object).length > 0;
}

/** Empty if the text is not an object: npm reports it. */
function readJsonObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value = parseJson(text);
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
  } catch {
    return {};
  }
}

/** Files of other tools' dependencies, which are not installed here. */
function missingPackages(
  { source, runtime = '', kind }: Artifact,
  { hasVendorLayer }: BuildContext,
  entries: readonly { readonly path: string }[],
): string[] {
  if (kind === 'layer') return [];
  const hasVendor = hasVendorLayer || entries.some(({ path }) => path.startsWith('vendor/'));
  if (runtime.startsWith('python') && existsSync(join(source, 'requirements.txt'))) {
    return ['requirements.txt is not installed: run `pip install -t`, or use BuildMethod makefile.'];
  }
  if (existsSync(join(source, 'composer.json')) && !hasVendor) {
    return ['there is a composer.json and no vendor directory: use BuildMethod composer, here or in a layer.'];
  }
  return [];
}
