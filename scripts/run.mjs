#!/usr/bin/env node
/**
 * What `npm run build`, `check`, `test` and `demo` do, from a fresh clone on: each installs what it needs, says so in a
 * line, and never asks. Plain JavaScript on Node's built-ins alone, because it runs before anything is installed.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '..');
const CACHE = join(ROOT, 'node_modules', '.cache', 'lamella');

/** What the TypeScript runtime is made of in dist/, and from what. */
const RUNTIME_FILES = {
  'runtimes/typescript/bootstrap': 'runtimes/typescript/bootstrap',
  'runtimes/typescript/main.cjs': 'runtimes/typescript/src/main.ts',
};

/** Debian packages, and how to see that what they bring is there (also on systems that are not Debian). */
const SYSTEM_PACKAGES = {
  bubblewrap: { has: () => onPath('bwrap') },
  'util-linux': { has: () => onPath('nsenter') && onPath('setpriv') && onPath('taskset') },
  awscli: { has: hasAwsCli2 },
  'python3-boto3': { has: () => ['python3', '/usr/bin/python3'].some(hasBoto3) },
  'php-cli': { has: () => onPath('php') },
  'php-curl': { has: () => phpHas('curl') },
  'php-guzzlehttp-guzzle': { has: () => existsSync('/usr/share/php/GuzzleHttp/autoload.php') },
  'php-nyholm-psr7': { has: () => existsSync('/usr/share/php/Nyholm/Psr7/autoload.php') },
  'php-slim-psr7': { has: () => existsSync('/usr/share/php/Slim/Psr7/autoload.php') },
  'php-laravel-framework': { has: () => existsSync('/usr/share/php/Illuminate/Foundation/Application.php') },
  'php-symfony-dotenv': { has: () => existsSync('/usr/share/php/Symfony/Component/Dotenv/autoload.php') },
  'php-symfony-framework-bundle': {
    has: () => existsSync('/usr/share/php/Symfony/Bundle/FrameworkBundle/autoload.php'),
  },
  'php-symfony-runtime': { has: () => existsSync('/usr/share/php/Symfony/Component/Runtime/autoload.php') },
  'php-symfony-http-kernel': { has: () => existsSync('/usr/share/php/Symfony/Component/HttpKernel/autoload.php') },
};
const NEEDED_TO_RUN = ['bubblewrap', 'util-linux'];
const NEEDED_TO_TEST = Object.keys(SYSTEM_PACKAGES);
/** Its tests are left out, and say so, where it cannot be had: Ubuntu has it as a snap only. */
const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** What the jobs need that `npm test` does not have: applications keep data in MariaDB, PHP is compiled with its libraries. */
const APPLICATION_PACKAGES = { 'mariadb-server': { has: () => existsSync('/usr/sbin/mariadbd') } };
const COMPILER_PACKAGES = {
  gcc: { has: () => onPath('cc') },
  'g++': { has: () => onPath('c++') },
  make: { has: () => onPath('make') },
  'pkg-config': { has: () => onPath('pkg-config') },
  'libssl-dev': { has: () => pkgConfigHas('openssl') },
  'libcurl4-openssl-dev': { has: () => pkgConfigHas('libcurl') },
  'zlib1g-dev': { has: () => pkgConfigHas('zlib') },
  'libxml2-dev': { has: () => pkgConfigHas('libxml-2.0') },
  'libsqlite3-dev': { has: () => pkgConfigHas('sqlite3') },
  debootstrap: { has: () => onPath('debootstrap') || existsSync('/usr/sbin/debootstrap') },
};

const COMMANDS = {
  build,
  check,
  test,
  demo: (...args) => script('scripts/demo.ts', NEEDED_TO_RUN, { args }),
  conformance,
  applications: (...names) => testJob('applications', APPLICATION_PACKAGES, names),
  'php-source': () => testJob('php-source', COMPILER_PACKAGES),
  documents: () => script('scripts/update-documents.ts', [], { needsBuild: false }),
  // On one CPU: then the median of a round trip is the work of all sides, wherever the kernel would have put them.
  bench: (name = 'cold-start', ...args) =>
    script(`bench/${name}.ts`, NEEDED_TO_RUN, { runner: ['taskset', '-c', '0'], args }),
};

const [name = '', ...rest] = process.argv.slice(2);
const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
if (!command) {
  console.error(`usage: node scripts/run.mjs ${Object.keys(COMMANDS).join('|')}`);
  process.exit(2);
}
process.exitCode = command(...rest) ? 0 : 1;

/** Compiles src/ into dist/, writes only what changed, and removes what no longer has a source. */
function build() {
  installNodePackages();
  const dist = join(ROOT, 'dist');
  const expected = new Map(filesIn(join(ROOT, 'src')).flatMap(outputsOf));
  const record = join(CACHE, 'build.tsbuildinfo');
  // What the record calls up to date may have been deleted since.
  if ([...expected.keys()].some((file) => !existsSync(join(dist, file)))) rmSync(record, { force: true });
  if (!run('compiling', tool('tsc'), ['-p', 'tsconfig.build.json', '--incremental', '--tsBuildInfoFile', record])) {
    return false;
  }
  for (const [file, source] of expected)
    if (!source.endsWith('.ts')) copyIfNewer(join(ROOT, 'src', source), join(dist, file));
  for (const file of filesIn(dist)) {
    if (!expected.has(file) && !Object.hasOwn(RUNTIME_FILES, file)) rmSync(join(dist, file));
  }
  return Object.entries(RUNTIME_FILES).every(([file, source]) => buildRuntimeFile(file, source));
}

/** A file of a runtime: a program becomes one bundle, because Node loads one file faster than many. */
function buildRuntimeFile(file, source) {
  let made = join(ROOT, source);
  if (source.endsWith('.ts')) {
    made = join(CACHE, file);
    const shape = ['--bundle', '--platform=node', '--target=node20', '--format=cjs', '--minify-syntax'];
    const options = [...shape, '--minify-whitespace', '--log-level=warning', `--outfile=${made}`];
    if (!run(undefined, tool('esbuild'), [source, ...options])) return false;
  }
  const target = join(ROOT, 'dist', file);
  if (existsSync(target) && readFileSync(target).equals(readFileSync(made))) return true;
  mkdirSync(dirname(target), { recursive: true });
  // By rename, because functions may be reading the old one.
  copyFileSync(made, `${target}.new`);
  renameSync(`${target}.new`, target);
  return true;
}

/** What lies in dist/ for a file of src/, with its source: compiled, or copied because it is data. */
function outputsOf(source) {
  if (source.endsWith('.test.ts')) return [];
  if (!source.endsWith('.ts')) return [[source, source]];
  return ['.js', '.js.map', '.d.ts'].map((ending) => [source.replace(/\.ts$/, ending), source]);
}

/** Types, lint and format: everything that can be judged without running it. */
function check() {
  installNodePackages();
  const verdicts = [
    run('checking types', tool('tsc'), ['-p', 'tsconfig.json']),
    run('checking style', tool('biome'), ['ci', '--error-on-warnings', '--colors=off']),
    ...phpFiles().map((file) => run(undefined, 'php', ['-n', '-l', file], { output: 'of-failure' })),
  ];
  return verdicts.every(Boolean);
}

function test(...filters) {
  installNodePackages();
  const ready = installSystemPackages(NEEDED_TO_TEST) && build() && check();
  if (ready && !BROWSERS.some(onPath)) installBrowser();
  if (!ready) {
    console.error('The tests were not run: what is printed above comes first.');
    console.log('\n0 passed, 1 failed');
    return false;
  }
  return run('running the tests', tool('vitest'), ['run', ...filters]);
}

/**
 * Puts the cases that every Lambda has to pass to a service: one of our own, another (`--endpoint URL`), or AWS
 * (`--remote`, with LAMELLA_CONFORMANCE_ROLE and the credentials and region of the environment).
 */
function conformance(...args) {
  const [endpoint, network, runtimeApi] = ['--endpoint', '--network', '--runtime-api'].map((flag) => {
    const at = args.indexOf(flag);
    return at < 0 ? undefined : args[at + 1];
  });
  const isRemote = args.includes('--remote');
  installNodePackages();
  const isOwnService = !isRemote && !endpoint && !runtimeApi;
  if (isOwnService && !(installSystemPackages(NEEDED_TO_RUN) && build())) return false;
  const env = {
    ...process.env,
    ...(endpoint && { LAMELLA_CONFORMANCE_ENDPOINT: endpoint }),
    ...(network && { LAMELLA_CONFORMANCE_NETWORK: network }),
    ...(runtimeApi && { LAMELLA_CONFORMANCE_RUNTIME_API: runtimeApi }),
    ...(isRemote && { LAMELLA_CONFORMANCE_REMOTE: 'true' }),
  };
  const cases = runtimeApi ? 'test/conformance/conformance.test.ts' : 'test/conformance/service.test.ts';
  return run('running the cases', tool('vitest'), ['run', cases], { env });
}

/** Tests that take minutes or need Debian's archive, as jobs of their own: `test/JOB/*.job.ts`. */
function testJob(job, packages, filters = []) {
  installNodePackages();
  Object.assign(SYSTEM_PACKAGES, packages);
  if (!installSystemPackages([...NEEDED_TO_RUN, ...Object.keys(packages)]) || !build()) return false;
  return run(`running the job ${job}`, tool('vitest'), ['run', ...filters], {
    env: { ...process.env, LAMELLA_TEST_JOB: job },
  });
}

/** Runs a TypeScript program of this repository against the built package. */
function script(file, systemPackages, { runner = [], args = [], needsBuild = true } = {}) {
  if (!existsSync(join(ROOT, file))) {
    console.error(`There is no ${file}.`);
    return false;
  }
  installNodePackages();
  if (!installSystemPackages(systemPackages) || (needsBuild && !build())) return false;
  const bundle = join(CACHE, file.replace(/\.ts$/, '.mjs'));
  const shape = ['--bundle', '--platform=node', '--format=esm', '--packages=external', '--log-level=warning'];
  if (!run(undefined, tool('esbuild'), [file, ...shape, `--outfile=${bundle}`])) return false;
  const [program, ...first] = [...runner, process.execPath];
  const env = { ...process.env, LAMELLA_ROOT: ROOT, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' };
  return run(undefined, program, [...first, bundle, ...args], { env });
}

/** Installs what package-lock.json names, when what is in node_modules differs from it. */
function installNodePackages() {
  const locked = packagesIn(join(ROOT, 'package-lock.json'));
  const installed = packagesIn(join(ROOT, 'node_modules', '.package-lock.json'));
  const differs = Object.entries(locked).some(
    // An optional package of another platform is not installed, and need not be.
    ([path, { version, optional }]) => path !== '' && !optional && installed[path]?.version !== version,
  );
  if (!differs) return;
  const npm = process.env.npm_execpath;
  const [program, first] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []];
  const install = (output, ...args) =>
    run(undefined, program, [...first, ...args, '--no-audit', '--no-fund', '--loglevel=error'], {
      env: outsideOfNpm(),
      output,
    });
  // A registry that lacks a package for some other platform makes a lock file that `npm ci` finds incomplete; a plain
  // installation takes the same locked versions of everything that this platform needs.
  console.error('> installing the npm packages (once)');
  if (install('none', 'ci') || install('of-failure', 'install', '--no-save')) return;
  console.error('The npm packages could not be installed: see above. Is the npm registry reachable?');
  process.exit(1);
}

function packagesIn(lockFile) {
  return existsSync(lockFile) ? JSON.parse(readFileSync(lockFile, 'utf8')).packages : {};
}

/** npm hands its own settings (such as dry-run while packing) to scripts; an installation must not inherit them. */
function outsideOfNpm() {
  const settings = /^npm_config_(dry_run|ignore_scripts|omit|production|global|json|pack_destination)$/i;
  return Object.fromEntries(Object.entries(process.env).filter(([key]) => !settings.test(key)));
}

/** Installs Debian packages when this user may, else says which command would. */
function installSystemPackages(names) {
  const missing = names.filter((each) => !SYSTEM_PACKAGES[each].has());
  if (missing.length === 0) return true;
  const byHand = `apt-get update && apt-get install -y ${missing.join(' ')}`;
  if (process.getuid?.() !== 0 || !onPath('apt-get')) {
    console.error(
      `Missing on this machine: ${missing.join(', ')}. On Debian and Ubuntu:\n\n  sudo sh -c '${byHand}'\n`,
    );
    return false;
  }
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  run(`installing ${missing.join(', ')} (once)`, 'apt-get', ['update', '-qq'], { env, output: 'of-failure' });
  const install = ['install', '-y', '-qq', '--no-install-recommends', ...missing];
  if (run(undefined, 'apt-get', install, { env, output: 'of-failure' })) return true;
  console.error(`Could not install ${missing.join(', ')}. By hand: ${byHand}`);
  return false;
}

/** Installs Chromium where that takes no more than a package manager. */
function installBrowser() {
  if (process.getuid?.() !== 0 || !onPath('apt-get')) return;
  const install = ['install', '-y', '-qq', '--no-install-recommends', 'chromium'];
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  if (run('installing chromium (once)', 'apt-get', install, { env, output: 'none' })) return;
  run(undefined, 'apt-get', ['update', '-qq'], { env, output: 'none' });
  run(undefined, 'apt-get', install, { env, output: 'none' });
}

/** Runs a program to its end. Its `output` is shown as it comes (`all`), only when it failed (`of-failure`), or never. */
function run(what, program, args, { env = process.env, output = 'all' } = {}) {
  if (what) console.error(`> ${what}`);
  const stdio = output === 'all' ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'];
  const { status, error, stdout, stderr } = spawnSync(program, args, { cwd: ROOT, env, stdio });
  if (error) console.error(`${program}: ${error.message}`);
  if (output === 'of-failure' && status !== 0) process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`);
  return status === 0;
}

function tool(binary) {
  return join(ROOT, 'node_modules', '.bin', binary);
}

function onPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)));
}

function pkgConfigHas(library) {
  return onPath('pkg-config') && spawnSync('pkg-config', ['--exists', library]).status === 0;
}

function phpHas(extension) {
  const { status, stdout } = spawnSync('php', ['-m'], { encoding: 'utf8' });
  return status === 0 && stdout.split('\n').includes(extension);
}

/** AWS CLI version 2 anywhere on the PATH: a version manager's version 1 may come first. */
function hasAwsCli2() {
  const candidates = (process.env.PATH ?? '').split(delimiter).map((directory) => join(directory, 'aws'));
  return candidates.some((path) => {
    if (!existsSync(path)) return false;
    const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return stdout?.startsWith('aws-cli/2') ?? false;
  });
}

function hasBoto3(python) {
  return spawnSync(python, ['-c', 'import boto3'], { stdio: 'ignore' }).status === 0;
}

/** The PHP files of this repository: by name, or by a first line that names php. */
function phpFiles() {
  if (!onPath('php')) return [];
  const named = (file) => file.endsWith('.php') || (/(^|\/)bootstrap$/.test(file) && startsPhp(file));
  return ['runtimes', 'examples', 'test'].flatMap((folder) =>
    filesIn(join(ROOT, folder))
      .map((file) => `${folder}/${file}`)
      .filter((file) => !/(^|\/)vendor\//.test(file) && named(file)),
  );
}

function startsPhp(file) {
  return /^#!.*php/.test(readFileSync(join(ROOT, file), 'utf8').split('\n', 1)[0] ?? '');
}

function filesIn(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

function copyIfNewer(from, to) {
  if (existsSync(to) && statSync(to).mtimeMs >= statSync(from).mtimeMs) return;
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}
