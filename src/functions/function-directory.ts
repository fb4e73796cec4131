/**
 * Looks up whether functions, versions and aliases exist, for their settings. Only reads; `functions.ts` and
 * `aliases.ts` write.
 */
import { renderFunctionArn } from '../protocol/arn.ts';
import type { Scope } from '../protocol/names.ts';
import { ServiceError } from '../protocol/service-errors.ts';
import type { Database } from '../storage/database.ts';
import { functionNotFound } from './function-rules.ts';

export type FunctionDirectory = {
  hasFunction(scope: Scope, name: string): boolean;
  /** `version` is `$LATEST` or a number. */
  hasVersion(scope: Scope, name: string, version: string): boolean;
  hasAlias(scope: Scope, name: string, alias: string): boolean;
  /** Looks up a version or an alias, or the function without a qualifier. */
  has(scope: Scope, name: string, qualifier: string | undefined): boolean;
  /** Functions of all regions and accounts by name, at most 1000. */
  everywhere(): readonly { readonly region: string; readonly account: string; readonly name: string }[];
  /** The number of functions in a scope, and the total bytes of all function and layer versions. */
  usage(scope: Scope): { readonly functions: number; readonly codeBytes: number };
  /** @throws ServiceError `Function not found`, with the suffix that AWS uses for the operation */
  requireFunction(scope: Scope, name: string, suffix?: string): void;
  /** @throws ServiceError `Function not found` or `Cannot find alias arn` */
  requireQualifier(scope: Scope, name: string, qualifier: string): void;
};

/** Whether a qualifier has the form of an alias name. */
export function isAliasName(qualifier: string): boolean {
  return /^(?![0-9]+$)[a-zA-Z0-9-_]+$/.test(qualifier);
}

export function createFunctionDirectory(database: Database): FunctionDirectory {
  const ofFunction = 'region = :region AND account = :account AND name = :name';
  const hasFunction = database.prepare(`SELECT 1 FROM function WHERE ${ofFunction}`);
  const hasVersion = database.prepare(`SELECT 1 FROM function_version WHERE ${ofFunction} AND version = :version`);
  const hasAlias = database.prepare(
    `SELECT 1 FROM function_setting WHERE ${ofFunction} AND kind = 'alias' AND qualifier = :alias`,
  );

  const everywhere = database.prepare<{ region: string; account: string; name: string }>(
    'SELECT region, account, name FROM function ORDER BY name, region, account LIMIT 1000',
  );

  const ofScope = 'region = :region AND account = :account';
  const count = database.prepare<{ count: number }>(`SELECT count(*) AS count FROM function WHERE ${ofScope}`);
  const codeBytes = database.prepare<{ bytes: number }>(`
    SELECT (SELECT total(code_size) FROM function_version WHERE ${ofScope})
      + (SELECT total(code_size) FROM layer_version WHERE ${ofScope}) AS bytes`);

  const directory: FunctionDirectory = {
    hasFunction: ({ region, account }, name) => hasFunction.get({ region, account, name }) !== undefined,
    hasVersion({ region, account }, name, version) {
      const number = version === '$LATEST' ? 0 : Number(version);
      // 0 is $LATEST in the table but invalid in the API.
      if (!Number.isSafeInteger(number) || (number === 0 && version !== '$LATEST')) return false;
      return hasVersion.get({ region, account, name, version: number }) !== undefined;
    },
    hasAlias: ({ region, account }, name, alias) => hasAlias.get({ region, account, name, alias }) !== undefined,
    has(scope, name, qualifier) {
      if (qualifier === undefined) return directory.hasFunction(scope, name);
      return isAliasName(qualifier)
        ? directory.hasAlias(scope, name, qualifier)
        : directory.hasVersion(scope, name, qualifier);
    },
    everywhere: () => everywhere.all().map(({ region, account, name }) => ({ region, account, name })),
    usage: ({ region, account }) => ({
      functions: count.get({ region, account })?.count ?? 0,
      codeBytes: codeBytes.get({ region, account })?.bytes ?? 0,
    }),
    requireFunction(scope, name, suffix) {
      if (!directory.hasFunction(scope, name)) throw functionNotFound(scope, name, suffix);
    },
    requireQualifier(scope, name, qualifier) {
      if (directory.has(scope, name, qualifier)) return;
      throw isAliasName(qualifier) ? aliasNotFound(scope, name, qualifier) : functionNotFound(scope, name, qualifier);
    },
  };
  return directory;
}

/** AWS's error for a missing alias. */
export function aliasNotFound(scope: Scope, name: string, alias: string): ServiceError {
  return new ServiceError(
    'ResourceNotFoundException',
    `Cannot find alias arn: ${renderFunctionArn(scope, name, alias)}`,
  );
}
