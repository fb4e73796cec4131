/**
 * Handlers -> one JavaScript file each, by esbuild: what they import is in it, what they do not use is not. In the
 * package the bundle takes the place of its sources and of node_modules; every other file stays, because a function may
 * read it. Packages named as external are packed whole, with those that they need.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { BuildOptions, OutputFile } from 'esbuild';
import { OperatorError } from '../../operator-error.ts';
import type { ZipEntry } from '../zip-writer.ts';
import { externalPackages } from './external-packages.ts';
import type { IgnoreRules } from './lamella-ignore.ts';

export type BundleOptions = {
  /** Packages to leave as they are, in node_modules. */
  readonly external?: readonly string[];
  readonly minify?: boolean;
  /** A map beside each file, so that traces show the source; true unless said otherwise. */
  readonly sourceMap?: boolean;
  /** As the source's package says (`"type": "module"`, .mts) unless said otherwise. */
  readonly format?: 'esm' | 'cjs';
  /** The oldest Node that is to run it; `node20` unless said otherwise. */
  readonly target?: string;
};

export const DEFAULT_TARGET = 'node20';

/** In ES modules there is no `require`, and CommonJS packages inside a bundle ask for one. */
const REQUIRE_BANNER =
  "import { createRequire as lamellaCreateRequire } from 'node:module';\n" +
  'const require = lamellaCreateRequire(import.meta.url);\n';

const TYPESCRIPT = /(?<!\.d)\.(ts|mts|cts|tsx)$/;
const SOURCE_ENDINGS = ['.ts', '.mts', '.cts', '.tsx', '.mjs', '.js', '.cjs', '.jsx'];
const COMMON_NAMES = ['index', 'src/index', 'handler', 'src/handler', 'app', 'src/app', 'main', 'src/main', 'lambda'];
/** Of no use once everything is bundled. */
const BUILD_FILES = /^(package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|tsconfig(\.\w+)*\.json)$/;

/** Whether a file is TypeScript that becomes JavaScript (declarations do not). */
export function isTypeScript(path: string): boolean {
  return TYPESCRIPT.test(path);
}

/** The files of `paths` that hold the handlers. Throws `OperatorError` `handler-source-missing`. */
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
    const folder = handler.slice(0, handler.lastIndexOf('/') + 1);
    const [name = ''] = handler.slice(folder.length).split('.', 1);
    const source = known.has(handler) ? handler : sourceOf(folder + name);
    if (source === undefined) {
      const what = `the file of the handler ${handler}`;
      throw new OperatorError('handler-source-missing', { what, tried: `${folder}${name}${SOURCE_ENDINGS.join('|')}` });
    }
    return source;
  });
}

/** The package's entries with the bundles in it. Throws `OperatorError` `bundle-failed`. */
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
      // Names stand in traces and in handlers' own logs.
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

/** What every use of esbuild here has in common. Output is named from `directory`, so that maps say nothing else. */
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

/** Runs esbuild; what it finds wrong is an `OperatorError` `bundle-failed` with its places. */
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

/** Of which kind the JavaScript of a source is, by Node's own rules. */
export async function formatOf(directory: string, source: string): Promise<'esm' | 'cjs'> {
  if (/\.(mts|mjs)$/.test(source)) return 'esm';
  if (/\.(cts|cjs)$/.test(source)) return 'cjs';
  for (let folder = dirname(source); ; folder = dirname(folder)) {
    const text = await readFile(join(directory, folder, 'package.json'), 'utf8').catch(() => undefined);
    if (text !== undefined) return /"type"\s*:\s*"module"/.test(text) ? 'esm' : 'cjs';
    if (folder === '.') return 'cjs';
  }
}

function isKept(path: string, inputs: ReadonlySet<string>, sources: readonly string[]): boolean {
  if (/(^|\/)node_modules(\/|$)/.test(path) || inputs.has(path) || BUILD_FILES.test(path)) return false;
  if (isTypeScript(path) || path.endsWith('.d.ts')) return false;
  // What a compiler left beside the source would be found before the bundle.
  const compiled = /^(.*)\.(js|mjs|cjs)(\.map)?$/.exec(path)?.[1];
  return compiled === undefined || !sources.some((source) => stem(source) === compiled);
}

function stem(path: string): string {
  return path.replace(/\.\w+$/, '');
}
