/**
 * The settings of functions, opened together: aliases, policies, concurrency, URLs, asynchronous invocation, code
 * signing, runtime management, recursion and scaling.
 */
import type { Clock } from '../../clock.ts';
import type { FunctionName, Scope } from '../../protocol/names.ts';
import type { Database } from '../../storage/database.ts';
import { type AliasDocument, type Aliases, chooseVersion, createAliases } from '../aliases.ts';
import type { FunctionVersion } from '../function.ts';
import { createFunctionDirectory, type FunctionDirectory, isAliasName } from '../function-directory.ts';
import type { Functions } from '../functions.ts';
import { type CodeSigning, createCodeSigning } from './code-signing.ts';
import { type ConcurrencySettings, createConcurrencySettings } from './concurrency-settings.ts';
import { createEventInvokeSettings, type EventInvokeSettings } from './event-invoke-settings.ts';
import { createFunctionPolicies, type FunctionPolicies } from './function-policies.ts';
import { createSettingDocuments, removeQualifierSettings, type SettingDocuments } from './setting-documents.ts';
import { createUrlSettings, type UrlSettings } from './url-settings.ts';

export type RuntimeManagement = {
  readonly updateRuntimeOn: 'Auto' | 'Manual' | 'FunctionUpdate';
  readonly runtimeVersionArn: string | undefined;
};

export type FunctionSettings = {
  readonly directory: FunctionDirectory;
  readonly aliases: Aliases;
  readonly policies: FunctionPolicies;
  readonly concurrency: ConcurrencySettings;
  readonly urls: UrlSettings;
  readonly eventInvoke: EventInvokeSettings;
  readonly codeSigning: CodeSigning;
  /** By version, including `$LATEST`. */
  readonly runtimeManagement: SettingDocuments<RuntimeManagement>;
  /** Whether to stop recursive loops. */
  readonly recursion: SettingDocuments<'Allow' | 'Terminate'>;
  /** As in AWS's model. */
  readonly scaling: SettingDocuments<Readonly<Record<string, unknown>>>;
  /** Removes the settings of a deleted version. */
  removeVersion(scope: Scope, name: string, version: string): void;
  /** Like `Functions.get`, but resolves aliases. */
  get(scope: Scope, name: FunctionName, qualifier?: string | undefined): FunctionVersion;
  /** Like `Functions.resolve`, but resolves aliases. An alias with weights selects a version for each call. */
  resolve(scope: Scope, name: FunctionName, qualifier?: string | undefined): FunctionVersion;
};

export function openSettings({
  database,
  functions,
  clock,
  accountConcurrency,
  chance,
}: {
  database: Database;
  functions: Pick<Functions, 'get' | 'resolve' | 'onChange'>;
  clock: Clock;
  accountConcurrency: number;
  /** Returns a number in [0, 1), for weighted aliases. */
  chance: () => number;
}): FunctionSettings {
  const directory = createFunctionDirectory(database);
  const aliasDocuments = createSettingDocuments<AliasDocument>(database, 'alias');
  const removeSettings = (scope: Scope, name: string, qualifier: string) => {
    removeQualifierSettings(database, scope, name, qualifier);
    invalidate();
  };
  const aliases = createAliases({
    documents: aliasDocuments,
    directory,
    isProvisioned: (scope, name, alias) => concurrency.provisioned(scope, name, alias) !== undefined,
    removeSettings,
  });
  const shared = { database, directory, clock };
  const concurrency = createConcurrencySettings({ ...shared, aliases, accountConcurrency });
  const policies = createFunctionPolicies({
    ...shared,
    revisionOf: (scope, name, qualifier) =>
      (aliasOf(scope, name, qualifier) ?? functions.get(scope, name as FunctionName, qualifier)).revisionId,
  });
  const urls = createUrlSettings(shared);
  const eventInvoke = createEventInvokeSettings(shared);
  const codeSigning = createCodeSigning(shared);
  const runtimeManagement = createSettingDocuments<RuntimeManagement>(database, 'runtime-management');
  const recursion = createSettingDocuments<'Allow' | 'Terminate'>(database, 'recursion');
  const scaling = createSettingDocuments<Readonly<Record<string, unknown>>>(database, 'scaling');
  const caches = [
    aliasDocuments,
    concurrency,
    policies,
    urls,
    eventInvoke,
    codeSigning,
    runtimeManagement,
    recursion,
    scaling,
  ];
  const invalidate = () => {
    for (const cache of caches) cache.invalidate();
  };
  // Deleting a function deletes its settings in the database.
  functions.onChange(invalidate);

  const aliasOf = (scope: Scope, name: string, qualifier: string | undefined) =>
    qualifier !== undefined && isAliasName(qualifier) ? aliases.find(scope, name, qualifier) : undefined;

  return {
    directory,
    aliases,
    policies,
    concurrency,
    urls,
    eventInvoke,
    codeSigning,
    runtimeManagement,
    recursion,
    scaling,
    removeVersion: removeSettings,
    // For an alias that does not exist, `functions` throws.
    get: (scope, name, qualifier) => functions.get(scope, name, aliasOf(scope, name, qualifier)?.version ?? qualifier),
    resolve(scope, name, qualifier) {
      const alias = aliasOf(scope, name, qualifier);
      return functions.resolve(scope, name, alias ? chooseVersion(alias, chance()) : qualifier);
    },
  };
}
