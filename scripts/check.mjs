/** Types, lint and format: everything that can be checked without running the tests. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { filesIn, packageBinary, ROOT, run } from './run-program.mjs';
import { installSystemPackages, LINT_PACKAGES, pythonWithFlake8 } from './system-packages.mjs';

/** Runs every check, also after one has failed. Returns whether all succeeded. */
export function check() {
  const results = [
    run('checking types', packageBinary('tsc'), ['-p', 'tsconfig.json']),
    run('checking style', packageBinary('biome'), ['ci', '--error-on-warnings', '--colors=off']),
    installSystemPackages(LINT_PACKAGES) && checkPhpAndPython(),
  ];
  return results.every(Boolean);
}

function checkPhpAndPython() {
  const php = filesOf(['runtimes', 'examples', 'templates', 'test'], '.php', 'php');
  const published = php.filter((file) => !file.startsWith('test/'));
  const python = filesOf(['bin', 'runtimes', 'examples', 'test'], '.py', 'python');
  const results = [
    ...php.map((file) => run(undefined, 'php', ['-n', '-l', file], { output: 'on-failure' })),
    // Settings are in phpcs.xml. A warning fails too.
    run('checking the style of PHP', 'phpcs', ['-q', ...published]),
    run('checking Python', pythonWithFlake8(), ['-m', 'flake8', '--max-line-length=120', ...python]),
  ];
  return results.every(Boolean);
}

/** The files of a language: by extension, or by a first line that names the program. */
function filesOf(directories, extension, program) {
  const isOfLanguage = (file) =>
    file.endsWith(extension) || (/(^|\/)bootstrap$/.test(file) && startsWith(program, file));
  return directories.flatMap((directory) =>
    filesIn(join(ROOT, directory))
      .map((file) => `${directory}/${file}`)
      .filter((file) => !/(^|\/)vendor\//.test(file) && isOfLanguage(file)),
  );
}

function startsWith(program, file) {
  const [line = ''] = readFileSync(join(ROOT, file), 'utf8').split('\n', 1);
  return line.startsWith('#!') && line.includes(program);
}
