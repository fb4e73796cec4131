/**
 * The TypeScript and JavaScript runtime: a bootstrap for provided.al2023, and what runs functions of the managed Node.js
 * runtimes locally. It knows Lambda through the Runtime API alone. Bundled into one file, which Node loads faster than
 * many; nothing is loaded that the first invocation does not need.
 */
import { createRuntimeClient } from '../../../src/runtime-client/runtime-client.ts';
import { patchConsole } from './console.ts';
import { readFunctionFacts } from './context.ts';
import { locateHandler } from './handler-locator.ts';
import { createCurrentInvocation } from './invoke-store.ts';
import { createLoop } from './loop.ts';
import { extendModulePaths } from './module-paths.ts';
import { runtimeError } from './runtime-errors.ts';
import { readSettings } from './settings.ts';
import { defineGlobal } from './streaming.ts';

const UNCAUGHT_EXCEPTION = 129;
const UNHANDLED_REJECTION = 128;

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
process.on('uncaughtException', (error) => loop.die('Uncaught Exception', error, UNCAUGHT_EXCEPTION));
process.on('unhandledRejection', (reason) => {
  const error = runtimeError('UnhandledPromiseRejection', String(reason));
  loop.die('Unhandled Promise Rejection', Object.assign(error, { reason }), UNHANDLED_REJECTION);
});

process.setSourceMapsEnabled(true);
extendModulePaths(process.env, settings.runtimeFolder, settings.taskRoot);
if (settings.hasGlobal) defineGlobal(current);

locateHandler(settings).then(
  (handler) => loop.run(handler).catch((failure) => loop.die('Uncaught Exception', failure, UNCAUGHT_EXCEPTION)),
  (failure) => loop.die('Uncaught Exception', failure, UNCAUGHT_EXCEPTION),
);
