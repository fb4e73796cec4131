/**
 * API Gateway's management API: version 1 for REST APIs and version 2 for HTTP APIs. Both have the credential scope
 * `apigateway` and differ by their paths. What they define acts in the HTTP gateways, to which it is published.
 */
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { REST_API_OPERATIONS } from '../../protocol/generated/api-gateway-operations.ts';
import { HTTP_API_OPERATIONS } from '../../protocol/generated/api-gateway-v2-operations.ts';
import type { Scope } from '../../protocol/names.ts';
import type { Database } from '../../storage/database.ts';
import { createDocumentTable } from '../../storage/document-table.ts';
import { OperationFailure, type PerformOperation, type ServiceHandler } from '../../wire/api-call.ts';
import { createRestJsonApi, wireMembers } from '../../wire/rest-json-protocol.ts';
import { domainNames } from './domain-names.ts';
import { createHttpApiHandlers } from './http/http-api-handlers.ts';
import { httpApiStore } from './http/http-api-store.ts';
import { compileHttpApi } from './http/http-gateways.ts';
import type { PublishedGateway, Publisher } from './publish.ts';
import { findApiKey } from './rest/gateway-responses.ts';
import { createRestApiHandlers } from './rest/rest-api-handlers.ts';
import { restApiStore } from './rest/rest-api-store.ts';
import { compileRestApi } from './rest/rest-gateways.ts';

export type ApiGatewayOptions = {
  readonly database: Database;
  readonly publisher: Publisher;
  readonly clock: Clock;
  readonly log: Log;
};

export type ApiGatewayApi = {
  readonly handle: ServiceHandler;
  /** Operations of version 1. */
  readonly perform: PerformOperation;
  /** Operations of version 2, with members as the SDKs write them. */
  readonly performV2: PerformOperation;
  /** The ID of an API key that a usage plan of a stage has. */
  findApiKey(scope: Scope, asked: Parameters<typeof findApiKey>[2]): string | undefined;
  /** Publishes the gateways of all APIs, after a start. */
  publishAll(): void;
};

/** OpenAPI documents are at most 6 MB. */
const BODY_BYTES = 6 * 1024 * 1024;

export function createApiGatewayApi({ database, publisher, clock, log }: ApiGatewayOptions): ApiGatewayApi {
  const table = createDocumentTable(database, 'api_gateway');
  const domains = domainNames(table);
  const httpStore = httpApiStore(table);
  const httpApis = createRestJsonApi({
    name: 'API Gateway V2',
    operations: HTTP_API_OPERATIONS,
    handlers: createHttpApiHandlers({ database, store: httpStore, domains, publisher, clock }),
    bodyLimitBytes: BODY_BYTES,
    log,
  });
  const restStore = restApiStore(table);
  const restApis = createRestJsonApi({
    name: 'API Gateway',
    operations: REST_API_OPERATIONS,
    handlers: createRestApiHandlers({ database, store: restStore, domains, publisher, clock }),
    // The API model calls them so on the wire.
    resultNames: { items: 'item' },
    bodyLimitBytes: BODY_BYTES,
    log,
  });
  /** An API that cannot be published must not keep the service from starting. */
  const attempt = (apiId: string, compile: () => readonly PublishedGateway[]) => {
    try {
      publisher.publish(apiId, compile());
    } catch (failure) {
      log.error({ err: failure, api: apiId }, `cannot serve the API ${apiId}: ${(failure as Error).message}`);
    }
  };
  return {
    handle: (call) => (call.request.url?.startsWith('/v2/') ? httpApis.handle(call) : restApis.handle(call)),
    perform(operation, input, context) {
      const row = Object.hasOwn(REST_API_OPERATIONS, operation)
        ? REST_API_OPERATIONS[operation as keyof typeof REST_API_OPERATIONS]
        : undefined;
      return restApis.perform(operation, row === undefined ? input : wireMembers(input, row.members), context);
    },
    async performV2(operation, input, context) {
      const row = Object.hasOwn(HTTP_API_OPERATIONS, operation)
        ? HTTP_API_OPERATIONS[operation as keyof typeof HTTP_API_OPERATIONS]
        : undefined;
      if (row === undefined) {
        throw new OperationFailure('NotImplementedException', 501, `Lamella does not support '${operation}'.`);
      }
      return sdkMembers(await httpApis.perform(operation, wireMembers(input, row.members), context));
    },
    findApiKey: (scope, asked) => findApiKey(restStore, scope, asked),
    publishAll() {
      for (const { scope, document } of restStore.everyApi()) {
        attempt(document.id, () => compileRestApi(restStore, domains, scope, document));
      }
      for (const { scope, document } of httpStore.everyApi()) {
        attempt(document.apiId, () => compileHttpApi(httpStore, domains, scope, document));
      }
    },
  };
}

/** Members whose keys are the client's. */
const MAPS: ReadonlySet<string> = new Set(['Tags', 'StageVariables', 'RouteSettings', 'RequestParameters']);

/** Members of the wire (`apiId`) as the SDKs return them (`ApiId`). */
function sdkMembers(members: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(members).map(([name, value]) => {
      const upper = name.charAt(0).toUpperCase() + name.slice(1);
      return [upper, MAPS.has(upper) ? value : sdkValue(value)];
    }),
  );
}

function sdkValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sdkValue);
  return typeof value === 'object' && value !== null ? sdkMembers(value as Record<string, unknown>) : value;
}
