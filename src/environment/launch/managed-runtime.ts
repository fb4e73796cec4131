/**
 * Functions of managed runtimes, run locally: what stands in for AWS's runtime in a sandbox. Node.js functions run by
 * Lamella's TypeScript runtime, Python functions by a small client, each on the interpreter at hand. What needs a
 * compiler's or a vendor's own runtime is not imitated; the refusal says so.
 */
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { findNodeBuild, NODE_VERSIONS } from '../../packaging/node/node-builds.ts';
import { TYPESCRIPT_RUNTIME_DIRECTORY } from '../../packaging/node/typescript-runtime.ts';
import { isCustomRuntime } from '../../protocol/runtimes.ts';
import type { Mount } from '../../sandbox/sandbox.ts';

export type ManagedRuntimePlan = {
  /** Takes the place of the look-up of `bootstrap`: managed functions do not bring one. */
  readonly bootstrapPath: '/var/runtime/bootstrap';
  readonly mounts: readonly Mount[];
  /** Added to the runtime's variables; customers cannot set them. */
  readonly variables: Readonly<Record<string, string>>;
  /** What differs from what the function asks for, in words: another version of the language. */
  readonly remark?: string;
};

/** The runtime cannot be run here; `reason` says why and what would do. */
export type NoManagedRuntime = { readonly reason: string };

export type ManagedRuntimeHost = {
  /** Node's binary; this process's own unless said otherwise. */
  readonly node?: string;
  readonly nodeVersion?: string;
  /** Where `lamella layer build node` keeps what it fetched: an exact version there is preferred. */
  readonly cacheDir?: string;
  /** Folders with Python interpreters that a sandbox shows at the same place. */
  readonly pythonFolders?: readonly string[];
};

const PYTHON_RUNTIME_FOLDER = resolve(import.meta.dirname, '../../../runtimes/python');
const BOOTSTRAP = '/var/runtime/bootstrap';

/** Whether a function of `runtime` has no bootstrap of its own, neither in its code nor in its layers. */
export function needsManagedRuntime(runtime: string, folders: readonly (string | undefined)[]): boolean {
  if (isCustomRuntime(runtime)) return false;
  return !folders.some((folder) => folder !== undefined && existsSync(join(folder, 'bootstrap')));
}

/** Plans how a function of `runtime` (`nodejs22.x`, `python3.12`) starts. Not for custom runtimes. */
export function managedRuntimePlan(
  runtime: string,
  host: ManagedRuntimeHost = {},
): ManagedRuntimePlan | NoManagedRuntime {
  const node = /^nodejs(\d+)\.x$/.exec(runtime)?.[1];
  if (node !== undefined) return planNode(runtime, node, host);
  const python = /^python(3\.\d+)$/.exec(runtime)?.[1];
  if (python !== undefined) return planPython(runtime, python, host);
  return {
    reason:
      `Functions of the runtime ${runtime} cannot be run on this machine: Lamella runs custom runtimes (provided.*), ` +
      'nodejs*.x and python3.*. Use provided.al2023 with a bootstrap, or a layer that holds one.',
  };
}

function planNode(runtime: string, major: string, host: ManagedRuntimeHost): ManagedRuntimePlan {
  const fetched = fetchedNode(major, host.cacheDir);
  const version = host.nodeVersion ?? process.versions.node;
  const source = fetched ?? realpathSync(host.node ?? process.execPath);
  const isAnother = fetched === undefined && version.split('.', 1)[0] !== major;
  return {
    bootstrapPath: BOOTSTRAP,
    mounts: [
      { source: TYPESCRIPT_RUNTIME_DIRECTORY, target: '/var/runtime', access: 'read-only' },
      { source, target: '/var/lang/bin/node', access: 'read-only' },
    ],
    variables: executionEnvironment(runtime),
    ...(isAnother && {
      remark:
        `${runtime} runs on Node ${version} here` +
        (NODE_VERSIONS.includes(major) ? `; \`lamella layer build node --version ${major}\` fetches its own.` : '.'),
    }),
  };
}

/** Node of the wanted version, if a layer was built from it before. */
function fetchedNode(major: string, cacheDir: string | undefined): string | undefined {
  if (cacheDir === undefined || !NODE_VERSIONS.includes(major)) return undefined;
  const { package: pinned } = findNodeBuild(major, process.arch === 'arm64' ? 'arm64' : 'x86_64');
  const binary = join(cacheDir, 'npm', `${pinned.name}@${pinned.version}`, 'bin/node');
  return existsSync(binary) ? binary : undefined;
}

function planPython(
  runtime: string,
  version: string,
  { pythonFolders = ['/usr/local/bin', '/usr/bin'] }: ManagedRuntimeHost,
): ManagedRuntimePlan | NoManagedRuntime {
  const interpreters = pythonFolders.flatMap((folder) =>
    namesIn(folder).filter((name) => /^python3(\.\d+)?$/.test(name)),
  );
  if (interpreters.length === 0) {
    return {
      reason:
        `Functions of the runtime ${runtime} need a Python on this machine, and there is none in ` +
        `${pythonFolders.join(' or ')}. Install python3 (apt-get install python3).`,
    };
  }
  const others = interpreters.filter((name) => name !== 'python3').map((name) => name.slice('python'.length));
  return {
    bootstrapPath: BOOTSTRAP,
    mounts: [{ source: PYTHON_RUNTIME_FOLDER, target: '/var/runtime', access: 'read-only' }],
    variables: executionEnvironment(runtime),
    ...(!others.includes(version) && {
      remark: `${runtime} runs on the Python at hand here${others.length > 0 ? ` (${others.join(', ')})` : ''}.`,
    }),
  };
}

/** AWS sets this for managed runtimes only; the runtime takes the manners of its version from it. */
function executionEnvironment(runtime: string): Readonly<Record<string, string>> {
  return { AWS_EXECUTION_ENV: `AWS_Lambda_${runtime}` };
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
