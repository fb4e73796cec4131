/**
 * Authorization of a method of a REST API: the events of TOKEN and REQUEST authorizers, and the responses to requests that
 * they refuse. Pure. Recordings: `{"Message": ...}` with `AccessDeniedException` (2018, aws/chalice issue 971; 2026 for
 * the wording of an explicit deny), `{"message":null}` with `AuthorizerConfigurationException` (auth0-samples, serverless
 * examples issue 305).
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-input.html
 */
import type { Authorization } from '../authorizers/authorization.ts';
import type { LambdaAuthorizer } from '../authorizers/authorizer-config.ts';
import type { Denial } from '../authorizers/denial.ts';
import type { ReceivedRequest } from '../exchange/gateway-request.ts';
import type { GatewayResponse } from '../exchange/proxy-integration.ts';
import { customizeError } from './gateway-responses.ts';
import { REST_API_TIMEOUT_MS, type RestApiContext, renderRestApiEvent, renderRestApiRefusal } from './rest-api.ts';

const NOT_AUTHORIZED = 'User is not authorized to access this resource';

export type RestAuthorizationOptions = Pick<Authorization, 'authorizer' | 'scopes' | 'gateway' | 'invokedBy'> & {
  readonly context: RestApiContext;
  readonly methodArn: string;
};

export function createRestAuthorization({ context, methodArn, ...route }: RestAuthorizationOptions): Authorization {
  return {
    ...route,
    kind: 'rest-api',
    methodArn,
    stageVariables: context.stageVariables,
    timeoutMs: REST_API_TIMEOUT_MS,
    contextVariables: (request) => renderRestApiEvent(request, context).requestContext,
    toEvent: (authorizer, request, identity) => renderEvent(authorizer, request, identity, context, methodArn),
    toResponse: (denial, request) => customizeError(renderDenial(denial, request, context), request, context),
  };
}

function renderEvent(
  { event: type }: LambdaAuthorizer,
  request: ReceivedRequest,
  [authorizationToken]: readonly string[],
  context: RestApiContext,
  methodArn: string,
): object {
  if (type === 'token') return { type: 'TOKEN', methodArn, authorizationToken };
  const { body, isBase64Encoded, ...event } = renderRestApiEvent(request, context);
  return {
    type: 'REQUEST',
    methodArn,
    ...event,
    // Where the event of the function has null, that of the authorizer has an empty object.
    queryStringParameters: event.queryStringParameters ?? {},
    multiValueQueryStringParameters: event.multiValueQueryStringParameters ?? {},
    pathParameters: event.pathParameters ?? {},
    stageVariables: event.stageVariables ?? {},
  };
}

function renderDenial(
  denial: Denial,
  request: ReceivedRequest,
  { extendedRequestId }: RestApiContext,
): GatewayResponse {
  const refuse = (status: number, errorType: string, message: string) =>
    renderRestApiRefusal(status, errorType, message, request, extendedRequestId);
  const withBody = (response: GatewayResponse, body: string): GatewayResponse => ({
    ...response,
    body: Buffer.from(body),
  });
  switch (denial.kind) {
    case 'unauthorized':
      return refuse(401, 'UnauthorizedException', 'Unauthorized');
    case 'denied':
    case 'insufficient-scope': {
      const isExplicit = denial.kind === 'denied' && denial.isExplicit;
      const Message = `${NOT_AUTHORIZED}${isExplicit ? ' with an explicit deny in an identity-based policy' : ''}`;
      return withBody(refuse(403, 'AccessDeniedException', Message), JSON.stringify({ Message }));
    }
    case 'signature': {
      const { status, code, message } = denial.fault;
      return refuse(status, code, message);
    }
    case 'fault':
      return withBody(refuse(500, 'AuthorizerConfigurationException', ''), '{"message":null}');
  }
}
