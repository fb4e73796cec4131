import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { cpuGrowth, LINEAR } from '../../../test/support/cpu-growth.ts';
import { systemClock } from '../../clock.ts';
import { createContainment } from '../../containment.ts';
import { createOutputTurns, OutputReader } from './output-reader.ts';

const turns = createOutputTurns(systemClock);
const containment = createContainment((_, failure) => {
  throw failure;
});

function readerOf(onLine: (line: string) => void) {
  const output = new PassThrough();
  return { output, reader: new OutputReader({ output, turns, containment, onLine }) };
}

it('a flood of short lines is read in order, while other work of the event loop goes on', async () => {
  const lines: string[] = [];
  const { output, reader } = readerOf((line) => lines.push(line));
  const expected = Array.from({ length: 60_000 }, (_, index) => `${index}\n`);
  let turnsOfOthers = 0;
  let mostLinesPerTurn = 0;
  let before = 0;
  let isEnded = false;
  const other = () => {
    turnsOfOthers += 1;
    mostLinesPerTurn = Math.max(mostLinesPerTurn, lines.length - before);
    before = lines.length;
    if (!isEnded) setImmediate(other);
  };
  setImmediate(other);
  output.end(expected.join(''));
  await reader.ended;
  isEnded = true;
  expect(lines).toEqual(expected);
  expect(turnsOfOthers).toBeGreaterThan(1);
  expect(mostLinesPerTurn).toBeLessThan(60_000);
});

it('the pipe is not read while lines wait', async () => {
  const { output, reader } = readerOf(() => undefined);
  output.write('\n'.repeat(16_000));
  expect(output.isPaused()).toBe(true);
  expect(reader.read()).toBeInstanceOf(Promise);
  await reader.read();
  expect(reader.read()).toBeUndefined();
  expect(output.isPaused()).toBe(false);
  output.end();
  await reader.ended;
});

it('several floods take turns', async () => {
  const order: string[] = [];
  const floods = ['a', 'b', 'c'].map((name) => {
    const flood = readerOf(() => order.push(name));
    flood.output.end('\n'.repeat(16_000));
    return flood;
  });
  await Promise.all(floods.map(({ reader }) => reader.ended));
  expect(order).toHaveLength(48_000);
  expect(order.indexOf('c')).toBeLessThan(order.lastIndexOf('a'));
});

it('a line that comes byte by byte is not copied again for each byte', async () => {
  const read = (bytes: number) => () => {
    const { output } = readerOf(() => undefined);
    for (let at = 0; at < bytes; at++) output.emit('data', Buffer.from('x'));
  };
  expect(await cpuGrowth(read, 16_000)).toBeLessThan(LINEAR);
});
