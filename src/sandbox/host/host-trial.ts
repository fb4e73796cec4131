/**
 * Tries a host: runs a real process in a real sandbox. Settings alone do not tell what every container runtime and
 * security module allows.
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

/** Why the trial failed; undefined if it succeeded. */
export type NetworkTrial = { readonly failure: string | undefined };

/** Runs a process in a sandbox with its own network, and connects to the service's port in that network. */
export async function tryNetwork(host: SandboxHost, isolatedPort: number): Promise<NetworkTrial> {
  const failure = await tryHost(host, isolatedPort, async ({ network }) => {
    const reached = await network?.connect(isolatedPort);
    reached?.destroy();
  });
  return { failure };
}

/** Runs a process in a sandbox, then `tryMore`. Returns the reason of a failure, undefined on success. */
export async function tryHost(
  host: SandboxHost,
  isolatedPort?: number,
  tryMore: (sandbox: Sandbox) => Promise<void> = async () => {},
): Promise<string | undefined> {
  const directory = mkdtempSync(join(tmpdir(), 'lamella-trial-'));
  const sandboxes = startSandboxes({
    // Cgroups have their own check. A problem with them must not hide one with namespaces.
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
    if (!hasPassed) return `cannot start a process in a sandbox: ${text.trim() || JSON.stringify(exit)}`;
    await tryMore(sandbox);
    return undefined;
  } catch (failure) {
    return rootCauseOf(failure);
  } finally {
    await sandboxes.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The message of the innermost cause. */
function rootCauseOf(failure: unknown): string {
  if (!(failure instanceof Error)) return String(failure);
  return failure.cause === undefined ? failure.message : rootCauseOf(failure.cause);
}
