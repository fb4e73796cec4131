/** Streamed responses: preludes split at every byte, responses without one, and invalid ones. */
import { describe, expect, it, vi } from 'vitest';
import { type StreamedHead, StreamedResponse } from './streamed-response.ts';

const WITH_PRELUDE = 'application/vnd.awslambda.http-integration-response';
const NULS = '\0'.repeat(8);

function stream(contentType: string | undefined, chunks: readonly (string | Buffer)[]) {
  const heads: StreamedHead[] = [];
  let body = '';
  const streamed = new StreamedResponse({
    head: (head) => void heads.push(head),
    write: (chunk) => {
      body += chunk.toString('latin1');
    },
  });
  streamed.begin(contentType);
  for (const chunk of chunks) void streamed.write(Buffer.from(chunk));
  const headsBeforeEnd = heads.length;
  streamed.end();
  return { heads, headsBeforeEnd, body, failure: streamed.failure?.message };
}

describe('a streamed response', () => {
  const prelude = '{"statusCode":201,"headers":{"Content-Type":"text/html"},"cookies":["a=1"]}';
  const head = { status: 201, headers: [['Content-Type', 'text/html']], cookies: ['a=1'] };

  it.each([
    ['in one chunk', [`${prelude}${NULS}hello`]],
    ['in a chunk of its own', [prelude, NULS, 'hel', 'lo']],
    ['split within the NUL bytes', [`${prelude}\0\0\0`, '\0\0\0\0\0he', 'llo']],
    ['split at every byte', [...`${prelude}${NULS}hello`]],
  ])('has a prelude %s', (_, chunks) => {
    expect(stream(WITH_PRELUDE, chunks)).toEqual({
      heads: [head],
      headsBeforeEnd: 1,
      body: 'hello',
      failure: undefined,
    });
  });

  it('does not copy a prelude again for each chunk', () => {
    const chunks = [...`{"headers":{"x-long":"${'x'.repeat(8000)}"}}${NULS}`, 'body'];
    const concat = vi.spyOn(Buffer, 'concat');
    expect(stream(WITH_PRELUDE, chunks).body).toBe('body');
    const copied = concat.mock.results.reduce((sum, { value }) => sum + (value as Buffer).length, 0);
    concat.mockRestore();
    // The last bytes with each chunk, and the whole prelude once.
    expect(copied).toBeLessThan(10 * chunks.length);
  });

  it('passes on NUL bytes in its body', () => {
    expect(stream(WITH_PRELUDE, [`{}${NULS}a${NULS}b`])).toMatchObject({ body: `a${NULS}b`, heads: [{ status: 200 }] });
  });

  it('sends its head as soon as the prelude is complete, before the body', () => {
    expect(stream(WITH_PRELUDE, [`${prelude}${NULS}`])).toMatchObject({ headsBeforeEnd: 1, body: '' });
  });

  it('without a prelude is bytes of the content type of the runtime', () => {
    expect(stream('text/event-stream', ['data: 1\n\n', 'data: 2\n\n'])).toEqual({
      heads: [{ status: 200, headers: [['Content-Type', 'text/event-stream']], cookies: [] }],
      headsBeforeEnd: 1,
      body: 'data: 1\n\ndata: 2\n\n',
      failure: undefined,
    });
    expect(stream(undefined, ['x']).heads).toEqual([{ status: 200, headers: [], cookies: [] }]);
  });

  it('without a byte sends its head at the end, so that an error can still be reported', () => {
    expect(stream('text/plain', [])).toMatchObject({ headsBeforeEnd: 0, heads: [{ status: 200 }] });
  });

  it.each([
    ['text', [`nonsense${NULS}x`], /not a JSON object/],
    ['an array', [`[]${NULS}x`], /not a JSON object/],
    ['an invalid status', [`{"statusCode":"x"}${NULS}x`], /`statusCode` must be/],
    ['invalid headers', [`{"headers":[]}${NULS}x`], /`headers` must be an object/],
    ['half an object without an end', [prelude.slice(0, -1)], /not followed by eight NUL bytes/],
    ['a complete object followed by text without NUL bytes', [prelude, 'hello'], /not followed by eight NUL bytes/],
    ['more than 1 MiB', ['x'.repeat(1_048_577), 'y'], /longer than 1048576 bytes/],
  ])('with %s as its prelude has no head', (_, chunks, failure) => {
    expect(stream(WITH_PRELUDE, chunks)).toEqual({
      heads: [],
      headsBeforeEnd: 0,
      body: '',
      failure: expect.stringMatching(failure),
    });
  });

  it.each([
    ['and eight NUL bytes', [prelude, NULS], 1],
    ['and fewer NUL bytes', [prelude, '\0\0\0'], 0],
    ['alone', [prelude], 0],
  ])('of a prelude %s has its status, headers and an empty body', (_, chunks, headsBeforeEnd) => {
    expect(stream(WITH_PRELUDE, chunks)).toEqual({ heads: [head], headsBeforeEnd, body: '', failure: undefined });
  });

  it('of no bytes has status 200, also where a prelude was announced', () => {
    const empty = { headsBeforeEnd: 0, heads: [{ status: 200, headers: [], cookies: [] }], failure: undefined };
    expect(stream(WITH_PRELUDE, [])).toMatchObject(empty);
    expect(stream(WITH_PRELUDE, [''])).toMatchObject(empty);
    expect(stream(WITH_PRELUDE, [NULS])).toMatchObject({ ...empty, headsBeforeEnd: 1 });
  });

  it('waits for a slow reader', async () => {
    let release: () => void = () => undefined;
    const streamed = new StreamedResponse({
      head: () => undefined,
      write: () =>
        new Promise<void>((resolve) => {
          release = resolve;
        }),
    });
    streamed.begin('text/plain');
    let isTaken = false;
    const taken = Promise.resolve(streamed.write(Buffer.from('x'))).then(() => {
      isTaken = true;
    });
    await Promise.resolve();
    expect(isTaken).toBe(false);
    release();
    await taken;
    expect(isTaken).toBe(true);
  });
});
