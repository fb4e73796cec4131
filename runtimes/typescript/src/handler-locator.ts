/**
 * Resolves `_HANDLER` (`directory/file.export.nested`) to the function to call. Tries files in the order of AWS's Node.js
 * runtime, then TypeScript files if this Node can run them.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runtimeError } from './runtime-errors.ts';
import type { Settings } from './settings.ts';

// biome-ignore lint/suspicious/noExplicitAny: a handler takes and gives whatever its author wants
export type AnyFunction = (...args: any[]) => any;

export type Handler = {
  readonly call: AnyFunction;
  readonly kind: 'buffered' | 'streaming';
  /** High-water mark of the response stream, in bytes. */
  readonly highWaterMark: number | undefined;
};

/** The marks that `awslambda.streamifyResponse` puts on a handler. Copies of that function in libraries set them too. */
export const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
export const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');

type Module = { readonly [name: string]: unknown };

/** Loads the module and finds the handler. Throws an error with AWS's name and message. */
export async function locateHandler(settings: Settings): Promise<Handler> {
  const { handler } = settings;
  if (handler.includes('..')) {
    throw runtimeError(
      'MalformedHandlerName',
      `'${handler}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    );
  }
  const name = basename(handler);
  const directory = handler.slice(0, handler.indexOf(name));
  const [, file, path] = /^([^.]*)\.(.*)$/.exec(name) ?? [];
  if (file === undefined || path === undefined) throw runtimeError('MalformedHandlerName', 'Bad handler');
  const module = await load(settings, directory, file);
  let found = property(module, path);
  if (!found && settings.runtimeGeneration !== 'managed') found = property(property(module, 'default'), path);
  if (!found) throw runtimeError('HandlerNotFound', `${handler} is undefined or not exported`);
  if (typeof found !== 'function') throw runtimeError('HandlerNotFound', `${handler} is not a function`);
  return describe(found as AnyFunction, settings);
}

function describe(call: AnyFunction, { runtimeGeneration }: Settings): Handler {
  const marks = call as unknown as Record<symbol, unknown>;
  const mark = marks[STREAMING];
  const isStreaming = mark !== undefined && mark !== null && mark !== false;
  if (isStreaming && mark !== 'response') {
    throw runtimeError('MalformedStreamingHandler', 'Only response streaming is supported.');
  }
  if (!isStreaming && runtimeGeneration === 'managed-without-callbacks' && call.length >= 3) {
    throw runtimeError(
      'CallbackHandlerDeprecated',
      'ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. You need ' +
        'to modify this function to use a supported handler signature to use Node.js 24 or later. For more information ' +
        'see https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.',
    );
  }
  const highWaterMark = Number.parseInt(String(marks[HIGH_WATER_MARK]), 10);
  return {
    call,
    kind: isStreaming ? 'streaming' : 'buffered',
    highWaterMark: Number.isNaN(highWaterMark) ? undefined : highWaterMark,
  };
}

function property(from: unknown, path: string): unknown {
  return path.split('.').reduce((value, key) => value && (value as Module)[key], from);
}

async function load(settings: Settings, directory: string, file: string): Promise<unknown> {
  const { taskRoot, runtimeDirectory } = settings;
  // The messages of a failed `require` name the importing file. On AWS that is the runtime's own file.
  const require = createRequire(join(runtimeDirectory, 'index.mjs'));
  const path = resolve(taskRoot, directory, file);
  try {
    if (existsSync(path)) return require(path);
    const isModule = existsSync(`${path}.js`) && isModulePackage(dirname(`${path}.js`));
    if (existsSync(`${path}.js`)) return isModule ? await importFile(`${path}.js`) : require(`${path}.js`);
    if (existsSync(`${path}.mjs`)) return await importFile(`${path}.mjs`);
    if (existsSync(`${path}.cjs`)) return require(`${path}.cjs`);
    if (settings.runtimeGeneration === 'own') {
      const script = ['.ts', '.mts', '.cts'].find((ending) => existsSync(path + ending));
      if (script !== undefined) return await importTypeScript(path + script);
    }
    return require(require.resolve(file, { paths: [taskRoot, directory] }));
  } catch (failure) {
    // The error may come from another realm, where `instanceof` does not work.
    const { name, code } = failure as NodeJS.ErrnoException;
    if (failure instanceof SyntaxError || name === 'SyntaxError') {
      throw runtimeError('UserCodeSyntaxError', String(failure), failure);
    }
    if (code === 'MODULE_NOT_FOUND') throw runtimeError('ImportModuleError', String(failure));
    throw failure;
  }
}

function importTypeScript(path: string): Promise<unknown> {
  const { typescript } = process.features as { typescript?: string | false };
  if (typescript) return importFile(path);
  throw runtimeError(
    'ImportModuleError',
    `${path} is TypeScript, which Node ${process.version} cannot run. ` +
      'Use Node 22.18 or newer, or compile it to JavaScript with `lamella package`.',
  );
}

function importFile(path: string): Promise<unknown> {
  return import(pathToFileURL(path).href);
}

/** Whether the nearest package.json has `"type": "module"`. */
function isModulePackage(directory: string): boolean {
  if (directory.endsWith('/node_modules')) return false;
  const file = join(directory, 'package.json');
  if (existsSync(file)) {
    try {
      return JSON.parse(readFileSync(file, 'utf8')).type === 'module';
    } catch (failure) {
      console.warn(`${file} cannot be read, it will be ignored for ES module detection purposes.`, failure);
      return false;
    }
  }
  return directory === '/' ? false : isModulePackage(resolve(directory, '..'));
}
