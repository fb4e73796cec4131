/**
 * Builds a layer of a project's dependencies: `vendor/` as Composer installs it for production with the very PHP, and
 * only the extensions, that the runtime layer has. Works on a copy; the project's own classes stay in the function's
 * package (`project-autoload.ts`). Composer comes with PHP's npm package. Without a network it works as long as every
 * package is in Composer's cache or in a path repository.
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { OperatorError } from '../../operator-error.ts';
import { entriesOfDirectory, writeDirectory } from '../directory-entries.ts';
import type { Progress } from '../npm-package.ts';
import { findPhpBuild } from '../php/php-builds.ts';
import { preparePhp } from '../php/php-layer.ts';
import type { PhpVariant } from '../php/php-variants.ts';
import type { ToolResult } from '../run-tool.ts';
import { runTool } from '../run-tool.ts';
import type { WrittenZip, ZipEntry } from '../zip-writer.ts';
import { writeZip } from '../zip-writer.ts';
import type { ComposerJson } from './composer-project.ts';
import { copyProject, readComposerJson, writeComposerJson } from './composer-project.ts';
import { addProjectAutoload } from './project-autoload.ts';

export type ComposerLayerRequest = {
  /** The folder of composer.json. It is only read. */
  readonly directory: string;
  /** The zip to write. */
  readonly output: string;
  /** PHP and extensions of the runtime layer that this one goes with: packages are chosen to fit them. */
  readonly version: string;
  readonly variant?: PhpVariant;
  readonly extensions?: readonly string[];
  readonly cacheDir: string;
  readonly onProgress?: Progress;
};

export type ComposerLayer = {
  readonly zip: WrittenZip;
  /** What was installed, sorted by name. */
  readonly packages: readonly { readonly name: string; readonly version: string }[];
};

/** What Composer itself runs on, beside what every build has inside. */
const COMPOSER_EXTENSIONS = ['ctype', 'curl', 'iconv', 'mbstring', 'phar', 'zip'];
const UNREACHABLE =
  /(curl error \d+ while downloading|could not be downloaded|Could not resolve host|Connection (?:timed out|refused)|network (?:is unreachable|was disabled)).*/i;

/**
 * Installs and packs. Throws `OperatorError`: `composer-project-unreadable`, `composer-offline`, `composer-failed`, and
 * those of building a PHP layer.
 */
export async function buildComposerLayer(request: ComposerLayerRequest): Promise<ComposerLayer> {
  const directory = resolve(request.directory);
  const json = await readComposerJson(directory);
  const workspace = await mkdtemp(join(tmpdir(), 'lamella-composer-'));
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
    request.onProgress?.(`Writing ${request.output}`);
    const entries = (await entriesOfDirectory(vendor, { prefix: 'vendor/' })).map(withPlainMode);
    return { zip: await writeZip(request.output, entries), packages: await installedPackages(vendor) };
  } finally {
    await rm(workspace, { recursive: true, force: true });
  }
}

type Composer = (directory: string, command: readonly string[]) => Promise<ToolResult>;

/** Lays out PHP with what Composer needs, and a home for Composer that tells it what the layer's PHP has. */
async function installComposer(request: ComposerLayerRequest, workspace: string): Promise<Composer> {
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
  const lacking = php.extensions.filter((name) => !layer.extensions.includes(name));

  const binary = join(root, 'bin/php');
  const phar = join(php.packageDirectory, 'native/php/composer');
  const run = (directory: string, command: readonly string[], variables: Record<string, string>) =>
    runTool({
      command: binary,
      arguments: [phar, ...command, '--no-interaction', '--no-ansi'],
      directory,
      // A narrow terminal would break the lines of its messages.
      variables: { COMPOSER_ALLOW_SUPERUSER: '1', COMPOSER_MIRROR_PATH_REPOS: '1', COLUMNS: '999', ...variables },
      onLine: (line) => {
        if (line.startsWith('  - ')) onProgress?.(line.slice(4));
      },
    });
  const home = join(workspace, 'home');
  await mkdir(home);
  await copyPersonalSettings((await run(workspace, ['config', '--global', 'home'], {})).stdout.trim(), home, lacking);
  const variables = { COMPOSER_HOME: home, COMPOSER_CACHE_DIR: join(cacheDir, 'composer') };
  return (directory, command) => run(directory, command, variables);
}

/**
 * The person's own mirrors and credentials hold here too. What only Composer's own PHP has is declared absent: in the
 * home and not in composer.json, where it would count as a change that the lock file does not know of.
 */
async function copyPersonalSettings(from: string, home: string, lacking: readonly string[]): Promise<void> {
  const auth = await readFile(join(from, 'auth.json')).catch(() => undefined);
  if (auth !== undefined) await writeFile(join(home, 'auth.json'), auth, { mode: 0o600 });
  const settings = await readFile(join(from, 'config.json'), 'utf8').catch(() => '{}');
  const parsed = JSON.parse(settings) as { config?: Record<string, unknown> };
  const platform = Object.fromEntries(lacking.map((name) => [`ext-${name}`, false]));
  const config = { ...parsed.config, ...(lacking.length > 0 && { platform }) };
  await writeFile(join(home, 'config.json'), JSON.stringify({ ...parsed, config }));
}

/** composer.json without what belongs to the project itself: its classes and its scripts. Returns what it wrote. */
async function writeProductionJson(directory: string, copy: string, json: ComposerJson): Promise<ComposerJson> {
  const { autoload: _, 'autoload-dev': __, scripts: ___, 'require-dev': development, ...rest } = json;
  const { 'vendor-dir': ____, 'bin-dir': _____, ...config } = json.config ?? {};
  const lock = await readFile(join(directory, 'composer.lock')).catch(() => undefined);
  const digest = createHash('sha256')
    .update(JSON.stringify(rest))
    .update(lock ?? '')
    .digest('hex');
  // Otherwise Composer takes a random one where there is no lock file.
  const production = {
    ...rest,
    // A lock file was made with them in view; without one Composer would look for packages that it will not install.
    ...(lock !== undefined && development !== undefined && { 'require-dev': development }),
    config: { 'autoloader-suffix': digest.slice(0, 32), ...config },
  };
  await writeComposerJson(copy, production);
  return production;
}

/** What is in the `classmap` folders of the project, found by Composer itself in a second, separate dump. */
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
  const { packages } = JSON.parse(text) as { packages: { name: string; version: string }[] };
  return packages.map(({ name, version }) => ({ name, version })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function failureOf({ stdout, stderr }: ToolResult, file: string): OperatorError {
  const said = `${stdout}\n${stderr}`;
  const unreachable = UNREACHABLE.exec(said)?.[0];
  if (unreachable !== undefined)
    return new OperatorError('composer-offline', { reason: unreachable.replace(/\.$/, '') });
  const lines = said.split('\n').map((line) => line.trim());
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

/** Modes as on any machine: the person's umask is not part of the layer. */
function withPlainMode(entry: ZipEntry): ZipEntry {
  if (entry.content.kind === 'link') return entry;
  return { ...entry, mode: entry.mode & 0o111 ? 0o755 : 0o644 };
}
