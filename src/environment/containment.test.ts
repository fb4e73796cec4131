/** An exception at any edge of an environment ends that environment with a fault, and no other. */
import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../../test/support/until.ts';
import { systemClock } from '../clock.ts';
import type { FunctionVersion } from '../functions/function.ts';
import { type Log, silentLog } from '../log.ts';
import type { RequestId } from '../protocol/names.ts';
import type { ProcessExit, ProcessSpec, Sandbox } from '../sandbox/sandbox.ts';
import { type Environment, type EnvironmentHost, openEnvironment } from './environment.ts';
import type { Invocation, ResponseSink } from './invocation.ts';
import { createConnectionBudget } from './launch/descriptors.ts';
import { createSlots } from './launch/slots.ts';
import { createOutputTurns } from './telemetry/output-reader.ts';

/** A sandbox whose processes are functions in this process. */
class ScriptedSandbox implements Sandbox {
  readonly network = undefined;
  readonly hostUid = undefined;
  readonly volumeLimitBytes = undefined;
  findSocket = async () => 'held' as const;
  usage = async () => ({ processes: 1, descriptors: 3, memoryBytes: 4096, volume: undefined });
  isClosed = false;
  readonly output = new PassThrough();
  exit: (exit: ProcessExit) => void = () => undefined;
  #isStopped = false;

  start({ environment }: ProcessSpec) {
    void this.#runtime(`http://${environment.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation`);
    const exited = new Promise<ProcessExit>((resolve) => {
      this.exit = resolve;
    });
    return { output: this.output, exited, signal: () => undefined };
  }

  /** Writes each event to the output and returns it. After `exit` it exits, after `hang` it does not respond. */
  async #runtime(api: string): Promise<void> {
    while (!this.#isStopped) {
      const next = await fetch(`${api}/next`).catch(() => undefined);
      const body = await next?.text().catch(() => undefined);
      // fetch may first try a connection to an earlier environment with the same address.
      if (next === undefined || body === undefined) continue;
      if (body === '"exit"') return this.exit({ kind: 'exited', code: 1 });
      if (body === '"hang"') return;
      this.output.write(`${body}\n`);
      const id = next.headers.get('lambda-runtime-aws-request-id');
      await fetch(`${api}/${id}/response`, { method: 'POST', body }).catch(() => undefined);
    }
  }

  peakMemoryBytes(): number {
    return 1;
  }
  takeOutOfMemory(): boolean {
    return false;
  }
  forgetOutOfMemory(): void {}
  setCpuQuota(): void {}
  async freeze(): Promise<void> {}
  async thaw(): Promise<void> {}
  async killAll(): Promise<void> {
    this.#end();
  }
  async close(): Promise<void> {
    this.isClosed = true;
    this.#end();
  }

  #end(): void {
    this.#isStopped = true;
    this.output.destroy();
    this.exit({ kind: 'signaled', signal: 'SIGKILL' });
  }
}

const version = {
  scope: { region: 'us-east-1', account: '123456789012' },
  name: 'hello',
  version: '$LATEST',
  configuration: {
    runtime: 'provided.al2023',
    memoryMib: 128,
    timeoutSeconds: 1,
    ephemeralStorageMib: 512,
    tracingMode: 'PassThrough',
    logging: { format: 'Text', logGroup: '/aws/lambda/hello' },
  },
} as unknown as FunctionVersion;

const open: Environment[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((environment) => environment.close()));
});

async function openWith(sandbox: Sandbox, changes: Partial<EnvironmentHost> = {}) {
  const failures: unknown[] = [];
  const log = { ...silentLog, error: (details: unknown) => failures.push(details) } as unknown as Log;
  const environment = await openEnvironment(
    {
      openSandbox: async () => sandbox,
      slots: createSlots(),
      connections: createConnectionBudget(),
      findOwner: async () => 'unavailable',
      network: 'shared',
      hasCpuLimit: true,
      clock: systemClock,
      turns: createOutputTurns(systemClock),
      emit: () => undefined,
      log,
      ...changes,
    },
    {
      version,
      initializationType: 'on-demand',
      managedRuntime: { bootstrapPath: '/var/runtime/bootstrap', variables: {}, mounts: [] },
      codeDirectory: '/code',
      optDirectory: undefined,
      credentials: { accessKeyId: 'a', secretAccessKey: 's', sessionToken: 't' },
    },
  );
  open.push(environment);
  return { environment, failures };
}

function invocationOf(event: string, responseSink?: ResponseSink): Invocation {
  return {
    requestId: crypto.randomUUID() as RequestId,
    payload: Buffer.from(JSON.stringify(event)),
    invokedFunctionArn: 'arn',
    traceId: 'Root=1',
    clientContext: undefined,
    cognitoIdentity: undefined,
    wantsLogTail: false,
    responseSink,
  };
}

const boom = (): never => {
  throw new RangeError('boom');
};

class FailingSandbox extends ScriptedSandbox {
  constructor(method: keyof Sandbox, action: () => unknown = boom) {
    super();
    Object.defineProperty(this, method, { value: action });
  }
}

describe('an exception', () => {
  it.each([
    ['in the output of a process', 'pipe', 'line', new ScriptedSandbox()],
    ['when a process exits', 'process', 'exit', new FailingSandbox('takeOutOfMemory')],
    ['when the processes are killed', 'process', 'exit', new FailingSandbox('killAll', async () => boom())],
    ['when a deadline passes', 'process', 'hang', new FailingSandbox('killAll', boom)],
    ['in an effect', 'event', 'offered', new FailingSandbox('setCpuQuota')],
    ['when a process is started', 'event', 'started', new FailingSandbox('start')],
  ])('%s ends the environment with Sandbox.Failure', async (_, edge, event, sandbox) => {
    const { environment, failures } = await openWith(sandbox, {
      emit: (fact) => {
        if (fact.kind === 'log-event' && fact.message === '"line"\n') boom();
      },
    });
    const run = environment.run(invocationOf(event));
    const released = await run.released;
    const outcome = await run.outcome;
    expect(released).toBe('gone');
    if (event !== 'line') {
      const payload = 'payload' in outcome ? JSON.parse(outcome.payload.toString()) : undefined;
      expect(payload).toMatchObject({ errorType: 'Sandbox.Failure', errorMessage: expect.stringContaining('boom') });
    }
    expect(failures).toEqual([expect.objectContaining({ edge, function: 'hello' })]);
    expect(environment).toMatchObject({ isGone: true, isFree: false });
    await environment.close();
    expect(sandbox.isClosed).toBe(true);
  });

  it.each([
    ['in a timer', 'timer', new FailingSandbox('freeze')],
    ['when processes are frozen', 'process', new FailingSandbox('freeze', async () => boom())],
  ])('%s ends an idle environment', async (_, edge, sandbox) => {
    const { environment, failures } = await openWith(sandbox);
    expect((await environment.run(invocationOf('fine')).outcome).kind).toBe('returned');
    await until(() => environment.isGone);
    expect(failures).toEqual([expect.objectContaining({ edge })]);
    await environment.close();
    expect(sandbox.isClosed).toBe(true);
  });

  it('when processes are thawed ends the environment', async () => {
    let frozen = false;
    const sandbox = new FailingSandbox('thaw', async () => boom());
    sandbox.freeze = async () => {
      frozen = true;
    };
    const { environment, failures } = await openWith(sandbox);
    await environment.run(invocationOf('fine')).outcome;
    await until(() => frozen);
    const run = environment.run(invocationOf('again'));
    expect(await run.outcome).toMatchObject({ kind: 'failed' });
    expect(failures).toHaveLength(1);
  });

  it('in a request to the Runtime API ends the environment', async () => {
    const { environment, failures } = await openWith(new ScriptedSandbox());
    const run = environment.run(invocationOf('streamed', { begin: boom, write: () => undefined }));
    expect(await run.outcome).toMatchObject({ kind: 'failed' });
    expect(failures).toEqual([expect.objectContaining({ edge: 'socket' })]);
  });

  it('does not touch another environment', async () => {
    const slots = createSlots();
    const healthy = await openWith(new ScriptedSandbox(), { slots });
    const broken = await openWith(new FailingSandbox('setCpuQuota'), { slots });
    expect((await healthy.environment.run(invocationOf('one')).outcome).kind).toBe('returned');
    expect((await broken.environment.run(invocationOf('one')).outcome).kind).toBe('failed');
    await until(() => healthy.environment.isFree);
    expect((await healthy.environment.run(invocationOf('two')).outcome).kind).toBe('returned');
  });
});

describe('a resource of this machine that runs out when a process is started', () => {
  it.each([
    ['ENOSPC', 'disk-full'],
    ['EMFILE', 'open-files-limit'],
    ['EAGAIN', 'process-limit'],
    ['ENOMEM', 'out-of-memory'],
  ])('with %s rejects the invocation with the operator error %s', async (errno, code) => {
    const failure = Object.assign(new Error(`${errno}: failed, write`), { code: errno });
    const { environment } = await openWith(
      new FailingSandbox('start', () => {
        throw failure;
      }),
    );
    const run = environment.run(invocationOf('event'));
    await expect(run.outcome).rejects.toMatchObject({ code, cause: failure });
    expect(await run.released).toBe('gone');
  });
});
