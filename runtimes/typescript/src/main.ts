/**
 * Entry point of the TypeScript and JavaScript runtime: the bootstrap of a provided.al2023 layer, and the local
 * replacement of AWS's managed Node.js runtimes. It depends only on the Runtime API. It is bundled into one file, because
 * Node loads one file faster than many, and loads nothing that the first invocation does not need.
 */
import { createRuntimeClient } from '../../../src/runtime-client/runtime-client.ts';
import { patchConsole } from './console.ts';
import { readFunctionFacts } from './context.ts';
import { locateHandler } from './handler-locator.ts';
import { createCurrentInvocation } from './invoke-store.ts';
import { createLoop } from './loop.ts';
import { extendModulePaths } from './module-paths.ts';
import { runtimeError, textOf } from './runtime-errors.ts';
import { readSettings } from './settings.ts';
import { defineGlobal } from './streaming.ts';

const UNCAUGHT_EXCEPTION = 129;
const UNHANDLED_REJECTION = 128;
/** Node's own exit code for a top-level await that never settles. */
const UNSETTLED_AWAIT = 13;

const settings = readSettings(process.env);
const current = createCurrentInvocation();
const logError = patchConsole(settings, current);
const client = createRuntimeClient({
  address: settings.runtimeApi,
  userAgent: `lamella-typescript/${process.version.slice(1)}`,
});

let whenIdle: (() => void) | undefined;
const onIdle = {
  set(listener: (() => void) | undefined) {
    whenIdle = listener;
  },
};
process.on('beforeExit', () => whenIdle?.());

const facts = readFunctionFacts(process.env);
const loop = createLoop({ client, settings, current, logError, onIdle, facts, variables: process.env });
// AWS's runtime for Node.js 24 leaves uncaught errors to Node.
const catchesUncaught = settings.runtimeGeneration !== 'managed-without-callbacks';
if (catchesUncaught) {
  process.on('uncaughtException', (error) => loop.exit('Uncaught Exception', error, UNCAUGHT_EXCEPTION));
  process.on('unhandledRejection', (reason, promise) => {
    const error = runtimeError('UnhandledPromiseRejection', textOf(reason));
    loop.exit('Unhandled Promise Rejection', Object.assign(error, { reason, promise }), UNHANDLED_REJECTION);
  });
}

process.setSourceMapsEnabled(true);
extendModulePaths(process.env, settings.runtimeDirectory, settings.taskRoot);
if (settings.hasGlobal) defineGlobal(current);

onIdle.set(() => {
  process.stderr.write('Warning: Detected unsettled top-level await\n');
  process.exitCode = UNSETTLED_AWAIT;
});
locateHandler(settings).then(
  (handler) => {
    const running = loop.run(handler);
    return catchesUncaught
      ? running.catch((failure) => loop.exit('Uncaught Exception', failure, UNCAUGHT_EXCEPTION))
      : running;
  },
  async (failure) => {
    if (catchesUncaught) return loop.exit('Uncaught Exception', failure, UNCAUGHT_EXCEPTION);
    logError('Init Error', failure);
    await client.failInitialization(failure);
    throw failure;
  },
);
