/**
 * The runtimes under test, and how each starts with the handler of its language. A runtime is skipped if its compiler or
 * interpreter is not installed. The file in LAMELLA_CONFORMANCE_RUNTIMES adds others, such as AWS's own clients.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { buildSync } from 'esbuild';

const ROOT = resolve(import.meta.dirname, '../..');
const HANDLERS = join(import.meta.dirname, 'handlers');

/** Features that not every runtime has. */
export type Feature =
  /** One process for all events, so that it can count them. */
  | 'state'
  /** Finds the handler in _HANDLER. */
  | 'handler'
  /** Reconnects when its connection breaks while it waits. */
  | 'reconnects'
  /** Distinguishes an empty object from an empty list. */
  | 'empty-objects'
  /** Reports the whole text of an error, not only its last line. */
  | 'error-lines';

export type Runtime = {
  readonly name: string;
  readonly version: string;
  readonly argv: readonly [string, ...string[]];
  /** The directory with its handler. */
  readonly task: string;
  /** Defaults to `index.handler`. */
  readonly handler?: string;
  readonly lacks?: readonly Feature[];
  readonly variables?: Readonly<Record<string, string>>;
};

/** Builds the runtimes that need it, in `directory`. */
export function prepareRuntimes(directory: string): Runtime[] {
  return [
    typescript(directory),
    ...(has('python3') ? [managedPython(), examplePython()] : []),
    ...(has('php') ? [php()] : []),
    ...(has('curl') ? [shell()] : []),
    ...(has('cc') && has('make') ? [c(directory)] : []),
    ...(has('cargo') ? [rust(directory)] : []),
    ...(has('go') ? [go(directory)] : []),
    ...fromFile(process.env.LAMELLA_CONFORMANCE_RUNTIMES),
  ];
}

function typescript(directory: string): Runtime {
  const main = join(directory, 'main.cjs');
  const entryPoints = [join(ROOT, 'runtimes/typescript/src/main.ts')];
  buildSync({ entryPoints, outfile: main, bundle: true, platform: 'node', target: 'node20', format: 'cjs' });
  const version = `Node ${process.versions.node}`;
  return { name: 'runtimes/typescript', version, argv: [process.execPath, main], task: join(HANDLERS, 'node') };
}

function managedPython(): Runtime {
  const argv = ['python3', join(ROOT, 'runtimes/python/runtime.py')] as const;
  return { name: 'runtimes/python', version: pythonVersion(), argv, task: join(HANDLERS, 'python') };
}

function examplePython(): Runtime {
  return {
    name: 'examples/bootstrap-python',
    version: pythonVersion(),
    argv: [join(ROOT, 'examples/bootstrap-python/bootstrap')],
    task: join(HANDLERS, 'python'),
    lacks: ['reconnects'],
  };
}

function php(): Runtime {
  return {
    name: 'runtimes/php',
    version: `PHP ${output('php', ['-r', 'echo PHP_VERSION;'])}`,
    argv: ['php', join(ROOT, 'runtimes/php/src/main.php')],
    task: join(HANDLERS, 'php'),
    handler: 'behaviors.php',
    lacks: ['empty-objects'],
  };
}

function shell(): Runtime {
  return {
    name: 'examples/bootstrap-shell',
    version: output('curl', ['--version']).split(' ', 2).join(' '),
    argv: [join(ROOT, 'examples/bootstrap-shell/bootstrap')],
    task: join(HANDLERS, 'shell'),
    lacks: ['state', 'reconnects', 'error-lines'],
  };
}

function c(directory: string): Runtime {
  const build = copyWithHandler('bootstrap-c', join(directory, 'c'), 'c/function.c', 'function.c');
  run('make', ['-s'], build);
  const version = output('cc', ['--version']).split('\n', 1)[0] ?? '';
  return { name: 'examples/bootstrap-c', version, argv: [join(build, 'bootstrap')], task: build };
}

function rust(directory: string): Runtime {
  const build = copyWithHandler('bootstrap-rust', join(directory, 'rust'), 'rust/function.rs', 'src/function.rs');
  run('cargo', ['build', '--release', '--offline', '--quiet'], build);
  const argv = [join(build, 'target/release/bootstrap')] as const;
  return { name: 'examples/bootstrap-rust', version: output('rustc', ['--version']), argv, task: build };
}

function go(directory: string): Runtime {
  const build = copyWithHandler('bootstrap-go', join(directory, 'go'), 'go/function.go', 'function.go');
  run('go', ['build', '-o', 'bootstrap', '.'], build);
  return {
    name: 'examples/bootstrap-go',
    version: output('go', ['version']).split(' ').slice(2, 3).join(''),
    argv: [join(build, 'bootstrap')],
    task: build,
    lacks: ['handler', 'reconnects'],
  };
}

/** Format: `[{ "name", "version", "argv", "task", "handler"?, "lacks"?, "variables"? }]`; `task` may be `node` or `python`. */
function fromFile(file: string | undefined): Runtime[] {
  if (!file) return [];
  const rows = JSON.parse(readFileSync(file, 'utf8')) as Runtime[];
  return rows.map((row) => (existsSync(join(HANDLERS, row.task)) ? { ...row, task: join(HANDLERS, row.task) } : row));
}

function copyWithHandler(example: string, build: string, handler: string, target: string): string {
  mkdirSync(build, { recursive: true });
  cpSync(join(ROOT, 'examples', example), build, { recursive: true });
  cpSync(join(HANDLERS, handler), join(build, target));
  return build;
}

function run(program: string, args: readonly string[], cwd: string): void {
  execFileSync(program, args, {
    cwd,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, CGO_ENABLED: '0' },
  });
}

function output(program: string, args: readonly string[]): string {
  return execFileSync(program, args, { encoding: 'utf8' }).trim();
}

function pythonVersion(): string {
  return output('python3', ['--version']);
}

function has(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => existsSync(join(directory, program)));
}
