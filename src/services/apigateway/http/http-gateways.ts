/**
 * Compiles the stages of an HTTP API to gateways in their JSON form: routes with their integrations, authorizers, CORS and
 * stage variables. WebSocket APIs are only recorded.
 */
import { parseIntegrationUri } from '../../../protocol/arn.ts';
import type { Scope } from '../../../protocol/names.ts';
import type { DomainNames } from '../domain-names.ts';
import { badRequest, type PublishedGateway, withStageVariables } from '../publish.ts';
import type { Authorizer, Contents, HttpApi, HttpApiStore, Integration, Stage } from './http-api-store.ts';

/** The gateways of all stages and of the custom domains that lead to them. */
export function compileHttpApi(
  store: HttpApiStore,
  domains: DomainNames,
  scope: Scope,
  api: HttpApi,
): readonly PublishedGateway[] {
  if (api.protocolType === 'WEBSOCKET') return [];
  const { apiId } = api;
  const mappings = domains.ofApi(scope, apiId);
  return store
    .stages(scope, apiId)
    .all()
    .flatMap((stage): PublishedGateway[] => {
      const contents = stage.autoDeploy
        ? contentsOf(store, scope, apiId)
        : store.deployments(scope, apiId).find(stage.deploymentId ?? '')?.contents;
      const input = contents && compileStage(api, stage, contents);
      if (input === undefined) return [];
      const { stageName } = stage;
      const own = { name: stageName, address: { id: apiId, region: scope.region, isOwnAddress: true }, input };
      const mapped = mappings
        .filter((mapping) => mapping.stage === stageName)
        .map(({ domainName, path, mappingId }) => ({
          name: `${stageName}/${mappingId}`,
          address: { id: apiId, region: scope.region, isOwnAddress: false },
          input: { ...input, hosts: [domainName], basePath: `/${path}` },
        }));
      return [...(api.disableExecuteApiEndpoint ? [] : [own]), ...mapped];
    });
}

/** What a deployment of the API would keep now. */
export function contentsOf(store: HttpApiStore, scope: Scope, apiId: string): Contents {
  return {
    routes: store.routes(scope, apiId).all(),
    integrations: store.integrations(scope, apiId).all(),
    authorizers: store.authorizers(scope, apiId).all(),
  };
}

/** Undefined without a route that leads anywhere. */
function compileStage(api: HttpApi, stage: Stage, contents: Contents): Record<string, unknown> | undefined {
  const integrations = new Map(contents.integrations.map((item) => [`integrations/${item.integrationId}`, item]));
  const routes = contents.routes.flatMap((route): object[] => {
    const integration = integrations.get(route.target ?? '');
    if (integration === undefined) return [];
    return [
      {
        route: route.routeKey,
        ...compileIntegration(integration, stage),
        authorizer: authorizerOf(route.authorizationType, route.authorizerId),
        authorizationScopes: route.authorizationScopes?.length ? route.authorizationScopes : undefined,
      },
    ];
  });
  if (routes.length === 0) return undefined;
  const used = new Set(contents.routes.map(({ authorizerId }) => authorizerId));
  const authorizers = contents.authorizers.filter(({ authorizerId }) => used.has(authorizerId));
  return {
    kind: 'http-api',
    stage: stage.stageName,
    stageVariables: stage.stageVariables,
    cors: compileCors(api.corsConfiguration),
    authorizers: Object.fromEntries(authorizers.map((item) => [item.authorizerId, compileAuthorizer(item, stage)])),
    routes,
  };
}

function authorizerOf(type: string | undefined, authorizerId: string | undefined): string {
  if (type === 'AWS_IAM') return 'AWS_IAM';
  return type === 'JWT' || type === 'CUSTOM' ? (authorizerId ?? 'NONE') : 'NONE';
}

function compileIntegration(integration: Integration, { stageVariables }: Pick<Stage, 'stageVariables'>): object {
  const uri = withStageVariables(integration.integrationUri ?? '', stageVariables);
  const { timeoutInMillis: timeoutMs, payloadFormatVersion = '1.0' } = integration;
  if (integration.integrationType === 'AWS_PROXY') {
    return { function: functionOf(uri), payloadFormatVersion, timeoutMs };
  }
  return { httpProxy: { uri, method: integration.integrationMethod ?? 'ANY' }, timeoutMs };
}

/** The function of an integration or authorizer. @throws RestJsonError BadRequestException */
export function functionOf(uri: string): string {
  const parsed = parseIntegrationUri(uri);
  if (parsed?.kind !== 'function') throw badRequest(`Invalid function ARN or invalid uri: ${uri}`);
  return parsed.function;
}

function compileAuthorizer(authorizer: Authorizer, { stageVariables }: Pick<Stage, 'stageVariables'>): object {
  const { authorizerType, identitySource = [] } = authorizer;
  if (authorizerType === 'JWT') {
    return { type: 'jwt', identitySource: identitySource[0], jwtConfiguration: authorizer.jwtConfiguration };
  }
  return {
    type: 'request',
    function: functionOf(withStageVariables(authorizer.authorizerUri ?? '', stageVariables)),
    identitySource,
    authorizerPayloadFormatVersion: authorizer.authorizerPayloadFormatVersion ?? '1.0',
    enableSimpleResponses: authorizer.enableSimpleResponses ?? false,
    authorizerResultTtlInSeconds: authorizer.authorizerResultTtlInSeconds ?? 0,
  };
}

function compileCors(cors: HttpApi['corsConfiguration']): object | undefined {
  if (cors === undefined) return undefined;
  const { maxAge, ...rest } = cors;
  // -1 stands for no header.
  return { ...rest, maxAgeSeconds: maxAge === undefined || maxAge < 0 ? undefined : maxAge };
}
