/**
 * The operations of API Gateway V2. Every change publishes the gateways of the API again, in the transaction that stores
 * it: a change that makes an invalid gateway is refused and leaves nothing behind.
 */
import type { Clock } from '../../../clock.ts';
import { parseApiGatewayArn } from '../../../protocol/arn.ts';
import { renderIsoSeconds } from '../../../protocol/dates.ts';
import type { HTTP_API_OPERATIONS } from '../../../protocol/generated/api-gateway-v2-operations.ts';
import type { Scope } from '../../../protocol/names.ts';
import type { Database } from '../../../storage/database.ts';
import type { Collection } from '../../../storage/document-table.ts';
import type { RestHandlers } from '../../../wire/rest-json-protocol.ts';
import type { DomainNames } from '../domain-names.ts';
import { badRequest, conflict, createId, endpointOf, notFound, type Publisher, refuseInvalid } from '../publish.ts';
import { checkAuthorizer, checkIntegration, checkRoute, checkRouteKey } from './http-api-checks.ts';
import type { ApiRoute, Authorizer, Deployment, HttpApi, HttpApiStore, Integration, Stage } from './http-api-store.ts';
import { createDomainHandlers } from './http-domain-handlers.ts';
import { compileHttpApi, contentsOf } from './http-gateways.ts';
import { type ImportedApi, readHttpApi } from './http-openapi.ts';

export type HttpApiOptions = {
  readonly database: Database;
  readonly store: HttpApiStore;
  readonly domains: DomainNames;
  readonly publisher: Publisher;
  readonly clock: Clock;
};

export function createHttpApiHandlers(options: HttpApiOptions): RestHandlers<typeof HTTP_API_OPERATIONS> {
  const { database, store, domains, publisher, clock } = options;
  const now = () => renderIsoSeconds(clock.epochMs());

  function publish(scope: Scope, apiId: string): void {
    const api = store.apis(scope).find(apiId);
    publisher.publish(apiId, api === undefined ? [] : compileHttpApi(store, domains, scope, api));
  }

  /** Changes an API and publishes it. */
  function change<Result>(scope: Scope, apiId: string, action: (api: HttpApi) => Result): Result {
    const api = findApi(scope, apiId);
    return refuseInvalid(() =>
      database.transaction(() => {
        const result = action(api);
        publish(scope, apiId);
        return result;
      }),
    );
  }

  function findApi(scope: Scope, apiId: string): HttpApi {
    const api = store.apis(scope).find(apiId);
    if (api === undefined) throw notFound(`Invalid API identifier specified ${scope.account}:${apiId}`);
    return api;
  }

  const renderApi = (scope: Scope, api: HttpApi) => ({
    apiKeySelectionExpression: '$request.header.x-api-key',
    routeSelectionExpression: '$request.method $request.path',
    disableExecuteApiEndpoint: false,
    tags: {},
    ...api,
    apiEndpoint: endpointOf(publisher, scope, api.apiId).replace(
      /^http/,
      api.protocolType === 'WEBSOCKET' ? 'ws' : 'http',
    ),
  });

  const putIntegration = (scope: Scope, api: HttpApi, integration: Integration): Integration => {
    checkIntegration(api, integration);
    return store.integrations(scope, api.apiId).put(integration.integrationId, integration);
  };
  const putAuthorizer = (scope: Scope, apiId: string, authorizer: Authorizer): Authorizer => {
    checkAuthorizer(authorizer);
    return store.authorizers(scope, apiId).put(authorizer.authorizerId, authorizer);
  };
  const putRoute = (scope: Scope, api: HttpApi, route: ApiRoute): ApiRoute => {
    const routes = store.routes(scope, api.apiId);
    checkRouteKey(api, route.routeKey);
    checkRoute(route, store.authorizers(scope, api.apiId).all());
    if (routes.all().some(({ routeKey, routeId }) => routeKey === route.routeKey && routeId !== route.routeId)) {
      throw conflict(`Route with key ${route.routeKey} already exists for this API`);
    }
    return routes.put(route.routeId, route);
  };
  const putStage = (scope: Scope, apiId: string, stage: Stage): Stage => {
    if (!/^([A-Za-z0-9_-]{1,128}|\$default)$/.test(stage.stageName)) {
      throw badRequest('Stage name only allows a-zA-Z0-9_- or is $default');
    }
    const { deploymentId } = stage;
    if (deploymentId !== undefined && store.deployments(scope, apiId).find(deploymentId) === undefined) {
      throw notFound(`Unable to find Deployment by ID ${deploymentId} within API ${apiId}`);
    }
    return store.stages(scope, apiId).put(stage.stageName, stage);
  };

  /** Replaces everything that a document defines. */
  function importContents(scope: Scope, api: HttpApi, imported: ImportedApi): void {
    const { apiId } = api;
    for (const kind of [store.routes, store.integrations, store.authorizers]) kind(scope, apiId).clear();
    for (const authorizer of imported.authorizers) putAuthorizer(scope, apiId, authorizer);
    for (const integration of imported.integrations) putIntegration(scope, api, integration);
    for (const route of imported.routes) putRoute(scope, api, route);
  }

  /** Quick create: one integration, one route and the stage `$default`. */
  function createTarget(scope: Scope, api: HttpApi, target: string, routeKey: string, credentialsArn?: string): void {
    const isFunction = !/^https?:\/\//.test(target);
    const integration = putIntegration(scope, api, {
      integrationId: createId(7),
      integrationType: isFunction ? 'AWS_PROXY' : 'HTTP_PROXY',
      integrationUri: target,
      integrationMethod: isFunction ? undefined : 'ANY',
      payloadFormatVersion: isFunction ? '2.0' : '1.0',
      connectionType: 'INTERNET',
      credentialsArn,
      timeoutInMillis: 30_000,
    });
    putRoute(scope, api, {
      routeId: createId(7),
      routeKey,
      target: `integrations/${integration.integrationId}`,
      authorizationType: 'NONE',
    });
    putStage(scope, api.apiId, { stageName: '$default', autoDeploy: true, createdDate: now(), lastUpdatedDate: now() });
  }

  const required = <Document extends object>(found: Document | undefined, message: string): Document => {
    if (found === undefined) throw notFound(message);
    return found;
  };
  /** Merges the members that an update names. */
  const merged = <Document extends object>(before: Document, given: object): Document => ({
    ...before,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  });
  const removeFrom = (collection: Collection<object>, name: string, message: string): undefined => {
    if (!collection.remove(name)) throw notFound(message);
    return undefined;
  };
  const renderDeployment = ({ contents: _, ...deployment }: Deployment) => ({
    ...deployment,
    autoDeployed: false,
    deploymentStatus: 'DEPLOYED',
  });
  const missing = (what: string, id: string) => `Invalid ${what} identifier specified ${id}`;

  return {
    CreateApi({ target, routeKey, credentialsArn, ...given }, { scope }) {
      const api: HttpApi = { ...given, apiId: createId(10), createdDate: now() };
      store.apis(scope).put(api.apiId, api);
      try {
        if (target !== undefined) {
          change(scope, api.apiId, () => createTarget(scope, api, target, routeKey ?? '$default', credentialsArn));
        }
      } catch (failure) {
        store.apis(scope).remove(api.apiId);
        throw failure;
      }
      return renderApi(scope, api);
    },
    async ImportApi({ body }, { scope }) {
      const imported = await readHttpApi(body);
      const api: HttpApi = { ...imported.api, protocolType: 'HTTP', apiId: createId(10), createdDate: now() };
      return refuseInvalid(() =>
        database.transaction(() => {
          store.apis(scope).put(api.apiId, api);
          importContents(scope, api, imported);
          return renderApi(scope, api);
        }),
      );
    },
    async ReimportApi({ apiId, body }, { scope }) {
      const imported = await readHttpApi(body);
      return change(scope, apiId, (before) => {
        const { corsConfiguration: _, ...rest } = before;
        const api = store.apis(scope).put(apiId, merged<HttpApi>(rest, imported.api));
        importContents(scope, api, imported);
        return renderApi(scope, api);
      });
    },
    GetApis: (_, { scope }) => ({
      items: store
        .apis(scope)
        .all()
        .map((api) => renderApi(scope, api)),
    }),
    GetApi: ({ apiId }, { scope }) => renderApi(scope, findApi(scope, apiId)),
    UpdateApi: ({ apiId, target: _, routeKey: __, credentialsArn: ___, ...given }, { scope }) =>
      change(scope, apiId, (api) => renderApi(scope, store.apis(scope).put(apiId, merged(api, given)))),
    DeleteApi({ apiId }, { scope }) {
      change(scope, apiId, () => {
        store.removeApi(scope, apiId);
        store.apis(scope).remove(apiId);
      });
      return undefined;
    },
    DeleteCorsConfiguration: ({ apiId }, { scope }) =>
      change(scope, apiId, ({ corsConfiguration: _, ...api }) => void store.apis(scope).put(apiId, api)),

    CreateIntegration: ({ apiId, ...given }, { scope }) =>
      change(scope, apiId, (api) =>
        putIntegration(scope, api, {
          connectionType: 'INTERNET',
          payloadFormatVersion: '1.0',
          timeoutInMillis: 30_000,
          ...defined(given),
          integrationType: given.integrationType,
          integrationId: createId(7),
        }),
      ),
    GetIntegrations: ({ apiId }, { scope }) => {
      findApi(scope, apiId);
      return { items: store.integrations(scope, apiId).all() };
    },
    GetIntegration: ({ apiId, integrationId }, { scope }) =>
      required(store.integrations(scope, apiId).find(integrationId), missing('Integration', integrationId)),
    UpdateIntegration: ({ apiId, integrationId, ...given }, { scope }) =>
      change(scope, apiId, (api) => {
        const before = store.integrations(scope, apiId).find(integrationId);
        return putIntegration(scope, api, merged(required(before, missing('Integration', integrationId)), given));
      }),
    DeleteIntegration: ({ apiId, integrationId }, { scope }) =>
      change(scope, apiId, () => {
        const target = `integrations/${integrationId}`;
        const user = store
          .routes(scope, apiId)
          .all()
          .find((route) => route.target === target);
        if (user !== undefined)
          throw conflict(
            `Cannot delete Integration '${integrationId}'. Integration is referenced by Route '${user.routeKey}'.`,
          );
        return removeFrom(store.integrations(scope, apiId), integrationId, missing('Integration', integrationId));
      }),

    CreateRoute: ({ apiId, ...given }, { scope }) =>
      change(scope, apiId, (api) =>
        putRoute(scope, api, {
          authorizationType: 'NONE',
          apiKeyRequired: false,
          ...defined(given),
          routeKey: given.routeKey,
          routeId: createId(7),
        }),
      ),
    GetRoutes: ({ apiId }, { scope }) => {
      findApi(scope, apiId);
      return { items: store.routes(scope, apiId).all() };
    },
    GetRoute: ({ apiId, routeId }, { scope }) =>
      required(store.routes(scope, apiId).find(routeId), missing('Route', routeId)),
    UpdateRoute: ({ apiId, routeId, ...given }, { scope }) =>
      change(scope, apiId, (api) => {
        const before = required(store.routes(scope, apiId).find(routeId), missing('Route', routeId));
        return putRoute(scope, api, merged(before, given));
      }),
    DeleteRoute: ({ apiId, routeId }, { scope }) =>
      change(scope, apiId, () => removeFrom(store.routes(scope, apiId), routeId, missing('Route', routeId))),

    CreateAuthorizer: ({ apiId, ...given }, { scope }) =>
      change(scope, apiId, () => putAuthorizer(scope, apiId, { ...given, authorizerId: createId(6) })),
    GetAuthorizers: ({ apiId }, { scope }) => {
      findApi(scope, apiId);
      return { items: store.authorizers(scope, apiId).all() };
    },
    GetAuthorizer: ({ apiId, authorizerId }, { scope }) =>
      required(store.authorizers(scope, apiId).find(authorizerId), missing('Authorizer', authorizerId)),
    UpdateAuthorizer: ({ apiId, authorizerId, ...given }, { scope }) =>
      change(scope, apiId, () => {
        const before = store.authorizers(scope, apiId).find(authorizerId);
        return putAuthorizer(scope, apiId, merged(required(before, missing('Authorizer', authorizerId)), given));
      }),
    DeleteAuthorizer: ({ apiId, authorizerId }, { scope }) =>
      change(scope, apiId, () => {
        const user = store
          .routes(scope, apiId)
          .all()
          .find((route) => route.authorizerId === authorizerId);
        if (user !== undefined)
          throw conflict(
            `Cannot delete Authorizer '${authorizerId}'. Authorizer is referenced by Route '${user.routeKey}'.`,
          );
        return removeFrom(store.authorizers(scope, apiId), authorizerId, missing('Authorizer', authorizerId));
      }),

    CreateStage: ({ apiId, ...given }, { scope }) =>
      change(scope, apiId, () => {
        if (store.stages(scope, apiId).find(given.stageName) !== undefined) throw conflict('Stage already exists');
        return putStage(scope, apiId, { ...given, createdDate: now(), lastUpdatedDate: now() });
      }),
    GetStages: ({ apiId }, { scope }) => {
      findApi(scope, apiId);
      return { items: store.stages(scope, apiId).all().map(renderStage) };
    },
    GetStage: ({ apiId, stageName }, { scope }) =>
      renderStage(required(store.stages(scope, apiId).find(stageName), missing('stage', stageName))),
    UpdateStage: ({ apiId, stageName, ...given }, { scope }) =>
      change(scope, apiId, () => {
        const before = required(store.stages(scope, apiId).find(stageName), missing('stage', stageName));
        return renderStage(putStage(scope, apiId, { ...merged(before, given), lastUpdatedDate: now() }));
      }),
    DeleteStage: ({ apiId, stageName }, { scope }) =>
      change(scope, apiId, () => removeFrom(store.stages(scope, apiId), stageName, missing('stage', stageName))),

    CreateDeployment: ({ apiId, description, stageName }, { scope }) =>
      change(scope, apiId, () => {
        const contents = contentsOf(store, scope, apiId);
        if (contents.routes.length === 0) throw badRequest('Unable to deploy API because no routes exist in this API');
        const deployment: Deployment = { deploymentId: createId(6), description, createdDate: now(), contents };
        store.deployments(scope, apiId).put(deployment.deploymentId, deployment);
        if (stageName !== undefined) {
          const stage = required(store.stages(scope, apiId).find(stageName), missing('stage', stageName));
          putStage(scope, apiId, { ...stage, deploymentId: deployment.deploymentId });
        }
        return renderDeployment(deployment);
      }),
    GetDeployments: ({ apiId }, { scope }) => {
      findApi(scope, apiId);
      return { items: store.deployments(scope, apiId).all().map(renderDeployment) };
    },
    GetDeployment: ({ apiId, deploymentId }, { scope }) =>
      renderDeployment(
        required(store.deployments(scope, apiId).find(deploymentId), missing('Deployment', deploymentId)),
      ),
    UpdateDeployment: ({ apiId, deploymentId, description }, { scope }) =>
      change(scope, apiId, () => {
        const before = store.deployments(scope, apiId).find(deploymentId);
        const after = { ...required(before, missing('Deployment', deploymentId)), description };
        return renderDeployment(store.deployments(scope, apiId).put(deploymentId, after));
      }),
    DeleteDeployment: ({ apiId, deploymentId }, { scope }) =>
      change(scope, apiId, () => {
        const user = store
          .stages(scope, apiId)
          .all()
          .find((stage) => stage.deploymentId === deploymentId && !stage.autoDeploy);
        if (user !== undefined)
          throw badRequest(`Active stages pointing to this deployment must be moved or deleted: ${user.stageName}`);
        return removeFrom(store.deployments(scope, apiId), deploymentId, missing('Deployment', deploymentId));
      }),

    ...createDomainHandlers({ ...options, change, findApi }),

    TagResource({ resourceArn, tags = {} }, { scope }) {
      updateTags(scope, resourceArn, (before) => ({ ...before, ...tags }));
      return undefined;
    },
    UntagResource({ resourceArn, tagKeys }, { scope }) {
      updateTags(scope, resourceArn, (before) =>
        Object.fromEntries(Object.entries(before).filter(([key]) => !tagKeys.includes(key))),
      );
      return undefined;
    },
    GetTags: ({ resourceArn }, { scope }) => ({ tags: updateTags(scope, resourceArn, (before) => before) }),
  };

  type Tags = Readonly<Record<string, string>>;
  function updateTags(scope: Scope, arn: string, next: (before: Tags) => Tags): Tags {
    const [, kind, id = '', below, stageName = ''] = (parseApiGatewayArn(arn) ?? '').split('/').map(decodeURIComponent);
    if (kind === 'apis' && below === 'stages') {
      const stage = required(store.stages(scope, id).find(stageName), missing('stage', stageName));
      const tags = next(stage.tags ?? {});
      store.stages(scope, id).put(stageName, { ...stage, tags });
      return tags;
    }
    if (kind === 'apis') {
      const api = findApi(scope, id);
      const tags = next(api.tags ?? {});
      store.apis(scope).put(id, { ...api, tags });
      return tags;
    }
    const domain = required(
      kind === 'domainnames' ? domains.names(scope).find(id) : undefined,
      `Invalid resource ARN ${arn}`,
    );
    const tags = next(domain.tags ?? {});
    domains.names(scope).put(id, { ...domain, tags });
    return tags;
  }
}

function renderStage(stage: Stage) {
  return {
    autoDeploy: false,
    defaultRouteSettings: { detailedMetricsEnabled: false },
    routeSettings: {},
    stageVariables: {},
    tags: {},
    ...stage,
  };
}

/** The members that are there. */
function defined<Given extends object>(given: Given): Partial<Given> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Partial<Given>;
}
