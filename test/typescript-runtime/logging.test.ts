/** The output of the console, in both log formats of Lambda. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { bundleTypeScriptRuntime, type TypeScriptRuntime } from '../support/typescript-runtime.ts';

let runtime: TypeScriptRuntime;
beforeAll(() => {
  runtime = bundleTypeScriptRuntime();
});
afterEach(() => runtime.reset());
afterAll(() => runtime.remove());

/** The lines that a handler with this body writes, and its request ID. */
async function logged(body: string, variables: Record<string, string> = {}): Promise<{ lines: string[]; id: string }> {
  const started = await runtime.start({ 'index.js': `exports.handler = async (event) => { ${body} };` }, { variables });
  const { requestId } = (await started.invoke({})) as { requestId: string };
  await started.ready();
  return { lines: started.output().split('\n').slice(0, -1), id: requestId };
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const EVERY_LEVEL =
  "for (const level of ['trace', 'debug', 'info', 'log', 'warn', 'error', 'fatal']) console[level](level);";

describe('the text format', () => {
  it('has time, request ID and level before the message', async () => {
    const { lines, id } = await logged("console.log('hello %s', 'world', { a: 1 });");
    const [time, ...rest] = lines[0]?.split('\t') ?? [];
    expect(time).toMatch(TIME);
    expect(rest).toEqual([id, 'INFO', 'hello world { a: 1 }']);
  });

  it('has undefined for a missing message', async () => {
    const { lines } = await logged('console.log();');
    expect(lines[0]).toMatch(/\tINFO\tundefined$/);
  });

  it('keeps a message with several lines in one event', async () => {
    const { lines } = await logged("console.log('a\\nb'); console.log('c');");
    expect(lines.map((line) => line.split('\t')[3])).toEqual(['a\rb', 'c']);
  });

  it('names the levels', async () => {
    const { lines } = await logged(EVERY_LEVEL);
    expect(lines.map((line) => line.split('\t').slice(2))).toEqual([
      ['TRACE', 'trace'],
      ['DEBUG', 'debug'],
      ['INFO', 'info'],
      ['INFO', 'log'],
      ['WARN', 'warn'],
      ['ERROR', 'error'],
      ['FATAL', 'fatal'],
    ]);
  });

  it('keeps the order of console messages and writes to the streams', async () => {
    const { lines } = await logged(
      "process.stdout.write('1\\n'); console.log('2'); process.stdout.write('3\\n'); console.log('4');",
    );
    expect(lines.map((line) => line.split('\t').at(-1))).toEqual(['1', '2', '3', '4']);
  });

  it('loses nothing when the pipe is full', async () => {
    const { lines } = await logged(
      "process.stdout.write(''); for (let i = 0; i < 3000; i++) console.log('x'.repeat(100));",
    );
    expect(lines.length).toBe(3000);
    expect(new Set(lines.map((line) => line.split('\t')[3]))).toEqual(new Set(['x'.repeat(100)]));
  });
});

describe('the JSON format', () => {
  const json = { AWS_LAMBDA_LOG_FORMAT: 'JSON' };

  it('is one object per line', async () => {
    const { lines, id } = await logged("console.info({ order: 7 }); console.warn('a', 1);", json);
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { timestamp: expect.stringMatching(TIME), level: 'INFO', requestId: id, message: { order: 7 } },
      { timestamp: expect.stringMatching(TIME), level: 'WARN', requestId: id, message: 'a 1' },
    ]);
  });

  it('has members for the parts of an error', async () => {
    const { lines } = await logged(
      "console.error('failed', new TypeError('no')); console.error(new RangeError('x'));",
      json,
    );
    const [beside, alone] = lines.map((line) => JSON.parse(line));
    expect(beside).toMatchObject({ errorType: 'TypeError', errorMessage: 'no', stackTrace: expect.any(Array) });
    expect(alone.message).toMatchObject({ errorType: 'RangeError', errorMessage: 'x', stackTrace: expect.any(Array) });
  });

  it('writes values that JSON cannot represent as text', async () => {
    const { lines } = await logged('const a = {}; a.a = a; console.log(a); console.log(10n);', json);
    expect(lines.map((line) => JSON.parse(line).message)).toEqual(['<ref *1> { a: [Circular *1] }', '10n']);
  });

  it('drops messages below the configured level', async () => {
    const { lines } = await logged(EVERY_LEVEL, { ...json, AWS_LAMBDA_LOG_LEVEL: 'WARN' });
    expect(lines.map((line) => JSON.parse(line).message)).toEqual(['warn', 'error', 'fatal']);
  });
});

describe('awslambda.InvokeStore', () => {
  it('has the IDs of the current invocation for loggers', async () => {
    const started = await runtime.start({
      'index.js': 'exports.handler = async () => awslambda.InvokeStore.getRequestId();',
    });
    const answer = await started.invoke({});
    expect(answer.kind === 'response' && JSON.parse(answer.payload.toString())).toBe(
      answer.kind === 'response' && answer.requestId,
    );
  });
});
