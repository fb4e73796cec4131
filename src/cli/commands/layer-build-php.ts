/** `lamella layer build php`: progress on standard error, what was built on standard output. */
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

/** What is compiled has its version and its options from elsewhere than what is fetched. */
function refuseMixed(given: Given): void {
  const needsSource = ['configure', 'in'].find((name) => given[name] !== undefined && given.source === undefined);
  const reason =
    given.source !== undefined && given.version !== undefined
      ? 'Give --version or --source, not both: a source archive has its version.'
      : needsSource && `--${needsSource} is for compiling: it goes with --source.`;
  if (reason) throw new OperatorError('usage', { reason, command: 'layer build php' });
}

function facts(layer: PhpLayer | PhpSourceLayer): string[] {
  const system = layer.expectedFromSystem;
  const isForAws = !('runsOnAmazonLinux2023' in layer) || layer.runsOnAmazonLinux2023;
  const builtIn = 'builtIn' in layer ? layer.builtIn : [];
  const extensions = [...new Set([...builtIn, ...layer.extensions])];
  return [
    `${layer.zip.path}: ${megabytes(layer.zip.bytes)}, ${megabytes(layer.unzippedBytes)} unpacked`,
    `PHP ${layer.phpVersion} with ${extensions.join(', ') || 'no extension beside the built-in ones'}`,
    `Starts wherever glibc is ${layer.glibc} or newer${system.length > 0 ? ` and has ${system.join(', ')}` : ''}.`,
    ...(isForAws ? [] : ['It does not start on AWS, whose Amazon Linux 2023 has glibc 2.34: build with --in there.']),
  ];
}

/**
 * What to pack: the variant, and `--extensions` in place of its list. `auto` in that list stands for what the Composer
 * project in `directory` asks for; an empty list asks for no extension at all, which is not the same as not asking.
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
  if (!isLocked) printStatus('There is no composer.lock: what the packages themselves need is not known.');
  printStatus(`composer.json asks for ${extensions.join(', ') || 'no extension'}`);
  return { ...variant, extensions: [...extensions, ...names.filter((name) => name !== 'auto')] };
}

/** For which system, and with which libraries. */
export function libraryOptionsOf(given: Given): Pick<PhpLayerRequest, 'base' | 'kerberos'> {
  return {
    ...(given.base !== undefined && { base: given.base as LibraryBase }),
    ...(given.kerberos === true && { kerberos: true }),
  };
}

/** The words of a command line, of which quotes may hold spaces: `--with-curl "CFLAGS=-O3 -g"`. */
function wordsOf(line: string): string[] {
  const words = line.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? [];
  return words.map((word) => word.replace(/"([^"]*)"|'([^']*)'/g, '$1$2'));
}

/** Names separated by commas. */
export function listOf(text: unknown): string[] {
  return String(text)
    .split(',')
    .flatMap((name) => name.trim() || []);
}
