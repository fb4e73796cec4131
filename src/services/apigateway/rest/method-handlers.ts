/** Resources and methods of REST APIs, with their integrations and responses. */
import type { REST_API_OPERATIONS } from '../../../protocol/generated/api-gateway-operations.ts';
import type { Scope } from '../../../protocol/names.ts';
import type { RestHandlers } from '../../../wire/rest-json-protocol.ts';
import { badRequest, conflict, createId, notFound } from '../publish.ts';
import { applyPatch } from './patch.ts';
import type { Integration, Method, Resource, RestApi, RestApiStore } from './rest-api-store.ts';
import { checkIntegration } from './rest-gateways.ts';

type MethodOperation =
  | `${'Create' | 'Get' | 'Update' | 'Delete'}Resource`
  | 'GetResources'
  | `${'Put' | 'Get' | 'Update' | 'Delete'}${'Method' | 'MethodResponse' | 'Integration' | 'IntegrationResponse'}`;

export type MethodHandlersOptions = {
  readonly store: RestApiStore;
  readonly change: <Result>(scope: Scope, apiId: string, action: (api: RestApi) => Result) => Result;
  readonly findApi: (scope: Scope, apiId: string) => RestApi;
};

type MethodAddress = { readonly restApiId: string; readonly resourceId: string; readonly httpMethod: string };

const METHODS = ['ANY', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'];

export function createMethodHandlers({
  store,
  change,
  findApi,
}: MethodHandlersOptions): Pick<RestHandlers<typeof REST_API_OPERATIONS>, MethodOperation> {
  function findResource(scope: Scope, apiId: string, id: string): Resource {
    findApi(scope, apiId);
    const resource = store.resources(scope, apiId).find(id);
    if (resource === undefined) throw notFound('Invalid Resource identifier specified');
    return resource;
  }
  function findMethod(scope: Scope, { restApiId, resourceId, httpMethod }: MethodAddress): Method {
    const method = findResource(scope, restApiId, resourceId).resourceMethods?.[httpMethod];
    if (method === undefined) throw notFound('Invalid Method identifier specified');
    return method;
  }
  function findIntegration(scope: Scope, address: MethodAddress): Integration {
    const { methodIntegration } = findMethod(scope, address);
    if (methodIntegration === undefined) throw notFound('Invalid Integration identifier specified');
    return methodIntegration;
  }
  /** Replaces a method, or removes it. */
  function putMethod(
    scope: Scope,
    { restApiId, resourceId, httpMethod }: MethodAddress,
    method: Method | undefined,
  ): void {
    const resource = findResource(scope, restApiId, resourceId);
    const { [httpMethod]: _, ...others } = resource.resourceMethods ?? {};
    const resourceMethods = method === undefined ? others : { ...others, [httpMethod]: method };
    store.resources(scope, restApiId).put(resourceId, { ...resource, resourceMethods });
  }
  function putIntegration(scope: Scope, address: MethodAddress, integration: Integration): Integration {
    checkIntegration(integration);
    putMethod(scope, address, { ...findMethod(scope, address), methodIntegration: integration });
    return integration;
  }
  const changeMethod = <Result>(scope: Scope, address: MethodAddress, action: (method: Method) => Result): Result =>
    change(scope, address.restApiId, () => action(findMethod(scope, address)));

  return {
    CreateResource: ({ restApiId, parentId, pathPart }, { scope }) =>
      change(scope, restApiId, () => {
        const parent = findResource(scope, restApiId, parentId);
        if (!/^(\{[a-zA-Z0-9._:-]+\+?\}|[a-zA-Z0-9._:$@+~-]+)$/.test(pathPart)) {
          throw badRequest(
            "Resource's path part only allow a-zA-Z0-9._-:$@+~ or a valid greedy path variable and curly braces at the beginning and the end.",
          );
        }
        const path = `${parent.path === '/' ? '' : parent.path}/${pathPart}`;
        if (
          store
            .resources(scope, restApiId)
            .all()
            .some((resource) => resource.path === path)
        ) {
          throw conflict(`Another resource with the same parent already has this name: ${pathPart}`);
        }
        const id = createId(6);
        return store.resources(scope, restApiId).put(id, { id, parentId, pathPart, path });
      }),
    GetResources: ({ restApiId, embed = [] }, { scope }) => {
      findApi(scope, restApiId);
      const items = store.resources(scope, restApiId).all();
      return { items: items.map((resource) => renderResource(resource, embed)) };
    },
    GetResource: ({ restApiId, resourceId, embed = [] }, { scope }) =>
      renderResource(findResource(scope, restApiId, resourceId), embed),
    UpdateResource: ({ restApiId, resourceId, patchOperations }, { scope }) =>
      change(scope, restApiId, () => {
        const resource = applyPatch(findResource(scope, restApiId, resourceId), patchOperations);
        const parent = findResource(scope, restApiId, resource.parentId ?? '');
        const path = `${parent.path === '/' ? '' : parent.path}/${resource.pathPart}`;
        return renderResource(store.resources(scope, restApiId).put(resourceId, { ...resource, path }), []);
      }),
    DeleteResource: ({ restApiId, resourceId }, { scope }) =>
      change(scope, restApiId, (api) => {
        findResource(scope, restApiId, resourceId);
        if (resourceId === api.rootResourceId) throw badRequest('Root resource cannot be deleted.');
        const resources = store.resources(scope, restApiId);
        const remove = (id: string): void => {
          for (const child of resources.all()) if (child.parentId === id) remove(child.id);
          resources.remove(id);
        };
        remove(resourceId);
        return undefined;
      }),

    PutMethod: ({ restApiId, resourceId, ...method }, { scope }) =>
      change(scope, restApiId, () => {
        const { httpMethod, authorizationType, authorizerId } = method;
        if (!METHODS.includes(httpMethod))
          throw badRequest(`Invalid HttpMethod specified. Valid options are ${METHODS.join(',')}`);
        if (findResource(scope, restApiId, resourceId).resourceMethods?.[httpMethod] !== undefined) {
          throw conflict('Method already exists for this resource');
        }
        if (authorizationType === 'COGNITO_USER_POOLS')
          throw badRequest('Lamella does not support the authorization type COGNITO_USER_POOLS.');
        if (!['NONE', 'AWS_IAM', 'CUSTOM'].includes(authorizationType))
          throw badRequest('Invalid authorization type specified');
        if (
          authorizationType === 'CUSTOM' &&
          store.authorizers(scope, restApiId).find(authorizerId ?? '') === undefined
        ) {
          throw badRequest(
            'Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a valid authorizer.',
          );
        }
        const made: Method = { apiKeyRequired: false, ...method };
        putMethod(scope, { restApiId, resourceId, httpMethod }, made);
        return made;
      }),
    GetMethod: (address, { scope }) => findMethod(scope, address),
    UpdateMethod: ({ patchOperations, ...address }, { scope }) =>
      changeMethod(scope, address, (method) => {
        const changed = applyPatch(method, patchOperations);
        putMethod(scope, address, changed);
        return changed;
      }),
    DeleteMethod: (address, { scope }) => changeMethod(scope, address, () => void putMethod(scope, address, undefined)),

    PutMethodResponse: ({ restApiId, resourceId, httpMethod, ...response }, { scope }) =>
      changeMethod(scope, { restApiId, resourceId, httpMethod }, (method) => {
        const methodResponses = { ...method.methodResponses, [response.statusCode]: response };
        putMethod(scope, { restApiId, resourceId, httpMethod }, { ...method, methodResponses });
        return response;
      }),
    GetMethodResponse: ({ statusCode, ...address }, { scope }) =>
      entryOf(findMethod(scope, address).methodResponses, statusCode),
    UpdateMethodResponse: ({ statusCode, patchOperations, ...address }, { scope }) =>
      changeMethod(scope, address, (method) => {
        const response = applyPatch(entryOf(method.methodResponses, statusCode), patchOperations);
        putMethod(scope, address, {
          ...method,
          methodResponses: { ...method.methodResponses, [statusCode]: response },
        });
        return response;
      }),
    DeleteMethodResponse: ({ statusCode, ...address }, { scope }) =>
      changeMethod(scope, address, (method) => {
        entryOf(method.methodResponses, statusCode);
        putMethod(scope, address, { ...method, methodResponses: without(method.methodResponses, statusCode) });
        return undefined;
      }),

    PutIntegration: ({ restApiId, resourceId, httpMethod, integrationHttpMethod, ...given }, { scope }) =>
      change(scope, restApiId, () =>
        putIntegration(
          scope,
          { restApiId, resourceId, httpMethod },
          {
            passthroughBehavior: 'WHEN_NO_MATCH',
            timeoutInMillis: 29_000,
            cacheNamespace: resourceId,
            cacheKeyParameters: [],
            ...given,
            httpMethod: integrationHttpMethod,
          },
        ),
      ),
    GetIntegration: (address, { scope }) => findIntegration(scope, address),
    UpdateIntegration: ({ patchOperations, ...address }, { scope }) =>
      change(scope, address.restApiId, () =>
        putIntegration(scope, address, applyPatch(findIntegration(scope, address), patchOperations)),
      ),
    DeleteIntegration: (address, { scope }) =>
      changeMethod(scope, address, ({ methodIntegration: _, ...method }) => {
        findIntegration(scope, address);
        putMethod(scope, address, method);
        return undefined;
      }),

    PutIntegrationResponse: ({ restApiId, resourceId, httpMethod, ...response }, { scope }) =>
      change(scope, restApiId, () => {
        const address = { restApiId, resourceId, httpMethod };
        const integration = findIntegration(scope, address);
        const integrationResponses = { ...integration.integrationResponses, [response.statusCode]: response };
        putIntegration(scope, address, { ...integration, integrationResponses });
        return response;
      }),
    GetIntegrationResponse: ({ statusCode, ...address }, { scope }) =>
      entryOf(findIntegration(scope, address).integrationResponses, statusCode),
    UpdateIntegrationResponse: ({ statusCode, patchOperations, ...address }, { scope }) =>
      change(scope, address.restApiId, () => {
        const integration = findIntegration(scope, address);
        const response = applyPatch(entryOf(integration.integrationResponses, statusCode), patchOperations);
        const integrationResponses = { ...integration.integrationResponses, [statusCode]: response };
        putIntegration(scope, address, { ...integration, integrationResponses });
        return response;
      }),
    DeleteIntegrationResponse: ({ statusCode, ...address }, { scope }) =>
      change(scope, address.restApiId, () => {
        const integration = findIntegration(scope, address);
        entryOf(integration.integrationResponses, statusCode);
        const integrationResponses = without(integration.integrationResponses, statusCode);
        putIntegration(scope, address, { ...integration, integrationResponses });
        return undefined;
      }),
  };
}

function renderResource({ resourceMethods, ...resource }: Resource, embed: readonly string[]) {
  if (resourceMethods === undefined || Object.keys(resourceMethods).length === 0) return resource;
  const names = Object.fromEntries(Object.keys(resourceMethods).map((name) => [name, {}]));
  return { ...resource, resourceMethods: embed.includes('methods') ? resourceMethods : names };
}

function entryOf<Entry>(entries: Readonly<Record<string, Entry>> | undefined, key: string): Entry {
  const entry = entries?.[key];
  if (entry === undefined) throw notFound('Invalid Response status code specified');
  return entry;
}

function without<Entry>(entries: Readonly<Record<string, Entry>> | undefined, key: string): Record<string, Entry> {
  return Object.fromEntries(Object.entries(entries ?? {}).filter(([name]) => name !== key));
}
