/** `lamella doctor`: what this machine can isolate and limit; exit code 4 when functions cannot be run on it at all. */
import { probeHost } from '../../sandbox/host-capabilities.ts';
import type { Run } from '../command.ts';
import { writeJson, writeResult } from '../output.ts';

export const run: Run = async ({ given }) => {
  const findings = await probeHost();
  if (given.json) await writeJson(findings);
  else await writeResult(`${findings.map(render).join('\n')}\n`);
  return findings.every((finding) => finding.ok) ? 0 : 4;
};

type Finding = Awaited<ReturnType<typeof probeHost>>[number];

/** One line for what is there; what is missing has its remedy below. */
function render({ name, ok, detail, remedy }: Finding): string {
  const line = `${ok ? 'ok     ' : 'missing'}  ${name}: ${detail}`;
  return ok || !remedy ? line : `${line}\n         ${remedy.replaceAll('\n', '\n         ')}`;
}
