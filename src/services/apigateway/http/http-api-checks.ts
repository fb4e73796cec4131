/** What an HTTP API may not have: AWS's own rules, and what Lamella does not do. Each refusal names it. */
import { badRequest, unsupported, withStageVariables } from '../publish.ts';
import type { ApiRoute, Authorizer, HttpApi, Integration } from './http-api-store.ts';
import { functionOf } from './http-gateways.ts';

const ROUTE_KEY = /^(?:ANY|DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT) \/\S*$/;

/** @throws RestJsonError BadRequestException */
export function checkIntegration(api: Pick<HttpApi, 'protocolType'>, integration: Integration): void {
  if (api.protocolType === 'WEBSOCKET') return;
  const { integrationType: type, integrationUri: uri = '', integrationSubtype, connectionType } = integration;
  if (integrationSubtype !== undefined) throw unsupported(`the integration subtype ${integrationSubtype}`);
  if (type !== 'AWS_PROXY' && type !== 'HTTP_PROXY') {
    throw badRequest(`Integration type ${type} is not supported for HTTP APIs. Use AWS_PROXY or HTTP_PROXY.`);
  }
  if (connectionType === 'VPC_LINK') throw unsupported('integrations with a VPC link');
  if (!isEmpty(integration.requestParameters)) throw unsupported('the request parameters of integrations of HTTP APIs');
  if (!isEmpty(integration.responseParameters))
    throw unsupported('the response parameters of integrations of HTTP APIs');
  if (type === 'AWS_PROXY') {
    if (!/\$\{stageVariables\./.test(uri)) functionOf(uri);
    const { payloadFormatVersion: version } = integration;
    if (version !== undefined && version !== '1.0' && version !== '2.0') {
      throw badRequest(`PayloadFormatVersion ${version} is not supported. Use 1.0 or 2.0.`);
    }
  } else if (!/^https?:\/\//.test(withStageVariables(uri, undefined)) && !uri.includes('${')) {
    throw badRequest(`Invalid HTTP endpoint specified for URI: ${uri}`);
  }
}

/** @throws RestJsonError BadRequestException */
export function checkRouteKey(api: Pick<HttpApi, 'protocolType'>, routeKey: string): void {
  if (api.protocolType === 'WEBSOCKET') return;
  if (routeKey !== '$default' && !ROUTE_KEY.test(routeKey)) {
    throw badRequest(
      `The provided route key is not formatted properly for HTTP protocol. Format should be "<HTTP METHOD> /<RESOURCE PATH>" or "$default"`,
    );
  }
}

/** @throws RestJsonError BadRequestException */
export function checkRoute(route: ApiRoute, authorizers: readonly Authorizer[]): void {
  const { authorizationType, authorizerId } = route;
  if (!isEmpty(route.requestParameters)) throw unsupported('the request parameters of routes');
  if (authorizationType !== 'JWT' && authorizationType !== 'CUSTOM') return;
  if (!authorizers.some((authorizer) => authorizer.authorizerId === authorizerId)) {
    throw badRequest(
      `Invalid authorizer ID specified. Setting the authorization type to ${authorizationType} requires a valid authorizer.`,
    );
  }
}

/** @throws RestJsonError BadRequestException */
export function checkAuthorizer({
  authorizerType,
  jwtConfiguration,
  authorizerUri = '',
  identitySource,
}: Authorizer): void {
  if (authorizerType === 'JWT') {
    if (!jwtConfiguration?.issuer || !jwtConfiguration.audience?.length || !identitySource?.length) {
      throw badRequest('JWT authorizers require an issuer, an audience and an identity source.');
    }
  } else if (!authorizerUri.includes('${stageVariables.')) functionOf(authorizerUri);
}

function isEmpty(map: object | undefined): boolean {
  return map === undefined || Object.keys(map).length === 0;
}
