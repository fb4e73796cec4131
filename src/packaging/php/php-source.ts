/**
 * Builds a PHP layer from source (`php-compile.ts`), as the walkthrough in `examples/` does: the same kind of layer as
 * from ready binaries (`php-layer.ts`). Compiled binaries need at least the glibc of the system that compiled them,
 * which may be newer than AWS's. The result reports it.
 */
import { readdir, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { compareVersions, parseElf } from '../../elf/elf.ts';
import { OperatorError } from '../../operator-error.ts';
import { checkOutput } from '../zip-writer.ts';
import { AMAZON_LINUX_2023_GLIBC } from './amazon-linux-2023.ts';
import type { PhpBinaries } from './php-binaries.ts';
import { type CompiledPhp, compilePhp, type PhpCompilation } from './php-compile.ts';
import { planPhpInstallation } from './php-installation.ts';
import type { PhpLayer, PhpLayerRequest } from './php-layer.ts';
import { writePhpLayer } from './php-layer.ts';

export type PhpSourceRequest = Omit<PhpLayerRequest, 'version' | 'architecture'> & PhpCompilation;

export type PhpSourceLayer = PhpLayer & {
  /** Extensions that configure compiled into the binary. */
  readonly builtIn: readonly string[];
  /** False if the layer needs a newer glibc than Amazon Linux 2023 has. */
  readonly runsOnAmazonLinux2023: boolean;
};

/**
 * Compiles PHP and writes the layer. Throws `OperatorError`: `php-cgi-missing`, and those of compiling and of a layer.
 */
export async function buildPhpLayerFromSource(request: PhpSourceRequest): Promise<PhpSourceLayer> {
  checkOutput(request.output);
  const compiled = await compilePhp(request);
  const isServer = request.webServer ?? (request.variant !== undefined && request.variant !== 'lean');
  if (isServer && compiled.phpCgi === undefined) throw new OperatorError('php-cgi-missing', {});
  const binaries = await binariesOf(compiled, request);
  const modules = (await readdir(compiled.modulesDirectory)).flatMap((name) => /^(.+)\.so$/.exec(name)?.[1] ?? []);
  // By default, all modules: the user has selected them with configure's options.
  const compiledModules = modules.filter((name) => name !== 'opcache');
  const isAddition = request.extensions?.length && request.extensions.every((name) => name.startsWith('+'));
  const extensions = isAddition
    ? [...compiledModules, ...(request.extensions ?? []).map((name) => name.slice(1))]
    : (request.extensions ?? compiledModules);
  const selection = { ...request, root: '/opt', extensions };
  const layer = await writePhpLayer(await planPhpInstallation(binaries, selection), request);
  return {
    ...layer,
    builtIn: compiled.builtIn,
    runsOnAmazonLinux2023: compareVersions(layer.glibc, AMAZON_LINUX_2023_GLIBC) <= 0,
  };
}

async function binariesOf(compiled: CompiledPhp, { rootfs }: PhpSourceRequest): Promise<PhpBinaries> {
  const { version: fullVersion, php, phpCgi = '', modulesDirectory, builtIn } = compiled;
  return {
    version: fullVersion.split('.').slice(0, 2).join('.'),
    fullVersion,
    architecture: parseElf(await readFile(php)).architecture,
    php,
    phpCgi,
    modulesDirectory,
    builtIn,
    libraries: { directories: [], anyGlibc: true, ...(rootfs !== undefined && { systemRoot: resolve(rootfs) }) },
  };
}
