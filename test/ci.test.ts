/** Continuous integration keeps to what package.json promises. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const linesIn = (text: string) => [...text.matchAll(/['"](\d[\d.]*)['"]/g)].map(([, line]) => line);

it('the workflow tests on the Node.js lines of the job every-node, from the oldest that engines allows', () => {
  const [, job = ''] = /const LINES = \[(.*)\]/.exec(read('scripts/every-node.mjs')) ?? [];
  const [, workflow = ''] = /^ +node: \[(.*)\]$/m.exec(read('.github/workflows/ci.yml')) ?? [];
  expect(linesIn(workflow)).toEqual(linesIn(job));
  expect(JSON.parse(read('package.json')).engines.node).toBe(`>=${linesIn(job)[0]}`);
});
