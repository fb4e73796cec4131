/** `lamella build`: prints progress to standard error, and what was built, with sizes, to standard output. */
import { resolve } from 'node:path';
import { resolveBuildOptions } from '../../options.ts';
import type { BuiltArtifact } from '../../project/build/build-artifact.ts';
import { type BuiltProject, buildProject } from '../../project/build/build-project.ts';
import type { Run } from '../command.ts';
import { interruptible } from '../interruption.ts';
import { megabytes, printStatus, printWarning, writeJson, writeResult } from '../output.ts';
import { namedTemplate, parameterOverrides } from '../template-file.ts';

/** Where `sam build` puts its results, and `sam deploy` looks for them. */
export const BUILD_DIRECTORY = '.aws-sam/build';

export const run: Run = async ({ args, given }) => {
  const file = namedTemplate(args[0], given, 'build');
  const { cacheDir } = resolveBuildOptions(given, 'build');
  const only = args.slice(1);
  const project = await interruptible((signal) =>
    buildProject({
      file,
      buildDirectory: resolve(String(given.buildDir ?? BUILD_DIRECTORY)),
      cacheDir,
      parameters: parameterOverrides(given.parameterOverrides, 'build'),
      usesCache: given.cached !== false,
      ...(only.length > 0 && { only }),
      onProgress: printStatus,
      signal,
    }),
  );
  printBuildWarnings(project);
  if (given.json) await writeJson(asJson(project));
  else await writeResult(`${renderBuild(project).join('\n')}\n`);
  return 0;
};

/** Prints warnings and what was left out to standard error. */
export function printBuildWarnings(project: BuiltProject): void {
  for (const { logicalId, warnings, leftOut, isUnchanged } of project.artifacts) {
    for (const warning of warnings) printWarning(warning);
    if (leftOut.length === 0 || isUnchanged) continue;
    const more = leftOut.length > SHOWN_NAMES ? ` and ${leftOut.length - SHOWN_NAMES} more` : '';
    printStatus(`${logicalId}: left out ${leftOut.slice(0, SHOWN_NAMES).join(', ')}${more}`);
  }
  for (const each of Object.values(project.nested)) printBuildWarnings(each);
}

const SHOWN_NAMES = 10;
/** Files that are shown of each artifact, if they are at least this large. */
const SHOWN_FILES = 3;
const NOTABLE_BYTES = 100_000;

/** A line for each artifact, its largest files, and the sizes of functions with their layers. */
export function renderBuild(project: BuiltProject): string[] {
  const { artifacts, functions, limits, nested, template } = project;
  const width = Math.max(0, ...artifacts.map(({ logicalId }) => logicalId.length));
  const lines = artifacts.flatMap((artifact) => [
    `${artifact.logicalId.padEnd(width)}  ${artifact.kind.padEnd(8)}  ${sizesOf(artifact)}  ${artifact.description}${artifact.isUnchanged ? ', unchanged' : ''}`,
    ...notableFiles(artifact),
    ...(artifact.bytes > limits.zippedBytes
      ? [
          `${' '.repeat(width + 2)}More than ${megabytes(limits.zippedBytes)}: it can be deployed only through S3, as \`lamella deploy\` does.`,
        ]
      : []),
  ]);
  const sizes = functions.map(({ logicalId, unzippedBytes, layers }) => {
    const share = `${megabytes(unzippedBytes)} of ${megabytes(limits.unzippedBytes)}`;
    const isTooLarge = unzippedBytes > limits.unzippedBytes;
    return `${logicalId}${layers.length > 0 ? ` with ${layers.join(', ')}` : ''}: ${share} unzipped${isTooLarge ? ', which AWS rejects' : ''}`;
  });
  const below = Object.entries(nested).flatMap(([name, each]) => [
    `Stack ${name}`,
    ...renderBuild(each).map((line) => `  ${line}`),
  ]);
  return [...lines, ...sizes, ...below, `Template: ${template}`];
}

function sizesOf({ bytes, unzippedBytes, files }: BuiltArtifact): string {
  const count = `${files} ${files === 1 ? 'file' : 'files'}`;
  return `${megabytes(bytes).padStart(9)} (${megabytes(unzippedBytes)} unzipped, ${count})`;
}

function notableFiles({ largest, files }: BuiltArtifact): string[] {
  if (files < 2) return [];
  return largest
    .filter(({ bytes }) => bytes >= NOTABLE_BYTES)
    .slice(0, SHOWN_FILES)
    .map(({ path, bytes }) => `${megabytes(bytes).padStart(14)}  ${path}`);
}

/** The build without what only this process needs. */
export function asJson({ source, template, artifacts, functions, nested, limits }: BuiltProject): object {
  const stacks = Object.fromEntries(Object.entries(nested).map(([name, each]) => [name, asJson(each)]));
  return { source, template, artifacts, functions, limits, nested: stacks };
}
