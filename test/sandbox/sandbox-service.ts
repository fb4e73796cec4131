/**
 * Starts `sandbox-program.ts` as a given user and calls its operations. The program is bundled into a directory that all
 * users can read, because the sources can be in a home directory that only its owner can enter.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import type { SandboxSpec } from '../../src/sandbox/sandbox.ts';
import type { Operations, ProgramOptions, Run } from './sandbox-program.ts';

/** The user that the service runs as. */
export type Account = {
  readonly name: 'root' | 'root without cgroups' | 'an ordinary user';
  readonly uid: number;
  readonly isBare: boolean;
};

const ORDINARY_UID = 54_321;

/** The accounts that this run can test. Prints a message if some are missing. */
export function accounts(): Account[] {
  const uid = process.getuid?.() ?? 0;
  if (uid !== 0) {
    console.log('not root: this run does not test the sandboxes of a service that is root');
    return [{ name: 'an ordinary user', uid, isBare: false }];
  }
  return [
    { name: 'root', uid: 0, isBare: false },
    { name: 'root without cgroups', uid: 0, isBare: true },
    { name: 'an ordinary user', uid: ORDINARY_UID, isBare: false },
  ];
}

type Call = { [K in keyof Operations]: (...args: Parameters<Operations[K]>) => ReturnType<Operations[K]> };

export type SandboxService = Call & {
  readonly pid: number;
  readonly account: Account;
  /** A directory owned by the service's user. It is removed with the service. */
  readonly directory: string;
  /** Creates a directory in it, owned by the user that runs the tests, like unpacked packages. */
  createDirectory(name: string): Promise<string>;
  /** A spec that mounts new directories at /var/task, /opt and /tmp. */
  spec(changes?: Partial<SandboxSpec>): Promise<SandboxSpec>;
  openOne(changes?: Partial<SandboxSpec>): Promise<number>;
  /** Runs a shell command and waits for its exit. */
  sh(sandbox: number, command: string, environment?: Record<string, string>): Promise<Run>;
  startSh(sandbox: number, command: string): Promise<number>;
  kill(): Promise<void>;
  end(): Promise<void>;
};

export const PATH = '/usr/local/bin:/usr/bin:/bin';

let bundle: Promise<string> | undefined;
let counter = 0;

/** Starts a service. `end` closes its sandboxes and removes its directory. Pass `runDirectory` to reuse an earlier one. */
export async function startSandboxService(
  account: Account,
  runDirectory?: string,
  { cannotMount = false, isolatedPort }: { cannotMount?: boolean; isolatedPort?: number } = {},
): Promise<SandboxService> {
  bundle ??= bundleProgram();
  const program = await bundle;
  const directory = await mkdtemp(join(tmpdir(), 'lamella-service-'));
  await chmod(directory, 0o755);
  await chown(directory, account.uid, account.uid).catch(() => {});
  const options: ProgramOptions = {
    runDirectory: runDirectory ?? join(directory, 'run'),
    isBare: account.isBare,
    cannotMount,
    isolatedPort,
  };
  const identity = process.getuid?.() === 0 ? { uid: account.uid, gid: account.uid } : {};
  const child = spawn(process.execPath, [program, JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { SECRET_OF_THE_SERVICE: 'secret', HOME: '/root', PATH },
    cwd: directory,
    ...identity,
  });
  const call = await connect(child);
  const proxy = new Proxy({} as Call, {
    get:
      (_, name) =>
      (...args: unknown[]) =>
        call(String(name), args),
  });

  const createDirectory = async (name: string): Promise<string> => {
    const path = join(directory, name);
    await mkdir(path, { recursive: true });
    await chmod(path, 0o755);
    return path;
  };
  const spec: SandboxService['spec'] = async (changes = {}) => {
    const number = counter++;
    const tmp = await createDirectory(`${number}/tmp`);
    await chmod(tmp, 0o1777);
    return {
      id: `test-${process.pid}-${number}`,
      slot: number % 500,
      userName: 'sbx_user1051',
      directories: ['/var/task', '/opt', '/tmp'],
      mounts: [
        { source: await createDirectory(`${number}/task`), target: '/var/task', access: 'read-only' },
        { source: await createDirectory(`${number}/opt`), target: '/opt', access: 'read-only' },
        { source: tmp, target: '/tmp', access: 'read-write' },
      ],
      hosts: { '127.8.7.6': ['sandbox.localdomain', 'sandbox'] },
      workingDirectory: '/var/task',
      memoryLimitBytes: 256 * 1024 * 1024,
      limits: { openFiles: 1024, processes: 742, lockedBytes: 65_536, coreBytes: 10_737_418_240 },
      ...changes,
    };
  };
  const service: Omit<SandboxService, keyof Call> = {
    pid: child.pid ?? 0,
    account,
    directory,
    createDirectory,
    spec,
    openOne: async (changes) => proxy.open(await spec(changes)),
    async sh(sandbox, command, environment = { PATH }) {
      return proxy.finished(await proxy.start(sandbox, { argv: ['/bin/sh', '-c', command], environment }));
    },
    startSh: (sandbox, command) => proxy.start(sandbox, { argv: ['/bin/sh', '-c', command], environment: { PATH } }),
    async kill() {
      const gone = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGKILL');
      await gone;
    },
    async end() {
      if (child.exitCode === null && child.signalCode === null) {
        await proxy.closeAll();
        const gone = new Promise((resolve) => child.once('close', resolve));
        child.stdin?.end();
        await gone;
      }
      await rm(directory, { recursive: true, force: true });
    },
  };
  return new Proxy(service as SandboxService, {
    get: (target, name) =>
      name in target ? Reflect.get(target, name) : name === 'then' ? undefined : Reflect.get(proxy, name),
  });
}

/** Removes the bundle that all services share. */
export async function forgetBundle(): Promise<void> {
  if (bundle !== undefined) await rm(join(await bundle, '..'), { recursive: true, force: true });
  bundle = undefined;
}

/** The host pids of all running descendants of a process. */
export async function descendants(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const texts = await Promise.all(
    threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/children`, 'utf8').catch(() => '')),
  );
  const children = texts.flatMap((text) => text.split(' ').filter(Boolean).map(Number));
  return [...children, ...(await Promise.all(children.map(descendants))).flat()];
}

async function bundleProgram(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'lamella-program-'));
  await chmod(directory, 0o755);
  const outfile = join(directory, 'program.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'sandbox-program.ts')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    outfile,
    logLevel: 'error',
    // pino loads Node's modules with require, which does not exist in an ES module.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
  await chmod(outfile, 0o644);
  return outfile;
}

async function connect(child: ChildProcess): Promise<(name: string, args: unknown[]) => Promise<unknown>> {
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let next = 0;
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error('the program has no pipes');
  stdin.on('error', () => {});
  createInterface({ input: stdout }).on('line', (line) => {
    const { id, value, error } = JSON.parse(line) as { id: number; value?: unknown; error?: string };
    if (error === undefined) waiting.get(id)?.resolve(value);
    else waiting.get(id)?.reject(new Error(error));
    waiting.delete(id);
  });
  child.once('close', (code, signal) => {
    for (const { reject } of waiting.values()) reject(new Error(`the service ended: ${code ?? signal}`));
  });
  await new Promise((resolve, reject) => waiting.set(-1, { resolve, reject }));
  return (name, args) =>
    new Promise((resolve, reject) => {
      const id = next++;
      waiting.set(id, { resolve, reject });
      stdin.write(`${JSON.stringify({ id, name, args })}\n`);
    });
}
