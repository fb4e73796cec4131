/**
 * `lamella doctor`: prints what this machine can isolate and limit. Exits with code 4 if it cannot run functions at all.
 */
import { RUNTIME_API_PORT } from '../../protocol/endpoints.ts';
import { probeHost } from '../../sandbox/host/host-capabilities.ts';
import type { HostCheck } from '../../sandbox/host/host-checks.ts';
import type { Run } from '../command.ts';
import { writeJson, writeResult } from '../output.ts';

export const run: Run = async ({ given }) => {
  const { checks, host } = await probeHost({ isolatedPort: RUNTIME_API_PORT });
  const canRun = host !== undefined;
  if (given.json) await writeJson({ canRunFunctions: canRun, checks });
  else await writeResult(`${checks.map(render).join('\n')}\n\n${verdict(canRun, checks)}\n`);
  return canRun ? 0 : 4;
};

/** One line with the result. For a failed check, further lines with the reason why it matters and what to do. */
function render({ name, ok, isRequired, detail, impact, remedy }: HostCheck): string {
  const mark = ok ? 'ok     ' : isRequired ? 'MISSING' : 'limited';
  const lines = [`${mark}  ${name}: ${detail}`];
  if (impact) lines.push(`Why it matters: ${impact}`);
  if (remedy) lines.push(`What to do: ${remedy}`);
  return lines.join('\n').replaceAll('\n', '\n         ');
}

function verdict(canRun: boolean, checks: readonly HostCheck[]): string {
  if (!canRun)
    return 'This machine cannot run functions yet. Fix each check marked MISSING, then run `lamella doctor` again.';
  return checks.every((check) => check.ok)
    ? 'This machine can run functions, with all limits.'
    : 'This machine can run functions. Checks marked "limited" are optional.';
}
