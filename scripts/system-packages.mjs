/**
 * Debian packages that the commands of this repository need. As root on Debian and Ubuntu they are installed; any other
 * user gets the line that installs them, all in one, before anything runs.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { allOnPath, isOnPath, run } from './run-program.mjs';

/** To start the service. */
export const SANDBOX_PACKAGES = ['bubblewrap', 'util-linux'];
/** To check the style of PHP and Python. */
export const LINT_PACKAGES = ['php-cli', 'php-codesniffer', 'python3-flake8'];
/** To run `npm test`. */
export const TEST_PACKAGES = [
  ...SANDBOX_PACKAGES,
  ...LINT_PACKAGES,
  'binutils',
  'curl',
  'gcc',
  'git',
  'libc6-dev',
  'procps',
  'strace',
  'unzip',
  'awscli',
  'phpunit',
  'python3-boto3',
  'python3-debugpy',
  'php-curl',
  'php-guzzlehttp-guzzle',
  'php-nyholm-psr7',
  'php-slim-psr7',
  'php-laravel-framework',
  'php-symfony-dotenv',
  'php-symfony-framework-bundle',
  'php-symfony-runtime',
  'php-symfony-http-kernel',
];
/** For the job `applications`: the applications keep their data in MariaDB. */
export const APPLICATION_PACKAGES = ['mariadb-server'];
/** For the job `php-source`: PHP is compiled with these libraries. */
export const COMPILER_PACKAGES = [
  'gcc',
  'libc6-dev',
  'g++',
  'make',
  'pkg-config',
  'libssl-dev',
  'libcurl4-openssl-dev',
  'zlib1g-dev',
  'libxml2-dev',
  'libsqlite3-dev',
  'debootstrap',
];

/** A version manager's Python may come first on the PATH, and has none of Debian's packages. */
const PYTHONS = ['python3', '/usr/bin/python3'];

/** Whether a package's content is on this machine, however it was installed: not every system is Debian. */
const IS_INSTALLED = {
  bubblewrap: () => isOnPath('bwrap'),
  'util-linux': () => ['nsenter', 'setpriv', 'taskset'].every(isOnPath),
  binutils: () => isOnPath('readelf'),
  curl: () => isOnPath('curl'),
  git: () => isOnPath('git'),
  'libc6-dev': () => existsSync('/usr/include/stdio.h'),
  procps: () => isOnPath('ps'),
  strace: () => isOnPath('strace'),
  unzip: () => isOnPath('unzip'),
  // Version 2. A version manager's version 1 may come first on the PATH.
  awscli: () => allOnPath('aws').some((path) => outputOf(path, '--version').startsWith('aws-cli/2')),
  'python3-boto3': () => PYTHONS.some((python) => succeeds(python, '-c', 'import boto3')),
  phpunit: () => isOnPath('phpunit'),
  'python3-debugpy': () => existsSync('/usr/lib/python3/dist-packages/debugpy'),
  'python3-flake8': () => pythonWithFlake8() !== undefined,
  'php-cli': () => isOnPath('php'),
  'php-codesniffer': () => isOnPath('phpcs'),
  'php-curl': () => outputOf('php', '-m').split('\n').includes('curl'),
  'php-guzzlehttp-guzzle': () => hasPhpLibrary('GuzzleHttp/autoload.php'),
  'php-nyholm-psr7': () => hasPhpLibrary('Nyholm/Psr7/autoload.php'),
  'php-slim-psr7': () => hasPhpLibrary('Slim/Psr7/autoload.php'),
  'php-laravel-framework': () => hasPhpLibrary('Illuminate/Foundation/Application.php'),
  'php-symfony-dotenv': () => hasPhpLibrary('Symfony/Component/Dotenv/autoload.php'),
  'php-symfony-framework-bundle': () => hasPhpLibrary('Symfony/Bundle/FrameworkBundle/autoload.php'),
  'php-symfony-runtime': () => hasPhpLibrary('Symfony/Component/Runtime/autoload.php'),
  'php-symfony-http-kernel': () => hasPhpLibrary('Symfony/Component/HttpKernel/autoload.php'),
  'mariadb-server': () => existsSync('/usr/sbin/mariadbd'),
  gcc: () => isOnPath('cc'),
  'g++': () => isOnPath('c++'),
  make: () => isOnPath('make'),
  'pkg-config': () => isOnPath('pkg-config'),
  'libssl-dev': () => succeeds('pkg-config', '--exists', 'openssl'),
  'libcurl4-openssl-dev': () => succeeds('pkg-config', '--exists', 'libcurl'),
  'zlib1g-dev': () => succeeds('pkg-config', '--exists', 'zlib'),
  'libxml2-dev': () => succeeds('pkg-config', '--exists', 'libxml-2.0'),
  'libsqlite3-dev': () => succeeds('pkg-config', '--exists', 'sqlite3'),
  debootstrap: () => isOnPath('debootstrap') || existsSync('/usr/sbin/debootstrap'),
};

const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const APT_ENVIRONMENT = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
const APT_INSTALL = ['install', '-y', '-qq', '--no-install-recommends'];

/** Those of the packages that are not on this machine. */
export function missingPackages(names) {
  return [...new Set(names)].filter((name) => !IS_INSTALLED[name]());
}

/** The command for a user who is not root. */
export function installCommand(names) {
  return `sudo sh -c 'apt-get update && apt-get install -y ${names.join(' ')}'`;
}

/** Installs the packages when this user may, else prints the command. Returns whether all are there. */
export function installSystemPackages(names) {
  const missing = missingPackages(names);
  if (missing.length === 0) return true;
  if (!mayInstall()) {
    console.error(`Missing on this machine: ${missing.join(', ')}. On Debian and Ubuntu:`);
    console.error(`\n  ${installCommand(missing)}\n`);
    return false;
  }
  const options = { env: APT_ENVIRONMENT, output: 'on-failure' };
  run(`installing ${missing.join(', ')} (once)`, 'apt-get', ['update', '-qq'], options);
  if (run(undefined, 'apt-get', [...APT_INSTALL, ...missing], options)) return true;
  console.error(`Could not install ${missing.join(', ')}. By hand: ${installCommand(missing)}`);
  return false;
}

/** Installs Chromium where apt has it. Ubuntu has it only as a snap; there its tests are skipped, and print so. */
export function installBrowser() {
  if (BROWSERS.some(isOnPath) || !mayInstall()) return;
  const options = { env: APT_ENVIRONMENT, output: 'none' };
  if (run('installing chromium (once)', 'apt-get', [...APT_INSTALL, 'chromium'], options)) return;
  run(undefined, 'apt-get', ['update', '-qq'], options);
  run(undefined, 'apt-get', [...APT_INSTALL, 'chromium'], options);
}

/** A Python with the linter flake8. */
export function pythonWithFlake8() {
  return PYTHONS.find((python) => succeeds(python, '-m', 'flake8', '--version'));
}

function mayInstall() {
  return process.getuid?.() === 0 && isOnPath('apt-get');
}

function hasPhpLibrary(file) {
  return existsSync(`/usr/share/php/${file}`);
}

function succeeds(program, ...args) {
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0;
}

function outputOf(program, ...args) {
  return spawnSync(program, args, { encoding: 'utf8' }).stdout ?? '';
}
