import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { bundleForChild } from '../../test/support/bundle-for-child.ts';

let workspace: string;
beforeEach(() => {
  workspace = mkdtempSync(join(tmpdir(), 'lamella-unfinished-'));
  mkdirSync(join(workspace, 'files/directory'), { recursive: true });
  for (const name of ['finished', 'part', 'directory/x']) writeFileSync(join(workspace, 'files', name), '');
});
afterEach(() => rmSync(workspace, { recursive: true }));

/** A process that marks files and then waits. */
async function marking(more = '') {
  const script = await bundleForChild(
    workspace,
    `import { markUnfinished } from './unfinished-files.ts';
     const [directory] = process.argv.slice(2);
     markUnfinished(directory + '/part');
     markUnfinished(directory + '/directory');
     markUnfinished(directory + '/finished')();
     ${more}
     process.stdin.resume();
     process.stdout.write('ready');`,
    import.meta.dirname,
  );
  const child = spawn(process.execPath, [script, join(workspace, 'files')], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  'removes unfinished files when %s ends the process',
  async (signal) => {
    const child = await marking();
    child.kill(signal);
    expect(await once(child, 'exit')).toEqual([null, signal]);
    expect(readdirSync(join(workspace, 'files'))).toEqual(['finished']);
  },
);

it('leaves a signal to whatever else listens for it', async () => {
  const child = await marking("process.on('SIGINT', () => process.exit(7));");
  child.kill('SIGINT');
  expect(await once(child, 'exit')).toEqual([7, null]);
  expect(readdirSync(join(workspace, 'files')).sort()).toEqual(['directory', 'finished', 'part']);
});
