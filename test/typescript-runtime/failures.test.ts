/** What the invoker and the log see when a handler or its module fails, with AWS's names and messages. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { bundleTypeScriptRuntime, type TypeScriptRuntime } from '../support/typescript-runtime.ts';

let runtime: TypeScriptRuntime;
beforeAll(() => {
  runtime = bundleTypeScriptRuntime();
});
afterEach(() => runtime.reset());
afterAll(() => runtime.remove());

type Started = Awaited<ReturnType<TypeScriptRuntime['start']>>;

async function failure(started: Started, event: unknown = {}): Promise<Record<string, unknown>> {
  const answer = await started.invoke(event);
  expect(answer, started.output()).toMatchObject({ kind: 'error' });
  return answer.kind === 'error' ? JSON.parse(answer.payload.toString()) : {};
}

async function initFailure(started: Started): Promise<{ errorType: string; body: Record<string, unknown> }> {
  const said = await started.initialized;
  expect(said, started.output()).toMatchObject({ kind: 'failed' });
  if (said.kind !== 'failed') throw new Error('unreachable');
  return { errorType: said.errorType, body: JSON.parse(said.body) };
}

describe('a handler that fails', () => {
  it.each([
    ['throws in a promise', 'async () => { throw new TypeError("no"); }', 'TypeError', 'no'],
    ['throws at once', '() => { throw new RangeError("no"); }', 'RangeError', 'no'],
    ['passes an error to the callback', '(e, c, callback) => callback(new Error("no"))', 'Error', 'no'],
    ['passes a string to the callback', '(e, c, callback) => callback("no")', 'string', 'no'],
    ['rejects with a string', 'async () => { throw "no"; }', 'string', 'no'],
    ['rejects with nothing', 'async () => { throw undefined; }', 'string', 'handled'],
    ['uses context.fail', '(event, context) => context.fail(new Error("no"))', 'Error', 'no'],
    [
      'returns a circular object',
      'async () => { const a = {}; a.a = a; return a; }',
      'Error',
      'Unable to stringify response body',
    ],
    ['returns a function', 'async () => () => 1', 'TypeError', 'Wrong arguments'],
    [
      'throws an error whose message cannot be read',
      'async () => { throw Object.defineProperty(new Error(), "message", { get() { throw 1; } }); }',
      'handled',
      expect.stringMatching(/^callback called with Error argument, but there was a problem/),
    ],
    ['throws a value without text', 'async () => { throw Object.create(null); }', 'handled', expect.any(String)],
    [
      'throws an error with a long message',
      'async () => { throw new Error("x".repeat(2 ** 20)); }',
      'Error',
      expect.stringMatching(/^x{1048576}$/),
    ],
  ])('because it %s is reported, and the runtime continues', async (_how, handler, errorType, errorMessage) => {
    const started = await runtime.start({ 'index.js': `exports.handler = ${handler};` });
    expect(await failure(started)).toMatchObject({ errorType, errorMessage });
    expect(await failure(started)).toMatchObject({ errorType, errorMessage });
  });

  it('that throws null before it returns succeeds, as on AWS', async () => {
    const started = await runtime.start({ 'index.js': 'exports.handler = () => { throw null; };' });
    expect(await started.invoke({})).toMatchObject({ kind: 'response', payload: Buffer.from('null') });
  });

  it('that passes a value without JSON to the callback ends the process when the event loop is empty', async () => {
    const started = await runtime.start({ 'index.js': 'exports.handler = (e, c, callback) => callback(null, 1n);' });
    expect(await failure(started)).toMatchObject({ errorMessage: 'Unable to stringify response body' });
    expect(await started.ended).toMatchObject({ code: 129 });
  });

  it('reports type, message and trace, in this order', async () => {
    const started = await runtime.start({ 'index.js': 'exports.handler = async () => { throw new Error("no"); };' });
    const body = await failure(started);
    expect(Object.keys(body)).toEqual(['errorType', 'errorMessage', 'trace']);
    expect(body.trace).toEqual(
      expect.arrayContaining(['Error: no', expect.stringMatching(/^ {4}at .*\/index\.js:1:\d+\)?$/)]),
    );
  });

  it('is logged as an invoke error with its request ID', async () => {
    const started = await runtime.start({ 'index.js': 'exports.handler = async () => { throw new Error("no"); };' });
    const { requestId } = (await started.invoke({})) as { requestId: string };
    await started.ready();
    const line =
      started
        .output()
        .split('\n')
        .find((each) => each.includes('Invoke Error')) ?? '';
    const [time, id, level, what, json = ''] = line.split('\t');
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect([id, level, what]).toEqual([requestId, 'ERROR', 'Invoke Error ']);
    expect(JSON.parse(json)).toMatchObject({ errorType: 'Error', errorMessage: 'no', stack: expect.any(Array) });
  });

  it('has source-mapped lines in the trace', async () => {
    const map = { version: 3, sources: ['../src/hello.ts'], names: [], mappings: 'AAUA' };
    const inline = `//# sourceMappingURL=data:application/json;base64,${Buffer.from(JSON.stringify(map)).toString('base64')}`;
    const started = await runtime.start({
      'index.js': `exports.handler = async () => { throw new Error("no"); };\n${inline}\n`,
    });
    expect((await failure(started)).trace).toEqual(
      expect.arrayContaining([expect.stringMatching(/src\/hello\.ts:11:1/)]),
    );
  });

  it('fails its invocation if the event is not JSON', async () => {
    const started = await runtime.start({ 'index.js': 'exports.handler = async () => 1;' });
    expect(await failure(started, Buffer.from('{'))).toMatchObject({ errorType: 'SyntaxError' });
  });
});

describe('an uncaught error', () => {
  it('as an exception ends the process with 129 after it was reported', async () => {
    const started = await runtime.start({
      'index.js': 'exports.handler = () => new Promise(() => setTimeout(() => { throw new Error("later"); }, 1));',
    });
    expect(await failure(started)).toMatchObject({ errorType: 'Error', errorMessage: 'later' });
    expect(await started.ended).toEqual({ kind: 'ended', code: 129, signal: null });
    expect(started.output()).toMatch(/ERROR\tUncaught Exception \t\{"errorType":"Error","errorMessage":"later"/);
  });

  it('as a rejection ends the process with 128 after it was reported', async () => {
    const started = await runtime.start({
      'index.js': `exports.handler = () => {
        Promise.reject(new Error("unhandled"));
        return new Promise((resolve) => setTimeout(resolve, 60_000));
      };`,
    });
    expect(await failure(started)).toMatchObject({
      errorType: 'Runtime.UnhandledPromiseRejection',
      errorMessage: 'Error: unhandled',
    });
    expect(await started.ended).toEqual({ kind: 'ended', code: 128, signal: null });
  });

  it('between invocations ends the process without a response', async () => {
    const started = await runtime.start({
      'index.js':
        'exports.handler = async () => { setTimeout(() => { throw new Error("late"); }, 20); return "fine"; };',
    });
    expect(await started.invoke({})).toMatchObject({ kind: 'response' });
    expect(await started.ended).toMatchObject({ code: 129 });
  });

  it('does not include process.exit of a handler, which keeps its exit code', async () => {
    const started = await runtime.start({ 'index.js': 'exports.handler = async () => process.exit(7);' });
    expect(await started.invoke({})).toEqual({ kind: 'ended', code: 7, signal: null });
  });
});

describe('initialization fails', () => {
  it.each([
    [
      'if the file does not exist',
      {},
      'index.handler',
      'Runtime.ImportModuleError',
      "Error: Cannot find module 'index'\nRequire stack:\n- /var/runtime/index.mjs",
    ],
    [
      'if the file has no such export',
      { 'index.js': 'exports.other = 1;' },
      'index.handler',
      'Runtime.HandlerNotFound',
      'index.handler is undefined or not exported',
    ],
    [
      'if the export is not a function',
      { 'index.js': 'exports.handler = 1;' },
      'index.handler',
      'Runtime.HandlerNotFound',
      'index.handler is not a function',
    ],
    [
      'if the source is not JavaScript',
      { 'index.js': 'exports.handler = () => 1 +;' },
      'index.handler',
      'Runtime.UserCodeSyntaxError',
      "SyntaxError: Unexpected token ';'",
    ],
    ['if the handler names no export', { 'index.js': '' }, 'index', 'Runtime.MalformedHandlerName', 'Bad handler'],
    [
      'if the handler is outside of the package',
      { 'index.js': '' },
      '../index.handler',
      'Runtime.MalformedHandlerName',
      "'../index.handler' is not a valid handler name. Use absolute paths when specifying root directories in handler names.",
    ],
  ])('%s', async (_when, files, handler, errorType, errorMessage) => {
    const started = await runtime.start(files, { handler });
    expect(await initFailure(started)).toMatchObject({ errorType, body: { errorType, errorMessage } });
    expect(await started.ended).toMatchObject({ code: 129 });
    expect(started.output()).toMatch(/undefined\tERROR\tUncaught Exception \t\{"errorType":"Runtime\./);
  });

  it.each([
    ['throws', 'throw new TypeError("at once");', 'TypeError', 'at once', 129],
    [
      'throws in the background',
      'Promise.reject(new Error("no")); exports.handler = async () => 1; setTimeout(() => {}, 1e5);',
      'Runtime.UnhandledPromiseRejection',
      'Error: no',
      128,
    ],
  ])('if the module %s', async (_how, source, errorType, errorMessage, code) => {
    const started = await runtime.start({ 'index.js': source });
    expect((await initFailure(started)).body).toMatchObject({ errorType, errorMessage });
    expect(await started.ended).toMatchObject({ code });
    expect(started.output()).toContain(`"errorType":"${errorType}"`);
  });

  it('with a warning of Node if a top-level await never settles', async () => {
    const started = await runtime.start({ 'index.mjs': 'await new Promise(() => {});' });
    expect(await started.initialized).toEqual({ kind: 'ended', code: 13, signal: null });
    expect(started.output()).toBe('Warning: Detected unsettled top-level await\n');
  });
});

describe('the managed runtime of Node.js 24', () => {
  const variables = { AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x' };

  it('refuses handlers with a callback', async () => {
    const started = await runtime.start(
      { 'index.js': 'exports.handler = (e, c, callback) => callback(null, 1);' },
      { variables },
    );
    expect(await initFailure(started)).toMatchObject({
      errorType: 'Runtime.CallbackHandlerDeprecated',
      body: { errorMessage: expect.stringMatching(/^ERROR: AWS Lambda has removed support for callback-based/) },
    });
  });

  it('accepts a returned value as the result, and has no callbacks in the context', async () => {
    const started = await runtime.start(
      {
        'index.js':
          'exports.handler = (event, context) => [typeof context.done, "callbackWaitsForEmptyEventLoop" in context];',
      },
      { variables },
    );
    expect(await started.invoke({})).toMatchObject({ payload: Buffer.from('["undefined",false]') });
  });

  it.each([
    ['rejection', 'Promise.reject(new Error("unhandled"));'],
    ['exception', 'setTimeout(() => { throw new Error("unhandled"); }, 1);'],
  ])('leaves an uncaught %s to Node', async (_what, source) => {
    const started = await runtime.start(
      { 'index.js': `exports.handler = () => { ${source} return new Promise((r) => setTimeout(r, 60_000)); };` },
      { variables },
    );
    expect(await started.invoke({})).toEqual({ kind: 'ended', code: 1, signal: null });
    expect(started.output()).toMatch(/\n\nError: unhandled\n/);
  });

  it('exits if the promise of a handler never settles', async () => {
    const started = await runtime.start(
      { 'index.js': 'exports.handler = () => new Promise(() => {});' },
      { variables },
    );
    expect(await started.invoke({})).toEqual({ kind: 'ended', code: 0, signal: null });
  });

  it('logs why initialization failed, and exits with 1', async () => {
    const started = await runtime.start({ 'index.js': 'throw new TypeError("at once");' }, { variables });
    expect(await initFailure(started)).toMatchObject({ body: { errorType: 'TypeError', errorMessage: 'at once' } });
    expect(await started.ended).toMatchObject({ code: 1 });
    expect(started.output()).toMatch(/\t-\tERROR\tInit Error \t\{"errorType":"TypeError","errorMessage":"at once"/);
  });

  it.each([
    ['a circular result', '{ const a = {}; a.a = a; return a; }', 'Runtime.JSONStringifyError', /^Unable to stringify/],
    ['a thrown null', '{ throw null; }', 'object', /^null$/],
  ])('reports %s with a different name', async (_what, body, errorType, errorMessage) => {
    const started = await runtime.start({ 'index.js': `exports.handler = () => ${body};` }, { variables });
    expect(await failure(started)).toMatchObject({ errorType, errorMessage: expect.stringMatching(errorMessage) });
  });
});
