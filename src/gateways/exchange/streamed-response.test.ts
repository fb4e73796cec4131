/** Streamed answers: preludes in every cut, answers without one, and what breaks them. */
import { describe, expect, it } from 'vitest';
import { type StreamedHead, StreamedResponse } from './streamed-response.ts';

const WITH_PRELUDE = 'application/vnd.awslambda.http-integration-response';
const NULS = '\0'.repeat(8);

function stream(contentType: string | undefined, chunks: readonly (string | Buffer)[]) {
  const heads: StreamedHead[] = [];
  let body = '';
  const answer = new StreamedResponse({
    head: (head) => void heads.push(head),
    write: (chunk) => {
      body += chunk.toString('latin1');
    },
  });
  answer.begin(contentType);
  for (const chunk of chunks) void answer.write(Buffer.from(chunk));
  const headsBeforeEnd = heads.length;
  answer.end();
  return { heads, headsBeforeEnd, body, complaint: answer.failure?.message };
}

describe('a streamed answer', () => {
  const prelude = '{"statusCode":201,"headers":{"Content-Type":"text/html"},"cookies":["a=1"]}';
  const head = { status: 201, headers: [['Content-Type', 'text/html']], cookies: ['a=1'] };

  it.each([
    ['in one chunk', [`${prelude}${NULS}hello`]],
    ['in chunks of their own', [prelude, NULS, 'hel', 'lo']],
    ['cut within the NULs', [`${prelude}\0\0\0`, '\0\0\0\0\0he', 'llo']],
    ['cut at each byte', [...`${prelude}${NULS}hello`]],
  ])('has a prelude %s', (_, chunks) => {
    expect(stream(WITH_PRELUDE, chunks)).toEqual({
      heads: [head],
      headsBeforeEnd: 1,
      body: 'hello',
      complaint: undefined,
    });
  });

  it('costs no more with a prelude of many small chunks than its bytes', () => {
    const began = performance.now();
    const long = `{"headers":{"x-long":"${'x'.repeat(300_000)}"}}${NULS}`;
    expect(stream(WITH_PRELUDE, [...long, 'body']).body).toBe('body');
    expect(performance.now() - began).toBeLessThan(3000);
  });

  it('passes NULs of its body on', () => {
    expect(stream(WITH_PRELUDE, [`{}${NULS}a${NULS}b`])).toMatchObject({ body: `a${NULS}b`, heads: [{ status: 200 }] });
  });

  it('sends its head as soon as the prelude is complete, before any byte of the body', () => {
    expect(stream(WITH_PRELUDE, [`${prelude}${NULS}`])).toMatchObject({ headsBeforeEnd: 1, body: '' });
  });

  it('without a prelude is bytes of the type that the runtime named', () => {
    expect(stream('text/event-stream', ['data: 1\n\n', 'data: 2\n\n'])).toEqual({
      heads: [{ status: 200, headers: [['Content-Type', 'text/event-stream']], cookies: [] }],
      headsBeforeEnd: 1,
      body: 'data: 1\n\ndata: 2\n\n',
      complaint: undefined,
    });
    expect(stream(undefined, ['x']).heads).toEqual([{ status: 200, headers: [], cookies: [] }]);
  });

  it('without a byte has a head at its end, so that an error before it can still be told', () => {
    expect(stream('text/plain', [])).toMatchObject({ headsBeforeEnd: 0, heads: [{ status: 200 }] });
  });

  it.each([
    ['no JSON', [`nonsense${NULS}x`], /not a JSON object/],
    ['an array', [`[]${NULS}x`], /not a JSON object/],
    ['a status that is none', [`{"statusCode":"x"}${NULS}x`], /statusCode must be/],
    ['headers that are none', [`{"headers":[]}${NULS}x`], /headers must be an object/],
    ['no end', [prelude], /not followed by eight NUL bytes/],
    ['no limit', ['x'.repeat(1_048_577), 'y'], /longer than 1048576 bytes/],
  ])('with a prelude of %s has no head', (_, chunks, complaint) => {
    expect(stream(WITH_PRELUDE, chunks)).toEqual({
      heads: [],
      headsBeforeEnd: 0,
      body: '',
      complaint: expect.stringMatching(complaint),
    });
  });

  it('waits as long as its reader does', async () => {
    let release: () => void = () => undefined;
    const answer = new StreamedResponse({
      head: () => undefined,
      write: () =>
        new Promise<void>((resolve) => {
          release = resolve;
        }),
    });
    answer.begin('text/plain');
    let isTaken = false;
    const taken = Promise.resolve(answer.write(Buffer.from('x'))).then(() => {
      isTaken = true;
    });
    await Promise.resolve();
    expect(isTaken).toBe(false);
    release();
    await taken;
    expect(isTaken).toBe(true);
  });
});
