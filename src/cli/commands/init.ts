/**
 * `lamella init`: creates a project from a template. The templates are directories of the package (`templates/`); this file
 * copies one and overwrites nothing.
 */
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { OperatorError } from '../../operator-error.ts';
import { nearestOf } from '../../options.ts';
import { PACKAGE_DIRECTORY } from '../../package-directory.ts';
import type { Run } from '../command.ts';
import { writeJson, writeResult } from '../output.ts';

const TEMPLATES = {
  'php-functions': 'two functions in PHP',
  'php-web': 'a web application in PHP',
  typescript: 'a function in TypeScript',
  shell: 'a function in shell with a runtime of its own',
} as const;

type TemplateName = keyof typeof TEMPLATES;

/** Templates that people look for, and what they can do instead. */
const ABSENT: Readonly<Record<string, string>> = {
  durable: 'Lamella has no durable executions yet.',
  symfony: withComposer('symfony/skeleton'),
  laravel: withComposer('laravel/laravel'),
};

function withComposer(skeleton: string): string {
  return (
    `Create the project with Composer (composer create-project ${skeleton} NAME) and run lamella dev in it: that serves ` +
    'public/index.php without a template.'
  );
}

/** npm leaves these files out of packages, so they have other names there. */
const RENAMED: Readonly<Record<string, string>> = { gitignore: '.gitignore', lamellaignore: '.lamellaignore' };

export const run: Run = async ({ args, given }) => {
  const directory = resolve(args[0] ?? '.');
  const template = given.template === undefined ? await choose(given.json === true) : parseName(String(given.template));
  const source = join(PACKAGE_DIRECTORY, 'templates', template);
  const files = filesIn(source).map((path) => ({
    from: join(source, path),
    path: RENAMED[path] ?? path,
  }));
  refuseExisting(directory, files);
  for (const { from, path } of files) copy(from, join(directory, path));
  const paths = files.map(({ path }) => path).sort();
  const where = relative(process.cwd(), directory) || '.';
  const next = [...(where === '.' ? [] : [`cd ${where}`]), 'lamella dev'];
  if (given.json) await writeJson({ directory, template, files: paths, next });
  else await writeResult(report(where, template, paths, next));
  return 0;
};

/** The template that a person chooses in a terminal; elsewhere the first one. */
async function choose(isJson: boolean): Promise<TemplateName> {
  const names = Object.keys(TEMPLATES) as TemplateName[];
  const first: TemplateName = 'php-functions';
  if (isJson || !process.stdin.isTTY || !process.stdout.isTTY) return first;
  const width = Math.max(...names.map(({ length }) => length));
  const lines = names.map((name, index) => `  ${index + 1}  ${name.padEnd(width)}  ${TEMPLATES[name]}`);
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const answer = (await terminal.question(`${lines.join('\n')}\nTemplate [1]: `)).trim();
    return answer === '' ? first : (names[Number(answer) - 1] ?? parseName(answer));
  } finally {
    terminal.close();
  }
}

function parseName(name: string): TemplateName {
  if (Object.hasOwn(TEMPLATES, name)) return name as TemplateName;
  const names = Object.keys(TEMPLATES);
  const nearest = nearestOf(name, names);
  const reason = ABSENT[name] ?? (nearest === undefined ? '' : `Did you mean ${nearest}?`);
  throw new OperatorError('init-template-unknown', { name, reason, known: names.join(', ') });
}

function filesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((path) =>
    statSync(join(directory, path)).isFile(),
  );
}

function refuseExisting(directory: string, files: readonly { readonly path: string }[]): void {
  if (existsSync(directory) && !statSync(directory).isDirectory()) {
    throw new OperatorError('file-unwritable', { file: directory, reason: 'it is a file' });
  }
  const existing = files.map(({ path }) => path).filter((path) => existsSync(join(directory, path)));
  if (existing.length === 0) return;
  const s = existing.length === 1 ? 's' : '';
  throw new OperatorError('init-exists', { directory, files: existing.join(', '), s });
}

/** Readable for the users of functions, whatever this user's umask is. */
function copy(from: string, to: string): void {
  try {
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(from, to);
    chmodSync(to, (statSync(from).mode & 0o111) === 0 ? 0o644 : 0o755);
  } catch (failure) {
    throw new OperatorError('file-unwritable', { file: to, reason: (failure as Error).message }, failure);
  }
}

function report(where: string, template: TemplateName, paths: readonly string[], next: readonly string[]): string {
  return [
    `Created ${TEMPLATES[template]} in ${where}:`,
    '',
    ...paths.map((path) => `  ${path}`),
    '',
    'Next:',
    '',
    ...next.map((line) => `  ${line}`),
    '',
    'README.md says more.',
    '',
  ].join('\n');
}
