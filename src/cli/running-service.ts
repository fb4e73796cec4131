/**
 * Which services run on this machine. `lamella start` records its service in a file of its own in the state directory;
 * the other commands find a service by its URL or its data directory. A record is valid while its process lives: the
 * process's start time tells it from a later process with the same pid.
 */
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../clock.ts';
import { send } from '../http/client.ts';
import type { Environment, Given } from '../options.ts';
import { isGiven, stateDirectory, TOOL_OPTIONS, type ToolOptions } from '../options.ts';
import { parseJson } from '../protocol/json.ts';
import { makeDirectory } from '../storage/make-directory.ts';
import { signRequest } from '../wire/sign-request.ts';
import { printWarning } from './output.ts';

/** What `lamella start` records of a service. */
export type ServiceRecord = {
  /** URL of the API. */
  readonly lambda: string;
  /** URL of the HTTP gateways. */
  readonly http: string;
  readonly pid: number;
  /** Of the process, in clock ticks since the machine was booted. */
  readonly startTicks: string;
  readonly dataDir: string;
  readonly ephemeral: boolean;
  readonly region: string;
  readonly accountId: string;
  /** The directory of the project that `lamella dev` runs. */
  readonly project?: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** Output of a service that was started with `--detach`. */
  readonly logFile?: string;
};

/** Milliseconds to wait for a response of a service that may be at a URL. */
const PROBE_MS = 2_000;
const MAX_RECORD_BYTES = 10_000;

/**
 * Records a service of this process, so that other commands find it. The caller calls the returned function when the
 * service has stopped. Without the record, which needs a writable home, the service works as well: only warns.
 */
export function recordService(service: Omit<ServiceRecord, 'pid' | 'startTicks' | 'startedAt'>): () => void {
  const directory = servicesDirectory();
  const file = join(directory, `${process.pid}.json`);
  const startedAt = new Date(systemClock.epochMs()).toISOString();
  const startTicks = startTicksOf(process.pid) ?? '';
  const record: ServiceRecord = { ...service, pid: process.pid, startTicks, startedAt };
  try {
    makeDirectory(directory, 0o700);
    writeFileSync(`${file}.tmp`, `${JSON.stringify(record)}\n`, { mode: 0o600 });
    renameSync(`${file}.tmp`, file);
  } catch (failure) {
    printWarning(`Cannot record the service: ${(failure as Error).message}. Other commands need --endpoint-url.`);
  }
  return () => removeRecord(file);
}

/** The services of this user that run now, the oldest first. Removes the records of those that do not. */
export function runningServices(environment?: Environment): ServiceRecord[] {
  const directory = servicesDirectory(environment);
  const found = namesIn(directory).flatMap((name) => {
    const record = readRecord(join(directory, name));
    if (record !== undefined && isAlive(record)) return record;
    removeRecord(join(directory, name));
    return [];
  });
  return found.sort((a, b) => a.startedAt.localeCompare(b.startedAt));
}

/** A record that stays, in a home that is not writable, has no effect: its process has ended. */
function removeRecord(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // The next command tries again.
  }
}

/** Whether the process of a record still runs. */
export function isAlive({ pid, startTicks }: ServiceRecord): boolean {
  return startTicksOf(pid) === startTicks;
}

/** The record of the service with this URL or, without one, with this data directory. */
export function findRecord(by: { readonly url: string } | { readonly dataDir: string }): ServiceRecord | undefined {
  return runningServices().find((record) =>
    'url' in by
      ? [record.lambda, record.http].includes(originOf(by.url))
      : !record.ephemeral && record.dataDir === by.dataDir,
  );
}

/** The service that runs the project of a directory, or of the nearest one above it. */
function findProjectRecord(directory: string): ServiceRecord | undefined {
  const within = ({ project }: ServiceRecord) =>
    project !== undefined && (directory === project || directory.startsWith(project === '/' ? '/' : `${project}/`));
  const found = runningServices().filter(within);
  return found.sort((a, b) => (b.project?.length ?? 0) - (a.project?.length ?? 0))[0];
}

/**
 * The options with the URL of the service to use: the given one; else that of the project in which the command runs;
 * else that of the service that uses the data directory; else the default.
 */
export function locateService<O extends Pick<ToolOptions, 'endpointUrl' | 'dataDir'>>(options: O, given: Given): O {
  if (isGiven(TOOL_OPTIONS.endpointUrl, given.endpointUrl)) return options;
  const record = findProjectRecord(process.cwd()) ?? findRecord({ dataDir: options.dataDir });
  return record === undefined ? options : { ...options, endpointUrl: record.lambda };
}

export type ServiceUrls = { readonly lambda: string; readonly http: string };

/** Asks for the URLs of the Lamella at this URL. Undefined if no Lamella responds. */
export async function askService(endpointUrl: string, keys: SigningKeys): Promise<ServiceUrls | undefined> {
  try {
    const url = new URL('/_lamella/service', endpointUrl);
    const request = { method: 'GET', url, headers: {}, body: Buffer.alloc(0) };
    const headers = signRequest(request, { ...keys, service: 'lambda' }, systemClock.epochMs());
    const signal = AbortSignal.timeout(PROBE_MS);
    const response = await send({ ...request, headers, signal, maxResponseBytes: MAX_RECORD_BYTES });
    const { lambda, http } = parseJson(response.body.toString()) as Partial<ServiceUrls>;
    return typeof lambda === 'string' && typeof http === 'string' ? { lambda, http } : undefined;
  } catch {
    // Lamella is not at this URL.
    return undefined;
  }
}

export type SigningKeys = { readonly accessKeyId: string; readonly secretAccessKey: string; readonly region: string };

function servicesDirectory(environment?: Environment): string {
  return join(stateDirectory(environment), 'services');
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => /^\d+\.json$/.test(name));
  } catch {
    return [];
  }
}

function readRecord(file: string): ServiceRecord | undefined {
  try {
    const record = parseJson(readFileSync(file, 'utf8')) as Partial<ServiceRecord>;
    const isComplete = typeof record.lambda === 'string' && typeof record.pid === 'number';
    return isComplete ? (record as ServiceRecord) : undefined;
  } catch {
    return undefined;
  }
}

/** When a process started, in clock ticks since the machine was booted; undefined if it does not exist. */
function startTicksOf(pid: number): string | undefined {
  try {
    // The name of the process, in parentheses, can contain spaces.
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[19];
  } catch {
    return undefined;
  }
}

function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : url;
}
