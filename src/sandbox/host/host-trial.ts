/**
 * The trial of a host: a real sandbox with a real process in it, because no list of settings foresees every container
 * and every security module.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../clock.ts';
import { silentLog } from '../../log.ts';
import { readAll } from '../process/spawn.ts';
import type { Sandbox } from '../sandbox.ts';
import { startSandboxes } from '../sandboxes.ts';
import type { SandboxHost } from './sandbox-host.ts';

export type NetworkTrial = { readonly failure: string | undefined };

/** A process runs in a network of its own, and there the service is reached. */
export async function tryNetwork(host: SandboxHost, isolatedPort: number): Promise<NetworkTrial> {
  const failure = await tryHost(host, isolatedPort, async ({ network }) => {
    const reached = await network?.connect(isolatedPort);
    reached?.destroy();
  });
  return { failure };
}

/** Undefined when all went well, else what went wrong. */
export async function tryHost(
  host: SandboxHost,
  isolatedPort?: number,
  tryMore: (sandbox: Sandbox) => Promise<void> = async () => {},
): Promise<string | undefined> {
  const directory = mkdtempSync(join(tmpdir(), 'lamella-trial-'));
  const sandboxes = startSandboxes({
    // The groups are looked at by themselves; here they would only hide what is wrong with the rest.
    host: { ...host, cgroups: { kind: 'none', reason: 'trial' } },
    clock: systemClock,
    log: silentLog,
    runDirectory: join(directory, 'run'),
    isolatedPort,
  });
  try {
    const sandbox = await sandboxes.open({
      id: 'trial',
      slot: 0,
      userName: 'trial',
      directories: [],
      mounts: [],
      hosts: {},
      workingDirectory: '/',
      memoryLimitBytes: undefined,
      limits: { openFiles: 256, processes: 64 },
    });
    const { output, exited } = sandbox.start({ argv: [host.tools.env], environment: { TRIAL: 'passed' } });
    const [text, exit] = await Promise.all([readAll(output), exited]);
    const hasPassed = exit.kind === 'exited' && exit.code === 0 && text === 'TRIAL=passed\n';
    if (!hasPassed) return `a process could not be started in a sandbox: ${text.trim() || JSON.stringify(exit)}`;
    await tryMore(sandbox);
    return undefined;
  } catch (failure) {
    return rootCauseOf(failure);
  } finally {
    await sandboxes.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** What went wrong in the words of who noticed it. */
function rootCauseOf(failure: unknown): string {
  if (!(failure instanceof Error)) return String(failure);
  return failure.cause === undefined ? failure.message : rootCauseOf(failure.cause);
}
