/**
 * Aliases: names for published versions, maybe with a second version that takes a share of the invocations. An alias
 * may point to `$LATEST`, but then to nothing else. AWS's words, which differ by operation, are recorded (2025-11).
 */
import { randomUUID } from 'node:crypto';
import type { FunctionArn } from '../protocol/arn.ts';
import { renderFunctionArn } from '../protocol/arn.ts';
import type { Scope, Version } from '../protocol/names.ts';
import { ServiceError } from '../protocol/service-errors.ts';
import { type Page, pageOf, parseMarker } from '../storage/page.ts';
import type { FunctionDirectory } from './function-directory.ts';
import type { SettingDocuments } from './settings/setting-documents.ts';

export type Alias = {
  readonly name: string;
  readonly arn: FunctionArn;
  readonly version: Version;
  readonly description: string;
  /** The other version's share of invocations, by its number; empty for none. */
  readonly weights: Readonly<Record<string, number>>;
  readonly revisionId: string;
};

/** What a client sets; undefined keeps what there is. */
export type AliasDraft = {
  readonly version?: string | undefined;
  readonly description?: string | undefined;
  readonly weights?: Readonly<Record<string, number>> | undefined;
};

export type AliasListRequest = {
  readonly marker: string | undefined;
  readonly maxItems: number;
  /** Only those that point to this version. */
  readonly version: string | undefined;
};

export type Aliases = {
  create(scope: Scope, functionName: string, name: string, draft: AliasDraft & { readonly version: string }): Alias;
  update(scope: Scope, functionName: string, name: string, draft: AliasDraft, revisionId: string | undefined): Alias;
  find(scope: Scope, functionName: string, name: string): Alias | undefined;
  /** By name. */
  list(scope: Scope, functionName: string, request: AliasListRequest): Page<Alias>;
  /** Goes with all that hangs on it; one that does not exist is no error. */
  remove(scope: Scope, functionName: string, name: string): void;
  /** Names of the aliases that point to a version. */
  pointingTo(scope: Scope, functionName: string, version: string): string[];
};

/** An alias as stored. */
export type AliasDocument = Pick<Alias, 'version' | 'description' | 'weights' | 'revisionId'>;

export function createAliases({
  documents,
  directory,
  removeSettings,
}: {
  documents: SettingDocuments<AliasDocument>;
  directory: Pick<FunctionDirectory, 'hasVersion'>;
  /** Removes all that hangs on an alias, the alias included. */
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
    for (const pointedTo of [version, ...others]) {
      if (!directory.hasVersion(scope, functionName, pointedTo)) {
        throw new ServiceError(
          'ResourceNotFoundException',
          `Function not found: ${renderFunctionArn(scope, functionName, pointedTo)}`,
        );
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
      documents.put(scope, functionName, name, document);
      return aliasOf(scope, functionName, name, document);
    },
    find(scope, functionName, name) {
      const document = documents.get(scope, functionName, name);
      return document && aliasOf(scope, functionName, name, document);
    },
    list(scope, functionName, { marker, maxItems, version }) {
      const [after] = (marker === undefined ? undefined : parseMarker(marker, [''] as const)) ?? [''];
      const found: Alias[] = [];
      let from: string = after;
      // Filtering happens here and not in SQL: a function has few aliases, and a page must still be full.
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
        .list(scope, functionName, '', MANY)
        .flatMap(({ qualifier, document }) =>
          document.version === version || version in document.weights ? [qualifier] : [],
        ),
  };
}

const MANY = 100_000;

/** The version that one invocation of an alias runs; `chance` is in [0, 1). */
export function chooseVersion({ version, weights }: Pick<Alias, 'version' | 'weights'>, chance: number): Version {
  for (const [other, weight] of Object.entries(weights)) {
    if (chance < weight) return other as Version;
  }
  return version;
}

function refusal(message: string): ServiceError {
  return new ServiceError('InvalidParameterValueException', message);
}
