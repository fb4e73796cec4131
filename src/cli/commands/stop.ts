/**
 * `lamella stop`: ends the service at a URL or with a data directory, or the only one that runs, and waits until its process
 * is gone. A running invocation has five seconds to end.
 */
import { sleep, systemClock } from '../../clock.ts';
import { OperatorError } from '../../operator-error.ts';
import type { Given } from '../../options.ts';
import { isGiven, resolveToolOptions, TOOL_OPTIONS } from '../../options.ts';
import type { Run } from '../command.ts';
import { writeJson, writeResult } from '../output.ts';
import { findRecord, isAlive, runningServices, type ServiceRecord } from '../running-service.ts';

/** The service itself gives up after five seconds. */
const WAIT_MS = 15_000;
/** Nothing reports the end of a process that is not a child. */
const STEP_MS = 25;

export const run: Run = async ({ given }) => {
  const services = given.all ? runningServices() : [choose(given)].flatMap((found) => found ?? []);
  const stopped = await Promise.all(services.map(stop));
  if (given.json) await writeJson({ stopped: stopped.map(({ lambda, pid, dataDir }) => ({ lambda, pid, dataDir })) });
  else if (stopped.length === 0) await writeResult('No service runs.\n');
  else await writeResult(stopped.map((record) => `Stopped ${describe(record)}.\n`).join(''));
  return 0;
};

/** The service that the options name; without any, the one with the default data directory or the only one. */
function choose(given: Given): ServiceRecord | undefined {
  const { endpointUrl, dataDir } = resolveToolOptions(given, 'stop');
  if (isGiven(TOOL_OPTIONS.endpointUrl, given.endpointUrl)) {
    const record = findRecord({ url: endpointUrl });
    if (record === undefined) throw notStoppable(`No service of yours runs at ${endpointUrl}`);
    return record;
  }
  const own = findRecord({ dataDir });
  if (own !== undefined) return own;
  if (isGiven(TOOL_OPTIONS.dataDir, given.dataDir)) throw notStoppable(`No service of yours uses ${dataDir}`);
  const all = runningServices();
  if (all.length <= 1) return all[0];
  throw notStoppable(`${all.length} services run: ${all.map(describe).join('; ')}`);
}

async function stop(record: ServiceRecord): Promise<ServiceRecord> {
  const deadline = systemClock.monotonicMs() + WAIT_MS;
  try {
    process.kill(record.pid, 'SIGTERM');
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code !== 'ESRCH')
      throw notStoppable(`Cannot stop ${describe(record)}: ${failure}`);
  }
  // The timer alone does not keep this process running.
  const awake = new MessageChannel();
  awake.port1.ref();
  try {
    while (isAlive(record)) {
      if (systemClock.monotonicMs() > deadline) {
        throw notStoppable(`${describe(record)} did not stop within ${WAIT_MS / 1000} seconds`);
      }
      await sleep(systemClock, STEP_MS);
    }
  } finally {
    awake.port1.close();
  }
  return record;
}

function describe({ lambda, pid, dataDir, ephemeral }: ServiceRecord): string {
  return `${lambda} (pid ${pid}, data ${ephemeral ? 'temporary' : dataDir})`;
}

function notStoppable(reason: string): OperatorError {
  return new OperatorError('not-stopped', { reason });
}
