/**
 * Lets a test run TypeScript of this repository in a child process, which it can kill. Node.js 20 cannot read TypeScript, so
 * the script is bundled first. Packages are not bundled, but found through a link.
 */
import { existsSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';

const ROOT = resolve(import.meta.dirname, '../..');

/** Bundles `source`, whose relative imports start at `from`, into a file in `directory`. Returns its path. */
export async function bundleForChild(directory: string, source: string, from: string): Promise<string> {
  const outfile = join(directory, 'child.mjs');
  const packages = join(directory, 'node_modules');
  if (!existsSync(packages)) symlinkSync(join(ROOT, 'node_modules'), packages);
  await build({
    stdin: { contents: source, resolveDir: from, loader: 'ts' },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'silent',
  });
  return outfile;
}
