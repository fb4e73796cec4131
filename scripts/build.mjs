/** Compiles src/ and the runtimes into dist/. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CACHE, filesIn, packageBinary, ROOT, run } from './run-program.mjs';

/** The files of the TypeScript runtime in dist/, each with its source. */
const RUNTIME_FILES = {
  'runtimes/typescript/bootstrap': 'runtimes/typescript/bootstrap',
  'runtimes/typescript/main.cjs': 'runtimes/typescript/src/main.ts',
};

/** Writes only what changed, and removes what no longer has a source. Returns whether it succeeded. */
export function build() {
  const startedAt = new Date();
  const dist = join(ROOT, 'dist');
  const expected = new Map(filesIn(join(ROOT, 'src')).flatMap(outputsOf));
  const record = join(CACHE, 'build.tsbuildinfo');
  // The record calls files up to date that may have been deleted since.
  if ([...expected.keys()].some((file) => !existsSync(join(dist, file)))) rmSync(record, { force: true });
  const options = ['-p', 'tsconfig.build.json', '--incremental', '--tsBuildInfoFile', record];
  if (!run('compiling', packageBinary('tsc'), options)) return false;
  for (const [file, source] of expected)
    if (!source.endsWith('.ts')) copyIfNewer(join(ROOT, 'src', source), join(dist, file));
  for (const file of filesIn(dist)) {
    if (!expected.has(file) && !Object.hasOwn(RUNTIME_FILES, file)) rmSync(join(dist, file));
  }
  if (!Object.entries(RUNTIME_FILES).every(([file, source]) => buildRuntimeFile(file, source))) return false;
  // The compiler leaves the record of unchanged sources alone, whatever their times.
  utimesSync(record, startedAt, startedAt);
  return true;
}

/** The files in dist/ that a file of src/ becomes, each with its source: compiled, or copied because it is data. */
function outputsOf(source) {
  if (source.endsWith('.test.ts')) return [];
  if (!source.endsWith('.ts')) return [[source, source]];
  return ['.js', '.js.map', '.d.ts'].map((ending) => [source.replace(/\.ts$/, ending), source]);
}

/** A runtime's program becomes one bundle, because Node loads one file faster than many. */
function buildRuntimeFile(file, source) {
  let made = join(ROOT, source);
  if (source.endsWith('.ts')) {
    made = join(CACHE, file);
    const shape = ['--bundle', '--platform=node', '--target=node20', '--format=cjs', '--minify-syntax'];
    const options = [...shape, '--minify-whitespace', '--log-level=warning', `--outfile=${made}`];
    if (!run(undefined, packageBinary('esbuild'), [source, ...options])) return false;
  }
  const target = join(ROOT, 'dist', file);
  if (existsSync(target) && readFileSync(target).equals(readFileSync(made))) return true;
  mkdirSync(dirname(target), { recursive: true });
  // By rename, because functions may be reading the old file.
  copyFileSync(made, `${target}.new`);
  renameSync(`${target}.new`, target);
  return true;
}

function copyIfNewer(from, to) {
  if (existsSync(to) && statSync(to).mtimeMs >= statSync(from).mtimeMs) return;
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}
