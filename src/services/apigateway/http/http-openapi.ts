/**
 * Turns an OpenAPI 3 document into the routes, integrations and authorizers of an HTTP API.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-open-api.html
 */
import { badRequest, createId } from '../publish.ts';
import {
  entriesOf,
  flagAt,
  isObject,
  type Json,
  type JsonObject,
  numberAt,
  type OpenApi,
  type OpenApiOperation,
  objectAt,
  readOpenApi,
  textAt,
  textsByName,
  textsOf,
} from '../read-openapi.ts';
import type { ApiRoute, Authorizer, Contents, HttpApi, Integration } from './http-api-store.ts';

export type ImportedApi = Contents & {
  readonly api: Pick<HttpApi, 'name' | 'description' | 'version' | 'corsConfiguration' | 'tags'>;
};

/** @throws RestJsonError BadRequestException */
export async function readHttpApi(body: string): Promise<ImportedApi> {
  const openApi = await readOpenApi(body);
  if (openApi.document.openapi === undefined) {
    throw badRequest('Invalid OpenAPI input: HTTP APIs are imported from OpenAPI 3.0.');
  }
  const { info } = openApi.document;
  const authorizers = new Map<string, Authorizer>();
  for (const [name, scheme] of Object.entries(openApi.schemes)) {
    const authorizer = authorizerOf(name, scheme);
    if (authorizer) authorizers.set(name, authorizer);
  }
  const integrations: Integration[] = [];
  const routes = openApi.operations.map((operation): ApiRoute => {
    const integration = integrationOf(operation, openApi);
    if (integration) integrations.push(integration);
    return {
      routeId: createId(7),
      routeKey: routeKeyOf(operation),
      operationName: textAt(operation.operation, 'operationId'),
      target: integration && `integrations/${integration.integrationId}`,
      ...authorizationOf(operation, openApi, authorizers),
    };
  });
  const api = {
    name: openApi.title,
    description: textAt(info, 'description'),
    version: textAt(info, 'version'),
    corsConfiguration: corsOf(objectAt(openApi.document, 'x-amazon-apigateway-cors')),
    tags: tagsOf(openApi.document.tags),
  };
  return { api, routes, integrations, authorizers: [...authorizers.values()] };
}

function routeKeyOf({ path, method, operation }: OpenApiOperation): string {
  return path === '/$default' || flagAt(operation, 'isDefaultRoute') ? '$default' : `${method} ${path}`;
}

function integrationOf({ operation, path, method }: OpenApiOperation, { document }: OpenApi): Integration | undefined {
  const given = objectAt(operation, 'x-amazon-apigateway-integration');
  if (given === undefined) return undefined;
  const shared = /^#\/components\/x-amazon-apigateway-integrations\/(.+)$/.exec(textAt(given, '$ref') ?? '')?.[1];
  const found =
    shared === undefined ? given : objectAt(objectAt(document.components, 'x-amazon-apigateway-integrations'), shared);
  if (found === undefined) throw badRequest(`Invalid OpenAPI input: the integration of ${method} ${path} is missing.`);
  return {
    integrationId: createId(7),
    integrationType: (textAt(found, 'type') ?? '').toUpperCase() as Integration['integrationType'],
    integrationSubtype: textAt(found, 'integrationSubtype') ?? textAt(found, 'subtype'),
    integrationUri: textAt(found, 'uri'),
    integrationMethod: textAt(found, 'httpMethod'),
    payloadFormatVersion: textAt(found, 'payloadFormatVersion') ?? '1.0',
    connectionType: (textAt(found, 'connectionType') ?? 'INTERNET') as NonNullable<Integration['connectionType']>,
    connectionId: textAt(found, 'connectionId'),
    credentialsArn: textAt(found, 'credentials'),
    timeoutInMillis: numberAt(found, 'timeoutInMillis') ?? 30_000,
    requestParameters: textMap(found, 'requestParameters'),
    responseParameters: objectAt(found, 'responseParameters') && { any: textsByName(found.responseParameters) },
  };
}

function textMap(value: JsonObject, name: string): Record<string, string> | undefined {
  const found = objectAt(value, name);
  return found && textsByName(found);
}

function authorizerOf(name: string, scheme: JsonObject): Authorizer | undefined {
  const given = objectAt(scheme, 'x-amazon-apigateway-authorizer');
  if (given === undefined) return undefined;
  const type = textAt(given, 'type')?.toLowerCase();
  const sources = given.identitySource ?? textAt(scheme, 'x-amazon-apigateway-identity-source');
  const identitySource =
    typeof sources === 'string' ? sources.split(',').map((source) => source.trim()) : textsOf(sources);
  const jwt = objectAt(given, 'jwtConfiguration');
  return {
    authorizerId: createId(6),
    name: textAt(given, 'name') ?? name,
    authorizerType: type === 'jwt' ? 'JWT' : 'REQUEST',
    identitySource,
    authorizerUri: textAt(given, 'authorizerUri'),
    authorizerCredentialsArn: textAt(given, 'authorizerCredentials'),
    authorizerPayloadFormatVersion: textAt(given, 'authorizerPayloadFormatVersion'),
    authorizerResultTtlInSeconds: numberAt(given, 'authorizerResultTtlInSeconds'),
    enableSimpleResponses: flagAt(given, 'enableSimpleResponses'),
    jwtConfiguration: jwt && { issuer: textAt(jwt, 'issuer'), audience: audienceOf(jwt.audience) },
  };
}

function audienceOf(audience: Json | undefined): readonly string[] {
  return typeof audience === 'string' ? [audience] : textsOf(audience);
}

function authorizationOf(
  { security }: OpenApiOperation,
  { schemes }: OpenApi,
  authorizers: ReadonlyMap<string, Authorizer>,
): Pick<ApiRoute, 'authorizationType' | 'authorizerId' | 'authorizationScopes'> {
  for (const { scheme, scopes } of security) {
    const authorizer = authorizers.get(scheme);
    if (authorizer !== undefined) {
      return {
        authorizationType: authorizer.authorizerType === 'JWT' ? 'JWT' : 'CUSTOM',
        authorizerId: authorizer.authorizerId,
        authorizationScopes: scopes.length > 0 ? scopes : undefined,
      };
    }
    if (/^awssigv4$/i.test(textAt(schemes[scheme], 'x-amazon-apigateway-authtype') ?? '')) {
      return { authorizationType: 'AWS_IAM' };
    }
  }
  return { authorizationType: 'NONE' };
}

function corsOf(cors: JsonObject | undefined): HttpApi['corsConfiguration'] {
  if (cors === undefined) return undefined;
  const lists = ['allowHeaders', 'allowMethods', 'allowOrigins', 'exposeHeaders'] as const;
  return {
    ...Object.fromEntries(lists.flatMap((name) => (cors[name] === undefined ? [] : [[name, audienceOf(cors[name])]]))),
    allowCredentials: flagAt(cors, 'allowCredentials'),
    maxAge: numberAt(cors, 'maxAge'),
  };
}

/** Tags of the document that have a value are tags of the API. */
function tagsOf(tags: Json | undefined): Record<string, string> | undefined {
  if (!Array.isArray(tags)) return undefined;
  const entries = (tags as readonly Json[]).flatMap((tag): [string, string][] => {
    const name = textAt(tag, 'name');
    const value = isObject(tag)
      ? entriesOf(tag).find(([key]) => key === 'x-amazon-apigateway-tag-value')?.[1]
      : undefined;
    return name !== undefined && typeof value === 'string' ? [[name, value]] : [];
  });
  return entries.length > 0 ? Object.fromEntries(entries) : undefined;
}
