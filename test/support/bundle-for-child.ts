/**
 * Lets a test run TypeScript of this repository in a process of its own, which it can kill. Node 20 cannot read
 * TypeScript, so the script is bundled first; packages stay outside and are found through a link.
 */
import { existsSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';

const ROOT = resolve(import.meta.dirname, '../..');

/** Bundles `source`, whose relative imports start at `from`, into a file in `folder`; answers its path. */
export async function bundleForChild(folder: string, source: string, from: string): Promise<string> {
  const outfile = join(folder, 'child.mjs');
  const packages = join(folder, 'node_modules');
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
