/**
 * The authorization of one request: the authorizer of its route, with what it needs to know about the API and what the
 * API responds when it refuses. Each kind of API creates it (`rest-authorization.ts`, `http-authorization.ts`) and
 * `authorize.ts` carries it out.
 */
import type { ReceivedRequest } from '../exchange/gateway-request.ts';
import type { GatewayResponse } from '../exchange/proxy-integration.ts';
import type { InvokingService } from '../permissions/invoke-permissions.ts';
import type { LambdaAuthorizer, RouteAuthorization } from './authorizer-config.ts';
import type { Denial } from './denial.ts';
import type { ApiKind } from './identity-source.ts';

export type Authorization = RouteAuthorization & {
  readonly kind: ApiKind;
  /** The name of the API. */
  readonly gateway: string;
  /** `arn:aws:execute-api:us-east-1:123456789012:shop/prod/GET/items/7`: the path of the request, not of the route. */
  readonly methodArn: string;
  readonly stageVariables: Readonly<Record<string, string>> | undefined;
  /** The API as it invokes an authorizer with this name, for the resource policy of the function. */
  readonly invokedBy: (authorizer: string) => InvokingService;
  /** How long a function may take. */
  readonly timeoutMs: number;
  /** The variables below `$context`, for identity sources. */
  readonly contextVariables: (request: ReceivedRequest) => object;
  /** The event of a Lambda authorizer. `identity` has the values of the identity sources. */
  readonly toEvent: (authorizer: LambdaAuthorizer, request: ReceivedRequest, identity: readonly string[]) => object;
  readonly toResponse: (denial: Denial, request: ReceivedRequest) => GatewayResponse;
};
