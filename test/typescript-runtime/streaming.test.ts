/** Handlers that stream their response. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { bundleTypeScriptRuntime, type TypeScriptRuntime } from '../support/typescript-runtime.ts';

let runtime: TypeScriptRuntime;
beforeAll(() => {
  runtime = bundleTypeScriptRuntime();
});
afterEach(() => runtime.reset());
afterAll(() => runtime.remove());

async function streamed(body: string, times = 1, variables = {}) {
  const files = {
    'index.mjs': `import { pipeline } from 'node:stream/promises'; import { Readable } from 'node:stream';
      export const handler = awslambda.streamifyResponse(async (event, stream, context) => { ${body} });`,
  };
  const started = await runtime.start(files, { variables });
  const answers = [];
  for (let n = 0; n < times; n++) answers.push(await started.invoke({ n }));
  return { started, answers, first: answers[0] };
}

function text(answer: unknown): string | undefined {
  const { kind, payload } = answer as { kind: string; payload: Buffer };
  return kind === 'response' ? payload.toString() : undefined;
}

describe('a streaming handler', () => {
  it('responds with its writes, in every invocation', async () => {
    const { answers } = await streamed("stream.write('a'); stream.write('é'); stream.end(String(event.n));", 3);
    expect(answers.map(text)).toEqual(['aé0', 'aé1', 'aé2']);
  });

  it('can pipe into its stream', async () => {
    const { first } = await streamed("await pipeline(Readable.from(['x'.repeat(300_000), 'y']), stream);");
    expect(text(first)).toBe(`${'x'.repeat(300_000)}y`);
  });

  it('writes objects as JSON', async () => {
    const { first } = await streamed('stream.write({ a: 1 }); stream.end();');
    expect(text(first)).toBe('{"a":1}');
  });

  it('sends status and headers before the body', async () => {
    const { first } = await streamed(`
      stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { 'x-a': 'b' } });
      stream.write('body'); stream.end();`);
    expect(first).toMatchObject({ contentType: 'application/vnd.awslambda.http-integration-response' });
    expect(text(first)).toBe(`{"statusCode":201,"headers":{"x-a":"b"}}${'\0'.repeat(8)}body`);
  });

  it('can set the content type before it writes', async () => {
    const { first, started } = await streamed(`
      stream.setContentType('text/event-stream'); stream.write('data: 1\\n\\n');
      try { stream.setContentType('text/plain'); } catch (error) { console.log(error.name); }
      stream.end();`);
    expect(first).toMatchObject({ kind: 'response', contentType: 'text/event-stream' });
    expect(started.output()).toContain('Runtime.InvalidStreamingOperation');
  });

  it('that throws before it writes fails the invocation, and the runtime continues', async () => {
    const { answers } = await streamed("throw new TypeError('no ' + event.n);", 2);
    expect(answers.map((answer) => JSON.parse(String((answer as { payload: Buffer }).payload)))).toMatchObject([
      { errorType: 'TypeError', errorMessage: 'no 0' },
      { errorType: 'TypeError', errorMessage: 'no 1' },
    ]);
  });

  it('that throws in the middle reports the error at the end of the stream', async () => {
    const { first } = await streamed("stream.write('half'); throw new Error('no more');");
    expect(first).toMatchObject({ kind: 'error' });
    expect(String((first as { payload: Buffer }).payload)).toContain('no more');
  });

  it.each([
    [
      'whose source fails',
      "await pipeline(Readable.from((async function* () { yield 'a'; throw new Error('no more'); })()), stream);",
      'no more',
    ],
    ['that destroys its stream', "stream.write('a'); stream.destroy();", 'Response stream is not finished.'],
    ['that writes after the end', "stream.end('a'); stream.write('b');", 'write after end'],
    ['with a long error message', "stream.write('a'); throw new Error('x'.repeat(2 ** 20));", 'x'.repeat(100_000)],
  ])('%s fails, and the runtime continues', async (_which, body, message) => {
    const { answers } = await streamed(body, 2);
    expect(answers).toMatchObject([{ kind: 'error' }, { kind: 'error' }]);
    expect(String((answers[1] as { payload: Buffer }).payload)).toContain(message);
  });

  it('that throws after the end has responded', async () => {
    const { first, started } = await streamed("stream.end('whole'); throw new Error('too late');");
    expect(text(first)).toBe('whole');
    await started.ready();
    expect(started.output()).toMatch(/ERROR\tInvoke Error \t\{"errorType":"Error","errorMessage":"too late"/);
  });

  it('cannot write null', async () => {
    const { first } = await streamed('try { stream.write(null); } catch ({ code }) { stream.end(code); }');
    expect(text(first)).toBe('ERR_STREAM_NULL_VALUES');
  });

  it.each([
    ["Lamella's own runtime", {}, '{"statusCode":204}\0\0\0\0\0\0\0\0'],
    ["AWS's runtimes", { AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs22.x' }, ''],
  ])('that ends without a write sends its prelude as %s does', async (_whose, variables, expected) => {
    const { first } = await streamed(
      'awslambda.HttpResponseStream.from(stream, { statusCode: 204 }).end();',
      1,
      variables,
    );
    expect(text(first)).toBe(expected);
  });

  it('sees the backpressure of its stream', async () => {
    const { first } = await streamed(`
      let waits = 0;
      for (let i = 0; i < 50; i++) {
        if (!stream.write('x'.repeat(100_000))) { waits++; await new Promise((r) => stream.once('drain', r)); }
      }
      stream.end(' ' + (waits > 0));`);
    expect(text(first)?.slice(-5)).toBe(' true');
    expect(text(first)?.length).toBe(5_000_005);
  });

  it('that is not async is refused', async () => {
    const started = await runtime.start({
      'index.js': 'exports.handler = awslambda.streamifyResponse((event, stream) => stream.write("x"));',
    });
    expect(String(((await started.invoke({})) as { payload: Buffer }).payload)).toContain(
      'Streaming does not support non-async handlers.',
    );
  });
});
