/**
 * The PHP extensions that a Composer project requires (`ext-*`): in its composer.json, and in the packages that its
 * composer.lock installs for production. The code is not analyzed.
 */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OperatorError } from '../../operator-error.ts';
import { parseJson } from '../../protocol/json.ts';
import { readComposerJson } from '../composer/composer-project.ts';

export type ProjectExtensions = {
  /** Without `ext-`, sorted. */
  readonly extensions: readonly string[];
  /** Whether there is a lock file. Without one, the requirements of packages are not known. */
  readonly isLocked: boolean;
};

type Requiring = { readonly require?: Readonly<Record<string, unknown>> };

/**
 * Reads the extensions that the project in `directory` requires. Throws `OperatorError` `composer-project-unreadable`.
 */
export async function projectExtensions(directory: string): Promise<ProjectExtensions> {
  const json = (await readComposerJson(directory)) as Requiring;
  const lock = await readLock(join(directory, 'composer.lock'));
  const requirements = [json, ...(lock?.packages ?? [])].flatMap(({ require }) => Object.keys(require ?? {}));
  const names = requirements.flatMap((name) => /^ext-(.+)$/i.exec(name)?.[1]?.toLowerCase() ?? []);
  return { extensions: [...new Set(names)].sort(), isLocked: lock !== undefined };
}

async function readLock(file: string): Promise<{ packages?: readonly Requiring[] } | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return parseJson(text) as { packages?: readonly Requiring[] };
  } catch (failure) {
    throw new OperatorError('composer-project-unreadable', { file, reason: (failure as Error).message }, failure);
  }
}
