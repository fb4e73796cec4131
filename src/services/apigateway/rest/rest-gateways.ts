/**
 * Compiles the stages of a REST API to gateways in their JSON form: the methods of a deployment with their integrations,
 * authorizers, binary media types and stage variables.
 */
import { parseIntegrationUri } from '../../../protocol/arn.ts';
import type { Scope } from '../../../protocol/names.ts';
import type { DomainNames } from '../domain-names.ts';
import { badRequest, type PublishedGateway, unsupported, withStageVariables } from '../publish.ts';
import { compileGatewayResponses } from './gateway-responses.ts';
import { checkMock, mockResponse } from './mock.ts';
import type { Authorizer, Contents, Integration, Method, RestApi, RestApiStore, Stage } from './rest-api-store.ts';

type Variables = Stage['variables'];

/** The gateways of all stages and of the custom domains that lead to them. */
export function compileRestApi(
  store: RestApiStore,
  domains: DomainNames,
  scope: Scope,
  api: RestApi,
): readonly PublishedGateway[] {
  const mappings = domains.ofApi(scope, api.id);
  const address = { id: api.id, region: scope.region };
  return store
    .stages(scope, api.id)
    .all()
    .flatMap((stage): PublishedGateway[] => {
      const contents = store.deployments(scope, api.id).find(stage.deploymentId)?.contents;
      if (contents === undefined) return [];
      const { stageName } = stage;
      const input = compileStage(stage, contents);
      const own = { name: stageName, address: { ...address, isOwnAddress: true }, input };
      const mapped = mappings.flatMap(({ domainName, path, mappingId, stage: mappedStage }): PublishedGateway[] => {
        if (mappedStage !== undefined && mappedStage !== stageName) return [];
        // A mapping without a stage leads to all of them: the request names it.
        const basePath = [path, mappedStage === undefined ? stageName : ''].filter((part) => part !== '').join('/');
        const mappedInput = { ...input, hosts: [domainName], basePath: `/${basePath}` };
        const name = `${stageName}/${mappingId}`;
        return [{ name, address: { ...address, isOwnAddress: false }, input: mappedInput }];
      });
      return [...(api.disableExecuteApiEndpoint ? [] : [own]), ...mapped];
    });
}

function compileStage({ stageName, variables }: Stage, contents: Contents): Record<string, unknown> {
  const methods = contents.resources.flatMap(({ path, resourceMethods = {} }) =>
    Object.entries(resourceMethods).map(([httpMethod, method]) => ({ path, httpMethod, method })),
  );
  const used = new Set(methods.map(({ method }) => method.authorizerId));
  const authorizers = contents.authorizers.filter(({ id }) => used.has(id));
  return {
    kind: 'rest-api',
    stage: stageName,
    stageVariables: variables && Object.keys(variables).length > 0 ? variables : undefined,
    binaryMediaTypes: contents.binaryMediaTypes,
    apiKeySource: contents.apiKeySource === 'AUTHORIZER' ? 'authorizer' : 'header',
    gatewayResponses: compileGatewayResponses(contents.gatewayResponses ?? []),
    authorizers: Object.fromEntries(authorizers.map((item) => [item.id, compileAuthorizer(item, variables)])),
    routes: methods.map(({ path, httpMethod, method }) => ({
      route: `${httpMethod} ${path}`,
      ...compileIntegration(method.methodIntegration, variables),
      authorizer: authorizerOf(method),
      apiKeyRequired: method.apiKeyRequired === true,
    })),
  };
}

function authorizerOf({ authorizationType, authorizerId }: Method): string {
  if (authorizationType === 'AWS_IAM') return 'AWS_IAM';
  return authorizationType === 'CUSTOM' ? (authorizerId ?? 'NONE') : 'NONE';
}

function compileIntegration(integration: Integration | undefined, variables: Variables): object {
  if (integration === undefined) throw badRequest('No integration defined for method');
  const { type, timeoutInMillis: timeoutMs } = integration;
  const uri = withStageVariables(integration.uri ?? '', variables);
  if (type === 'MOCK') return { fixedResponse: mockResponse(integration) };
  if (type === 'AWS_PROXY') return { function: functionOf(uri), timeoutMs };
  return { httpProxy: { uri: mapPath(uri, integration), method: integration.httpMethod ?? 'ANY' }, timeoutMs };
}

/** Path parameters of the integration have the names of those of the method, unless they are mapped. */
function mapPath(uri: string, { requestParameters = {} }: Integration): string {
  return uri.replace(/\{([\w.-]+)\}/g, (whole, name: string) => {
    const mapped = requestParameters[`integration.request.path.${name}`];
    const source = mapped === undefined ? undefined : /^method\.request\.path\.([\w.-]+)$/.exec(mapped)?.[1];
    return source === undefined ? whole : `{${source}}`;
  });
}

/** The function of an integration or authorizer. @throws RestJsonError BadRequestException */
export function functionOf(uri: string): string {
  const parsed = parseIntegrationUri(uri);
  if (parsed?.kind !== 'function') throw badRequest('Invalid Lambda function');
  return parsed.function;
}

function compileAuthorizer(authorizer: Authorizer, variables: Variables): object {
  const { type, identitySource, identityValidationExpression, authorizerResultTtlInSeconds } = authorizer;
  return {
    type: type === 'TOKEN' ? 'token' : 'request',
    function: functionOf(withStageVariables(authorizer.authorizerUri ?? '', variables)),
    identitySource: identitySource || undefined,
    identityValidationExpression: type === 'TOKEN' ? identityValidationExpression || undefined : undefined,
    authorizerResultTtlInSeconds,
  };
}

/** Refuses what Lamella does not do, by name. @throws RestJsonError BadRequestException */
export function checkIntegration(integration: Integration): void {
  const { type, uri = '', connectionType, requestParameters = {}, responseTransferMode } = integration;
  if (connectionType === 'VPC_LINK') throw unsupported('integrations with a VPC link');
  if (responseTransferMode === 'STREAM') throw unsupported('streamed responses of REST APIs');
  switch (type) {
    case 'MOCK':
      checkMock(integration);
      return;
    case 'AWS_PROXY':
      if (!uri.includes('${stageVariables.')) functionOf(uri);
      return;
    case 'HTTP_PROXY':
      if (!/^https?:\/\//.test(uri) && !uri.startsWith('${')) {
        throw badRequest(`Invalid HTTP endpoint specified for URI`);
      }
      for (const [target, source] of Object.entries(requestParameters)) {
        const isPath = target.startsWith('integration.request.path.') && source.startsWith('method.request.path.');
        if (!isPath) throw unsupported(`the request parameter "${target}" of an integration`);
      }
      return;
    default:
      throw unsupported(`integrations of the type ${type}: use AWS_PROXY with a Lambda function, HTTP_PROXY or MOCK`);
  }
}

/** @throws RestJsonError BadRequestException */
export function checkAuthorizer({ type, authorizerUri = '' }: Authorizer): void {
  if (type === 'COGNITO_USER_POOLS') throw unsupported('authorizers of the type COGNITO_USER_POOLS');
  if (!authorizerUri.includes('${stageVariables.')) functionOf(authorizerUri);
}
