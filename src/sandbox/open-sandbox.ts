/**
 * The way in for the rest of Lamella: what the host can do -> sandboxes, or the error that says what it lacks.
 */
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { HostCapabilities } from './host/host-capabilities.ts';
import { requireSandbox } from './host/host-capabilities.ts';
import type { Sandboxes } from './sandboxes.ts';
import { startSandboxes } from './sandboxes.ts';

export type CreateSandboxesOptions = {
  readonly capabilities: HostCapabilities;
  readonly clock: Clock;
  readonly log: Log;
  /** A directory for this service alone; everything in it is removed at the start and at the end. */
  readonly runDirectory: string;
  /** The size of volumes that most sandboxes will ask for; some are kept ready. */
  readonly usualVolumeBytes?: number;
  /** Gives every sandbox a network of its own, in which the service listens on this port; else all share the host's. */
  readonly isolatedPort?: number | undefined;
};

/**
 * Starts preparing sandboxes at once. Throws `OperatorError` 'no-sandbox', with the remedy, if this host cannot have any.
 *
 * @example
 * const sandboxes = createSandboxes({ capabilities: await probeHost(), clock, log, runDirectory });
 * const sandbox = await sandboxes.open(spec);
 * const process = sandbox.start({ argv: ['/var/task/bootstrap'], environment: {} });
 */
export function createSandboxes({ capabilities, ...options }: CreateSandboxesOptions): Sandboxes {
  return startSandboxes({ host: requireSandbox(capabilities), ...options });
}
