/**
 * A small service with only sandboxes, as a separate process. Tests run it as root or as another user, exchange lines of
 * JSON with it, and kill it. `sandbox-service.ts` is the other end.
 */
import { readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { systemClock } from '../../src/clock.ts';
import { silentLog } from '../../src/log.ts';
import { probeHost } from '../../src/sandbox/host/host-capabilities.ts';
import type { SandboxHost } from '../../src/sandbox/host/sandbox-host.ts';
import { createSandboxes } from '../../src/sandbox/open-sandbox.ts';
import { readAll } from '../../src/sandbox/process/spawn.ts';
import type { ProcessSpec, Sandbox, SandboxProcess, SandboxSpec } from '../../src/sandbox/sandbox.ts';

export type ProgramOptions = {
  readonly runDirectory: string;
  /** Does not use cgroups, as on machines without them. */
  readonly isBare: boolean;
  /** Makes mounting fail although the host was found to support volumes. */
  readonly cannotMount: boolean;
  /** Gives each sandbox its own network, in which the service sends the sandbox's number to each client of this port. */
  readonly isolatedPort?: number | undefined;
};
export type Run = { readonly output: string; readonly exit: Awaited<SandboxProcess['exited']> };

const options = JSON.parse(process.argv[2] ?? '{}') as ProgramOptions;
const found = await probeHost();
const equipped = found.host && options.isBare ? bare(found.host) : found.host;
const host = equipped && options.cannotMount ? withoutMount(equipped) : equipped;
const capabilities = { ...found, host };
const sandboxes = createSandboxes({
  capabilities,
  clock: systemClock,
  log: silentLog,
  runDirectory: options.runDirectory,
  isolatedPort: options.isolatedPort,
});
const open: Sandbox[] = [];
const processes: SandboxProcess[] = [];
const outputs: string[] = [];

/** The operations that tests can call. Sandboxes and processes are numbered in the order of their start. */
const operations = {
  capabilities: async () => capabilities,
  async open(spec: SandboxSpec): Promise<number> {
    const sandbox = await sandboxes.open(spec);
    const number = open.push(sandbox) - 1;
    sandbox.network?.server.on('connection', (socket) => socket.on('error', () => {}).end(`sandbox ${number}\n`));
    return number;
  },
  async start(sandbox: number, spec: ProcessSpec): Promise<number> {
    const process = at(open, sandbox).start(spec);
    const index = processes.push(process) - 1;
    outputs[index] = '';
    process.output.on('data', (chunk: Buffer) => {
      outputs[index] += chunk.toString();
    });
    return index;
  },
  /** Resolves when the output contains `text`. */
  async outputHas(index: number, text: string): Promise<string> {
    const { output } = at(processes, index);
    while (!outputs[index]?.includes(text)) await new Promise((resolve) => output.once('data', resolve));
    return outputs[index] ?? '';
  },
  async finished(index: number): Promise<Run> {
    const process = at(processes, index);
    if (!process.output.readableEnded) await new Promise((resolve) => process.output.once('end', resolve));
    return { output: outputs[index] ?? '', exit: await process.exited };
  },
  exited: async (index: number) => at(processes, index).exited,
  signal: async (index: number, signal: NodeJS.Signals) => at(processes, index).signal(signal),
  /** Starts a process and sends it a signal in the same turn of the event loop. */
  async startAndSignal(sandbox: number, spec: ProcessSpec, signal: NodeJS.Signals): Promise<number> {
    const index = await operations.start(sandbox, spec);
    at(processes, index).signal(signal);
    return index;
  },
  hostUid: async (sandbox: number) => at(open, sandbox).hostUid,
  peakMemoryBytes: async (sandbox: number) => at(open, sandbox).peakMemoryBytes(),
  takeOutOfMemory: async (sandbox: number) => at(open, sandbox).takeOutOfMemory(),
  setCpuQuota: async (sandbox: number, share: number) => at(open, sandbox).setCpuQuota(share),
  freeze: async (sandbox: number) => at(open, sandbox).freeze(),
  thaw: async (sandbox: number) => at(open, sandbox).thaw(),
  killAll: async (sandbox: number) => at(open, sandbox).killAll(),
  close: async (sandbox: number) => at(open, sandbox).close(),
  /** Closes everything while this sandbox is still opening. */
  async closeWhileOpening(spec: SandboxSpec): Promise<string> {
    const opening = sandboxes.open(spec).then(
      () => 'opened',
      () => 'refused',
    );
    await sandboxes.close();
    return opening;
  },
  /** Connects to a port inside. Returns everything received, or the error message. */
  async callInside(sandbox: number, port: number): Promise<string> {
    try {
      const socket = await at(open, sandbox).network?.connect(port);
      return socket === undefined ? 'no network' : await readAll(socket);
    } catch (failure) {
      return (failure as Error).message;
    }
  },
  descriptors: async () => readdirSync('/proc/self/fd').length,
  closeAll: async () => sandboxes.close(),
};
export type Operations = typeof operations;

const answer = (line: object): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`);
};
createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, name, args } = JSON.parse(line) as { id: number; name: keyof Operations; args: never[] };
  (operations[name] as (...values: never[]) => Promise<unknown>)(...args).then(
    (value) => answer({ id, value }),
    (error: Error) => answer({ id, error: error.message }),
  );
});
process.stdin.once('end', () => process.exit(0));
answer({ id: -1, value: 'ready' });

function at<T>(list: readonly T[], index: number): T {
  const found = list[index];
  if (found === undefined) throw new Error(`unknown number ${index}`);
  return found;
}

function bare(host: SandboxHost): SandboxHost {
  return { ...host, cgroups: { kind: 'none', reason: 'disabled by the test' } };
}

function withoutMount(host: SandboxHost): SandboxHost {
  if (host.volumes.kind === 'directories') return host;
  return { ...host, volumes: { kind: 'loop', tools: { ...host.volumes.tools, mount: '/bin/false' } } };
}
