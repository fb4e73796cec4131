/** Function URLs: one for the function, and one for each alias. `gateways/` serves them. */
import { randomInt } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import { renderFunctionArn } from '../../protocol/arn.ts';
import type { Scope } from '../../protocol/names.ts';
import { ServiceError } from '../../protocol/service-errors.ts';
import type { Database } from '../../storage/database.ts';
import { type Page, pageOf, parseMarker } from '../../storage/page.ts';
import type { FunctionDirectory } from '../function-directory.ts';
import { createSettingDocuments } from './setting-documents.ts';

/** Members as in AWS's model. Omitted members stay omitted. */
export type CorsSetting = Readonly<Record<string, unknown>>;

export type FunctionUrl = {
  readonly functionName: string;
  /** An alias; empty for the function itself. */
  readonly qualifier: string;
  readonly functionArn: string;
  /** The first label of the URL's host. */
  readonly id: string;
  readonly authType: string;
  readonly cors: CorsSetting | undefined;
  /** Undefined, which means BUFFERED, until a client sends one. */
  readonly invokeMode: 'BUFFERED' | 'RESPONSE_STREAM' | undefined;
  readonly createdMs: number;
  readonly lastModifiedMs: number;
};

/** A URL with its function's region and account. */
export type LocatedUrl = { readonly scope: Scope; readonly url: FunctionUrl };

export type FunctionUrlDraft = {
  readonly authType?: string | undefined;
  readonly cors?: CorsSetting | undefined;
  readonly invokeMode?: 'BUFFERED' | 'RESPONSE_STREAM' | undefined;
};

export type UrlSettings = {
  create(scope: Scope, name: string, qualifier: string, draft: FunctionUrlDraft & { authType: string }): FunctionUrl;
  update(scope: Scope, name: string, qualifier: string, draft: FunctionUrlDraft): FunctionUrl;
  get(scope: Scope, name: string, qualifier: string): FunctionUrl;
  remove(scope: Scope, name: string, qualifier: string): void;
  list(
    scope: Scope,
    name: string,
    page: { readonly marker: string | undefined; readonly maxItems: number },
  ): Page<FunctionUrl>;
  /** Finds a URL by its id, which is unique across scopes. Queries the database once. */
  locate(id: string): LocatedUrl | undefined;
  /** Clears the caches. Call it when a function was deleted, which deletes its settings. */
  invalidate(): void;
};

type Document = Omit<FunctionUrl, 'functionName' | 'qualifier' | 'functionArn'>;

/** All methods throw `ServiceError`s as AWS does. */
export function createUrlSettings({
  database,
  directory,
  clock,
}: {
  database: Database;
  directory: FunctionDirectory;
  clock: Clock;
}): UrlSettings {
  const documents = createSettingDocuments<Document>(database, 'url');
  let located: ReadonlyMap<string, LocatedUrl> | undefined;
  const put = (scope: Scope, name: string, qualifier: string, document: Document) => {
    located = undefined;
    documents.put(scope, name, qualifier, document);
  };
  const urlOf = (scope: Scope, functionName: string, qualifier: string, document: Document): FunctionUrl => ({
    functionName,
    qualifier,
    functionArn: renderFunctionArn(scope, functionName, qualifier || undefined),
    ...document,
  });

  function requireTarget(scope: Scope, name: string, qualifier: string): void {
    if (!directory.has(scope, name, qualifier || undefined)) throw notFound('Function does not exist');
  }

  function found(scope: Scope, name: string, qualifier: string): Document {
    const document = documents.get(scope, name, qualifier);
    if (document === undefined) throw notFound('The resource you requested does not exist.');
    return document;
  }

  return {
    create(scope, name, qualifier, draft) {
      requireTarget(scope, name, qualifier);
      if (documents.get(scope, name, qualifier) !== undefined) {
        const arn = renderFunctionArn(scope, name, qualifier || undefined);
        throw new ServiceError(
          'ResourceConflictException',
          `Failed to create function url config for [functionArn = ${arn}]. ` +
            'Error message:  FunctionUrlConfig exists for this Lambda function',
        );
      }
      const now = clock.epochMs();
      const document: Document = {
        id: newUrlId(),
        authType: draft.authType,
        cors: draft.cors,
        invokeMode: draft.invokeMode,
        createdMs: now,
        lastModifiedMs: now,
      };
      put(scope, name, qualifier, document);
      return urlOf(scope, name, qualifier, document);
    },
    update(scope, name, qualifier, draft) {
      requireTarget(scope, name, qualifier);
      const present = found(scope, name, qualifier);
      const document: Document = {
        ...present,
        authType: draft.authType ?? present.authType,
        cors: draft.cors ?? present.cors,
        invokeMode: draft.invokeMode ?? present.invokeMode,
        lastModifiedMs: clock.epochMs(),
      };
      put(scope, name, qualifier, document);
      return urlOf(scope, name, qualifier, document);
    },
    get: (scope, name, qualifier) => urlOf(scope, name, qualifier, found(scope, name, qualifier)),
    remove(scope, name, qualifier) {
      found(scope, name, qualifier);
      located = undefined;
      documents.remove(scope, name, qualifier);
    },
    list(scope, name, { marker, maxItems }) {
      if (!directory.hasFunction(scope, name)) throw notFound('Function does not exist');
      // The function itself has the empty qualifier, which is not after any position: add it to the first page.
      const [after] = (marker === undefined ? undefined : parseMarker(marker, [''] as const)) ?? [undefined];
      const own = after === undefined ? documents.get(scope, name, '') : undefined;
      const rows = documents.list(scope, name, after ?? '', maxItems + 1);
      const all = own === undefined ? rows : [{ name, qualifier: '', document: own }, ...rows];
      const page = pageOf(all.slice(0, maxItems + 1), maxItems, ({ qualifier }) => [qualifier]);
      return {
        items: page.items.map(({ qualifier, document }) => urlOf(scope, name, qualifier, document)),
        nextMarker: page.nextMarker,
      };
    },
    locate(id) {
      located ??= new Map(
        documents
          .everywhere()
          .map(({ scope, name, qualifier, document }) => [
            document.id,
            { scope, url: urlOf(scope, name, qualifier, document) },
          ]),
      );
      return located.get(id);
    },
    invalidate() {
      located = undefined;
      documents.invalidate();
    },
  };
}

const ID_CHARACTERS = 'abcdefghijklmnopqrstuvwxyz234567';

/** 32 random characters, as on AWS. */
function newUrlId(): string {
  return Array.from({ length: 32 }, () => ID_CHARACTERS[randomInt(ID_CHARACTERS.length)]).join('');
}

function notFound(message: string): ServiceError {
  return new ServiceError('ResourceNotFoundException', message);
}
