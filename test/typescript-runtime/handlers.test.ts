/** The forms of handlers, how they are found and how they are called. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FUNCTION_ARN } from '../support/runtime-harness.ts';
import { bundleTypeScriptRuntime, type TypeScriptRuntime } from '../support/typescript-runtime.ts';

let runtime: TypeScriptRuntime;
beforeAll(() => {
  runtime = bundleTypeScriptRuntime();
});
afterEach(() => runtime.reset());
afterAll(() => runtime.remove());

type Started = Awaited<ReturnType<TypeScriptRuntime['start']>>;

/** The handler's result, decoded from JSON. */
async function returned(started: Started, event: unknown = {}, offer = {}): Promise<unknown> {
  const answer = await started.invoke(event, offer);
  expect(answer, started.output()).toMatchObject({ kind: 'response' });
  return answer.kind === 'response' ? JSON.parse(answer.payload.toString()) : undefined;
}

describe('a handler', () => {
  it.each([
    ['index.js without package.json', { 'index.js': 'exports.handler = async (event) => event;' }, 'index.handler'],
    ['index.mjs', { 'index.mjs': 'export const handler = async (event) => event;' }, 'index.handler'],
    ['index.cjs', { 'index.cjs': 'exports.handler = async (event) => event;' }, 'index.handler'],
    [
      'index.js in a package of type module',
      { 'index.js': 'export const handler = async (event) => event;', 'package.json': '{"type":"module"}' },
      'index.handler',
    ],
    [
      'a file in a directory',
      { 'src/handlers/hello.js': 'exports.handler = async (event) => event;' },
      'src/handlers/hello.handler',
    ],
    [
      'a nested export',
      { 'index.mjs': 'export const api = { v1: { get: async (event) => event } };' },
      'index.api.v1.get',
    ],
    ['a default export', { 'index.mjs': 'export default { handler: async (event) => event };' }, 'index.handler'],
    [
      'a package of node_modules',
      { 'node_modules/hello/index.js': 'exports.handler = async (event) => event;' },
      'hello.handler',
    ],
  ])('may be in %s', async (_where, files, handler) => {
    expect(await returned(await runtime.start(files, { handler }), { name: 'Wörld' })).toEqual({ name: 'Wörld' });
  });

  it('serves one invocation after another in one process', async () => {
    const started = await runtime.start({ 'index.js': 'let n = 0; exports.handler = async () => ++n;' });
    expect([await returned(started), await returned(started), await returned(started)]).toEqual([1, 2, 3]);
  });

  it('may use top-level await', async () => {
    const files = {
      'index.mjs': `
        const value = await new Promise((resolve) => setTimeout(resolve, 5, 'waited'));
        export const handler = async () => value;`,
    };
    expect(await returned(await runtime.start(files))).toBe('waited');
  });

  it.each([
    ['a promise', 'async () => "x"', 'x'],
    ['an empty promise', 'async () => {}', null],
    ['a promise of undefined in a member', 'async () => ({ a: undefined, b: 1 })', { b: 1 }],
    ['a thenable', '() => ({ then: (resolve) => resolve("x") })', 'x'],
    ['the callback', '(event, context, callback) => { callback(null, "x"); }', 'x'],
    ['the callback later', '(e, c, callback) => { setTimeout(() => callback(null, "x"), 5); }', 'x'],
    ['the first call of the callback', '(e, c, callback) => { callback(null, 1); callback(null, 2); }', 1],
    ['context.succeed', '(event, context) => context.succeed("x")', 'x'],
    ['context.done', '(event, context) => context.done(null, "x")', 'x'],
    ['returning nothing', '() => "a value that is not a promise is ignored"', null],
    ['a promise that never settles', '() => new Promise(() => {})', null],
  ])('can respond by %s', async (_how, handler, expected) => {
    expect(await returned(await runtime.start({ 'index.js': `exports.handler = ${handler};` }))).toEqual(expected);
  });

  it('that responds by callback is complete when the event loop is empty', async () => {
    const files = {
      'index.js': `
        let done = 0;
        exports.handler = (event, context, callback) => {
          context.callbackWaitsForEmptyEventLoop = event.wait;
          setTimeout(() => { done++; console.log('timer ' + done); }, 50);
          callback(null, { get done() { return done; } });
        };`,
    };
    const started = await runtime.start(files);
    expect(await returned(started, { wait: true })).toEqual({ done: 1 });
    expect(await returned(started, { wait: false })).toEqual({ done: 1 });
  });

  it('that responds by promise is complete immediately', async () => {
    const started = await runtime.start({
      'index.js': 'exports.handler = async () => { setTimeout(() => {}, 60_000); return "at once"; };',
    });
    expect(await returned(started)).toBe('at once');
    expect(await returned(started)).toBe('at once');
  });

  it('gets the complete context', async () => {
    const started = await runtime.start({
      'index.js': `exports.handler = async (event, context) => ({
        ...context, remaining: context.getRemainingTimeInMillis(), trace: process.env._X_AMZN_TRACE_ID });`,
    });
    const offer = {
      requestId: '8476a536-e9f4-11e8-9739-2dfe598c3fcd',
      deadlineMs: Date.now() + 60_000,
      traceId: 'Root=1-1;Parent=2;Sampled=1',
      clientContext: '{"custom":{"who":"Wörld"}}',
      cognitoIdentity: '{"cognitoIdentityId":"a","cognitoIdentityPoolId":"b"}',
    };
    const { remaining, ...context } = (await returned(started, {}, offer)) as { remaining: number };
    expect(context).toEqual({
      callbackWaitsForEmptyEventLoop: true,
      functionName: 'under-test',
      functionVersion: '$LATEST',
      memoryLimitInMB: '128',
      logGroupName: '/aws/lambda/under-test',
      logStreamName: '2026/11/22/[$LATEST]0123456789abcdef0123456789abcdef',
      clientContext: { custom: { who: 'Wörld' } },
      identity: { cognitoIdentityId: 'a', cognitoIdentityPoolId: 'b' },
      invokedFunctionArn: FUNCTION_ARN,
      awsRequestId: offer.requestId,
      xRayTraceId: offer.traceId,
      trace: offer.traceId,
    });
    expect(remaining).toBeGreaterThan(50_000);
    expect(remaining).toBeLessThanOrEqual(60_000);
  });

  it('finds packages in the directories of NODE_PATH', async () => {
    const files = {
      'opt/greeting/index.js': 'exports.greet = () => "from the layer";',
      'index.mjs': `
        import { createRequire } from 'node:module';
        export const handler = async () => createRequire(import.meta.url)('greeting').greet();`,
    };
    const started = await runtime.start(files, { variables: { NODE_PATH: './opt' } });
    expect(await returned(started)).toBe('from the layer');
  });

  it('accepts and returns payloads of 6 MB', async () => {
    const started = await runtime.start({ 'index.js': 'exports.handler = async (event) => event;' });
    const large = 'ä'.repeat(3 * 1024 * 1024 - 10);
    expect(await returned(started, large)).toBe(large);
  });

  it('gets a log line if its response is too large, and the runtime continues', async () => {
    const started = await runtime.start({
      'index.js': 'exports.handler = async ({ size }) => "x".repeat(size);',
    });
    expect(await started.invoke({ size: 7 * 1024 * 1024 })).toMatchObject({ kind: 'response-too-large' });
    expect(await returned(started, { size: 1 })).toBe('x');
    expect(started.output()).toMatch(
      /^\[ERROR\] \[\d+\] LAMBDA_RUNTIME Failed to post handler success response. Http response code: 413\./m,
    );
  });

  it.skipIf('typescript' in process.features)('in TypeScript needs a newer Node, as the error explains', async () => {
    const started = await runtime.start({ 'index.ts': 'export const handler = async (n: number) => n;' });
    expect(await started.initialized).toMatchObject({
      kind: 'failed',
      errorType: 'Runtime.ImportModuleError',
      body: expect.stringMatching(/which Node v20.* cannot run. Use Node 22.18 or newer, or .*`lamella package`/),
    });
  });
});
