#!/usr/bin/env node
/**
 * The commands of this repository, behind `npm run build`, `check`, `test` and `demo`. From a fresh clone on, each one
 * installs what it needs, prints a line about it, and never asks. Plain JavaScript on Node's built-ins alone, because it
 * runs before anything is installed.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './build.mjs';
import { check } from './check.mjs';
import { testOnEveryNode } from './every-node.mjs';
import { installNodePackages } from './npm-packages.mjs';
import { CACHE, packageBinary, ROOT, run } from './run-program.mjs';
import {
  APPLICATION_PACKAGES,
  COMPILER_PACKAGES,
  installBrowser,
  installSystemPackages,
  SANDBOX_PACKAGES,
  TEST_PACKAGES,
} from './system-packages.mjs';

/** Each returns whether it succeeded. */
const COMMANDS = {
  build,
  check,
  test,
  demo: (...args) => script('scripts/demo.ts', SANDBOX_PACKAGES, { args }),
  conformance,
  applications: (...names) => testJob('applications', APPLICATION_PACKAGES, names),
  'every-node': everyNode,
  tools: (...names) => testJob('tools', [], names),
  'php-source': () => testJob('php-source', COMPILER_PACKAGES),
  attack,
  'sam-golden': (...args) => script('scripts/sam-golden.ts', [], { needsBuild: false, args }),
  'public-templates': (...args) => script('scripts/public-templates.ts', SANDBOX_PACKAGES, { args }),
  documents: () => script('scripts/update-documents.ts', [], { needsBuild: false }),
  // On one CPU: then the median of a round trip is the work of both sides, wherever the kernel would have put them. The
  // first one chooses the CPUs of each process itself.
  bench: (name = 'invoke', ...args) =>
    script(`bench/${name}.ts`, SANDBOX_PACKAGES, { runner: name === 'invoke' ? [] : ['taskset', '-c', '0'], args }),
};

const [name = '', ...rest] = process.argv.slice(2);
const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
if (!command) {
  console.error(`usage: node scripts/run.mjs ${Object.keys(COMMANDS).join('|')}`);
  process.exit(2);
}
process.exitCode = (await installNodePackages()) && command(...rest) ? 0 : 1;

function test(...filters) {
  const isReady = installSystemPackages(TEST_PACKAGES) && build() && check();
  if (!isReady) {
    console.error('The tests were not run: fix what is reported above first.');
    console.log('\n0 passed, 1 failed');
    return false;
  }
  installBrowser();
  return run('running the tests', packageBinary('vitest'), ['run', ...filters]);
}

function everyNode(...args) {
  if (!installSystemPackages(TEST_PACKAGES) || !build()) return false;
  installBrowser();
  return testOnEveryNode(...args);
}

/**
 * Runs the cases that every Lambda must pass against a service: this one, another (`--endpoint URL`), or AWS
 * (`--remote`, with LAMELLA_CONFORMANCE_ROLE and the environment's credentials and region).
 */
function conformance(...args) {
  const [endpoint, network, runtimeApi] = ['--endpoint', '--network', '--runtime-api'].map((flag) => {
    const at = args.indexOf(flag);
    return at < 0 ? undefined : args[at + 1];
  });
  const isRemote = args.includes('--remote');
  const isOwnService = !isRemote && !endpoint && !runtimeApi;
  if (isOwnService && !(installSystemPackages(SANDBOX_PACKAGES) && build())) return false;
  const env = {
    ...process.env,
    ...(endpoint && { LAMELLA_CONFORMANCE_ENDPOINT: endpoint }),
    ...(network && { LAMELLA_CONFORMANCE_NETWORK: network }),
    ...(runtimeApi && { LAMELLA_CONFORMANCE_RUNTIME_API: runtimeApi }),
    ...(isRemote && { LAMELLA_CONFORMANCE_REMOTE: 'true' }),
  };
  const cases = runtimeApi ? 'test/conformance/conformance.test.ts' : 'test/conformance/service.test.ts';
  return run('running the cases', packageBinary('vitest'), ['run', cases], { env });
}

/**
 * Attacks the service for an hour (or SECONDS) with new seeds, four times as many cases in a round. Each round prints its
 * seed. LAMELLA_ATTACK_SEED and LAMELLA_ATTACK_SCALE repeat one.
 */
function attack(seconds = '3600', ...filters) {
  if (!installSystemPackages(SANDBOX_PACKAGES) || !build()) return false;
  const end = Date.now() + Number(seconds) * 1000;
  let isHeld = true;
  do {
    const seed = process.env.LAMELLA_ATTACK_SEED ?? String(Math.floor(Math.random() * 2 ** 31));
    const env = { LAMELLA_ATTACK_SCALE: '4', ...process.env, LAMELLA_ATTACK_SEED: seed };
    const files = filters.length > 0 ? filters : ['test/attacks'];
    isHeld = run(`attacking with seed ${seed}`, packageBinary('vitest'), ['run', ...files], { env }) && isHeld;
  } while (Date.now() < end && isHeld && process.env.LAMELLA_ATTACK_SEED === undefined);
  return isHeld;
}

/** Runs `test/JOB/*.job.ts`: tests that take minutes or need Debian's archive. */
function testJob(job, packages, filters = []) {
  if (!installSystemPackages([...SANDBOX_PACKAGES, ...packages]) || !build()) return false;
  return run(`running the job ${job}`, packageBinary('vitest'), ['run', ...filters], {
    env: { ...process.env, LAMELLA_TEST_JOB: job },
  });
}

/** Runs a TypeScript program of this repository against the built package. */
function script(file, systemPackages, { runner = [], args = [], needsBuild = true } = {}) {
  if (!existsSync(join(ROOT, file))) {
    console.error(`There is no ${file}.`);
    return false;
  }
  if (!installSystemPackages(systemPackages) || (needsBuild && !build())) return false;
  const bundle = join(CACHE, file.replace(/\.ts$/, '.mjs'));
  const shape = ['--bundle', '--platform=node', '--format=esm', '--packages=external', '--log-level=warning'];
  if (!run(undefined, packageBinary('esbuild'), [file, ...shape, `--outfile=${bundle}`])) return false;
  const [program, ...first] = [...runner, process.execPath];
  const env = { ...process.env, LAMELLA_ROOT: ROOT, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' };
  return run(undefined, program, [...first, bundle, ...args], { env });
}
