import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import type { Fact } from '../../environment/facts.ts';
import { showActivity } from './show-activity.ts';

const fact = (message: string) => ({ kind: 'log-event', message }) as Fact;
const render = (facts: readonly Fact[]) => facts.map((one) => (one.kind === 'log-event' ? one.message : '')).join('');
const renderDropped = (count: number) => `${count} dropped\n`;

it('writes facts together, after the start has been shown, and the rest at the end', () => {
  const directory = mkdtempSync(join(tmpdir(), 'lamella-activity-'));
  const file = join(directory, 'out');
  const descriptor = openSync(file, 'w');
  const clock = new FakeClock();
  const activity = showActivity({ descriptor, render, renderDropped, clock });
  activity.observe(fact('a\n'));
  clock.advance(1000);
  expect(readFileSync(file, 'utf8')).toBe('');
  activity.show();
  activity.observe(fact('b\n'));
  expect(readFileSync(file, 'utf8')).toBe('');
  clock.advance(40);
  expect(readFileSync(file, 'utf8')).toBe('a\nb\n');
  activity.observe(fact('c\n'));
  activity.end();
  expect(readFileSync(file, 'utf8')).toBe('a\nb\nc\n');
  closeSync(descriptor);
  rmSync(directory, { recursive: true });
});

it('never waits for a reader that does not read, counts what it drops, and continues when the reader does', async () => {
  // The pipe of a shell: a real one, unlike the socket that Node makes for a child.
  const reader = spawn('sh', ['-c', 'mkfifo "$0" && echo made && exec 3<>"$0" && read go && exec cat <&3', fifo()], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(reader.stdout, 'data');
  const descriptor = openSync(reader.spawnargs.at(-1) ?? '', 'r+');
  const clock = new FakeClock();
  const activity = showActivity({ descriptor, render, renderDropped, clock });
  activity.show();
  const line = `${'x'.repeat(99)}\n`;
  for (let round = 0; round < 20; round += 1) {
    for (let at = 0; at < 1_000; at += 1) activity.observe(fact(line));
    clock.advance(40);
  }
  let read = '';
  const complete = new Promise<void>((resolve) => {
    reader.stdout.on('data', (chunk: Buffer) => {
      read += chunk;
      clock.advance(40);
      if (read.includes('dropped')) resolve();
    });
  });
  reader.stdin.end('go\n');
  await complete;
  activity.end();
  reader.kill('SIGKILL');
  closeSync(descriptor);
  rmSync(join(reader.spawnargs.at(-1) ?? '', '..'), { recursive: true });
  const dropped = Number(/(\d+) dropped/.exec(read)?.[1]);
  expect(read.split('\n').filter((one) => one === line.trimEnd()).length + dropped).toBe(20_000);
});

function fifo(): string {
  return join(mkdtempSync(join(tmpdir(), 'lamella-activity-')), 'pipe');
}
