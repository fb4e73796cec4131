/**
 * Finds an Xdebug that the PHP of a function's layer can load. An extension works with one ABI of PHP only: the number of
 * its API and whether it is thread-safe, which every PHP and every extension contain as text. An Xdebug of this machine is
 * used only if its ABI is that of the layer, whatever PHP this machine runs.
 */
import { readFileSync } from 'node:fs';
import { type FunctionTrees, lookUpInside } from './inside-path.ts';

export type FoundXdebug = { readonly path: string } | { readonly reason: string; readonly remedy: string };

/** The ABI of a PHP or of an extension. */
export type PhpAbi = {
  /** A date: `20220829` for PHP 8.2. */
  readonly api: string;
  readonly threads: 'NTS' | 'TS';
  readonly isDebugBuild: boolean;
};

/** PHP's versions by the number of their API. */
const VERSIONS: Readonly<Record<string, string>> = {
  '20190902': '7.4',
  '20200930': '8.0',
  '20210902': '8.1',
  '20220829': '8.2',
  '20230831': '8.3',
  '20240924': '8.4',
  '20250925': '8.5',
};

/** Looks where Debian's packages put it, unless there is a `given` one. */
export function findXdebug(trees: FunctionTrees, given: string | undefined): FoundXdebug {
  const php = lookUpInside('/opt/bin/php', trees);
  const needed = php.kind === 'found' ? abiOf(php.hostPath) : undefined;
  if (needed === undefined) {
    return {
      reason: '/opt/bin/php does not state its ABI, so no Xdebug can be chosen',
      remedy: 'Use a layer of `lamella layer build php`.',
    };
  }
  const path = given ?? `/usr/lib/php/${needed.api}${needed.threads === 'TS' ? '-zts' : ''}/xdebug.so`;
  const found = abiOf(path);
  if (found !== undefined && render(found) === render(needed)) return { path };
  const problem =
    found === undefined
      ? `${path} is not there or is not an extension of PHP`
      : `${path} is for ${describe(found)}, and the layer's PHP needs ${describe(needed)}`;
  return { reason: problem, remedy: howToGet(needed) };
}

/** The ABI that a binary states; undefined if it cannot be read or states none. */
export function abiOf(path: string): PhpAbi | undefined {
  let text: string;
  try {
    text = readFileSync(path).toString('latin1');
  } catch {
    return undefined;
  }
  // Extensions of the engine state the engine's API, with a digit more, too.
  const [, api, threads, debug] = /\0API(\d{8}),(NTS|TS)(,debug)?\0/.exec(text) ?? [];
  if (api === undefined || (threads !== 'NTS' && threads !== 'TS')) return undefined;
  return { api, threads, isDebugBuild: debug !== undefined };
}

function howToGet(abi: PhpAbi): string {
  const version = VERSIONS[abi.api];
  const build = `build it with the phpize of a PHP with this ABI and pass the file with --xdebug`;
  if (version === undefined || abi.threads === 'TS' || abi.isDebugBuild)
    return `Get Xdebug for ${describe(abi)}: ${build}.`;
  return (
    `Get Xdebug for ${describe(abi)}: install php${version}-xdebug if your system has it (Debian 12 has it for 8.2), or unpack ` +
    `that package elsewhere and pass its xdebug.so with --xdebug, or ${build}.`
  );
}

function describe(abi: PhpAbi): string {
  const version = VERSIONS[abi.api];
  return `PHP ${version === undefined ? '' : `${version} `}(${render(abi)})`;
}

function render({ api, threads, isDebugBuild }: PhpAbi): string {
  return `API${api},${threads}${isDebugBuild ? ',debug' : ''}`;
}
