/** The resources of API Gateway V1 as they are stored: in the form of the wire. Methods are part of their resource. */
import type { REST_API_OPERATIONS } from '../../../protocol/generated/api-gateway-operations.ts';
import type { InputOf } from '../../../protocol/member-constraints.ts';
import type { Scope } from '../../../protocol/names.ts';
import type { DocumentTable } from '../../../storage/document-table.ts';

type Input<Name extends keyof typeof REST_API_OPERATIONS> = InputOf<(typeof REST_API_OPERATIONS)[Name]['members']>;

/** A gateway response as clients write it. */
export type StoredResponse = {
  readonly responseType: string;
  readonly statusCode?: string | undefined;
  readonly responseParameters?: Readonly<Record<string, string>> | undefined;
  readonly responseTemplates?: Readonly<Record<string, string>> | undefined;
};

export type RestApi = Omit<Input<'CreateRestApi'>, 'cloneFrom'> & {
  readonly id: string;
  /** Seconds since 1970. */
  readonly createdDate: number;
  readonly rootResourceId: string;
};
export type IntegrationResponse = Omit<Input<'PutIntegrationResponse'>, 'restApiId' | 'resourceId' | 'httpMethod'>;
export type Integration = Omit<
  Input<'PutIntegration'>,
  'restApiId' | 'resourceId' | 'httpMethod' | 'integrationHttpMethod'
> & {
  readonly httpMethod?: string | undefined;
  readonly integrationResponses?: Readonly<Record<string, IntegrationResponse>> | undefined;
};
export type MethodResponse = Omit<Input<'PutMethodResponse'>, 'restApiId' | 'resourceId' | 'httpMethod'>;
export type Method = Omit<Input<'PutMethod'>, 'restApiId' | 'resourceId'> & {
  readonly methodResponses?: Readonly<Record<string, MethodResponse>> | undefined;
  readonly methodIntegration?: Integration | undefined;
};
export type Resource = {
  readonly id: string;
  /** Undefined for the root. */
  readonly parentId?: string | undefined;
  readonly pathPart?: string | undefined;
  readonly path: string;
  readonly resourceMethods?: Readonly<Record<string, Method>> | undefined;
};
export type Authorizer = Omit<Input<'CreateAuthorizer'>, 'restApiId'> & { readonly id: string };
export type Stage = Omit<Input<'CreateStage'>, 'restApiId'> & {
  readonly createdDate: number;
  readonly lastUpdatedDate: number;
  readonly methodSettings?: Readonly<Record<string, Readonly<Record<string, string>>>> | undefined;
};
/** What a deployment keeps of an API. */
export type Contents = {
  readonly binaryMediaTypes: readonly string[];
  readonly resources: readonly Resource[];
  readonly authorizers: readonly Authorizer[];
  /** Absent in deployments of older versions. */
  readonly gatewayResponses?: readonly StoredResponse[] | undefined;
  readonly apiKeySource?: string | undefined;
};
export type Deployment = {
  readonly id: string;
  readonly description?: string | undefined;
  readonly createdDate: number;
  readonly contents: Contents;
};

export function restApiStore(table: DocumentTable) {
  const below = (kind: string) => (scope: Scope, parent: string) =>
    table.collection<Record<string, unknown>>(scope, kind, parent);
  return {
    apis: (scope: Scope) => table.collection<RestApi>(scope, 'rest-api', ''),
    resources: (scope: Scope, apiId: string) => table.collection<Resource>(scope, 'resource', apiId),
    authorizers: (scope: Scope, apiId: string) => table.collection<Authorizer>(scope, 'authorizer', apiId),
    stages: (scope: Scope, apiId: string) => table.collection<Stage>(scope, 'stage', apiId),
    deployments: (scope: Scope, apiId: string) => table.collection<Deployment>(scope, 'deployment', apiId),
    models: below('model'),
    validators: below('request-validator'),
    gatewayResponses: (scope: Scope, apiId: string) =>
      table.collection<StoredResponse>(scope, 'gateway-response', apiId),
    planKeys: below('usage-plan-key'),
    keys: (scope: Scope) => below('api-key')(scope, ''),
    plans: (scope: Scope) => below('usage-plan')(scope, ''),
    account: (scope: Scope) => below('account')(scope, ''),
    removeBelow: (scope: Scope, parent: string) => table.removeBelow(scope, parent),
    everyApi: () => table.everywhere<RestApi>('rest-api'),
  };
}

export type RestApiStore = ReturnType<typeof restApiStore>;

/** What a deployment of the API would keep now. */
export function contentsOf(store: RestApiStore, scope: Scope, api: RestApi): Contents {
  return {
    binaryMediaTypes: api.binaryMediaTypes ?? [],
    resources: store.resources(scope, api.id).all(),
    authorizers: store.authorizers(scope, api.id).all(),
    gatewayResponses: store.gatewayResponses(scope, api.id).all(),
    apiKeySource: api.apiKeySource,
  };
}
