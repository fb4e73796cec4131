/** Runs programs and finds files, on Node's built-ins alone: the scripts run before anything is installed. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

/** The root directory of the repository. */
export const ROOT = resolve(import.meta.dirname, '..');
/** Build records and other files that can be made again. */
export const CACHE = join(ROOT, 'node_modules', '.cache', 'lamella');

/**
 * Runs a program to its end and returns whether it succeeded. `title` is printed first. Its `output` is shown as it
 * comes (`all`), only when it failed (`on-failure`), or never (`none`).
 */
export function run(title, program, args, { env = process.env, output = 'all' } = {}) {
  if (title) console.error(`> ${title}`);
  const stdio = output === 'all' ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'];
  const { status, error, stdout, stderr } = spawnSync(program, args, { cwd: ROOT, env, stdio });
  if (error) console.error(`${program}: ${error.message}`);
  if (output === 'on-failure' && status !== 0) process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`);
  return status === 0;
}

/** The path of a program that an npm package brings. */
export function packageBinary(name) {
  return join(ROOT, 'node_modules', '.bin', name);
}

/** Every file on the PATH with this name, in the PATH's order. */
export function allOnPath(program) {
  const directories = (process.env.PATH ?? '').split(delimiter).filter((directory) => directory !== '');
  return directories.map((directory) => join(directory, program)).filter((path) => existsSync(path));
}

export function isOnPath(program) {
  return allOnPath(program).length > 0;
}

/** The files below a directory, relative to it; none if there is no such directory. */
export function filesIn(directory) {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1));
}
