/**
 * What a service opens once and keeps while it is reset: the checks of this machine, the data directory, sandboxes and
 * ports. Everything else is in `open-service.ts`, and is opened again on the empty database.
 */

import { randomUUID } from 'node:crypto';
import { readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, systemClock } from '../clock.ts';
import { createLastingPort, type LastingPort } from '../http/lasting-port.ts';
import type { Lifetime } from '../lifetime.ts';
import { createLog, type Log } from '../log.ts';
import { OperatorError } from '../operator-error.ts';
import { type Options, resolveBuildOptions } from '../options.ts';
import { RUNTIME_API_PORT } from '../protocol/endpoints.ts';
import { QUOTAS } from '../protocol/quotas.ts';
import { removeTree } from '../remove-tree.ts';
import { requireIsolatedNetwork } from '../sandbox/host/host-capabilities.ts';
import { knownHost } from '../sandbox/host/known-host.ts';
import { createSandboxesLater, type LateSandboxes } from '../sandbox/open-sandbox.ts';
import { type DataDirectory, openDataDirectory } from '../storage/data-directory.ts';
import { type Database, openDatabase } from '../storage/database.ts';
import { makeDirectory } from '../storage/make-directory.ts';
import { type ClientLimits, createClientLimits } from './client-limits.ts';

export type ServiceBase = {
  readonly options: Options;
  readonly clock: Clock;
  readonly log: Log;
  readonly data: DataDirectory;
  readonly database: Database;
  readonly sandboxes: Pick<LateSandboxes, 'open' | 'prepare'>;
  /** Holds the files of running sandboxes. */
  readonly runDirectory: string;
  /** What the clients of the ports can make the service hold. */
  readonly clients: ClientLimits;
  readonly ports: { readonly api: LastingPort; readonly http: LastingPort };
};

/** Opens it; `lifetime` closes it. The ports are bound by what listens on them. @throws OperatorError */
export async function openBase(options: Options, lifetime: Lifetime): Promise<ServiceBase> {
  const clock = systemClock;
  const log = createLog(options.logLevel);
  const isolatedPort = options.network === 'isolated' ? RUNTIME_API_PORT : undefined;
  const { capabilities, forget } = await knownHost({
    isolatedPort,
    directory: join(resolveBuildOptions({}, 'start').cacheDir, 'host'),
  });
  if (isolatedPort !== undefined) requireIsolatedNetwork(capabilities);
  if (isolatedPort !== undefined && options.debug.length > 0) {
    const reason = '--debug needs --network shared: a debugger cannot reach a function in a network of its own.';
    throw new OperatorError('usage', { reason, command: 'start' });
  }
  const data = lifetime.own(openDataDirectory(options.ephemeral ? 'ephemeral' : { directory: options.dataDir }, log));
  data.setProvisional(true);
  const database = lifetime.own(openDatabase(data.database));
  const runDirectory = join(data.root, 'run');
  await prepareRunDirectory(runDirectory, log);
  lifetime.onClose(() => removeTree(runDirectory).catch(leftForNextStart(runDirectory, log)));
  const sandboxes = lifetime.own(
    createSandboxesLater(
      {
        capabilities,
        clock,
        log,
        runDirectory: join(runDirectory, 'sandboxes'),
        usualVolumeBytes: QUOTAS.ephemeralStorageMib.default * 1024 * 1024,
        isolatedPort,
      },
      forget,
    ),
  );
  const ports = { api: lifetime.own(createLastingPort()), http: lifetime.own(createLastingPort()) };
  const clients = createClientLimits(clock);
  return { options, clock, log, data, database, sandboxes, runDirectory, clients, ports };
}

/**
 * Empties the directory, or creates it. What cannot be removed, such as files of another user, gets a name that no
 * sandbox uses and stays until the next start.
 */
async function prepareRunDirectory(directory: string, log: Log): Promise<void> {
  makeDirectory(directory, 0o700);
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    try {
      await removeTree(path);
    } catch (failure) {
      renameSync(path, join(directory, `left-${randomUUID()}`));
      leftForNextStart(path, log)(failure);
    }
  }
}

function leftForNextStart(path: string, log: Log): (failure: unknown) => void {
  return (failure) => log.warn({ err: failure, path }, 'could not remove old files; the next start tries again');
}
