/**
 * Detects which cgroups this service may use, from /proc and from file permissions. Changes nothing.
 * Groups are only created below the service's own group, never at the root of a hierarchy.
 */
import { accessSync, constants, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CgroupSupport } from '../host/sandbox-host.ts';

/** The system state that detection reads. Tests replace it. */
export type CgroupSources = {
  /** Contents of /proc/self/cgroup. */
  readonly membership: string;
  /** Contents of /proc/self/mountinfo. */
  readonly mounts: string;
  readonly readFile: (path: string) => string | undefined;
  readonly isWritable: (path: string) => boolean;
};

/** Reads the system state of this machine. */
export function hostCgroupSources(): CgroupSources {
  return {
    membership: readText('/proc/self/cgroup') ?? '',
    mounts: readText('/proc/self/mountinfo') ?? '',
    readFile: readText,
    isWritable(path) {
      try {
        accessSync(path, constants.W_OK);
        return true;
      } catch {
        return false;
      }
    },
  };
}

/** Returns cgroup v2 if it has a memory controller, else v1 with memory, else 'none' with the reason. */
export function detectCgroups(sources: CgroupSources): CgroupSupport {
  const v2 = detectV2(sources);
  if (v2.kind === 'v2') return v2;
  const v1 = detectV1(sources);
  if (v1.kind === 'v1') return v1;
  return { kind: 'none', reason: `${v2.reason}; ${v1.reason}` };
}

type None = Extract<CgroupSupport, { kind: 'none' }>;

function detectV2(sources: CgroupSources): Extract<CgroupSupport, { kind: 'v2' }> | None {
  const own = ownDirectory(sources, 'cgroup2', undefined);
  if (own === undefined) return none('cgroup v2 is not mounted');
  // An earlier service may have moved the shell that started this one into its own leaf group.
  const directory = own.replace(/(\/lamella-[\d-]+\/service)+$/, '');
  const controllers = (sources.readFile(join(directory, 'cgroup.controllers')) ?? '').trim().split(/\s+/);
  if (!controllers.includes('memory')) return none(`cgroup v2 has no memory controller in ${directory}`);
  const needed = ['', 'cgroup.procs', 'cgroup.subtree_control'].map((name) => join(directory, name));
  const refused = needed.find((path) => !sources.isWritable(path));
  if (refused !== undefined) return none(`cgroup v2 is not delegated to this user: ${refused} is not writable`);
  return { kind: 'v2', directory, controllers };
}

function detectV1(sources: CgroupSources): Extract<CgroupSupport, { kind: 'v1' }> | None {
  const writable = (controller: string): string | undefined => {
    const directory = ownDirectory(sources, 'cgroup', controller);
    return directory !== undefined && sources.isWritable(directory) ? directory : undefined;
  };
  const memory = writable('memory');
  if (memory === undefined) {
    const directory = ownDirectory(sources, 'cgroup', 'memory');
    return none(
      directory === undefined ? 'cgroup v1 has no memory hierarchy' : `${directory} (cgroup v1) is not writable`,
    );
  }
  return { kind: 'v1', memory, cpu: writable('cpu') };
}

/** The directory of the service's own group in a hierarchy; undefined if the hierarchy is not mounted here. */
function ownDirectory({ membership, mounts }: CgroupSources, type: string, controller: string | undefined) {
  const path = membership
    .split('\n')
    .map((line) => /^\d+:([^:]*):(.*)$/.exec(line))
    .find((match) => (controller === undefined ? match?.[1] === '' : match?.[1]?.split(',').includes(controller)))?.[2];
  if (path === undefined) return undefined;
  const mount = mounts
    .split('\n')
    .map(parseMount)
    .find((it) => it?.type === type && (controller === undefined || it.options.includes(controller)));
  if (mount === undefined) return undefined;
  // A container may see only its own part of the tree, mounted as the root.
  const inside = mount.root === '/' ? path : path.startsWith(mount.root) ? path.slice(mount.root.length) : '/';
  return join(mount.point, inside);
}

type MountLine = { readonly root: string; readonly point: string; readonly type: string; readonly options: string[] };

/** Parses a line of mountinfo: id parent dev root point options [tags] - type source super-options. */
function parseMount(line: string): MountLine | undefined {
  const [left, right] = line.split(' - ');
  const [, , , root, point] = (left ?? '').split(' ');
  const [type, , options] = (right ?? '').split(' ');
  if (root === undefined || point === undefined || type === undefined) return undefined;
  return { root, point: unescapeMount(point), type, options: (options ?? '').split(',') };
}

function unescapeMount(path: string): string {
  return path.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function none(reason: string): None {
  return { kind: 'none', reason };
}
