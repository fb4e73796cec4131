/**
 * Makes the autoloader of a vendor layer load the project's own classes from `/var/task`. Composer writes the root
 * package's paths relative to `vendor/`, which in a layer would be `/opt/src`. So the layer's autoloader is dumped
 * without them, and a generated file registers them at run time below LAMBDA_TASK_ROOT. The layer changes only with the
 * dependencies, not with the project's code.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Autoload } from './composer-project.ts';

export type ProjectAutoload = {
  readonly autoload: Autoload;
  /** Class -> file relative to the project, for the classes in `classmap` directories. */
  readonly classes: Readonly<Record<string, string>>;
  /** Whether composer.json sets `classmap-authoritative`, which would hide the project's classes. */
  readonly isAuthoritative: boolean;
};

const FILE = 'lamella-project.php';

/** Adds the project's autoload rules to an installed `vendor` directory. Does nothing if the project has none. */
export async function addProjectAutoload(vendor: string, project: ProjectAutoload): Promise<void> {
  const { 'psr-4': psr4 = {}, 'psr-0': psr0 = {}, files = [] } = project.autoload;
  const lines = [
    ...(project.isAuthoritative ? ['$loader->setClassMapAuthoritative(false);'] : []),
    ...prefixes(psr4).map(([prefix, paths]) => `$loader->addPsr4(${literal(prefix)}, ${atRoot(paths)});`),
    ...prefixes(psr0).map(([prefix, paths]) => `$loader->add(${literal(prefix)}, ${atRoot(paths)});`),
    ...Object.entries(project.classes)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, path]) => `$loader->addClassMap([${literal(name)} => $root . ${literal(`/${path}`)}]);`),
    ...files.map(
      (path) =>
        `if (is_file($root . ${literal(`/${path}`)})) {\n        require_once $root . ${literal(`/${path}`)};\n    }`,
    ),
  ];
  if (lines.length === 0) return;
  const source = `<?php

// The project's own classes are in the function's package, not in this layer.

return static function (\\Composer\\Autoload\\ClassLoader $loader): void {
    $root = getenv('LAMBDA_TASK_ROOT') ?: dirname(__DIR__);
    ${lines.join('\n    ')}
};
`;
  await writeFile(join(vendor, FILE), source);
  const autoload = await readFile(join(vendor, 'autoload.php'), 'utf8');
  const extended = autoload.replace(
    /^return (ComposerAutoloaderInit\w+::getLoader\(\));$/m,
    `$loader = $1;\n(require __DIR__ . '/${FILE}')($loader);\nreturn $loader;`,
  );
  if (extended === autoload) throw new Error('vendor/autoload.php does not have the form that Composer writes');
  await writeFile(join(vendor, 'autoload.php'), extended);
}

function prefixes(rules: Readonly<Record<string, string | readonly string[]>>): [string, readonly string[]][] {
  return Object.entries(rules).map(([prefix, paths]) => [prefix, typeof paths === 'string' ? [paths] : paths]);
}

function atRoot(paths: readonly string[]): string {
  return `[${paths.map((path) => `$root . ${literal(`/${path}`)}`).join(', ')}]`;
}

function literal(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
