/**
 * `BuildMethod: makefile`, as SAM has it: `make build-LOGICALID` in a copy of the source directory, with the variable
 * ARTIFACTS_DIR. What the target writes there is the package.
 * https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/building-custom-runtimes.html
 */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { OperatorError } from '../../operator-error.ts';
import { entriesOfDirectory } from '../../packaging/directory-entries.ts';
import { runTool } from '../../packaging/run-tool.ts';
import { member } from '../../template/tree.ts';
import type { Artifact } from './artifacts.ts';
import type { BuildContext, BuildPlan } from './build-plan.ts';
import { readBuildProperties } from './build-properties.ts';
import { digestOf, digestOfDirectory } from './digests.ts';
import { copySources, inWorkspace } from './workspace.ts';

/** Lines of the tool's output that an error shows. */
const SHOWN_LINES = 20;

/** @throws OperatorError 'build-failed' with the output of make, 'tool-missing' */
export async function planMakefile(artifact: Artifact, context: BuildContext): Promise<BuildPlan> {
  const { logicalId, metadata } = artifact;
  readBuildProperties(artifact, []);
  const root = textOf(metadata, 'ProjectRootDirectory');
  const source = root === undefined ? artifact.source : resolve(context.directory, root);
  const makefile = join(source, textOf(metadata, 'ContextPath') ?? '', 'Makefile');
  if (!existsSync(makefile)) {
    const reason = `there is no ${makefile}`;
    throw failed(
      logicalId,
      reason,
      `Write a Makefile with the target build-${logicalId}, which copies to $(ARTIFACTS_DIR).`,
    );
  }
  const working = textOf(metadata, 'WorkingDirectory');
  const inside = working === undefined ? '' : relative(source, resolve(context.directory, working));
  if (relative(source, makefile).startsWith('..')) {
    throw failed(logicalId, `ContextPath leads out of ${source}`, 'Choose a directory in it.');
  }
  if (inside.startsWith('..'))
    throw failed(logicalId, `WorkingDirectory ${working} is outside of ${source}`, 'Choose a directory in it.');
  return {
    description: 'makefile',
    inputs: digestOf(
      'makefile',
      logicalId,
      inside,
      relative(source, makefile),
      await digestOfDirectory(source, [context.buildDirectory]),
    ),
    build: (use) =>
      inWorkspace(async (workspace) => {
        const copy = join(workspace, 'source');
        const artifacts = join(workspace, 'artifacts');
        await copySources(source, copy, [context.buildDirectory]);
        await mkdir(artifacts);
        const { code, stdout, stderr } = await runTool({
          command: 'make',
          arguments: ['--makefile', join(copy, relative(source, makefile)), `build-${logicalId}`],
          directory: join(copy, inside),
          variables: { ARTIFACTS_DIR: artifacts },
          onLine: context.onProgress,
          signal: context.signal,
        });
        if (code !== 0) {
          const output = `${stdout}\n${stderr}`.trim().split('\n').slice(-SHOWN_LINES).join('\n');
          throw failed(
            logicalId,
            `make build-${logicalId} ended with ${code}:\n${output}`,
            `Correct the target in ${makefile}.`,
          );
        }
        const entries = await entriesOfDirectory(artifacts, { followsOutside: true });
        if (entries.length === 0) {
          throw failed(
            logicalId,
            `make build-${logicalId} wrote nothing to $(ARTIFACTS_DIR)`,
            `Let the target in ${makefile} copy files there.`,
          );
        }
        return use({ entries, leftOut: [], warnings: [] });
      }),
  };
}

function textOf(metadata: Artifact['metadata'], name: string): string | undefined {
  const value = member(metadata, name);
  return typeof value === 'string' ? value : undefined;
}

function failed(logicalId: string, reason: string, remedy: string): OperatorError {
  return new OperatorError('build-failed', { logicalId, reason: reason.replace(/\.$/, ''), remedy });
}
