/**
 * Remembers that this machine passed its checks, so that a service need not run processes, mount a volume and open a sandbox
 * only to find that out again. What is remembered is valid for this boot, this user and everything that decided the checks:
 * programs, kernel settings, capabilities, namespaces and mounts. A machine that failed a check is always checked again.
 */
import { createHash } from 'node:crypto';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseJson } from '../../protocol/json.ts';
import { detectCgroups, hostCgroupSources } from '../cgroup/cgroup-detection.ts';
import { HOLDER_NAME } from '../process/guard.ts';
import { inheritedDescriptors } from '../process/inherited-descriptors.ts';
import { type HostCapabilities, probeHost } from './host-capabilities.ts';
import { findPrograms, isComplete } from './host-tools.ts';
import { readSettings } from './kernel-settings.ts';
import { chooseIdentity } from './uid-range.ts';

export type KnownHostOptions = {
  /** As for `probeHost`. */
  readonly isolatedPort: number | undefined;
  /** Holds a small file for each kind of environment in which a service has started. */
  readonly directory: string;
};

/** What this machine supports, and how to forget it. */
export type KnownHost = {
  readonly capabilities: HostCapabilities;
  /** Call it when a sandbox cannot be opened on this machine after all: the next service checks again. */
  forget(): void;
};

/** Changes when a check changes. */
const CHECKS = 1;
/** More than one: with or without isolated networks, as different users and in different containers. */
const KEPT = 16;

/** Takes a millisecond on a known machine, otherwise as long as `probeHost`. Never rejects. */
export async function knownHost({ isolatedPort, directory }: KnownHostOptions): Promise<KnownHost> {
  const file = join(directory, `${keyOf(isolatedPort)}.json`);
  const capabilities = recall(file) ?? (await probeHost({ isolatedPort }));
  if (capabilities.host !== undefined) remember(file, directory, capabilities);
  return { capabilities, forget: () => removeQuietly(file) };
}

/** A digest of what the checks depend on. */
function keyOf(isolatedPort: number | undefined): string {
  const status = read('/proc/self/status').match(/^(Uid|Gid|Groups|Cap\w+|NoNewPrivs|Seccomp):.*$/gm);
  const facts = [
    ...[CHECKS, HOLDER_NAME, isolatedPort, process.arch, release(), read('/proc/sys/kernel/random/boot_id')],
    ...[status, readSettings(), read('/proc/self/attr/current'), read('/proc/self/uid_map'), tmpdir()],
    ...['mnt', 'user', 'net', 'pid'].map((name) => link(`/proc/self/ns/${name}`)),
    // The number of a namespace can be used again for another one.
    read('/proc/self/mountinfo'),
    ...findPrograms().map((path) => [path, signature(path)]),
  ];
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 32);
}

/** Undefined if this machine, as it is now, is not known. */
function recall(file: string): HostCapabilities | undefined {
  try {
    const { uid, mode } = statSync(file);
    if (uid !== process.geteuid?.() || (mode & 0o022) !== 0) return undefined;
    const known = parseJson(readFileSync(file, 'utf8')) as HostCapabilities;
    if (known.host === undefined || !isComplete(known.host.tools)) return undefined;
    const own = {
      inheritedDescriptors: inheritedDescriptors(),
      identity: chooseIdentity(process.getuid?.() === 0),
      cgroups: detectCgroups(hostCgroupSources()),
    };
    return { ...known, host: { ...known.host, ...own } };
  } catch {
    return undefined;
  }
}

function remember(file: string, directory: string, capabilities: HostCapabilities): void {
  const made = `${file}.${process.pid}`;
  try {
    if (statSync(file, { throwIfNoEntry: false }) !== undefined) return;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeFileSync(made, JSON.stringify(capabilities), { mode: 0o600 });
    renameSync(made, file);
    const files = readdirSync(directory).map((name) => join(directory, name));
    const newestFirst = files.map((path) => ({ path, mtimeMs: statSync(path).mtimeMs })).sort(byTime);
    for (const { path } of newestFirst.slice(KEPT)) rmSync(path, { force: true });
  } catch {
    // Without a directory to write to, each service checks this machine.
    removeQuietly(made);
  }
}

function removeQuietly(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // The directory belongs to another user, so the file does too.
  }
}

function byTime(a: { readonly mtimeMs: number }, b: { readonly mtimeMs: number }): number {
  return b.mtimeMs - a.mtimeMs;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

function link(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}

function signature(file: string): string {
  const { dev = 0, ino = 0, size = 0, mtimeMs = 0 } = statSync(file, { throwIfNoEntry: false }) ?? {};
  return `${dev} ${ino} ${size} ${mtimeMs}`;
}
