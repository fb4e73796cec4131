/** The resources of API Gateway V2 as they are stored: in the form of the wire, without what is derived. */
import type { HTTP_API_OPERATIONS } from '../../../protocol/generated/api-gateway-v2-operations.ts';
import type { InputOf } from '../../../protocol/member-constraints.ts';
import type { Scope } from '../../../protocol/names.ts';
import type { DocumentTable } from '../../../storage/document-table.ts';

type Input<Name extends keyof typeof HTTP_API_OPERATIONS> = InputOf<(typeof HTTP_API_OPERATIONS)[Name]['members']>;

export type HttpApi = Omit<Input<'CreateApi'>, 'target' | 'routeKey' | 'credentialsArn'> & {
  readonly apiId: string;
  readonly createdDate: string;
};
export type Integration = Omit<Input<'CreateIntegration'>, 'apiId'> & { readonly integrationId: string };
export type ApiRoute = Omit<Input<'CreateRoute'>, 'apiId'> & { readonly routeId: string };
export type Authorizer = Omit<Input<'CreateAuthorizer'>, 'apiId'> & { readonly authorizerId: string };
export type Stage = Omit<Input<'CreateStage'>, 'apiId'> & {
  readonly createdDate: string;
  readonly lastUpdatedDate: string;
};
/** What a deployment keeps of an API. */
export type Contents = {
  readonly routes: readonly ApiRoute[];
  readonly integrations: readonly Integration[];
  readonly authorizers: readonly Authorizer[];
};
export type Deployment = {
  readonly deploymentId: string;
  readonly description?: string | undefined;
  readonly createdDate: string;
  readonly contents: Contents;
};

export function httpApiStore(table: DocumentTable) {
  return {
    apis: (scope: Scope) => table.collection<HttpApi>(scope, 'http-api', ''),
    integrations: (scope: Scope, apiId: string) => table.collection<Integration>(scope, 'integration', apiId),
    routes: (scope: Scope, apiId: string) => table.collection<ApiRoute>(scope, 'route', apiId),
    authorizers: (scope: Scope, apiId: string) => table.collection<Authorizer>(scope, 'authorizer', apiId),
    stages: (scope: Scope, apiId: string) => table.collection<Stage>(scope, 'stage', apiId),
    deployments: (scope: Scope, apiId: string) => table.collection<Deployment>(scope, 'deployment', apiId),
    removeApi: (scope: Scope, apiId: string) => table.removeBelow(scope, apiId),
    everyApi: () => table.everywhere<HttpApi>('http-api'),
  };
}

export type HttpApiStore = ReturnType<typeof httpApiStore>;
