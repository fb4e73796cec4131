import { describe, expect, it } from 'vitest';
import { LineSplitter, LogTail } from './output.ts';

function split(...chunks: (Buffer | string)[]): string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line));
  for (const chunk of chunks) splitter.push(Buffer.from(chunk));
  splitter.flush();
  return lines;
}

describe("a function's output", () => {
  it('is one event per line with its line end, except for an unfinished last line', () => {
    expect(split('a\nb', 'c\n\nd')).toEqual(['a\n', 'bc\n', '\n', 'd']);
  });

  it('is not split at a carriage return', () => {
    expect(split('a\rb\r\nc')).toEqual(['a\rb\r\n', 'c']);
  });

  it('keeps a character whose bytes arrive in two chunks', () => {
    const euro = Buffer.from('€\n');
    expect(split(euro.subarray(0, 1), euro.subarray(1))).toEqual(['€\n']);
  });

  it('is split where a line exceeds the size of an event', () => {
    expect(split(`${'x'.repeat(262_144 + 10)}\n`).map((line) => line.length)).toEqual([262_144, 11]);
  });
});

describe('the log tail', () => {
  it('is the last 4096 bytes, cut at a byte', () => {
    const tail = new LogTail();
    for (let line = 0; line < 1000; line++) tail.append(`line ${line}\n`);
    const all = Array.from({ length: 1000 }, (_, line) => `line ${line}\n`).join('');
    expect(tail.bytes().toString()).toBe(all.slice(-4096));
  });

  it('is the whole log when that is short', () => {
    const tail = new LogTail();
    tail.append('one\n');
    tail.append('two\n');
    expect(tail.bytes().toString()).toBe('one\ntwo\n');
  });
});
