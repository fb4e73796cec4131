/**
 * `lamella validate`: every problem of a template that can be found without making resources, with its place in the file,
 * CloudFormation's message, and a suggestion. Exits with code 1 if there are any.
 */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { resolveClientOptions } from '../../options.ts';
import { knownTypes } from '../../stacks/providers/known-types.ts';
import { readTemplate } from '../../template/read-template.ts';
import { TemplateError, type TemplateProblem } from '../../template/template-error.ts';
import { validateTemplate } from '../../template/validate-template.ts';
import type { Run } from '../command.ts';
import { printStatus, writeJson, writeResult } from '../output.ts';
import { findTemplateFile, parseParameters, readTemplateFile } from '../template-file.ts';
import { renderTemplateProblem } from '../template-problem.ts';

export const run: Run = async ({ args, given }) => {
  const file = args[0] ?? findTemplateFile('validate');
  const parameters = parseParameters(given.parameters, 'validate');
  const text = await readTemplateFile(file);
  const problems = await problemsOf(text, file, resolveClientOptions(given, 'validate').region, parameters);
  if (given.json) await writeJson({ file, problems: problems.map(asJson) });
  else if (problems.length === 0) await writeResult(`${file}: no problems found\n`);
  else await writeResult(`${problems.map((problem) => renderTemplateProblem(problem, file, text)).join('\n')}\n`);
  const count = problems.filter(({ isWarning }) => !isWarning).length;
  if (count > 0 && !given.json) printStatus(`${count} ${count === 1 ? 'problem' : 'problems'} in ${file}`);
  return count > 0 ? 1 : 0;
};

/** All problems and warnings of a template, with their places. */
export async function problemsOf(
  text: string,
  fileName: string,
  region: string,
  parameters: ReadonlyMap<string, string>,
): Promise<readonly TemplateProblem[]> {
  try {
    const template = readTemplate(text, { fileName });
    return await validateTemplate(template, {
      region,
      parameters,
      readSnippet: (location) => readBeside(fileName, location),
      ...(await knownTypes()),
    });
  } catch (failure) {
    if (failure instanceof TemplateError) return failure.problems;
    throw failure;
  }
}

/** A file that AWS::Include names by its path, as before packaging. Undefined for one in S3. */
async function readBeside(template: string, location: string): Promise<string | undefined> {
  if (location.includes('://')) return undefined;
  return readFile(resolve(dirname(template), location), 'utf8').catch(() => undefined);
}

function asJson({ message, path, place, suggestion, isWarning }: TemplateProblem) {
  return {
    message,
    ...(isWarning && { isWarning }),
    ...(place && { line: place.line, column: place.column }),
    ...(path && { path }),
    ...(suggestion !== undefined && { suggestion }),
  };
}
