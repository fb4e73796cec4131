/** `lamella doctor`: what this machine can isolate and limit; exit code 4 when functions cannot be run on it at all. */
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

/** One line for what was found; below it what to do, where something is to be done. */
function render({ name, ok, isRequired, detail, remedy }: HostCheck): string {
  const mark = ok ? 'ok     ' : isRequired ? 'MISSING' : 'limited';
  const line = `${mark}  ${name}: ${detail}`;
  return ok || remedy === undefined ? line : `${line}\n         ${remedy.replaceAll('\n', '\n         ')}`;
}

function verdict(canRun: boolean, checks: readonly HostCheck[]): string {
  if (!canRun) return 'Functions cannot be run on this machine until what is missing is there.';
  return checks.every((check) => check.ok)
    ? 'Functions can be run on this machine, with every limit.'
    : 'Functions can be run on this machine; what is limited is said above.';
}
