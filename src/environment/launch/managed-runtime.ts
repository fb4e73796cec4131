/**
 * Replaces AWS's managed runtimes, so that their functions run locally. Node.js functions run on Lamella's TypeScript
 * runtime, with a fetched Node.js (`managed-node.ts`) or this machine's, and Python functions on a small client with a
 * Python of this machine. Other managed runtimes are
 * not supported; the reason that is returned names the alternatives.
 */
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_DIRECTORY } from '../../package-directory.ts';
import { findNodeBuild, NODE_VERSIONS } from '../../packaging/node/node-builds.ts';
import { TYPESCRIPT_RUNTIME_DIRECTORY } from '../../packaging/node/typescript-runtime.ts';
import { isCustomRuntime } from '../../protocol/runtimes.ts';
import type { Mount } from '../../sandbox/sandbox.ts';
import { checkEntrypoint } from './entrypoint-check.ts';
import type { FunctionTrees } from './inside-path.ts';

export type ManagedRuntimePlan = {
  /** Used instead of looking for a `bootstrap` in the function's code and layers. */
  readonly bootstrapPath: '/var/runtime/bootstrap';
  readonly mounts: readonly Mount[];
  /** Added to the runtime's variables; the function's configuration cannot set them. */
  readonly variables: Readonly<Record<string, string>>;
  /** A message for the user when the function runs on another version of the language. */
  readonly warning?: string;
};

/** The runtime is not supported on this machine; `reason` explains why and what to do. */
export type NoManagedRuntime = { readonly reason: string };

export type ManagedRuntimeHost = {
  /** Path of the node binary. Defaults to the one that runs this process. */
  readonly node?: string;
  readonly nodeVersion?: string;
  /** Cache of `lamella layer build node`. The exact version is preferred if it is there. */
  readonly cacheDir?: string;
  /** Directories with Python interpreters that have the same path in a sandbox. */
  readonly pythonDirectories?: readonly string[];
};

const PYTHON_RUNTIME_DIRECTORY = join(PACKAGE_DIRECTORY, 'runtimes/python');
const BOOTSTRAP = '/var/runtime/bootstrap';
const NODE = /^nodejs(\d+)\.x$/;
const PYTHON = /^python(3\.\d+)$/;

/**
 * Whether a function starts with a managed runtime, and not with a bootstrap of its own. As on AWS, a Node.js or Python
 * function never starts a file named `bootstrap`. For a runtime that Lamella does not have, its code or a layer can bring
 * the bootstrap.
 */
export function needsManagedRuntime(runtime: string, trees: FunctionTrees): boolean {
  if (isCustomRuntime(runtime)) return false;
  return NODE.test(runtime) || PYTHON.test(runtime) || checkEntrypoint(trees).kind === 'missing';
}

/** The major version of a managed Node.js runtime: `22` for `nodejs22.x`. Undefined for other runtimes. */
export function majorOfNodeRuntime(runtime: string): string | undefined {
  return NODE.exec(runtime)?.[1];
}

/** Plans how a function of `runtime` (`nodejs22.x`, `python3.12`) starts. Not for custom runtimes. */
export function managedRuntimePlan(
  runtime: string,
  host: ManagedRuntimeHost = {},
): ManagedRuntimePlan | NoManagedRuntime {
  const node = majorOfNodeRuntime(runtime);
  if (node !== undefined) return planNode(runtime, node, host);
  const python = PYTHON.exec(runtime)?.[1];
  if (python !== undefined) return planPython(runtime, python, host);
  return {
    reason:
      `Lamella does not support the runtime ${runtime}. It runs custom runtimes (provided.*), ` +
      'nodejs*.x and python3.*. Use provided.al2023 with a bootstrap, or add a layer with a bootstrap.',
  };
}

function planNode(runtime: string, major: string, host: ManagedRuntimeHost): ManagedRuntimePlan {
  const fetched = fetchedNode(major, host.cacheDir);
  const version = host.nodeVersion ?? process.versions.node;
  const source = fetched ?? realpathSync(host.node ?? process.execPath);
  const isOtherVersion = fetched === undefined && version.split('.', 1)[0] !== major;
  return {
    bootstrapPath: BOOTSTRAP,
    mounts: [
      { source: TYPESCRIPT_RUNTIME_DIRECTORY, target: '/var/runtime', access: 'read-only' },
      { source, target: '/var/lang/bin/node', access: 'read-only' },
    ],
    variables: executionEnvironment(runtime),
    ...(isOtherVersion && {
      warning:
        `${runtime} runs on Node.js ${version}; compiled modules may not load.` +
        (NODE_VERSIONS.includes(major)
          ? ` To fetch Node.js ${major}, run: lamella layer build node --version ${major}`
          : ''),
    }),
  };
}

/** Node.js of the requested version, if a layer has been built with it. */
export function fetchedNode(major: string, cacheDir: string | undefined): string | undefined {
  if (cacheDir === undefined || !NODE_VERSIONS.includes(major)) return undefined;
  const { package: pinned } = findNodeBuild(major, process.arch === 'arm64' ? 'arm64' : 'x86_64');
  const binary = join(cacheDir, 'npm', `${pinned.name}@${pinned.version}`, 'bin/node');
  return existsSync(binary) ? binary : undefined;
}

function planPython(
  runtime: string,
  version: string,
  { pythonDirectories = ['/usr/local/bin', '/usr/bin'] }: ManagedRuntimeHost,
): ManagedRuntimePlan | NoManagedRuntime {
  const interpreters = pythonDirectories.flatMap((directory) =>
    namesIn(directory).filter((name) => /^python3(\.\d+)?$/.test(name)),
  );
  if (interpreters.length === 0) {
    return {
      reason:
        `The runtime ${runtime} needs a Python interpreter, and there is none in ${pythonDirectories.join(' or ')}. ` +
        'Install one: apt-get install python3',
    };
  }
  const others = interpreters.filter((name) => name !== 'python3').map((name) => name.slice('python'.length));
  return {
    bootstrapPath: BOOTSTRAP,
    mounts: [{ source: PYTHON_RUNTIME_DIRECTORY, target: '/var/runtime', access: 'read-only' }],
    variables: executionEnvironment(runtime),
    ...(!others.includes(version) && {
      warning:
        `${runtime} runs on the Python version of this machine${others.length > 0 ? ` (${others.join(', ')})` : ''}; ` +
        `compiled modules may not load. To run it on the same version, install ${runtime}.`,
    }),
  };
}

/** AWS sets this for managed runtimes only; the runtime adopts the behavior of that version. */
function executionEnvironment(runtime: string): Readonly<Record<string, string>> {
  return { AWS_EXECUTION_ENV: `AWS_Lambda_${runtime}` };
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
