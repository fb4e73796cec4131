/**
 * Authorization of a route of an HTTP API: the events of Lambda authorizers in both payload formats, and the responses to
 * requests that an authorizer refuses. Pure.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
 */
import type { Authorization } from '../authorizers/authorization.ts';
import type { Denial } from '../authorizers/denial.ts';
import type { ReceivedRequest } from '../exchange/gateway-request.ts';
import type { GatewayResponse } from '../exchange/proxy-integration.ts';
import {
  finishHttpApiResponse,
  type HttpApiContext,
  renderHttpApiEvent1,
  renderHttpApiEvent2,
  renderHttpApiRefusal,
} from './http-api.ts';

/** How long a Lambda authorizer of an HTTP API may take. */
const AUTHORIZER_TIMEOUT_MS = 10_000;

export type HttpAuthorizationOptions = Pick<Authorization, 'authorizer' | 'scopes' | 'gateway' | 'invokedBy'> & {
  readonly context: HttpApiContext;
  readonly methodArn: string;
};

export function createHttpAuthorization({ context, methodArn, ...route }: HttpAuthorizationOptions): Authorization {
  return {
    ...route,
    kind: 'http-api',
    methodArn,
    stageVariables: context.stageVariables,
    timeoutMs: AUTHORIZER_TIMEOUT_MS,
    contextVariables: (request) => ({
      ...renderHttpApiEvent1(request, context).requestContext,
      routeKey: context.match.route.key,
    }),
    toEvent: ({ event }, request, identity) =>
      event === '1.0'
        ? renderEvent1(request, identity, context, methodArn)
        : renderEvent2(request, identity, context, methodArn),
    toResponse: (denial, request) => finishHttpApiResponse(renderDenial(denial, context), request, context),
  };
}

function renderEvent1(
  request: ReceivedRequest,
  identity: readonly string[],
  context: HttpApiContext,
  methodArn: string,
): object {
  const { version, body, isBase64Encoded, ...event } = renderHttpApiEvent1(request, context);
  // Without identity sources there is neither.
  const identitySource = identity.length > 0 ? identity.join(',') : null;
  return {
    version,
    type: 'REQUEST',
    methodArn,
    identitySource,
    authorizationToken: identitySource,
    ...event,
    queryStringParameters: event.queryStringParameters ?? {},
    multiValueQueryStringParameters: event.multiValueQueryStringParameters ?? {},
    pathParameters: event.pathParameters ?? {},
    stageVariables: event.stageVariables ?? {},
  };
}

function renderEvent2(
  request: ReceivedRequest,
  identity: readonly string[],
  context: HttpApiContext,
  routeArn: string,
): object {
  const { version, body, isBase64Encoded, ...event } = renderHttpApiEvent2(request, context);
  const identitySource = identity.length > 0 ? identity : null;
  return { version, type: 'REQUEST', routeArn, identitySource, ...event };
}

function renderDenial(denial: Denial, { apiRequestId }: HttpApiContext): GatewayResponse {
  const { status, message } = REFUSALS[denial.kind];
  const challenge = 'challenge' in denial ? denial.challenge : undefined;
  const { headers, body } = renderHttpApiRefusal(status, message, apiRequestId);
  // The API adds its own headers to every response.
  const own = headers.filter(([name]) => name !== 'Apigw-Requestid');
  return { status, headers: challenge === undefined ? own : [...own, ['Www-Authenticate', challenge]], body };
}

const REFUSALS = {
  unauthorized: { status: 401, message: 'Unauthorized' },
  denied: { status: 403, message: 'Forbidden' },
  'insufficient-scope': { status: 403, message: 'Forbidden' },
  signature: { status: 403, message: 'Forbidden' },
  fault: { status: 500, message: 'Internal Server Error' },
} as const satisfies Record<Denial['kind'], { readonly status: number; readonly message: string }>;
