/**
 * Bundles each handler into one JavaScript file with esbuild. In the package, bundles replace their sources and
 * node_modules; every other file stays, because the function may read it. External packages are packed unbundled, with
 * their dependencies (`external-packages.ts`).
 */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { BuildOptions, OutputFile } from 'esbuild';
import { OperatorError } from '../../operator-error.ts';
import type { ZipEntry } from '../zip-writer.ts';
import { externalPackages } from './external-packages.ts';
import type { IgnoreRules } from './lamella-ignore.ts';

export type BundleOptions = {
  /** Packages to pack unbundled, in node_modules. */
  readonly external?: readonly string[];
  readonly minify?: boolean;
  /** Whether to write source maps, so that stack traces show the source. Defaults to true. */
  readonly sourceMap?: boolean;
  /** Defaults to the format that Node derives from the source's name and package.json. */
  readonly format?: 'esm' | 'cjs';
  /** The oldest Node version that runs the code. Defaults to `DEFAULT_TARGET`. */
  readonly target?: string;
};

export const DEFAULT_TARGET = 'node20';

/** Defines `require`, which ES modules lack and bundled CommonJS packages call. */
const REQUIRE_BANNER =
  "import { createRequire as lamellaCreateRequire } from 'node:module';\n" +
  'const require = lamellaCreateRequire(import.meta.url);\n';

const TYPESCRIPT = /(?<!\.d)\.(ts|mts|cts|tsx)$/;
const SOURCE_ENDINGS = ['.ts', '.mts', '.cts', '.tsx', '.mjs', '.js', '.cjs', '.jsx'];
const COMMON_NAMES = ['index', 'src/index', 'handler', 'src/handler', 'app', 'src/app', 'main', 'src/main', 'lambda'];
/** Left out when the code is bundled. */
const BUILD_FILES = /^(package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|tsconfig(\.\w+)*\.json)$/;

/** Whether a file is TypeScript, but not a declaration file. */
export function isTypeScript(path: string): boolean {
  return TYPESCRIPT.test(path);
}

/**
 * Finds the source file of each handler (`src/hello.handler`) among `paths`; without handlers, a TypeScript file with a
 * common name. Throws `OperatorError` `handler-source-missing`.
 */
export function findHandlerSource(paths: readonly string[], handlers: readonly string[] | undefined): string[] {
  const known = new Set(paths);
  const sourceOf = (stem: string) => SOURCE_ENDINGS.map((ending) => stem + ending).find((path) => known.has(path));
  if (handlers === undefined) {
    const found = COMMON_NAMES.flatMap((name) => sourceOf(name) ?? []).find(isTypeScript);
    if (found !== undefined) return [found];
    throw new OperatorError('handler-source-missing', {
      what: 'the file with the handler',
      tried: COMMON_NAMES.join(', '),
    });
  }
  return handlers.map((handler) => {
    const parent = handler.slice(0, handler.lastIndexOf('/') + 1);
    const [name = ''] = handler.slice(parent.length).split('.', 1);
    const source = known.has(handler) ? handler : sourceOf(parent + name);
    if (source === undefined) {
      const what = `the file of the handler ${handler}`;
      throw new OperatorError('handler-source-missing', { what, tried: `${parent}${name}${SOURCE_ENDINGS.join('|')}` });
    }
    return source;
  });
}

/** Returns the package's entries, with bundles in place of their sources. Throws `OperatorError` `bundle-failed`. */
export async function bundleHandlers(
  directory: string,
  sources: readonly string[],
  found: readonly ZipEntry[],
  rules: IgnoreRules,
  options: BundleOptions,
): Promise<{ entries: readonly ZipEntry[]; bundles: readonly string[]; missing: readonly string[] }> {
  const { external = [], minify = false } = options;
  const outputs: OutputFile[] = [];
  const inputs = new Set<string>();
  for (const format of ['esm', 'cjs'] as const) {
    const entryPoints: { in: string; out: string }[] = [];
    for (const source of sources) {
      if ((options.format ?? (await formatOf(directory, source))) === format) {
        entryPoints.push({ in: join(directory, source), out: stem(source) });
      }
    }
    if (entryPoints.length === 0) continue;
    const { outputFiles, metafile } = await runEsbuild(directory, {
      ...commonOptions(directory, format, options),
      entryPoints,
      minify,
      // Function and class names appear in stack traces and logs.
      keepNames: minify,
      bundle: true,
      treeShaking: true,
      metafile: true,
      external: external.flatMap((name) => [name, `${name}/*`]),
      outExtension: { '.js': format === 'esm' ? '.mjs' : '.cjs' },
      ...(format === 'esm' && { mainFields: ['module', 'main'], banner: { js: REQUIRE_BANNER } }),
    });
    outputs.push(...(outputFiles ?? []));
    for (const input of Object.keys(metafile?.inputs ?? {})) inputs.add(input);
  }
  const made = outputs.map(
    ({ path, contents }): ZipEntry => ({
      path: path.slice(directory.length + 1),
      mode: 0o644,
      content: { kind: 'bytes', bytes: Buffer.from(contents) },
    }),
  );
  const packed = await externalPackages(directory, external, rules);
  const kept = [...found.filter(({ path }) => isKept(path, inputs, sources)), ...packed.entries];
  const bundles = made.map(({ path }) => path).filter((path) => !path.endsWith('.map'));
  const paths = new Set(made.map(({ path }) => path));
  const entries = [...kept.filter(({ path }) => !paths.has(path)), ...made];
  return { entries, bundles: bundles.sort(), missing: packed.missing };
}

/** esbuild options of bundling and of type stripping. Paths in source maps are relative to `directory`. */
export function commonOptions(directory: string, format: 'esm' | 'cjs', options: BundleOptions): BuildOptions {
  const { sourceMap = true, target = DEFAULT_TARGET } = options;
  return {
    absWorkingDir: directory,
    outdir: directory,
    write: false,
    platform: 'node',
    format,
    target,
    sourcemap: sourceMap ? 'linked' : false,
    sourcesContent: false,
    logLevel: 'silent',
    charset: 'utf8',
  };
}

/** Runs esbuild. Throws `OperatorError` `bundle-failed` with esbuild's messages and positions. */
export async function runEsbuild(directory: string, options: BuildOptions) {
  const esbuild = await import('esbuild');
  try {
    return await esbuild.build(options);
  } catch (failure) {
    const { errors } = failure as { errors?: Parameters<typeof esbuild.formatMessages>[0] };
    if (errors === undefined) throw failure;
    const messages = await esbuild.formatMessages(errors, { kind: 'error' });
    throw new OperatorError('bundle-failed', { directory, reason: messages.join('\n').trim() }, failure);
  }
}

/** The module format of a source, by Node's rules: its extension, then the nearest package.json. */
export async function formatOf(directory: string, source: string): Promise<'esm' | 'cjs'> {
  if (/\.(mts|mjs)$/.test(source)) return 'esm';
  if (/\.(cts|cjs)$/.test(source)) return 'cjs';
  for (let parent = dirname(source); ; parent = dirname(parent)) {
    const text = await readFile(join(directory, parent, 'package.json'), 'utf8').catch(() => undefined);
    if (text !== undefined) return /"type"\s*:\s*"module"/.test(text) ? 'esm' : 'cjs';
    if (parent === '.') return 'cjs';
  }
}

function isKept(path: string, inputs: ReadonlySet<string>, sources: readonly string[]): boolean {
  if (/(^|\/)node_modules(\/|$)/.test(path) || inputs.has(path) || BUILD_FILES.test(path)) return false;
  if (isTypeScript(path) || path.endsWith('.d.ts')) return false;
  // Node would load a compiler's output beside the source in place of the bundle.
  const compiled = /^(.*)\.(js|mjs|cjs)(\.map)?$/.exec(path)?.[1];
  return compiled === undefined || !sources.some((source) => stem(source) === compiled);
}

function stem(path: string): string {
  return path.replace(/\.\w+$/, '');
}
