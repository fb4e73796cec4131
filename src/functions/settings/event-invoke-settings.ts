/**
 * Settings of asynchronous invocation: retries, maximum age and destinations, for `$LATEST`, a version or an alias.
 * `invocation/` applies them.
 */
import type { Clock } from '../../clock.ts';
import { parseArn, parseLambdaArn, renderFunctionArn } from '../../protocol/arn.ts';
import type { Scope } from '../../protocol/names.ts';
import { ServiceError } from '../../protocol/service-errors.ts';
import type { Database } from '../../storage/database.ts';
import { type Page, pageOf, positionOrStart } from '../../storage/page.ts';
import type { FunctionDirectory } from '../function-directory.ts';
import { createSettingDocuments } from './setting-documents.ts';

/** ARNs; undefined without a destination. */
export type Destinations = { readonly onSuccess: string | undefined; readonly onFailure: string | undefined };

export type EventInvokeSetting = {
  readonly functionArn: string;
  readonly lastModifiedMs: number;
  readonly maximumRetryAttempts: number | undefined;
  readonly maximumEventAgeSeconds: number | undefined;
  readonly destinations: Destinations;
};

export type EventInvokeDraft = {
  readonly maximumRetryAttempts: number | undefined;
  readonly maximumEventAgeSeconds: number | undefined;
  readonly destinations: Destinations | undefined;
};

export type EventInvokeSettings = {
  /** Stores a setting. `replace` resets members that the draft omits; `keep` leaves them unchanged. */
  put(
    scope: Scope,
    name: string,
    qualifier: string,
    draft: EventInvokeDraft,
    mode: 'replace' | 'keep',
  ): EventInvokeSetting;
  get(scope: Scope, name: string, qualifier: string): EventInvokeSetting;
  /** Like `get`, but returns undefined when there is no setting. */
  find(scope: Scope, name: string, qualifier: string): EventInvokeSetting | undefined;
  remove(scope: Scope, name: string, qualifier: string): void;
  list(
    scope: Scope,
    name: string,
    page: { readonly marker: string | undefined; readonly maxItems: number },
  ): Page<EventInvokeSetting>;
  /** Clears the cache. Call it when a function was deleted, which deletes its settings. */
  invalidate(): void;
};

type Document = Omit<EventInvokeSetting, 'functionArn'>;

/** All methods throw `ServiceError`s as AWS does. A qualifier is never empty: use `$LATEST`. */
export function createEventInvokeSettings({
  database,
  directory,
  clock,
}: {
  database: Database;
  directory: FunctionDirectory;
  clock: Clock;
}): EventInvokeSettings {
  const documents = createSettingDocuments<Document>(database, 'event-invoke');
  const settingOf = (scope: Scope, name: string, qualifier: string, document: Document): EventInvokeSetting => ({
    functionArn: renderFunctionArn(scope, name, qualifier),
    ...document,
  });

  function checkDestination(scope: Scope, name: string, destinations: Destinations): void {
    for (const arn of [destinations.onSuccess, destinations.onFailure]) {
      if (!arn) continue;
      const service = parseArn(arn)?.service;
      const isKnown = service !== undefined && DESTINATION_SERVICES.has(service);
      if (!isKnown) throw refusal(`The provided destination config ${renderDestinations(destinations)} is invalid.`);
      const { kind, id: target } = parseLambdaArn(arn) ?? {};
      if (kind !== 'function' || target === undefined) continue;
      if (target === name) throw refusal("You can't specify the function as a destination for itself.");
      if (!directory.hasFunction(scope, target)) throw refusal(`The destination ARN ${arn} is invalid.`);
    }
  }

  function found(scope: Scope, name: string, qualifier: string): Document {
    const document = documents.get(scope, name, qualifier);
    if (document !== undefined) return document;
    const arn = renderFunctionArn(scope, name, qualifier);
    throw new ServiceError('ResourceNotFoundException', `The function ${arn} doesn't have an EventInvokeConfig`);
  }

  return {
    put(scope, name, qualifier, draft, mode) {
      const { maximumRetryAttempts, maximumEventAgeSeconds, destinations } = draft;
      if (maximumRetryAttempts === undefined && maximumEventAgeSeconds === undefined && destinations === undefined) {
        throw refusal('You must specify at least one of error handling or destination setting.');
      }
      if (!directory.has(scope, name, qualifier)) {
        throw new ServiceError('ResourceNotFoundException', "The function doesn't exist.");
      }
      if (destinations !== undefined) checkDestination(scope, name, destinations);
      const present = mode === 'keep' ? found(scope, name, qualifier) : undefined;
      const document: Document = {
        lastModifiedMs: clock.epochMs(),
        maximumRetryAttempts: maximumRetryAttempts ?? present?.maximumRetryAttempts,
        maximumEventAgeSeconds: maximumEventAgeSeconds ?? present?.maximumEventAgeSeconds,
        destinations: {
          onSuccess: destinations?.onSuccess ?? present?.destinations.onSuccess,
          onFailure: destinations?.onFailure ?? present?.destinations.onFailure,
        },
      };
      documents.put(scope, name, qualifier, document);
      return settingOf(scope, name, qualifier, document);
    },
    get: (scope, name, qualifier) => settingOf(scope, name, qualifier, found(scope, name, qualifier)),
    find(scope, name, qualifier) {
      const document = documents.get(scope, name, qualifier);
      return document && settingOf(scope, name, qualifier, document);
    },
    remove(scope, name, qualifier) {
      found(scope, name, qualifier);
      documents.remove(scope, name, qualifier);
    },
    list(scope, name, { marker, maxItems }) {
      if (!directory.hasFunction(scope, name)) {
        throw new ServiceError('ResourceNotFoundException', "The function doesn't exist.");
      }
      const [after] = positionOrStart(marker, ['']);
      const page = pageOf(documents.list(scope, name, after, maxItems + 1), maxItems, ({ qualifier }) => [qualifier]);
      return {
        items: page.items.map(({ qualifier, document }) => settingOf(scope, name, qualifier, document)),
        nextMarker: page.nextMarker,
      };
    },
    invalidate: documents.invalidate,
  };
}

const DESTINATION_SERVICES: ReadonlySet<string> = new Set(['lambda', 'sqs', 'sns', 'events', 's3']);

/** As AWS's Java objects print themselves. */
function renderDestinations({ onSuccess, onFailure }: Destinations): string {
  const success = onSuccess === undefined ? 'null' : `OnSuccess(destination=${onSuccess})`;
  const failure = onFailure === undefined ? 'null' : `OnFailure(destination=${onFailure})`;
  return `DestinationConfig(onSuccess=${success}, onFailure=${failure})`;
}

function refusal(message: string): ServiceError {
  return new ServiceError('InvalidParameterValueException', message);
}
