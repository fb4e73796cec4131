/**
 * Handles one invocation after another until the environment ends. When a handler fails, the failure is reported and the
 * process continues. An uncaught error is reported too, and then ends the process (`exit`).
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
import { createResponseRedirect } from './response-url.ts';
import type { Settings } from './settings.ts';

/** The request that the Runtime API expects next. It decides how an exit is reported. */
type Pending =
  | { readonly kind: 'initialization' }
  | { readonly kind: 'response'; readonly requestId: string }
  | { readonly kind: 'stream'; readonly stream: ResponseStream }
  /** Being sent. */
  | { readonly kind: 'sending'; readonly sent: Promise<void> }
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
  /** Serves until the Runtime API cannot be reached, then rejects. */
  run(handler: Handler): Promise<never>;
  /** Reports an uncaught error, then ends the process. */
  exit(what: string, thrown: unknown, exitCode: number): void;
};

export function createLoop(options: LoopOptions): Loop {
  const { client, settings, current, logError, onIdle, facts, variables } = options;
  const hasCallbacks = settings.runtimeGeneration !== 'managed-without-callbacks';
  let pending: Pending = { kind: 'initialization' };
  let isExiting = false;
  const redirectResponse = createResponseRedirect();

  return {
    async run(handler) {
      const serve = handler.kind === 'streaming' ? serveStreaming : serveBuffered;
      // Let an unhandled rejection of the module surface first, so that it counts as a failed initialization.
      await new Promise((resolve) => setImmediate(resolve));
      onIdle.set(undefined);
      for (;;) {
        // The exit waits for its report to be sent. Do not ask for another invocation meanwhile.
        if (isExiting) await new Promise(() => undefined);
        pending = { kind: 'nothing' };
        const invocation = await client.next();
        pending = { kind: 'response', requestId: invocation.requestId };
        current.begin(invocation.requestId, invocation.traceId, invocation.tenantId);
        if (invocation.traceId) variables._X_AMZN_TRACE_ID = invocation.traceId;
        else delete variables._X_AMZN_TRACE_ID;
        await serve(handler, invocation);
        onIdle.set(undefined);
      }
    },
    exit(what, thrown, exitCode) {
      if (isExiting) return;
      isExiting = true;
      onIdle.set(undefined);
      logError(what, thrown);
      const exit = () => process.exit(exitCode);
      reportExit(thrown).then(exit, exit);
    },
  };

  function reportExit(thrown: unknown): Promise<void> {
    switch (pending.kind) {
      case 'initialization':
        return client.failInitialization(thrown);
      case 'response':
        return client.fail(pending.requestId, thrown);
      case 'stream':
        return pending.stream.fail(thrown);
      case 'sending':
        return pending.sent;
      case 'nothing':
        return Promise.resolve();
    }
  }

  async function serveBuffered({ call }: Handler, invocation: Invocation): Promise<void> {
    const result = await callBuffered(
      {
        handler: call,
        event: () => {
          const event: unknown = JSON.parse(invocation.payload.toString());
          redirectResponse(event);
          return event;
        },
        context: () => createContext(facts, invocation, hasCallbacks),
        hasCallbacks,
      },
      onIdle,
    );
    if (isExiting) return;
    const { requestId } = invocation;
    if (result.kind === 'failed') {
      logError('Invoke Error', result.thrown);
      await send(client.fail(requestId, result.thrown), 'error');
    } else {
      await send(client.respond(requestId, result.body), 'success');
    }
  }

  /** A refusal (response too large, or too late) affects only this invocation. */
  async function send(sent: Promise<void>, what: string): Promise<void> {
    pending = { kind: 'sending', sent };
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
      // AWS's runtimes send status and headers with the first write only, even if the handler just calls `end`.
      beginsAtEnd: settings.runtimeGeneration === 'own',
    });
    pending = { kind: 'stream', stream };
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
      if (isExiting) return;
      logError('Invoke Error', thrown);
      await stream.fail(thrown);
    }
  }
}
