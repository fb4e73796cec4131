/**
 * `lamella debug config`: the settings with which an editor debugs functions that run with `--debug`, as VS Code's
 * launch.json. The functions' /var/task is the project's directory, or the one of `--code`.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { DEBUG_PORTS } from '../../environment/launch/debug-plan.ts';
import { OperatorError } from '../../operator-error.ts';
import { parseJson } from '../../protocol/json.ts';
import type { Run } from '../command.ts';
import { printStatus, writeResult } from '../output.ts';

type Configuration = { readonly name: string } & Readonly<Record<string, unknown>>;

/** A variable of VS Code. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: VS Code replaces it
const WORKSPACE = '${workspaceFolder}';

export const run: Run = async ({ args, given }) => {
  const project = resolve(args[0] ?? '.');
  const code = relative(project, resolve(project, String(given.code ?? '.')));
  const configurations = configurationsFor([WORKSPACE, code].filter((part) => part !== '').join('/'));
  const file = join(project, '.vscode/launch.json');
  if (!given.write) {
    await writeResult(`${render({ version: '0.2.0', configurations })}\n`);
    return 0;
  }
  const before = existsSync(file) ? readLaunch(file) : { version: '0.2.0', configurations: [] };
  const names = new Set(configurations.map(({ name }) => name));
  const kept = before.configurations.filter(({ name }) => !names.has(name));
  mkdirSync(join(project, '.vscode'), { recursive: true });
  writeFileSync(file, `${render({ ...before, configurations: [...kept, ...configurations] })}\n`);
  printStatus(`Wrote ${[...names].join(', ')} to ${file}`);
  return 0;
};

/** One for each language: the debuggers' own extensions of VS Code name their types. */
function configurationsFor(localRoot: string): Configuration[] {
  const attach = { request: 'attach', localRoot, remoteRoot: '/var/task' };
  return [
    {
      name: 'Lamella: PHP',
      type: 'php',
      request: 'launch',
      hostname: '127.0.0.1',
      port: DEBUG_PORTS.php,
      pathMappings: { '/var/task': localRoot },
      // The runtime itself.
      skipFiles: ['/opt/**'],
    },
    {
      name: 'Lamella: Node.js',
      type: 'node',
      ...attach,
      address: '127.0.0.1',
      port: DEBUG_PORTS.node,
      // A change starts another process.
      restart: true,
      skipFiles: ['<node_internals>/**', '/var/runtime/**', '/opt/lamella/**'],
    },
    {
      name: 'Lamella: Python',
      type: 'debugpy',
      request: 'attach',
      connect: { host: '127.0.0.1', port: DEBUG_PORTS.python },
      pathMappings: [{ localRoot, remoteRoot: '/var/task' }],
    },
  ];
}

function readLaunch(file: string): { readonly configurations: readonly Configuration[] } & Record<string, unknown> {
  try {
    const launch = parseJson(readFileSync(file, 'utf8')) as { configurations?: unknown };
    const configurations = Array.isArray(launch.configurations) ? (launch.configurations as Configuration[]) : [];
    return { ...launch, configurations };
  } catch (failure) {
    const reason = `${(failure as Error).message}. Comments would be lost: add what the command prints without --write`;
    throw new OperatorError('file-unreadable', { file, reason }, failure);
  }
}

function render(launch: unknown): string {
  return JSON.stringify(launch, undefined, 2);
}
