/**
 * Turns a Swagger 2 or OpenAPI 3 document into the resources, methods and authorizers of a REST API.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-import-api.html
 */
import { createId } from '../publish.ts';
import {
  entriesOf,
  flagAt,
  type JsonObject,
  numberAt,
  type OpenApi,
  type OpenApiOperation,
  objectAt,
  readOpenApi,
  recordOf,
  textAt,
  textsByName,
  textsOf,
} from '../read-openapi.ts';
import type {
  Authorizer,
  Integration,
  IntegrationResponse,
  Method,
  MethodResponse,
  RestApi,
  StoredResponse,
} from './rest-api-store.ts';

export type ImportedRestApi = {
  readonly api: Partial<RestApi>;
  readonly authorizers: readonly Authorizer[];
  /** The methods by path and by HTTP method. A path can have none. */
  readonly paths: ReadonlyMap<string, Readonly<Record<string, Method>>>;
  readonly models: readonly { readonly name: string; readonly schema: string }[];
  readonly gatewayResponses: readonly StoredResponse[];
};

/** @throws RestJsonError BadRequestException */
export async function readRestApi(body: string): Promise<ImportedRestApi> {
  const openApi = await readOpenApi(body);
  const { document } = openApi;
  const authorizers = new Map<string, Authorizer>();
  for (const [name, scheme] of Object.entries(openApi.schemes)) {
    const authorizer = authorizerOf(name, scheme);
    if (authorizer) authorizers.set(name, authorizer);
  }
  const paths = new Map<string, Record<string, Method>>(entriesOf(document.paths).map(([path]) => [path, {}]));
  for (const operation of openApi.operations) {
    const methods = paths.get(operation.path);
    if (methods) methods[operation.method] = methodOf(operation, openApi, authorizers);
  }
  const definitions = { ...recordOf(document.definitions), ...recordOf(objectAt(document.components, 'schemas')) };
  const endpoint = objectAt(document, 'x-amazon-apigateway-endpoint-configuration');
  const policy = objectAt(document, 'x-amazon-apigateway-policy');
  const binaryMediaTypes = document['x-amazon-apigateway-binary-media-types'];
  const api = {
    name: openApi.title,
    description: textAt(document.info, 'description'),
    version: textAt(document.info, 'version'),
    binaryMediaTypes: binaryMediaTypes === undefined ? undefined : textsOf(binaryMediaTypes),
    minimumCompressionSize: numberAt(document, 'x-amazon-apigateway-minimum-compression-size'),
    disableExecuteApiEndpoint: flagAt(endpoint, 'disableExecuteApiEndpoint'),
    policy: policy && JSON.stringify(policy),
  };
  const gatewayResponses = Object.entries(recordOf(document['x-amazon-apigateway-gateway-responses']));
  return {
    api,
    authorizers: [...authorizers.values()],
    paths,
    models: Object.entries(definitions).map(([name, schema]) => ({ name, schema: JSON.stringify(schema) })),
    gatewayResponses: gatewayResponses.map(([responseType, response]) => ({
      responseType,
      statusCode: response.statusCode === undefined ? undefined : String(response.statusCode),
      responseParameters: textMap(response.responseParameters),
      responseTemplates: textMap(response.responseTemplates),
    })),
  };
}

function textMap(value: unknown): Record<string, string> | undefined {
  if (value === undefined || value === null) return undefined;
  return Object.fromEntries(Object.entries(value).map(([name, text]) => [name, String(text)]));
}

function methodOf(
  { method, operation, security }: OpenApiOperation,
  { schemes }: OpenApi,
  authorizers: ReadonlyMap<string, Authorizer>,
): Method {
  const integration = objectAt(operation, 'x-amazon-apigateway-integration');
  const responses = recordOf(operation.responses);
  const isKey = (scheme: JsonObject | undefined) => textAt(scheme, 'name')?.toLowerCase() === 'x-api-key';
  const found = security.find(({ scheme }) => authorizers.has(scheme));
  const isSigned = security.some(({ scheme }) =>
    /^awssigv4$/i.test(textAt(schemes[scheme], 'x-amazon-apigateway-authtype') ?? ''),
  );
  return {
    httpMethod: method,
    operationName: textAt(operation, 'operationId'),
    apiKeyRequired: security.some(({ scheme }) => !authorizers.has(scheme) && isKey(schemes[scheme])),
    authorizationType: found ? 'CUSTOM' : isSigned ? 'AWS_IAM' : 'NONE',
    authorizerId: found && authorizers.get(found.scheme)?.id,
    authorizationScopes: found && found.scopes.length > 0 ? found.scopes : undefined,
    methodResponses: Object.fromEntries(
      Object.keys(responses).map((statusCode): [string, MethodResponse] => [statusCode, { statusCode }]),
    ),
    methodIntegration: integration && integrationOf(integration),
  };
}

function integrationOf(given: JsonObject): Integration {
  const templates = objectAt(given, 'requestTemplates');
  const parameters = objectAt(given, 'requestParameters');
  const responses = Object.entries(recordOf(given.responses)).map(
    ([pattern, response]): [string, IntegrationResponse] => {
      const statusCode = textAt(response, 'statusCode') ?? (/^\d{3}$/.test(pattern) ? pattern : '200');
      return [
        pattern,
        {
          statusCode,
          selectionPattern: pattern === 'default' ? undefined : pattern,
          responseParameters: textsByName(response.responseParameters),
          responseTemplates: textsByName(response.responseTemplates),
        },
      ];
    },
  );
  return {
    type: (textAt(given, 'type') ?? '').toUpperCase() as Integration['type'],
    httpMethod: textAt(given, 'httpMethod'),
    uri: textAt(given, 'uri'),
    credentials: textAt(given, 'credentials'),
    connectionType: textAt(given, 'connectionType') as Integration['connectionType'],
    connectionId: textAt(given, 'connectionId'),
    passthroughBehavior: (textAt(given, 'passthroughBehavior') ?? 'when_no_match').toUpperCase(),
    timeoutInMillis: numberAt(given, 'timeoutInMillis') ?? 29_000,
    requestTemplates: templates && textsByName(templates),
    requestParameters: parameters && textsByName(parameters),
    integrationResponses: responses.length > 0 ? Object.fromEntries(responses) : undefined,
  };
}

function authorizerOf(name: string, scheme: JsonObject): Authorizer | undefined {
  const given = objectAt(scheme, 'x-amazon-apigateway-authorizer');
  if (given === undefined) return undefined;
  const type = (textAt(given, 'type') ?? '').toUpperCase() as Authorizer['type'];
  const header = textAt(scheme, 'name');
  return {
    id: createId(6),
    name,
    type,
    authType: textAt(scheme, 'x-amazon-apigateway-authtype'),
    authorizerUri: textAt(given, 'authorizerUri'),
    authorizerCredentials: textAt(given, 'authorizerCredentials'),
    identityValidationExpression: textAt(given, 'identityValidationExpression'),
    authorizerResultTtlInSeconds: numberAt(given, 'authorizerResultTtlInSeconds'),
    providerARNs: given.providerARNs === undefined ? undefined : textsOf(given.providerARNs),
    identitySource:
      textAt(given, 'identitySource') ??
      (type === 'TOKEN' && header !== undefined ? `method.request.header.${header}` : undefined),
  };
}
