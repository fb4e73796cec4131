/** `lamella package`: prints progress and warnings to standard error, and a summary to standard output. */
import { resolve } from 'node:path';
import { packageFunction } from '../../packaging/function/package-function.ts';
import { QUOTAS } from '../../protocol/quotas.ts';
import type { Run } from '../command.ts';
import { megabytes, printStatus, writeJson, writeResult } from '../output.ts';

export const run: Run = async ({ args, given }) => {
  const made = await packageFunction({
    directory: args[0] ?? '.',
    output: resolve(String(given.output ?? 'function.zip')),
    bundle: given.bundle !== false,
    ...(given.handler !== undefined && { handlers: listOf(given.handler) }),
    ...(given.external !== undefined && { external: listOf(given.external) }),
    ...(given.format !== undefined && { format: given.format as 'esm' | 'cjs' }),
    ...(given.target !== undefined && { target: String(given.target) }),
    minify: given.minify === true,
    sourceMap: given.sourceMap !== false,
    onProgress: printStatus,
  });
  for (const warning of made.warnings) printStatus(warning);
  if (made.leftOut.length > 0) {
    printStatus(`Left out: ${shortened(made.leftOut)}. To include one, add !NAME to .lamellaignore.`);
  }
  if (given.json) {
    await writeJson(made);
    return 0;
  }
  const { zip, unzippedBytes, bundles, contents } = made;
  const facts = [
    `${zip.path}: ${megabytes(zip.bytes)} of ${megabytes(QUOTAS.zippedBytes)}, ` +
      `${megabytes(unzippedBytes)} of ${megabytes(QUOTAS.unzippedBytes)} unzipped (including layers), ${zip.entries} files`,
    ...contents
      .slice(0, LISTED)
      .map(
        ({ path, files, bytes }) =>
          `  ${megabytes(bytes).padStart(10)}  ${path}${files > 1 ? ` (${files} files)` : ''}`,
      ),
    ...(contents.length > LISTED ? [`  ... and ${contents.length - LISTED} more`] : []),
    ...bundles.map((bundle) => `Bundle: ${bundle}`),
    ...(zip.bytes > QUOTAS.zippedBytes
      ? ['Too large for a request. Upload the file to S3 and pass its S3 location.']
      : []),
  ];
  await writeResult(`${facts.join('\n')}\n`);
  return 0;
};

/** How many names and parts are printed. */
const LISTED = 20;

function shortened(names: readonly string[]): string {
  const more = names.length - LISTED;
  return names.slice(0, LISTED).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

function listOf(text: unknown): string[] {
  return String(text)
    .split(',')
    .flatMap((name) => name.trim() || []);
}
