/**
 * Builds a layer with a project's dependencies: `vendor/` as Composer installs it for production, for the PHP version
 * and extensions of the runtime layer. Works on a copy of the project, whose own classes stay in the function's package
 * (`project-autoload.ts`). Composer comes with PHP's npm package. Works offline if every package is in Composer's cache
 * or in a path repository.
 */

import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { OperatorError } from '../../operator-error.ts';
import { parseJson } from '../../protocol/json.ts';
import { entriesOfDirectory, writeDirectory } from '../directory-entries.ts';
import type { Progress } from '../npm-package.ts';
import { findPhpBuild } from '../php/php-builds.ts';
import { preparePhp } from '../php/php-layer.ts';
import type { PhpVariant } from '../php/php-variants.ts';
import type { ToolResult } from '../run-tool.ts';
import { runTool } from '../run-tool.ts';
import { markUnfinished } from '../unfinished-files.ts';
import type { WrittenZip, ZipEntry } from '../zip-writer.ts';
import { checkOutput, withNormalMode, writeZip } from '../zip-writer.ts';
import type { ComposerJson } from './composer-project.ts';
import { copyProject, readComposerJson, writeComposerJson } from './composer-project.ts';
import { addProjectAutoload } from './project-autoload.ts';

export type ComposerVendorRequest = {
  /** The directory of composer.json. It is not modified. */
  readonly directory: string;
  /** The PHP version of the runtime layer. Composer selects packages for it, and for the extensions below. */
  readonly version: string;
  readonly variant?: PhpVariant;
  readonly extensions?: readonly string[];
  readonly cacheDir: string;
  readonly onProgress?: Progress;
};

export type ComposerLayerRequest = ComposerVendorRequest & {
  /** The zip to write. */
  readonly output: string;
};

/** The installed `vendor/`, as long as it exists. */
export type ComposerVendor = {
  readonly entries: readonly ZipEntry[];
  readonly packages: ComposerLayer['packages'];
};

export type ComposerLayer = {
  readonly zip: WrittenZip;
  /** The installed packages, sorted by name. */
  readonly packages: readonly { readonly name: string; readonly version: string }[];
};

/** The extensions that Composer itself needs, in addition to those built into every PHP. */
const COMPOSER_EXTENSIONS = ['ctype', 'curl', 'iconv', 'mbstring', 'phar', 'zip'];
const UNREACHABLE =
  /(curl error \d+ while downloading|could not be downloaded|Could not resolve host|Connection (?:timed out|refused)|network (?:is unreachable|was disabled)).*/i;

/**
 * Installs the dependencies and writes the layer. Throws `OperatorError`: `composer-project-unreadable`,
 * `composer-offline`, `composer-failed`, and those of building a PHP layer.
 */
export async function buildComposerLayer(request: ComposerLayerRequest): Promise<ComposerLayer> {
  checkOutput(request.output);
  return installVendor(request, async ({ entries, packages }) => {
    request.onProgress?.(`Writing ${request.output}`);
    return { zip: await writeZip(request.output, entries), packages };
  });
}

/** Installs the dependencies and calls `use` while their files exist. Throws as `buildComposerLayer` does. */
export async function installVendor<Result>(
  request: ComposerVendorRequest,
  use: (vendor: ComposerVendor) => Promise<Result>,
): Promise<Result> {
  const directory = resolve(request.directory);
  const json = await readComposerJson(directory);
  const workspace = await mkdtemp(join(tmpdir(), 'lamella-composer-'));
  const finish = markUnfinished(workspace);
  try {
    const composer = await installComposer(request, workspace);
    const copy = await copyProject(directory, json, join(workspace, 'tree'));
    const withoutProject = await writeProductionJson(directory, copy, json);
    const failIn = (result: ToolResult) => failureOf(result, join(directory, 'composer.json'));

    request.onProgress?.('Running Composer');
    const installed = await composer(copy, [
      'install',
      '--no-dev',
      '--no-scripts',
      '--no-progress',
      '--optimize-autoloader',
    ]);
    if (installed.code !== 0) throw failIn(installed);
    const vendor = join(copy, 'vendor');
    const classes = await projectClasses(json, copy, withoutProject, composer);
    await addProjectAutoload(vendor, {
      autoload: json.autoload ?? {},
      classes,
      isAuthoritative: json.config?.['classmap-authoritative'] === true,
    });
    const entries = (await entriesOfDirectory(vendor, { prefix: 'vendor/' })).map(withNormalMode);
    return await use({ entries, packages: await installedPackages(vendor) });
  } finally {
    await rm(workspace, { recursive: true, force: true });
    finish();
  }
}

type Composer = (directory: string, command: readonly string[]) => Promise<ToolResult>;

/** Writes a PHP with the extensions that Composer needs, and a Composer home that hides those that the layer lacks. */
async function installComposer(request: ComposerVendorRequest, workspace: string): Promise<Composer> {
  const { version, cacheDir, onProgress } = request;
  const root = join(workspace, 'php');
  const layer = await preparePhp({
    version,
    ...(request.variant && { variant: request.variant }),
    ...(request.extensions && { extensions: request.extensions }),
    webServer: false,
    cacheDir,
    root,
    ...(onProgress && { onProgress }),
  });
  const builtIn = findPhpBuild(version).builtIn;
  const own = COMPOSER_EXTENSIONS.filter((name) => !builtIn.includes(name) && !layer.extensions.includes(name));
  const json = version.startsWith('7') && !layer.extensions.includes('json') ? ['json'] : [];
  const php = await preparePhp({ version, extensions: [...layer.extensions, ...own, ...json], cacheDir, root });
  await writeDirectory(root, php.entries);
  const onlyComposers = php.extensions.filter((name) => !layer.extensions.includes(name));

  const binary = join(root, 'bin/php');
  const phar = join(php.packageDirectory, 'native/php/composer');
  const run = (directory: string, command: readonly string[], variables: Record<string, string>) =>
    runTool({
      command: binary,
      arguments: [phar, ...command, '--no-interaction', '--no-ansi'],
      directory,
      // COLUMNS: Composer wraps messages at the terminal's width.
      variables: { COMPOSER_ALLOW_SUPERUSER: '1', COMPOSER_MIRROR_PATH_REPOS: '1', COLUMNS: '999', ...variables },
      onLine: (line) => {
        if (line.startsWith('  - ')) onProgress?.(line.slice(4));
      },
    });
  const home = join(workspace, 'home');
  await mkdir(home);
  await copyPersonalSettings(
    (await run(workspace, ['config', '--global', 'home'], {})).stdout.trim(),
    home,
    onlyComposers,
  );
  const variables = { COMPOSER_HOME: home, COMPOSER_CACHE_DIR: join(cacheDir, 'composer') };
  return (directory, command) => run(directory, command, variables);
}

/**
 * Copies the user's mirrors and credentials. Declares extensions that only Composer's own PHP has as absent: here and
 * not in composer.json, because a change of composer.json would make the lock file outdated.
 */
async function copyPersonalSettings(from: string, home: string, absent: readonly string[]): Promise<void> {
  const auth = await readFile(join(from, 'auth.json')).catch(() => undefined);
  if (auth !== undefined) await writeFile(join(home, 'auth.json'), auth, { mode: 0o600 });
  const settings = await readFile(join(from, 'config.json'), 'utf8').catch(() => '{}');
  const parsed = parseJson(settings) as { config?: Record<string, unknown> };
  const platform = Object.fromEntries(absent.map((name) => [`ext-${name}`, false]));
  const config = { ...parsed.config, ...(absent.length > 0 && { platform }) };
  await writeFile(join(home, 'config.json'), JSON.stringify({ ...parsed, config }));
}

/** Writes and returns composer.json without the project's own classes and scripts. */
async function writeProductionJson(directory: string, copy: string, json: ComposerJson): Promise<ComposerJson> {
  const { autoload: _, 'autoload-dev': __, scripts: ___, 'require-dev': development, ...rest } = json;
  const { 'vendor-dir': ____, 'bin-dir': _____, ...config } = json.config ?? {};
  const lock = await readFile(join(directory, 'composer.lock')).catch(() => undefined);
  const digest = createHash('sha256')
    .update(JSON.stringify(rest))
    .update(lock ?? '')
    .digest('hex');
  const production = {
    ...rest,
    // Part of the lock file's hash. Without a lock file, Composer would resolve them although it does not install them.
    ...(lock !== undefined && development !== undefined && { 'require-dev': development }),
    // Without a lock file Composer would choose a random suffix.
    config: { 'autoloader-suffix': digest.slice(0, 32), ...config },
  };
  await writeComposerJson(copy, production);
  return production;
}

/** The classes in the project's `classmap` directories, which Composer finds in a separate dump. */
async function projectClasses(
  json: ComposerJson,
  copy: string,
  withoutProject: ComposerJson,
  composer: Composer,
): Promise<Record<string, string>> {
  const { classmap, 'exclude-from-classmap': excluded } = json.autoload ?? {};
  if (classmap === undefined || classmap.length === 0) return {};
  const vendor = join(copy, 'vendor');
  const dump = async (project: ComposerJson, options: string[]) => {
    await writeComposerJson(copy, project);
    const result = await composer(copy, ['dump-autoload', '--no-dev', '--no-scripts', ...options]);
    if (result.code !== 0) throw failureOf(result, join(copy, 'composer.json'));
  };
  await dump(
    { ...withoutProject, autoload: { classmap, ...(excluded !== undefined && { 'exclude-from-classmap': excluded }) } },
    [],
  );
  const map = await readFile(join(vendor, 'composer/autoload_classmap.php'), 'utf8');
  await dump(withoutProject, ['--optimize']);
  const own = [...map.matchAll(/^\s*'((?:[^'\\]|\\.)*)' => \$baseDir \. '\/((?:[^'\\]|\\.)*)',$/gm)];
  const unescaped = (text = '') => text.replace(/\\(.)/g, '$1');
  return Object.fromEntries(
    own
      .map(([, name, path]) => [unescaped(name), unescaped(path)] as const)
      .filter(([, path]) => relative(vendor, join(copy, path)).startsWith('..')),
  );
}

async function installedPackages(vendor: string): Promise<ComposerLayer['packages']> {
  const text = await readFile(join(vendor, 'composer/installed.json'), 'utf8');
  const { packages } = parseJson(text) as { packages: { name: string; version: string }[] };
  return packages.map(({ name, version }) => ({ name, version })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function failureOf({ stdout, stderr }: ToolResult, file: string): OperatorError {
  const output = `${stdout}\n${stderr}`;
  const unreachable = UNREACHABLE.exec(output)?.[0];
  if (unreachable !== undefined)
    return new OperatorError('composer-offline', { reason: unreachable.replace(/\.$/, '') });
  const lines = output.split('\n').map((line) => line.trim());
  const problem = lines.findIndex((line) =>
    /^(Problem \d|\[.*Exception\]|In .*line \d+:|Your requirements)/.test(line),
  );
  const reason = lines
    .slice(Math.max(problem, 0))
    .filter((line) => line !== '')
    .slice(0, 12)
    .join(' ');
  return new OperatorError('composer-failed', { file, reason });
}
