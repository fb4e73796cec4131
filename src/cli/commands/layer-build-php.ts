/** `lamella layer build php`: prints progress to standard error, and a summary of the layer to standard output. */
import { resolve } from 'node:path';
import { OperatorError } from '../../operator-error.ts';
import type { Given } from '../../options.ts';
import { resolveBuildOptions } from '../../options.ts';
import type { PhpLayer, PhpLayerRequest } from '../../packaging/php/php-layer.ts';
import { buildPhpLayer } from '../../packaging/php/php-layer.ts';
import type { LibraryBase } from '../../packaging/php/php-libraries.ts';
import { projectExtensions } from '../../packaging/php/php-project-extensions.ts';
import type { PhpSourceLayer } from '../../packaging/php/php-source.ts';
import { buildPhpLayerFromSource } from '../../packaging/php/php-source.ts';
import type { PhpVariant } from '../../packaging/php/php-variants.ts';
import type { Run } from '../command.ts';
import { interruptible } from '../interruption.ts';
import { megabytes, printStatus, writeJson, writeResult } from '../output.ts';

/** The PHP version of layers, unless --version is given. */
export const DEFAULT_PHP_VERSION = '8.4';

export const run: Run = async ({ given }) => {
  const { cacheDir } = resolveBuildOptions(given, 'layer build php');
  refuseMixed(given);
  const request = {
    ...(await extensionsOf(given, String(given.project ?? '.'))),
    ...libraryOptionsOf(given),
    ...(given.bootstrap !== undefined && { bootstrap: resolve(String(given.bootstrap)) }),
    output: resolve(String(given.output ?? 'php.zip')),
    cacheDir,
    onProgress: printStatus,
  };
  const layer =
    given.source === undefined
      ? await buildPhpLayer({ version: String(given.version ?? DEFAULT_PHP_VERSION), ...request })
      : await interruptible((signal) =>
          buildPhpLayerFromSource({
            source: String(given.source),
            configure: wordsOf(String(given.configure ?? '')),
            ...(given.in !== undefined && { rootfs: resolve(String(given.in)) }),
            ...request,
            signal,
          }),
        );
  if (given.json) await writeJson(layer);
  else await writeResult(`${facts(layer).join('\n')}\n`);
  return 0;
};

/** Rejects combinations of options for compiling PHP and for downloading it. */
function refuseMixed(given: Given): void {
  const needsSource = ['configure', 'in'].find((name) => given[name] !== undefined && given.source === undefined);
  const reason =
    given.source !== undefined && given.version !== undefined
      ? 'Remove --version: the source archive determines the version.'
      : needsSource && `--${needsSource} needs --source: it is for compiling PHP.`;
  if (reason) throw new OperatorError('usage', { reason, command: 'layer build php' });
}

function facts(layer: PhpLayer | PhpSourceLayer): string[] {
  const system = layer.expectedFromSystem;
  const isForAws = !('runsOnAmazonLinux2023' in layer) || layer.runsOnAmazonLinux2023;
  const builtIn = 'builtIn' in layer ? layer.builtIn : [];
  const extensions = [...new Set([...builtIn, ...layer.extensions])];
  return [
    `${layer.zip.path}: ${megabytes(layer.zip.bytes)}, ${megabytes(layer.unzippedBytes)} unzipped`,
    `PHP ${layer.phpVersion} with ${extensions.join(', ') || 'only the built-in extensions'}`,
    `Starts on any Linux with glibc ${layer.glibc} or newer${system.length > 0 ? ` and ${system.join(', ')}` : ''}.`,
    ...(isForAws
      ? []
      : ['It does not start on AWS: Amazon Linux 2023 has glibc 2.34. Use --in with its root file system.']),
  ];
}

/**
 * Returns the variant, and the extensions of `--extensions` that replace its list. `auto` in the list stands for the
 * extensions that the Composer project in `directory` requires. An empty list means no extensions, unlike no list.
 */
export async function extensionsOf(
  given: Given,
  directory: string,
): Promise<{ variant?: PhpVariant; extensions?: readonly string[] }> {
  const variant = given.variant === undefined ? {} : { variant: given.variant as PhpVariant };
  if (given.extensions === undefined) return variant;
  const names = listOf(given.extensions);
  if (!names.includes('auto')) return { ...variant, extensions: names };
  const { extensions, isLocked } = await projectExtensions(resolve(directory));
  if (!isLocked) printStatus('warning: without a composer.lock, the extensions that packages require are unknown');
  printStatus(`composer.json requires ${extensions.join(', ') || 'no extensions'}`);
  return { ...variant, extensions: [...extensions, ...names.filter((name) => name !== 'auto')] };
}

/** Returns the options that choose the libraries. */
export function libraryOptionsOf(given: Given): Pick<PhpLayerRequest, 'base' | 'kerberos'> {
  return {
    ...(given.base !== undefined && { base: given.base as LibraryBase }),
    ...(given.kerberos === true && { kerberos: true }),
  };
}

/** Splits a command line into words. Quoted words can contain spaces: `--with-curl "CFLAGS=-O3 -g"`. */
function wordsOf(line: string): string[] {
  const words = line.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? [];
  return words.map((word) => word.replace(/"([^"]*)"|'([^']*)'/g, '$1$2'));
}

/** Splits a list separated by commas. */
export function listOf(text: unknown): string[] {
  return String(text)
    .split(',')
    .flatMap((name) => name.trim() || []);
}
