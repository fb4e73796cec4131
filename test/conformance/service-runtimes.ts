/**
 * The packages of the functions under test, one per runtime. On AWS the managed runtimes of Python and Node replace ours,
 * which need an interpreter in the environment. PHP is skipped there, because it needs a layer.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { buildSync } from 'esbuild';
import type { ZipFiles } from '../support/function-zip.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const HANDLERS = join(import.meta.dirname, 'handlers');

/** Requirements that not every runtime meets. */
export type Need =
  /** One process for all events. */
  | 'state'
  /** Python in the environment, for an extension. */
  | 'python';

export type ServiceRuntime = {
  readonly name: 'shell' | 'python' | 'node' | 'php';
  readonly runtime: string;
  readonly handler: string;
  readonly files: ZipFiles;
  readonly lacks: readonly Need[];
};

export function serviceRuntimes(isAws: boolean): ServiceRuntime[] {
  const python = { 'index.py': text(join(HANDLERS, 'python/index.py')) };
  const node = { 'index.cjs': text(join(HANDLERS, 'node/index.cjs')) };
  const custom = 'provided.al2023';
  const shell: ServiceRuntime = {
    name: 'shell',
    runtime: custom,
    handler: 'index.handler',
    files: {
      bootstrap: text(join(ROOT, 'examples/bootstrap-shell/bootstrap')),
      'index.sh': text(join(HANDLERS, 'shell/index.sh')),
    },
    lacks: isAws ? ['state', 'python'] : ['state'],
  };
  if (isAws) {
    const handler = 'index.handler';
    return [
      shell,
      { name: 'python', runtime: 'python3.13', handler, files: python, lacks: [] },
      { name: 'node', runtime: 'nodejs22.x', handler, files: node, lacks: ['python'] },
    ];
  }
  return [
    shell,
    {
      name: 'python',
      runtime: custom,
      handler: 'index.handler',
      files: { ...python, bootstrap: text(join(ROOT, 'examples/bootstrap-python/bootstrap')) },
      lacks: [],
    },
    {
      name: 'node',
      runtime: custom,
      handler: 'index.handler',
      files: { ...node, bootstrap: '#!/bin/sh\nexec node /var/task/main.cjs\n', 'main.cjs': nodeRuntime() },
      lacks: [],
    },
    {
      name: 'php',
      runtime: custom,
      handler: 'behaviors.php',
      files: {
        // Disables the runtime's own deadline, which would come before the timeout of the platform.
        bootstrap: '#!/bin/sh\nLAMELLA_DEADLINE=0 exec php /var/task/runtime/main.php\n',
        'behaviors.php': text(join(HANDLERS, 'php/behaviors.php')),
        ...tree(join(ROOT, 'runtimes/php/src'), 'runtime'),
      },
      lacks: [],
    },
  ];
}

function nodeRuntime(): string {
  const { outputFiles } = buildSync({
    entryPoints: [join(ROOT, 'runtimes/typescript/src/main.ts')],
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    write: false,
  });
  return outputFiles[0]?.text ?? '';
}

function tree(directory: string, name: string): ZipFiles {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.php'));
  return Object.fromEntries(files.map((file) => [`${name}/${file}`, text(join(directory, file))]));
}

function text(file: string): string {
  return readFileSync(file, 'utf8');
}
