/** `lamella diff`: what differs between the deployed stack and this project, on standard output. */
import { compareStack, type Difference } from '../../project/deploy/compare-stack.ts';
import type { Json } from '../../template/tree.ts';
import { explainingCloud } from '../cloud-errors.ts';
import { cloudTarget } from '../cloud-target.ts';
import type { Run } from '../command.ts';
import { interruptible } from '../interruption.ts';
import { megabytes, printStatus, writeJson, writeResult } from '../output.ts';
import { namedTemplate } from '../template-file.ts';
import { buildFor, createDeployer, requestOf } from './deploy.ts';

const SIGNS = { added: '+', removed: '-', changed: '~' } as const;
/** Longer values are cut off. */
const SHOWN_CHARACTERS = 120;

export const run: Run = async ({ args, given }) => {
  const file = namedTemplate(args[0], given, 'diff');
  const target = await cloudTarget(given, 'diff');
  const difference = await interruptible(async (signal) => {
    const project = await buildFor(file, given, 'diff', signal);
    return explainingCloud(() => compareStack(createDeployer(target, signal), project, requestOf(given, file, 'plan')));
  });
  const { stackName, isNew, differences } = difference;
  if (given.json) await writeJson(difference);
  else {
    if (isNew) printStatus(`There is no stack ${stackName} yet.`);
    else if (differences.length === 0) printStatus(`No differences from the stack ${stackName}.`);
    if (differences.length > 0) await writeResult(`${differences.flatMap(linesOf).join('\n')}\n`);
  }
  return given.exitCode === true && differences.length > 0 ? 1 : 0;
};

function linesOf({ at, kind, type, values, files = [] }: Difference): string[] {
  return [
    `${SIGNS[kind]} ${at}${type === undefined ? '' : ` (${type})`}`,
    ...values.map(
      ({ path, before, after }) => `    ${path === '' ? '' : `${path.slice(1)}: `}${shown(before)} -> ${shown(after)}`,
    ),
    ...files.map(
      (each) => `    ${SIGNS[each.kind]} ${each.path}${each.kind === 'removed' ? '' : ` (${megabytes(each.bytes)})`}`,
    ),
  ];
}

function shown(value: Json | undefined): string {
  const text = value === undefined ? 'none' : JSON.stringify(value);
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}...` : text;
}
