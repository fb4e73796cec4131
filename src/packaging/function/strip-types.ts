/**
 * Compiles every TypeScript file of a package to JavaScript at the same path: `.ts` becomes `.js`, `.mts` `.mjs` and
 * `.cts` `.cjs`, and imports are renamed accordingly. Nothing is bundled, and types are not checked.
 */
import { join } from 'node:path';
import type { Plugin } from 'esbuild';
import type { ZipEntry } from '../zip-writer.ts';
import { type BundleOptions, commonOptions, formatOf, isTypeScript, runEsbuild } from './bundle-handlers.ts';

const ENDINGS = { '.ts': '.js', '.tsx': '.js', '.mts': '.mjs', '.cts': '.cjs' } as const;
type Ending = keyof typeof ENDINGS;

/** Returns the entries with JavaScript in place of TypeScript. Throws `OperatorError` `bundle-failed`. */
export async function stripTypes(
  directory: string,
  found: readonly ZipEntry[],
  options: BundleOptions,
): Promise<readonly ZipEntry[]> {
  const groups = new Map<string, { format: 'esm' | 'cjs'; ending: Ending; paths: string[] }>();
  const rest: ZipEntry[] = [];
  for (const entry of found) {
    const { path } = entry;
    if (/(^|\/)node_modules\//.test(path) || !isTypeScript(path)) {
      rest.push(entry);
      continue;
    }
    const format = options.format ?? (await formatOf(directory, path));
    const ending = (/\.\w+$/.exec(path)?.[0] ?? '.ts') as Ending;
    const group = groups.get(format + ending) ?? { format, ending, paths: [] };
    group.paths.push(path);
    groups.set(format + ending, group);
  }
  const made: ZipEntry[] = [];
  for (const { format, ending, paths } of groups.values()) {
    const { outputFiles } = await runEsbuild(directory, {
      ...commonOptions(directory, format, options),
      entryPoints: paths.map((path) => ({ in: join(directory, path), out: path.slice(0, -ending.length) })),
      minify: options.minify ?? false,
      // esbuild calls plugins for imports only when it bundles. All imports are external, so each bundle is one file.
      bundle: true,
      plugins: [keepImports],
      outExtension: { '.js': ENDINGS[ending] },
    });
    for (const { path, contents } of outputFiles ?? []) {
      const bytes = Buffer.from(contents);
      made.push({ path: path.slice(directory.length + 1), mode: 0o644, content: { kind: 'bytes', bytes } });
    }
  }
  const paths = new Set(made.map(({ path }) => path));
  return [...rest.filter(({ path }) => !paths.has(path)), ...made];
}

/** Keeps every import external, and renames imports of TypeScript files. */
const keepImports: Plugin = {
  name: 'keep-imports',
  setup(build) {
    build.onResolve({ filter: /.*/ }, ({ path, kind }) => {
      if (kind === 'entry-point') return undefined;
      const renamed = /^\.\.?\//.test(path) ? path.replace(/(?<!\.d)\.(ts|tsx|mts|cts)$/, rename) : path;
      return { path: renamed, external: true };
    });
  },
};

function rename(ending: string): string {
  return ENDINGS[ending as Ending];
}
