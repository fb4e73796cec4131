/**
 * One invocation after another, until the environment ends. A handler that fails has its failure reported and the
 * process goes on; what nobody caught (`die`) ends the process after it was reported.
 */
import {
  type Invocation,
  LambdaApiError,
  type ResponseStream,
  type RuntimeClient,
} from '../../../src/runtime-client/runtime-client.ts';
import { callBuffered, type OnIdle } from './buffered-call.ts';
import type { LogError } from './console.ts';
import { createContext, type FunctionFacts } from './context.ts';
import type { Handler } from './handler-locator.ts';
import type { CurrentInvocation } from './invoke-store.ts';
import type { Settings } from './settings.ts';

/** What the Runtime API is owed at the moment; decides how a death is reported. */
type Debt =
  | { readonly kind: 'initialization' }
  | { readonly kind: 'response'; readonly requestId: string }
  | { readonly kind: 'stream'; readonly stream: ResponseStream }
  /** It is on its way. */
  | { readonly kind: 'answering'; readonly sent: Promise<void> }
  | { readonly kind: 'nothing' };

export type LoopOptions = {
  readonly client: RuntimeClient;
  readonly settings: Settings;
  readonly current: CurrentInvocation;
  readonly logError: LogError;
  readonly onIdle: OnIdle;
  readonly facts: FunctionFacts;
  readonly variables: NodeJS.ProcessEnv;
};

export type Loop = {
  /** Serves until the Runtime API cannot be reached; then rejects. */
  run(handler: Handler): Promise<never>;
  /** Reports what nobody caught, then ends the process. */
  die(what: string, thrown: unknown, exitCode: number): void;
};

export function createLoop(options: LoopOptions): Loop {
  const { client, settings, current, logError, onIdle, facts, variables } = options;
  const hasCallbacks = settings.manners !== 'managed-without-callbacks';
  let debt: Debt = { kind: 'initialization' };
  let isDying = false;

  return {
    async run(handler) {
      const serve = handler.kind === 'streaming' ? serveStreaming : serveBuffered;
      // A rejection in the module that nobody handled is told before anything is asked for: as a failed initialization.
      await new Promise((resolve) => setImmediate(resolve));
      onIdle.set(undefined);
      for (;;) {
        // Whoever is dying has said the last word, and goes when it has arrived.
        if (isDying) await new Promise(() => undefined);
        debt = { kind: 'nothing' };
        const invocation = await client.next();
        debt = { kind: 'response', requestId: invocation.requestId };
        current.begin(invocation.requestId, invocation.traceId, invocation.tenantId);
        if (invocation.traceId) variables._X_AMZN_TRACE_ID = invocation.traceId;
        else delete variables._X_AMZN_TRACE_ID;
        await serve(handler, invocation);
        onIdle.set(undefined);
      }
    },
    die(what, thrown, exitCode) {
      if (isDying) return;
      isDying = true;
      onIdle.set(undefined);
      logError(what, thrown);
      const exit = () => process.exit(exitCode);
      reportDeath(thrown).then(exit, exit);
    },
  };

  function reportDeath(thrown: unknown): Promise<void> {
    switch (debt.kind) {
      case 'initialization':
        return client.failInitialization(thrown);
      case 'response':
        return client.fail(debt.requestId, thrown);
      case 'stream':
        return debt.stream.fail(thrown);
      case 'answering':
        return debt.sent;
      case 'nothing':
        return Promise.resolve();
    }
  }

  async function serveBuffered({ call }: Handler, invocation: Invocation): Promise<void> {
    const verdict = await callBuffered(
      {
        handler: call,
        event: () => JSON.parse(invocation.payload.toString()),
        context: () => createContext(facts, invocation, hasCallbacks),
        hasCallbacks,
      },
      onIdle,
    );
    if (isDying) return;
    const { requestId } = invocation;
    if (verdict.kind === 'failed') {
      logError('Invoke Error', verdict.thrown);
      await send(client.fail(requestId, verdict.thrown), 'error');
    } else {
      await send(client.respond(requestId, verdict.body), 'success');
    }
  }

  /** A refusal concerns this invocation alone: too large an answer, or one that came too late. */
  async function send(sent: Promise<void>, what: string): Promise<void> {
    debt = { kind: 'answering', sent };
    try {
      await sent;
    } catch (failure) {
      if (!(failure instanceof LambdaApiError)) throw failure;
      const refusal = `Failed to post handler ${what} response. Http response code: ${failure.status}.`;
      process.stderr.write(`[ERROR] [${Date.now()}] LAMBDA_RUNTIME ${refusal} ${failure.message}\n`);
    }
  }

  async function serveStreaming({ call, highWaterMark }: Handler, invocation: Invocation): Promise<void> {
    const stream = client.stream(invocation.requestId, {
      ...(highWaterMark !== undefined && { highWaterMark }),
      // AWS's runtimes hold status and headers back until something is written, although `end` may be all that comes.
      beginsAtEnd: settings.manners === 'own',
    });
    debt = { kind: 'stream', stream };
    stream.on('error', () => undefined);
    try {
      const event = JSON.parse(invocation.payload.toString());
      const working = call(event, stream, createContext(facts, invocation, hasCallbacks));
      if (typeof working?.then !== 'function') throw new Error('Streaming does not support non-async handlers.');
      const result = await working;
      if (result !== undefined) console.warn('Streaming handlers ignore return values.');
      await stream.accepted;
      if (!stream.writableFinished) throw new Error('Response stream is not finished.');
    } catch (thrown) {
      if (isDying) return;
      logError('Invoke Error', thrown);
      await stream.fail(thrown);
    }
  }
}
