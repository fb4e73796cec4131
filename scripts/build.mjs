/** Compiles src/ and the runtimes into dist/. */
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { CACHE, filesIn, packageBinary, ROOT, run } from './run-program.mjs';

/** The files of the TypeScript runtime in dist/, each with its source. */
const RUNTIME_FILES = {
  'runtimes/typescript/bootstrap': 'runtimes/typescript/bootstrap',
  'runtimes/typescript/main.cjs': 'runtimes/typescript/src/main.ts',
};

/** The directory in dist/ of the command line, which `bin/lamella` runs. */
const PROGRAM = 'program';

/**
 * Packages that are not bundled with the command line: native ones, and those of few commands. Finding and reading the
 * hundreds of files of the others takes longer than running them.
 */
const EXTERNAL_PACKAGES = ['libsql', 'esbuild', '@aws-sdk/*'];

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
    const isMade = expected.has(file) || Object.hasOwn(RUNTIME_FILES, file) || file.startsWith(`${PROGRAM}/`);
    if (!isMade) rmSync(join(dist, file));
  }
  if (!bundleProgram(join(dist, PROGRAM))) return false;
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

/**
 * Bundles the command line into a directory: `main.js`, and a file for each part that is loaded only when it is needed. They
 * become CommonJS modules, because V8's compiled code can be kept only for those. Their names contain checksums; the first
 * line of `main.js` has one for all of them.
 */
export function bundleProgram(directory) {
  const made = join(CACHE, `program-${process.pid}`);
  const bundled = join(made, 'esm');
  const shape = ['--platform=node', '--target=node20', '--charset=ascii', '--log-level=warning'];
  const bundling = ['--bundle', '--splitting', '--format=esm', '--chunk-names=[name]-[hash]', `--outdir=${bundled}`];
  const external = EXTERNAL_PACKAGES.map((name) => `--external:${name}`);
  // bin/lamella passes dist/ as the directory of each file.
  const paths = ['--define:import.meta.dirname=__dirname', '--define:import.meta.url=__filename'];
  const converting = ['--format=cjs', '--supported:dynamic-import=false', `--outdir=${join(made, 'cjs')}`];
  const esbuild = packageBinary('esbuild');
  const isMade =
    run(undefined, esbuild, ['src/cli/main.ts', ...shape, ...bundling, ...external, ...paths]) &&
    run(undefined, esbuild, [...filesIn(bundled).map((name) => join(bundled, name)), ...shape, ...converting]);
  if (isMade) replaceProgram(join(made, 'cjs'), directory);
  rmSync(made, { recursive: true, force: true });
  return isMade;
}

/** The main file comes last, because a command may start meanwhile. */
function replaceProgram(made, directory) {
  mkdirSync(directory, { recursive: true });
  const names = filesIn(made).filter((name) => name !== 'main.js');
  for (const name of names)
    if (!existsSync(join(directory, name))) copyFileSync(join(made, name), join(directory, name));
  const main = readFileSync(join(made, 'main.js'), 'utf8');
  const text = `// ${createHash('sha256').update(main).digest('hex').slice(0, 16)}\n${main}`;
  const target = join(directory, 'main.js');
  if (existsSync(target) && readFileSync(target, 'utf8') === text) return;
  writeFileSync(`${target}.new`, text);
  renameSync(`${target}.new`, target);
  for (const name of filesIn(directory)) if (name !== 'main.js' && !names.includes(name)) rmSync(join(directory, name));
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
