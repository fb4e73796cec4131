/**
 * `lamella template transform`: prints the template that AWS's SAM translator would make, and nothing else. What
 * CloudFormation does before and after is left out. A template with an error gets AWS's message and exit code 1.
 */
import { resolveClientOptions } from '../../options.ts';
import { readTemplate } from '../../template/read-template.ts';
import { InvalidDocument } from '../../template/sam/errors.ts';
import { transformSam } from '../../template/sam/transform.ts';
import { TemplateError } from '../../template/template-error.ts';
import { type Json, renderJson, section } from '../../template/tree.ts';
import type { Run } from '../command.ts';
import { printStatus, writeResult } from '../output.ts';
import { parseParameters, readTemplateFile } from '../template-file.ts';

export const run: Run = async ({ args, given }) => {
  const file = args[0] ?? '';
  const parameters = parseParameters(given.parameters, 'template transform');
  const text = await readTemplateFile(file);
  try {
    const { body } = readTemplate(text, { fileName: file });
    const declared = section(body, 'Parameters');
    const values: [string, Json][] = [...parameters].filter(([name]) => Object.hasOwn(declared, name));
    const transformed = transformSam(body, {
      region: resolveClientOptions(given, 'template transform').region,
      parameters: Object.fromEntries(values),
    });
    await writeResult(`${renderJson(transformed)}\n`);
    return 0;
  } catch (failure) {
    if (!(failure instanceof TemplateError) && !(failure instanceof InvalidDocument)) throw failure;
    printStatus(failure.message);
    return 1;
  }
};
