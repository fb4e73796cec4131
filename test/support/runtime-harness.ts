/**
 * Runs a real runtime process with Lamella's real Runtime API, without sandbox or service, and reports what the environment would
 * see. Every step is an event; nothing waits by the clock.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { startRuntimeApi } from '../../src/runtime-api/server.ts';
import { type Offer, type RuntimeResponse, RuntimeSession } from '../../src/runtime-api/session.ts';

export type Ended = { readonly kind: 'ended'; readonly code: number | null; readonly signal: NodeJS.Signals | null };

export type RuntimeUnderTest = {
  readonly process: ChildProcess;
  /** Offers an event at the runtime's next poll. Resolves with its response, or with how the process ended. */
  invoke(event: unknown, offer?: Partial<Offer>): Promise<(RuntimeResponse & { readonly requestId: string }) | Ended>;
  /** The first outcome: ready, failed to initialize, or ended without a call. */
  readonly initialized: Promise<
    { readonly kind: 'ready' } | { readonly kind: 'failed'; readonly errorType: string; readonly body: string } | Ended
  >;
  readonly ended: Promise<Ended>;
  /** Waits until the runtime requests its next invocation. */
  ready(): Promise<void>;
  /** Breaks the runtime's open connections. Resolves when it polls again. */
  cutConnections(): Promise<void>;
  /** Everything written so far. Complete after `ended`. */
  output(): string;
  close(): Promise<void>;
};

export type RuntimeSpec = {
  readonly argv: readonly [string, ...string[]];
  /** LAMBDA_TASK_ROOT and working directory. */
  readonly task: string;
  readonly handler: string;
  readonly variables?: Readonly<Record<string, string>>;
};

export const FUNCTION_ARN = 'arn:aws:lambda:us-east-1:123456789012:function:under-test';

export async function startRuntime(spec: RuntimeSpec): Promise<RuntimeUnderTest> {
  const { argv, task, handler } = spec;
  const initialized = deferred<Awaited<RuntimeUnderTest['initialized']>>();
  let readiness = deferred<void>();
  let answered: ((answer: RuntimeResponse) => void) | undefined;

  const session = new RuntimeSession((event) => {
    if (event.kind === 'runtime-ready') {
      initialized.resolve({ kind: 'ready' });
      readiness.resolve();
    } else if (event.kind === 'init-error-reported') {
      initialized.resolve({ kind: 'failed', errorType: event.errorType, body: event.body.toString() });
    } else if (event.kind === 'responded') {
      answered?.(event.response);
    }
  });
  const failures: unknown[] = [];
  const listener = await startRuntimeApi({
    session,
    metadata: { accountId: '123456789012', functionName: 'under-test', functionVersion: '$LATEST', handler },
    host: '127.0.0.1',
    port: 0,
    onFailure: (failure) => failures.push(failure),
  });

  // A relay between the two, because only that can break a connection.
  const links = new Set<Socket>();
  const relay = createServer((runtimeSide) => {
    const apiSide = connect(listener.port, listener.host);
    links.add(runtimeSide);
    runtimeSide
      .on('error', () => undefined)
      .on('close', () => {
        links.delete(runtimeSide);
        apiSide.destroy();
      });
    apiSide.on('error', () => undefined).on('close', () => runtimeSide.destroy());
    runtimeSide.setNoDelay();
    apiSide.setNoDelay();
    runtimeSide.pipe(apiSide).pipe(runtimeSide);
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  const { port } = relay.address() as AddressInfo;

  const [program, ...rest] = argv;
  const child = spawn(program, rest, {
    cwd: task,
    // Its own process group: a runtime may have started programs that outlive it.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...variablesOf(spec), AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}` },
  });
  const output: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ kind: 'ended', code, signal }));
  });
  ended.then(initialized.resolve, initialized.reject);

  return {
    process: child,
    initialized: initialized.promise,
    ended,
    ready: () => readiness.promise,
    async cutConnections() {
      readiness = deferred();
      for (const link of links) link.destroy();
      await Promise.race([readiness.promise, ended]);
    },
    output: () => Buffer.concat(output).toString(),
    async invoke(event, changes = {}) {
      const stopped = await Promise.race([readiness.promise, ended]);
      if (stopped) return stopped;
      readiness = deferred();
      const requestId = changes.requestId ?? randomUUID();
      const answer = new Promise<RuntimeResponse>((resolve) => {
        answered = resolve;
      });
      session.offer({
        requestId,
        deadlineMs: Date.now() + 3000,
        invokedFunctionArn: FUNCTION_ARN,
        traceId: 'Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0',
        clientContext: undefined,
        cognitoIdentity: undefined,
        payload: Buffer.isBuffer(event) ? event : Buffer.from(JSON.stringify(event)),
        ...changes,
      } as Offer);
      const first = await Promise.race([answer, ended]);
      return first.kind === 'ended' ? first : { ...first, requestId };
    },
    async close() {
      killGroup(child.pid);
      await ended.catch(() => undefined);
      for (const link of links) link.destroy();
      await new Promise((resolve) => relay.close(resolve));
      await listener.close();
      if (failures.length > 0) throw failures[0];
    },
  };
}

/** The variables of a runtime, without the address of its API. */
export function variablesOf({ task, handler, variables }: RuntimeSpec): Record<string, string | undefined> {
  return {
    PATH: process.env.PATH,
    LANG: 'en_US.UTF-8',
    TZ: ':UTC',
    _HANDLER: handler,
    LAMBDA_TASK_ROOT: task,
    AWS_LAMBDA_FUNCTION_NAME: 'under-test',
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '128',
    AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/under-test',
    AWS_LAMBDA_LOG_STREAM_NAME: '2026/11/22/[$LATEST]0123456789abcdef0123456789abcdef',
    AWS_REGION: 'us-east-1',
    AWS_DEFAULT_REGION: 'us-east-1',
    ...variables,
  };
}

/** Kills a process group by its leader. */
export function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch (failure) {
    // The group is empty.
    if ((failure as NodeJS.ErrnoException).code !== 'ESRCH') throw failure;
  }
}

export type Deferred<T> = { promise: Promise<T>; resolve: (value: T) => void; reject: (failure: unknown) => void };

export function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => undefined;
  let reject: (failure: unknown) => void = () => undefined;
  const promise = new Promise<T>((settle, fail) => {
    resolve = settle;
    reject = fail;
  });
  return { promise, resolve, reject };
}
