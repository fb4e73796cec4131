/** Types, lint and format: everything that can be checked without running the tests. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { filesIn, isOnPath, packageBinary, ROOT, run } from './run-program.mjs';

/** Runs every check, also after one has failed. Returns whether all succeeded. */
export function check() {
  const results = [
    run('checking types', packageBinary('tsc'), ['-p', 'tsconfig.json']),
    run('checking style', packageBinary('biome'), ['ci', '--error-on-warnings', '--colors=off']),
    ...(isOnPath('php') ? phpFiles() : []).map((file) =>
      run(undefined, 'php', ['-n', '-l', file], { output: 'on-failure' }),
    ),
  ];
  return results.every(Boolean);
}

/** The PHP files of this repository: by name, or by a first line that names php. */
function phpFiles() {
  const isPhp = (file) => file.endsWith('.php') || (/(^|\/)bootstrap$/.test(file) && startsPhp(file));
  return ['runtimes', 'examples', 'test'].flatMap((directory) =>
    filesIn(join(ROOT, directory))
      .map((file) => `${directory}/${file}`)
      .filter((file) => !/(^|\/)vendor\//.test(file) && isPhp(file)),
  );
}

function startsPhp(file) {
  return /^#!.*php/.test(readFileSync(join(ROOT, file), 'utf8').split('\n', 1)[0] ?? '');
}
