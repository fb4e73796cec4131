/**
 * Runs the tests on every line of Node.js that package.json promises, each from npm's packages with the binaries of Node.js.
 * `node scripts/run.mjs every-node [line ...] [test filter ...]`, for example `every-node 22 src/http`.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { CACHE, ROOT, run } from './run-program.mjs';

/** The oldest version that `engines` in package.json allows, and the newest of each later line with long-term support. */
const LINES = ['20.19', '22', '24'];

/** Runs the tests on each line, also after one has failed. Returns whether all succeeded. */
export function testOnEveryNode(...args) {
  const chosen = args.filter((arg) => /^\d+(\.\d+)*$/.test(arg));
  const filters = args.filter((arg) => !chosen.includes(arg));
  const results = (chosen.length > 0 ? chosen : LINES).map((line) => ({ line, succeeded: testOn(line, filters) }));
  for (const { line, succeeded } of results) console.error(`> Node.js ${line}: ${succeeded ? 'passed' : 'FAILED'}`);
  return results.every(({ succeeded }) => succeeded);
}

function testOn(line, filters) {
  const directory = install(line);
  if (directory === undefined) return false;
  const env = { ...process.env, PATH: `${directory}${delimiter}${process.env.PATH}` };
  const vitest = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
  return run(`running the tests on Node.js ${line}`, join(directory, 'node'), [vitest, 'run', ...filters], { env });
}

/** Installs the newest version of a line. Returns the directory of its program; undefined if npm fails. */
function install(line) {
  const name = `node-linux-${process.arch}`;
  const directory = join(CACHE, 'node', line);
  const bin = join(directory, 'node_modules', name, 'bin');
  if (existsSync(join(bin, 'node'))) return bin;
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'package.json'), '{ "private": true }\n');
  const options = ['--prefix', directory, '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'];
  const isInstalled = run(`installing Node.js ${line}`, 'npm', ['install', ...options, `${name}@${line}`]);
  return isInstalled ? bin : undefined;
}
