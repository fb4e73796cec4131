/** Entry point for the rest of Lamella: creates sandboxes, or throws an error that names what the host lacks. */
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { OperatorError } from '../operator-error.ts';
import type { HostCapabilities } from './host/host-capabilities.ts';
import { requireSandbox } from './host/host-capabilities.ts';
import type { Sandboxes } from './sandboxes.ts';
import { startSandboxes } from './sandboxes.ts';

export type CreateSandboxesOptions = {
  readonly capabilities: HostCapabilities;
  readonly clock: Clock;
  readonly log: Log;
  /** A directory that only this service uses. Its contents are removed at start and at close. */
  readonly runDirectory: string;
  /** The volume size that most sandboxes use. A few volumes of this size are prepared in advance. */
  readonly usualVolumeBytes?: number;
  /** Gives each sandbox its own network, in which the service listens on this port. Otherwise all share the host's. */
  readonly isolatedPort?: number | undefined;
};

/**
 * Creates sandboxes, and starts to prepare spare ones immediately. The caller closes the result. Throws `OperatorError`
 * 'no-sandbox', with the remedy, if this host does not support sandboxes.
 *
 * @example
 * const sandboxes = createSandboxes({ capabilities: await probeHost(), clock, log, runDirectory });
 * const sandbox = await sandboxes.open(spec);
 * const process = sandbox.start({ argv: ['/var/task/bootstrap'], environment: {} });
 */
export function createSandboxes({ capabilities, ...options }: CreateSandboxesOptions): Sandboxes {
  return startSandboxes({ host: requireSandbox(capabilities), ...options });
}

/** Sandboxes whose preparation begins with `prepare`, or when the first one is opened. */
export type LateSandboxes = Sandboxes & {
  /** Blocks for some tens of milliseconds the first time. Never throws: the next `open` reports what failed. */
  prepare(): void;
};

/**
 * As `createSandboxes`, but prepares nothing yet: a service accepts connections first. Throws at once if this host does not
 * support sandboxes. `onNoSandbox` is called when it turns out later that it does not.
 */
export function createSandboxesLater(options: CreateSandboxesOptions, onNoSandbox: () => void): LateSandboxes {
  requireSandbox(options.capabilities);
  let started: Sandboxes | undefined;
  const sandboxes = (): Sandboxes => {
    started ??= createSandboxes(options);
    return started;
  };
  return {
    async open(spec) {
      try {
        return await sandboxes().open(spec);
      } catch (failure) {
        if (failure instanceof OperatorError && failure.code === 'no-sandbox') onNoSandbox();
        throw failure;
      }
    },
    prepare() {
      try {
        sandboxes();
      } catch (failure) {
        options.log.warn({ err: failure }, 'cannot prepare sandboxes');
      }
    },
    close: async () => started?.close(),
  };
}
