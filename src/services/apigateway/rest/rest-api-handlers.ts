/**
 * The operations of API Gateway V1 on APIs, deployments, stages and authorizers. As on AWS, a change of an API has no effect
 * before a deployment: a deployment keeps the API as it is, and a stage serves one deployment.
 */
import type { Clock } from '../../../clock.ts';
import { parseApiGatewayArn } from '../../../protocol/arn.ts';
import type { REST_API_OPERATIONS } from '../../../protocol/generated/api-gateway-operations.ts';
import type { Scope } from '../../../protocol/names.ts';
import type { Database } from '../../../storage/database.ts';
import type { RestHandlers } from '../../../wire/rest-json-protocol.ts';
import type { DomainNames } from '../domain-names.ts';
import { badRequest, conflict, createId, notFound, type Publisher, refuseInvalid } from '../publish.ts';
import { checkGatewayResponse } from './gateway-responses.ts';
import { createMethodHandlers } from './method-handlers.ts';
import { applyPatch } from './patch.ts';
import { createRecordedHandlers } from './recorded-handlers.ts';
import type { Authorizer, Deployment, Resource, RestApi, RestApiStore, Stage } from './rest-api-store.ts';
import { contentsOf } from './rest-api-store.ts';
import { createRestDomainHandlers } from './rest-domain-handlers.ts';
import { checkAuthorizer, checkIntegration, compileRestApi } from './rest-gateways.ts';
import { type ImportedRestApi, readRestApi } from './rest-openapi.ts';

export type RestApiOptions = {
  readonly database: Database;
  readonly store: RestApiStore;
  readonly domains: DomainNames;
  readonly publisher: Publisher;
  readonly clock: Clock;
};

export function createRestApiHandlers(options: RestApiOptions): RestHandlers<typeof REST_API_OPERATIONS> {
  const { database, store, domains, publisher, clock } = options;
  const now = () => Math.trunc(clock.epochMs() / 1000);

  function findApi(scope: Scope, apiId: string): RestApi {
    const api = store.apis(scope).find(apiId);
    if (api === undefined) throw notFound(`Invalid API identifier specified ${scope.account}:${apiId}`);
    return api;
  }

  /** Changes an API, and publishes its stages. */
  function change<Result>(scope: Scope, apiId: string, action: (api: RestApi) => Result): Result {
    const found = findApi(scope, apiId);
    return refuseInvalid(() =>
      database.transaction(() => {
        const result = action(found);
        const api = store.apis(scope).find(apiId);
        publisher.publish(apiId, api === undefined ? [] : compileRestApi(store, domains, scope, api));
        return result;
      }),
    );
  }

  function createApi(scope: Scope, given: Omit<RestApi, 'id' | 'createdDate' | 'rootResourceId'>): RestApi {
    const rootResourceId = createId(10);
    const api: RestApi = { ...given, id: createId(10), createdDate: now(), rootResourceId };
    store.resources(scope, api.id).put(rootResourceId, { id: rootResourceId, path: '/' });
    return store.apis(scope).put(api.id, api);
  }

  /** The resource with this path; it and its parents are created if they do not exist. */
  function resourceAt(scope: Scope, api: RestApi, path: string): Resource {
    const resources = store.resources(scope, api.id);
    const clean = `/${path
      .split('/')
      .filter((part) => part !== '')
      .join('/')}`;
    const known = resources.all().find((resource) => resource.path === clean);
    if (known !== undefined) return known;
    const at = clean.lastIndexOf('/');
    const parent = resourceAt(scope, api, clean.slice(0, at));
    const id = createId(6);
    return resources.put(id, { id, parentId: parent.id, pathPart: clean.slice(at + 1), path: clean });
  }

  function importContents(scope: Scope, api: RestApi, imported: ImportedRestApi, isOverwrite: boolean): RestApi {
    if (isOverwrite) {
      store.resources(scope, api.id).clear();
      store.resources(scope, api.id).put(api.rootResourceId, { id: api.rootResourceId, path: '/' });
      for (const kind of [store.authorizers, store.models, store.gatewayResponses]) kind(scope, api.id).clear();
    }
    for (const authorizer of imported.authorizers) {
      checkAuthorizer(authorizer);
      store.authorizers(scope, api.id).put(authorizer.id, authorizer);
    }
    for (const [path, methods] of imported.paths) {
      const resource = resourceAt(scope, api, path);
      for (const { methodIntegration } of Object.values(methods)) {
        if (methodIntegration !== undefined) checkIntegration(methodIntegration);
      }
      const resourceMethods = { ...resource.resourceMethods, ...methods };
      store.resources(scope, api.id).put(resource.id, { ...resource, resourceMethods });
    }
    for (const { name, schema } of imported.models) {
      store.models(scope, api.id).put(name, { id: createId(6), name, schema, contentType: 'application/json' });
    }
    for (const response of imported.gatewayResponses) {
      checkGatewayResponse(response);
      store.gatewayResponses(scope, api.id).put(response.responseType, response);
    }
    const given = Object.fromEntries(Object.entries(imported.api).filter(([, value]) => value !== undefined));
    return store.apis(scope).put(api.id, { ...api, ...given });
  }

  const putStage = (scope: Scope, apiId: string, stage: Stage): Stage => {
    if (!/^[A-Za-z0-9_-]{1,128}$/.test(stage.stageName)) throw badRequest('Stage name only allows a-zA-Z0-9_-');
    if (store.deployments(scope, apiId).find(stage.deploymentId) === undefined) {
      throw badRequest('Deployment id does not exist');
    }
    return store.stages(scope, apiId).put(stage.stageName, stage);
  };
  const findStage = (scope: Scope, apiId: string, name: string): Stage => {
    const stage = store.stages(scope, apiId).find(name);
    if (stage === undefined) throw notFound('Invalid stage identifier specified');
    return stage;
  };
  const findDeployment = (scope: Scope, apiId: string, id: string): Deployment => {
    const deployment = store.deployments(scope, apiId).find(id);
    if (deployment === undefined) throw notFound('Invalid Deployment identifier specified');
    return deployment;
  };
  const findAuthorizer = (scope: Scope, apiId: string, id: string): Authorizer => {
    const authorizer = store.authorizers(scope, apiId).find(id);
    if (authorizer === undefined) throw notFound('Invalid Authorizer identifier specified');
    return authorizer;
  };
  const putAuthorizer = (scope: Scope, apiId: string, authorizer: Authorizer): Authorizer => {
    checkAuthorizer(authorizer);
    return store.authorizers(scope, apiId).put(authorizer.id, authorizer);
  };

  type Tags = Readonly<Record<string, string>>;
  function updateTags(scope: Scope, arn: string, next: (before: Tags) => Tags): Tags {
    const [, kind, id = '', below, name = ''] = (parseApiGatewayArn(arn) ?? '').split('/').map(decodeURIComponent);
    if (kind === 'restapis' && below === 'stages') {
      const stage = findStage(scope, id, name);
      return store.stages(scope, id).put(name, { ...stage, tags: next(stage.tags ?? {}) }).tags ?? {};
    }
    if (kind === 'restapis') {
      const api = findApi(scope, id);
      return store.apis(scope).put(id, { ...api, tags: next(api.tags ?? {}) }).tags ?? {};
    }
    const collection = kind === 'apikeys' ? store.keys(scope) : kind === 'usageplans' ? store.plans(scope) : undefined;
    const found = collection?.find(id);
    if (collection === undefined || found === undefined) throw notFound(`Invalid resource ARN ${arn}`);
    const tags = next((found.tags ?? {}) as Tags);
    collection.put(id, { ...found, tags });
    return tags;
  }

  return {
    CreateRestApi({ cloneFrom, ...given }, { scope }) {
      if (cloneFrom === undefined) return renderApi(createApi(scope, given));
      const source = findApi(scope, cloneFrom);
      return database.transaction(() => {
        const api = createApi(scope, { ...source, ...given });
        store.resources(scope, api.id).clear();
        for (const resource of store.resources(scope, source.id).all()) {
          const id = resource.id === source.rootResourceId ? api.rootResourceId : resource.id;
          const parentId = resource.parentId === source.rootResourceId ? api.rootResourceId : resource.parentId;
          store.resources(scope, api.id).put(id, { ...resource, id, parentId });
        }
        for (const item of store.authorizers(scope, source.id).all()) putAuthorizer(scope, api.id, item);
        return renderApi(api);
      });
    },
    async ImportRestApi({ body }, { scope }) {
      const imported = await readRestApi(Buffer.from(body, 'base64').toString('utf8'));
      return refuseInvalid(() =>
        database.transaction(() => {
          const api = createApi(scope, { name: imported.api.name ?? '' });
          return renderApi(importContents(scope, api, imported, false));
        }),
      );
    },
    async PutRestApi({ restApiId, body, mode }, { scope }) {
      const imported = await readRestApi(Buffer.from(body, 'base64').toString('utf8'));
      return change(scope, restApiId, (api) => renderApi(importContents(scope, api, imported, mode === 'overwrite')));
    },
    GetRestApis: (_, { scope }) => ({ items: store.apis(scope).all().map(renderApi) }),
    GetRestApi: ({ restApiId }, { scope }) => renderApi(findApi(scope, restApiId)),
    UpdateRestApi: ({ restApiId, patchOperations }, { scope }) =>
      change(scope, restApiId, (api) => renderApi(store.apis(scope).put(restApiId, applyPatch(api, patchOperations)))),
    DeleteRestApi: ({ restApiId }, { scope }) =>
      change(scope, restApiId, () => {
        store.removeBelow(scope, restApiId);
        store.apis(scope).remove(restApiId);
        return undefined;
      }),

    CreateDeployment: ({ restApiId, stageName, description, stageDescription, variables }, { scope }) =>
      change(scope, restApiId, (api) => {
        const contents = contentsOf(store, scope, api);
        const methods = contents.resources.flatMap(({ resourceMethods = {} }) => Object.values(resourceMethods));
        if (methods.length === 0) throw badRequest("The REST API doesn't contain any methods");
        if (methods.some(({ methodIntegration }) => methodIntegration === undefined)) {
          throw badRequest('No integration defined for method');
        }
        const deployment: Deployment = { id: createId(6), description, createdDate: now(), contents };
        store.deployments(scope, restApiId).put(deployment.id, deployment);
        if (stageName) {
          const before = store.stages(scope, restApiId).find(stageName);
          putStage(scope, restApiId, {
            stageName,
            createdDate: now(),
            ...before,
            deploymentId: deployment.id,
            lastUpdatedDate: now(),
            ...(stageDescription !== undefined && { description: stageDescription }),
            ...(variables !== undefined && { variables }),
          });
        }
        return renderDeployment(deployment);
      }),
    GetDeployments: ({ restApiId }, { scope }) => {
      findApi(scope, restApiId);
      return { items: store.deployments(scope, restApiId).all().map(renderDeployment) };
    },
    GetDeployment: ({ restApiId, deploymentId }, { scope }) =>
      renderDeployment(findDeployment(scope, restApiId, deploymentId)),
    UpdateDeployment: ({ restApiId, deploymentId, patchOperations }, { scope }) =>
      change(scope, restApiId, () => {
        const { contents, ...rest } = findDeployment(scope, restApiId, deploymentId);
        const changed = { ...applyPatch(rest, patchOperations), contents };
        return renderDeployment(store.deployments(scope, restApiId).put(deploymentId, changed));
      }),
    DeleteDeployment: ({ restApiId, deploymentId }, { scope }) =>
      change(scope, restApiId, () => {
        findDeployment(scope, restApiId, deploymentId);
        if (
          store
            .stages(scope, restApiId)
            .all()
            .some((stage) => stage.deploymentId === deploymentId)
        ) {
          throw badRequest('Active stages pointing to this deployment must be moved or deleted');
        }
        store.deployments(scope, restApiId).remove(deploymentId);
        return undefined;
      }),

    CreateStage: ({ restApiId, ...given }, { scope }) =>
      change(scope, restApiId, () => {
        if (store.stages(scope, restApiId).find(given.stageName) !== undefined) throw conflict('Stage already exists');
        return renderStage(putStage(scope, restApiId, { ...given, createdDate: now(), lastUpdatedDate: now() }));
      }),
    GetStages: ({ restApiId, deploymentId }, { scope }) => {
      findApi(scope, restApiId);
      const stages = store.stages(scope, restApiId).all();
      return { item: stages.filter((stage) => !deploymentId || stage.deploymentId === deploymentId).map(renderStage) };
    },
    GetStage: ({ restApiId, stageName }, { scope }) => renderStage(findStage(scope, restApiId, stageName)),
    UpdateStage: ({ restApiId, stageName, patchOperations = [] }, { scope }) =>
      change(scope, restApiId, () => {
        const setting = /^\/(.+)\/([A-Z]+|\*)\/(logging|metrics|throttling|caching)\/\w+$/;
        const plain = patchOperations.filter(({ path = '' }) => !setting.test(path));
        const settings = patchOperations.map(({ op, path = '', value }) => {
          const [, resource = '', method = '', group = '', name = ''] =
            /^\/(.+)\/([A-Z]+|\*)\/(\w+)\/(\w+)$/.exec(path) ?? [];
          const key = `${resource.replaceAll('~1', '/')}/${method}`.replaceAll('/', '~1');
          return setting.test(path) ? [{ op, path: `/methodSettings/${key}/${group}.${name}`, value }] : [];
        });
        const changed = applyPatch(findStage(scope, restApiId, stageName), [...plain, ...settings.flat()]);
        return renderStage(putStage(scope, restApiId, { ...changed, lastUpdatedDate: now() }));
      }),
    DeleteStage: ({ restApiId, stageName }, { scope }) =>
      change(scope, restApiId, () => {
        findStage(scope, restApiId, stageName);
        store.stages(scope, restApiId).remove(stageName);
        return undefined;
      }),

    CreateAuthorizer: ({ restApiId, ...given }, { scope }) =>
      change(scope, restApiId, () => putAuthorizer(scope, restApiId, { ...given, id: createId(6) })),
    GetAuthorizers: ({ restApiId }, { scope }) => {
      findApi(scope, restApiId);
      return { items: store.authorizers(scope, restApiId).all() };
    },
    GetAuthorizer: ({ restApiId, authorizerId }, { scope }) => findAuthorizer(scope, restApiId, authorizerId),
    UpdateAuthorizer: ({ restApiId, authorizerId, patchOperations }, { scope }) =>
      change(scope, restApiId, () => {
        const before = findAuthorizer(scope, restApiId, authorizerId);
        return putAuthorizer(scope, restApiId, applyPatch(before, patchOperations));
      }),
    DeleteAuthorizer: ({ restApiId, authorizerId }, { scope }) =>
      change(scope, restApiId, () => {
        findAuthorizer(scope, restApiId, authorizerId);
        store.authorizers(scope, restApiId).remove(authorizerId);
        return undefined;
      }),

    ...createMethodHandlers({ store, change, findApi }),
    ...createRecordedHandlers({ store, findApi, now }),
    ...createRestDomainHandlers({ store, domains, change, findApi, now }),

    TagResource({ resourceArn, tags }, { scope }) {
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
}

function renderApi(api: RestApi) {
  return {
    apiKeySource: 'HEADER',
    endpointConfiguration: { types: ['EDGE'], ipAddressType: 'ipv4' },
    disableExecuteApiEndpoint: false,
    tags: {},
    ...api,
  };
}

function renderDeployment({ contents: _, ...deployment }: Deployment) {
  return deployment;
}

function renderStage(stage: Stage) {
  return {
    cacheClusterEnabled: false,
    cacheClusterStatus: 'NOT_AVAILABLE',
    methodSettings: {},
    tracingEnabled: false,
    ...stage,
  };
}
