/**
 * Installs the npm packages of package-lock.json. Shows progress, and reports within a minute that the registry does not
 * respond: npm's own defaults wait 5 minutes for a response, three times, without a line of output.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ROOT } from './run-program.mjs';

/** How long to wait for a response: to the first request, and to each request of the installation (tried twice). */
const PING_TIMEOUT_MS = 10_000;
const FETCH_TIMEOUT_MS = 20_000;
const PROGRESS_INTERVAL_MS = 5_000;

/** Installs what package-lock.json names when node_modules differs from it. Returns whether everything is installed. */
export async function installNodePackages() {
  const expected = Object.entries(packagesIn(join(ROOT, 'package-lock.json'))).filter(
    ([path, entry]) => path !== '' && isForThisPlatform(entry),
  );
  const installed = packagesIn(join(ROOT, 'node_modules', '.package-lock.json'));
  if (expected.every(([path, { version, optional }]) => optional || installed[path]?.version === version)) return true;
  console.error('> installing the npm packages (once)');
  const unreachable = registryFailure();
  if (unreachable !== undefined) {
    console.error(`The npm registry does not respond. ${unreachable}
Check the network and npm's settings (npm config get registry, npm config get proxy), then run this command again.
Nothing was changed. If npm's cache holds the packages, "npm ci --offline" installs them without the network.`);
    return false;
  }
  return await installFromLockFile(expected.length);
}

/** Pings the registry. Returns npm's reason if it does not respond. An HTTP error is a response. */
function registryFailure() {
  const timeout = fetchTimeoutMs(PING_TIMEOUT_MS);
  const settings = [`--fetch-timeout=${timeout}`, '--fetch-retries=0', '--loglevel=error'];
  const { status, error, stderr } = spawnSync(...npm('ping', ...settings), {
    cwd: ROOT,
    env: npmEnvironment(),
    encoding: 'utf8',
    // npm's timeout starts when the socket is there, and looking up a name can take longer.
    timeout: timeout + 10_000,
  });
  if (error?.code === 'ENOENT') return 'The command npm was not found.';
  if (error) return `npm ping: ${error.message}`;
  if (status === 0 || /^npm (error|ERR!) code E\d/m.test(stderr)) return undefined;
  const reason = /^npm (?:error|ERR!) (?:network |\w*Error: )(.*)$/m.exec(stderr)?.[1];
  return reason ?? stderr.trim();
}

/** `npm ci`, with a line of progress every few seconds, and with npm's output if it fails. */
async function installFromLockFile(total) {
  const timeout = fetchTimeoutMs(FETCH_TIMEOUT_MS);
  const settings = [
    `--fetch-timeout=${timeout}`,
    '--fetch-retries=1',
    '--fetch-retry-mintimeout=1000',
    '--fetch-retry-maxtimeout=1000',
    '--no-audit',
    '--no-fund',
    '--loglevel=http',
  ];
  const [program, args] = npm('ci', ...settings);
  const child = spawn(program, args, { cwd: ROOT, env: npmEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] });
  const started = performance.now();
  const output = [];
  let fetched = 0;
  let lastFailure;
  let giveUp;
  const readLine = (line) => {
    if (!/^npm http (fetch|cache) /.test(line)) output.push(line);
    else if (/ attempt \d+ failed /.test(line)) {
      if (lastFailure === undefined) console.error(line);
      lastFailure = line;
      // npm goes on to every other package, each with the same timeouts, which takes minutes. It ignores SIGTERM meanwhile.
      giveUp ??= setTimeout(() => child.kill('SIGKILL'), timeout + 2_000);
    } else {
      if (/\.tgz \d+ms/.test(line)) fetched += 1;
      clearTimeout(giveUp);
      giveUp = undefined;
    }
  };
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', readLine);
  const progress = setInterval(() => {
    const seconds = Math.round((performance.now() - started) / 1000);
    console.error(`  ${fetched} of ${total} packages after ${seconds} s`);
  }, PROGRESS_INTERVAL_MS);
  const failure = await new Promise((settle) => {
    child.once('error', (error) => settle(`npm: ${error.message}`));
    child.once('close', (code, signal) => {
      if (code === 0) settle(undefined);
      else if (signal === null) settle(`npm ci ended with exit code ${code}: the reason is above.`);
      else settle(`The npm registry stopped responding: ${lastFailure ?? `npm ended with ${signal}`}`);
    });
  });
  clearInterval(progress);
  clearTimeout(giveUp);
  if (failure === undefined) return true;
  console.error([...output, failure, 'The npm packages are not installed.'].join('\n'));
  return false;
}

/** npm's program and arguments: the npm that runs this script, or the one on the PATH. */
function npm(...args) {
  const path = process.env.npm_execpath;
  return path?.endsWith('.js') ? [process.execPath, [path, ...args]] : ['npm', args];
}

/** A slow network may need more: `npm_config_fetch_timeout` of the environment wins. */
function fetchTimeoutMs(ours) {
  return Number(process.env.npm_config_fetch_timeout) || ours;
}

/** npm passes its own settings (such as dry-run while packing) to scripts; an installation must not inherit them. */
function npmEnvironment() {
  const settings = /^npm_config_(dry_run|ignore_scripts|omit|production|global|json|pack_destination)$/i;
  return Object.fromEntries(Object.entries(process.env).filter(([key]) => !settings.test(key)));
}

function packagesIn(lockFile) {
  return existsSync(lockFile) ? JSON.parse(readFileSync(lockFile, 'utf8')).packages : {};
}

/** Optional packages hold binaries of one platform; npm installs those of this one. */
function isForThisPlatform({ os, cpu, libc }) {
  return (
    (os === undefined || os.includes(process.platform)) &&
    (cpu === undefined || cpu.includes(process.arch)) &&
    (libc === undefined || libc.includes('glibc'))
  );
}
