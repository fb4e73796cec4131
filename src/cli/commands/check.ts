/** `lamella check`: builds, and prints what would be refused, fail or behave differently on AWS, to standard output. */
import { resolve } from 'node:path';
import { systemClock } from '../../clock.ts';
import { OperatorError } from '../../operator-error.ts';
import { type Given, resolveBuildOptions, resolveClientOptions } from '../../options.ts';
import { type BuiltProject, buildProject } from '../../project/build/build-project.ts';
import { checkProject, shownFile } from '../../project/check/check-project.ts';
import type { Finding } from '../../project/check/findings.ts';
import type { Run } from '../command.ts';
import { interruptible } from '../interruption.ts';
import { printStatus, writeJson, writeResult } from '../output.ts';
import { namedTemplate, parameterOverrides, readTemplateFile } from '../template-file.ts';
import { BUILD_DIRECTORY, printBuildWarnings } from './build.ts';
import { problemsOf } from './validate.ts';

export const run: Run = async ({ args, given }) => {
  const file = namedTemplate(args[0], given, 'check');
  const findings = await interruptible(async (signal) => {
    const project = await buildProject({
      file,
      buildDirectory: resolve(String(given.buildDir ?? BUILD_DIRECTORY)),
      cacheDir: resolveBuildOptions(given, 'check').cacheDir,
      parameters: parameterOverrides(given.parameterOverrides, 'check'),
      onProgress: printStatus,
      signal,
    });
    printBuildWarnings(project);
    return findingsOf(project, given, 'check');
  });
  const counts = countsOf(findings);
  const isBad = counts.error > 0 || (given.strict === true && counts.warning > 0);
  if (given.json) await writeJson({ findings, counts });
  else {
    await writeResult(renderFindings(findings).join(''));
    printStatus(summaryOf(findings));
  }
  return isBad ? 1 : 0;
};

/** The findings of a built project. */
export async function findingsOf(project: BuiltProject, given: Given, command: string): Promise<Finding[]> {
  const { region } = resolveClientOptions({ region: given.region }, command);
  const parameters = parameterOverrides(given.parameterOverrides, command);
  const { source } = project;
  const problems = await problemsOf(await readTemplateFile(source), source, region, parameters);
  return checkProject(project, { region, parameters, clock: systemClock, problems });
}

/** Prints findings before a deployment. @throws OperatorError 'deploy-check' if there are errors */
export async function checkBefore(project: BuiltProject, given: Given): Promise<void> {
  const findings = (await findingsOf(project, given, 'deploy')).filter(({ level }) => level !== 'note');
  for (const text of renderFindings(findings)) printStatus(text.trimEnd());
  const { error } = countsOf(findings);
  if (error > 0) throw new OperatorError('deploy-check', { count: error === 1 ? '1 error' : `${error} errors` });
}

function countsOf(findings: readonly Finding[]) {
  const count = (level: Finding['level']) => findings.filter((each) => each.level === level).length;
  return { error: count('error'), warning: count('warning'), note: count('note') };
}

/** `FILE:LINE:COLUMN: LEVEL: MESSAGE [CODE]`, which editors and CI recognize, and what to do below it. */
function renderFindings(findings: readonly Finding[]): string[] {
  return findings.map(({ file, line, column, level, message, remedy, code }) => {
    const place = [shownFile(file, process.cwd()), line, column].filter((part) => part !== undefined).join(':');
    return `${place}: ${level}: ${message} [${code}]\n    ${remedy}\n`;
  });
}

function summaryOf(findings: readonly Finding[]): string {
  const { error, warning, note } = countsOf(findings);
  if (findings.length === 0) return 'Nothing found that would differ on AWS.';
  const parts = [[error, 'error'] as const, [warning, 'warning'] as const, [note, 'note'] as const];
  return parts.flatMap(([count, name]) => (count === 0 ? [] : `${count} ${name}${count === 1 ? '' : 's'}`)).join(', ');
}
