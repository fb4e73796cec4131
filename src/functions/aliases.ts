/**
 * Aliases: names for versions, optionally with a second version that gets a share of the invocations. An alias of
 * `$LATEST` cannot have a second version. Messages, which differ by operation, were recorded on AWS (2025-11).
 */
import { randomUUID } from 'node:crypto';
import type { FunctionArn } from '../protocol/arn.ts';
import { renderFunctionArn } from '../protocol/arn.ts';
import type { Scope, Version } from '../protocol/names.ts';
import { ServiceError } from '../protocol/service-errors.ts';
import { type Page, pageOf, positionOrStart } from '../storage/page.ts';
import type { FunctionDirectory } from './function-directory.ts';
import { functionNotFound } from './function-rules.ts';
import type { SettingDocuments } from './settings/setting-documents.ts';

export type Alias = {
  readonly name: string;
  readonly arn: FunctionArn;
  readonly version: Version;
  readonly description: string;
  /** The second version's share of invocations, by its number; empty without one. */
  readonly weights: Readonly<Record<string, number>>;
  readonly revisionId: string;
};

/** Members to set. Undefined keeps the current value. */
export type AliasDraft = {
  readonly version?: string | undefined;
  readonly description?: string | undefined;
  readonly weights?: Readonly<Record<string, number>> | undefined;
};

export type AliasListRequest = {
  readonly marker: string | undefined;
  readonly maxItems: number;
  /** Selects aliases that point to this version. */
  readonly version: string | undefined;
};

export type Aliases = {
  create(scope: Scope, functionName: string, name: string, draft: AliasDraft & { readonly version: string }): Alias;
  update(scope: Scope, functionName: string, name: string, draft: AliasDraft, revisionId: string | undefined): Alias;
  find(scope: Scope, functionName: string, name: string): Alias | undefined;
  /** Lists aliases by name. */
  list(scope: Scope, functionName: string, request: AliasListRequest): Page<Alias>;
  /** Removes an alias and its settings. Succeeds even if it does not exist. */
  remove(scope: Scope, functionName: string, name: string): void;
  /** The names of the aliases that point to a version. */
  pointingTo(scope: Scope, functionName: string, version: string): string[];
};

/** AWS's error for an alias with weights that has provisioned concurrency, or is to get it. */
export const WEIGHTS_AND_PROVISIONED = 'Alias with weights can not be used with Provisioned Concurrency';

/** An alias as stored. */
export type AliasDocument = Pick<Alias, 'version' | 'description' | 'weights' | 'revisionId'>;

export function createAliases({
  documents,
  directory,
  isProvisioned,
  removeSettings,
}: {
  documents: SettingDocuments<AliasDocument>;
  directory: Pick<FunctionDirectory, 'hasVersion'>;
  /** Whether an alias has provisioned concurrency. */
  isProvisioned: (scope: Scope, functionName: string, alias: string) => boolean;
  /** Removes an alias and all its settings. */
  removeSettings: (scope: Scope, functionName: string, alias: string) => void;
}): Aliases {
  const aliasOf = (scope: Scope, functionName: string, name: string, document: AliasDocument): Alias => ({
    name,
    arn: renderFunctionArn(scope, functionName, name),
    ...document,
  });

  function check(scope: Scope, functionName: string, { version, weights }: AliasDocument): void {
    const others = Object.keys(weights);
    if (others.length > 1) throw refusal('Number of items in AdditionalVersionWeights cannot be greater than 1');
    if (others.length > 0 && version === '$LATEST') {
      throw new ServiceError(
        'UntypedInvalidParameterValueException',
        '$LATEST is not supported for an alias pointing to more than 1 version',
      );
    }
    if (others.includes(version)) {
      throw refusal(
        `Invalid function version ${version}. Function version ${version} is already included in routing configuration.`,
      );
    }
    for (const target of [version, ...others]) {
      if (!directory.hasVersion(scope, functionName, target)) {
        throw functionNotFound(scope, functionName, target);
      }
    }
  }

  return {
    create(scope, functionName, name, draft) {
      const document: AliasDocument = {
        version: draft.version as Version,
        description: draft.description ?? '',
        weights: draft.weights ?? {},
        revisionId: randomUUID(),
      };
      check(scope, functionName, document);
      if (documents.get(scope, functionName, name) !== undefined) {
        const arn = renderFunctionArn(scope, functionName, name);
        throw new ServiceError('ResourceConflictException', `Alias already exists: ${arn}`);
      }
      documents.put(scope, functionName, name, document);
      return aliasOf(scope, functionName, name, document);
    },
    update(scope, functionName, name, draft, revisionId) {
      const present = documents.get(scope, functionName, name);
      if (present === undefined) {
        const arn = renderFunctionArn(scope, functionName, name);
        throw new ServiceError('ResourceNotFoundException', `Alias not found: ${arn}`);
      }
      if (revisionId !== undefined && revisionId !== present.revisionId) {
        throw new ServiceError(
          'PreconditionFailedException',
          'The Revision Id provided does not match the latest Revision Id. ' +
            'Call the GetFunction/GetAlias API to retrieve the latest Revision Id',
        );
      }
      const document: AliasDocument = {
        version: (draft.version as Version | undefined) ?? present.version,
        description: draft.description ?? present.description,
        weights: draft.weights ?? present.weights,
        revisionId: randomUUID(),
      };
      check(scope, functionName, document);
      if (Object.keys(document.weights).length > 0 && isProvisioned(scope, functionName, name)) {
        throw refusal(WEIGHTS_AND_PROVISIONED);
      }
      documents.put(scope, functionName, name, document);
      return aliasOf(scope, functionName, name, document);
    },
    find(scope, functionName, name) {
      const document = documents.get(scope, functionName, name);
      return document && aliasOf(scope, functionName, name, document);
    },
    list(scope, functionName, { marker, maxItems, version }) {
      const [after] = positionOrStart(marker, ['']);
      const found: Alias[] = [];
      let from: string = after;
      // Filtered here instead of in SQL: a function has few aliases, and pages must still be full.
      while (found.length <= maxItems) {
        const batch = documents.list(scope, functionName, from, maxItems + 1);
        for (const { qualifier, document } of batch) {
          if (version === undefined || document.version === version || version in document.weights) {
            found.push(aliasOf(scope, functionName, qualifier, document));
          }
        }
        from = batch.at(-1)?.qualifier ?? '';
        if (batch.length <= maxItems) break;
      }
      return pageOf(found, maxItems, ({ name }) => [name]);
    },
    remove: removeSettings,
    pointingTo: (scope, functionName, version) =>
      documents
        .list(scope, functionName, '', MAX_ALIASES)
        .flatMap(({ qualifier, document }) =>
          document.version === version || version in document.weights ? [qualifier] : [],
        ),
  };
}

/** More than any function has. */
const MAX_ALIASES = 100_000;

/** Selects the version for one invocation of an alias. `chance` is in [0, 1). */
export function chooseVersion({ version, weights }: Pick<Alias, 'version' | 'weights'>, chance: number): Version {
  for (const [other, weight] of Object.entries(weights)) {
    if (chance < weight) return other as Version;
  }
  return version;
}

function refusal(message: string): ServiceError {
  return new ServiceError('InvalidParameterValueException', message);
}
