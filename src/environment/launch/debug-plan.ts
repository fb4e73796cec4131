/**
 * Plans how a function starts under a debugger: Xdebug for PHP, the inspector for Node.js, debugpy for Python. Everything
 * stays on the loopback address. Node.js and Python wait for a debugger before they load the handler, so that it stops in
 * the first invocation too. PHP connects to a debugger that waits for it.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FunctionVersion } from '../../functions/function.ts';
import type { Mount } from '../../sandbox/sandbox.ts';
import { type FunctionTrees, lookUpInside } from './inside-path.ts';
import { findXdebug } from './xdebug.ts';

export type DebugPlan = {
  readonly mounts: readonly Mount[];
  /** Added to the runtime's variables. */
  readonly variables: Readonly<Record<string, string>>;
  /** On 127.0.0.1: the function listens there for Node.js and Python, the debugger for PHP. */
  readonly port: number;
  /** Whether the runtime starts only when a debugger is attached. */
  readonly waits: boolean;
  /** For the log of the function. */
  readonly message: string;
};

/** The function cannot be debugged here. */
export type NoDebugPlan = { readonly reason: string; readonly remedy: string };

export type DebugRequest = {
  readonly version: FunctionVersion;
  readonly trees: FunctionTrees;
  /** An Xdebug to use instead of this machine's. */
  readonly xdebug: string | undefined;
  /** Holds files that are mounted into environments. Created here. */
  readonly directory: string;
  /** Finds a free port at or after this one. */
  readonly findPort: (from: number) => Promise<number>;
  /** Where debugpy is searched. Defaults to the directories of Debian and of pip. */
  readonly pythonDirectories?: readonly string[];
};

/** The debuggers' default ports. */
export const DEBUG_PORTS = { php: 9003, node: 9229, python: 5678 } as const;

/** Where the files are mounted. */
const INSIDE = '/var/debug';
const LOOPBACK = '127.0.0.1';

/** Whether a function is meant by `--debug`: by its name, by its logical ID in a stack, or with all functions. */
export function isDebugged(name: string, wanted: readonly string[]): boolean {
  return wanted.some((word) => word === 'true' || word === '*' || word === name || isOfStack(name, word));
}

/** CloudFormation names a function STACK-LOGICALID-SUFFIX. */
function isOfStack(name: string, logicalId: string): boolean {
  return new RegExp(`-${logicalId.replace(/[^\w]/g, '\\$&')}-[A-Za-z0-9]{8,}$`).test(name);
}

export async function planDebug(request: DebugRequest): Promise<DebugPlan | NoDebugPlan> {
  const { runtime = '' } = request.version.configuration;
  const has = (path: string) => lookUpInside(path, request.trees).kind === 'found';
  if (runtime.startsWith('nodejs')) return planNode(request);
  if (runtime.startsWith('python')) return planPython(request);
  if (has('/opt/bin/php')) return planPhp(request);
  if (has('/opt/bin/node')) return planNode(request);
  return {
    reason: 'Lamella has debuggers for PHP and Node.js of its layers, and for the runtimes nodejs*.x and python3.*',
    remedy: 'Start the service without --debug for this function, and attach a debugger to its process.',
  };
}

async function planNode({ version, findPort }: DebugRequest): Promise<DebugPlan> {
  const port = await findPort(DEBUG_PORTS.node);
  const given = version.configuration.environment?.NODE_OPTIONS ?? '';
  return {
    mounts: [],
    variables: { NODE_OPTIONS: `${given} --inspect-wait=${LOOPBACK}:${port}`.trim() },
    port,
    waits: true,
    message: `Waiting for a Node.js debugger to attach to ${LOOPBACK}:${port}. The source is below /var/task.`,
  };
}

/** debugpy runs the program that the bootstrap would run: it is started as the bootstrap's wrapper. */
async function planPython({ version, directory, findPort, pythonDirectories }: DebugRequest) {
  const { configuration } = version;
  if (configuration.environment?.AWS_LAMBDA_EXEC_WRAPPER !== undefined) {
    return {
      reason: 'debugpy takes the place of its AWS_LAMBDA_EXEC_WRAPPER',
      remedy: 'Remove the variable while you debug.',
    };
  }
  const found = (pythonDirectories ?? PYTHON_DIRECTORIES).some((path) => existsSync(join(path, 'debugpy')));
  if (!found) {
    return {
      reason: `debugpy is in none of ${PYTHON_DIRECTORIES.join(', ')}`,
      remedy: 'Install it: apt-get install python3-debugpy',
    };
  }
  const port = await findPort(DEBUG_PORTS.python);
  const wrapper = writeOnce(directory, 'debugpy', PYTHON_WRAPPER, 0o755);
  return {
    mounts: [{ source: wrapper, target: `${INSIDE}/debugpy`, access: 'read-only' as const }],
    variables: {
      AWS_LAMBDA_EXEC_WRAPPER: `${INSIDE}/debugpy`,
      LAMELLA_DEBUGPY: `${LOOPBACK}:${port}`,
      // Frozen modules of Python 3.11 and newer make debugpy warn.
      PYDEVD_DISABLE_FILE_VALIDATION: '1',
    },
    port,
    waits: true,
    message: `Waiting for a Python debugger to attach to ${LOOPBACK}:${port}. The source is below /var/task.`,
  };
}

const PYTHON_DIRECTORIES = ['/usr/lib/python3/dist-packages', '/usr/local/lib/python3/dist-packages'];

/** Gets the command of the bootstrap: python, -u, and the runtime. */
const PYTHON_WRAPPER = `#!/bin/sh
python=$1
shift
[ "$1" = -u ] && shift
unset AWS_LAMBDA_EXEC_WRAPPER
exec "$python" -u -m debugpy --listen "$LAMELLA_DEBUGPY" --wait-for-client "$@"
`;

function planPhp(request: DebugRequest): DebugPlan | NoDebugPlan {
  const { version, trees, directory, xdebug } = request;
  const found = findXdebug(trees, xdebug);
  if ('reason' in found) return found;
  const ini = writeOnce(directory, 'lamella-xdebug.ini', `zend_extension = ${INSIDE}/xdebug.so\n`, 0o644);
  const variables = version.configuration.environment ?? {};
  const port = DEBUG_PORTS.php;
  return {
    mounts: [
      { source: found.path, target: `${INSIDE}/xdebug.so`, access: 'read-only' },
      { source: ini, target: `${INSIDE}/ini/lamella-xdebug.ini`, access: 'read-only' },
    ],
    variables: {
      PHP_INI_SCAN_DIR: [variables.PHP_INI_SCAN_DIR ?? usualScanDirectories(trees), `${INSIDE}/ini`].join(':'),
      XDEBUG_MODE: 'debug',
      XDEBUG_SESSION: 'lamella',
      XDEBUG_CONFIG: `client_host=${LOOPBACK} client_port=${port}`,
      // The name of the server whose path mappings PhpStorm uses.
      PHP_IDE_CONFIG: 'serverName=lamella',
      // The runtime would stop a handler that stands at a breakpoint.
      LAMELLA_DEADLINE: '0',
    },
    port,
    waits: false,
    message: `Xdebug connects to a debugger at ${LOOPBACK}:${port}. The source is below /var/task.`,
  };
}

/** Those that the runtime would choose if the variable were not set. */
function usualScanDirectories(trees: FunctionTrees): string {
  const directories = ['/opt/lamella/ini', '/var/task/php/conf.d'];
  return directories.filter((path) => lookUpInside(path, trees).kind === 'found').join(':');
}

function writeOnce(directory: string, name: string, content: string, mode: number): string {
  const path = join(directory, name);
  if (existsSync(path)) return path;
  mkdirSync(directory, { recursive: true });
  writeFileSync(path, content, { mode });
  return path;
}
