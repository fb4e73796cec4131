import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OperatorError } from '../operator-error.ts';
import { readEvents } from './event-input.ts';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'lamella-event-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The message and the remedy of an event that is refused. */
async function refusal(data: string): Promise<string> {
  const failure = await readEvent({ data }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(failure instanceof OperatorError)) throw new Error(`accepted: ${data}`);
  expect(failure.exitCode).toBe(2);
  return `${failure.message}\n${failure.remedy}`;
}

const readEvent = async (options: Parameters<typeof readEvents>[0]) =>
  (await readEvents(options))[0] ?? Buffer.from('none');

describe('readEvent', () => {
  it.each(['@', 'file://', 'fileb://'])('reads a file after %s', async (prefix) => {
    const file = join(directory, 'event.json');
    writeFileSync(file, '{"a": "ü"}\n');
    expect((await readEvent({ data: `${prefix}${file}` })).toString()).toBe('{"a": "ü"}\n');
    expect((await readEvent({ payload: `${prefix}${file}` })).toString()).toBe('{"a": "ü"}\n');
    expect((await readEvent({ event: file })).toString()).toBe('{"a": "ü"}\n');
  });

  it('is empty without an event, and passes on any JSON unchanged', async () => {
    expect((await readEvent({})).length).toBe(0);
    for (const json of ['null', ' [1, 2] ', '"@file"', '1e5', '{"a":{"b":[{}]}}']) {
      expect((await readEvent({ data: json })).toString()).toBe(json);
    }
  });

  it('rejects two events', async () => {
    await expect(readEvent({ data: '1', payload: '2' })).rejects.toThrow(
      'Give the event with one option only, not with --data and --payload.',
    );
  });

  it('names a file that cannot be read', async () => {
    await expect(readEvent({ data: '@/no/such/file' })).rejects.toThrow('Cannot read /no/such/file: ENOENT');
  });

  it.each([
    ['{nope', 'Line 1, column 2: expected a name in double quotes, found "n".\n  {nope\n   ^\n', '{"name":"World"}'],
    ["{'a':1}", 'Line 1, column 2: expected a name in double quotes', 'Use double quotes'],
    ['{"a":1,}', 'Line 1, column 8: expected a name in double quotes, found "}".', 'Remove the comma'],
    ['[1,2,\n]', 'Line 2, column 1: expected a value, found "]".\n  ]\n  ^', 'Remove the comma'],
    ['{"a":1', 'the event ends before the "}" that closes the "{" at line 1, column 1.', 'its end is missing'],
    ['{"a":"b}', 'the event ends inside a string', 'its end is missing'],
    [
      '{"ä":\n {"b": True}}',
      'Line 2, column 8: "True" is not a JSON value.\n   {"b": True}}\n         ^',
      'Write true',
    ],
    ['{"ä": "ö" x}', 'Line 1, column 11: expected a comma, found "x".', 'Correct the event'],
    ['{"a":undefined}', 'Line 1, column 6: "undefined" is not a JSON value', 'Write null'],
    ['hello', 'Line 1, column 1: "hello" is not a JSON value', 'Text needs double quotes'],
    ['event.json', 'Line 1, column 1', 'To read the event from a file, write --data @event.json.'],
    ['eyJhIjoxfQ==', 'Line 1, column 1', 'this looks like JSON in base64'],
    ['{"a": 1} // note', 'Line 1, column 10: expected a value, found "/"', 'Correct the event'],
    ['// note\n{}', 'Line 1, column 1: expected a value', 'JSON has none'],
    ['{"a":"x\ty"}', 'a string contains a line break or another control character', 'tabs as \\t'],
    ['[1}', 'expected "]", found "}"', 'Correct the event'],
    [' ', 'there is only white space', 'Correct the event'],
    ['\ufeff{}', 'Line 1, column 1', 'without BOM'],
  ])('says what is wrong with %j, where, and what to do', async (data, reason, remedy) => {
    const text = await refusal(data);
    expect(text).toContain('The event of --data is not valid JSON. Line ');
    expect(text).toContain(reason);
    expect(text).toContain(remedy);
    expect(text).not.toMatch(/Source|REDACTED|\(code/);
  });

  it('recognizes a file in UTF-16, as PowerShell writes it', async () => {
    const file = join(directory, 'utf-16.json');
    writeFileSync(file, Buffer.from('\ufeff{"a":1}', 'utf16le'));
    const text = await refusal(`@${file}`).catch((failure: Error) => failure.message);
    expect(text).toContain('UTF-16');
  });

  it('shows only a part of a long line', async () => {
    const text = await refusal(`{"a":"${'x'.repeat(5000)}" "b"}`);
    expect(text).toContain('Line 1, column 5009: expected a comma, found a double quote');
    expect(text.length).toBeLessThan(400);
  });
});
