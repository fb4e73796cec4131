/**
 * Edits the body of a REST API: methods with their integrations, CORS, models, gateway responses. Authorizers are in
 * `swagger-security.ts`, resource policies in `resource-policy.ts`. Keys are written in the translator's order, because the name of
 * the deployment depends on it.
 */
import type { Json, JsonObject } from '../../tree.ts';
import { isMap, member } from '../checks.ts';
import { InvalidTemplate } from '../errors.ts';
import { isTruthy, pythonStr } from '../python.ts';
import {
  ANY_METHOD,
  type ApiBody,
  addPath,
  apiBody,
  conditionalValue,
  contentsOf,
  definitionsOf,
  expectPathItem,
  hasIntegration,
  hasIntegrationIn,
  INTEGRATION,
  integrationOf,
  invalidBody,
  isOpenApi3,
  nameOf,
  normalMethod,
  refValue,
} from './body-paths.ts';
import {
  fromTemplate,
  isPythonMap,
  isTrue,
  own,
  ownMap,
  PythonMap,
  type PythonText,
  type PythonValue,
  plainMap,
  print,
  textOf,
} from './python27-values.ts';
import { callerArn } from './template-arns.ts';

const GATEWAY_RESPONSES = 'x-amazon-apigateway-gateway-responses';
const POLICY = 'x-amazon-apigateway-policy';
const REQUEST_VALIDATORS = 'x-amazon-apigateway-request-validators';

/** A body that is being edited. `closeSwagger` puts the parts back that stand beside `doc`. */
export interface SwaggerEdit {
  readonly body: ApiBody;
  readonly doc: PythonMap;
  readonly paths: PythonMap;
  securityDefinitions: PythonValue;
  gatewayResponses: PythonValue;
  readonly resourcePolicy: PythonMap;
  /** The statements of the policy as text, to find equal ones. */
  statements: Set<string> | undefined;
  definitions: PythonValue;
}

/** The least body that is valid. */
export function swaggerSkeleton(): PythonMap {
  return ownMap({
    swagger: own('2.0'),
    info: ownMap({ version: own('1.0'), title: refValue('AWS::StackName') }),
    paths: ownMap(),
  });
}

export function isSwagger(value: PythonValue | undefined): value is PythonMap {
  if (!isPythonMap(value) || !isPythonMap(value.get('paths'))) return false;
  if (isTrue(value.get('swagger'))) return true;
  return isTrue(value.get('openapi')) && isOpenApi3(print(value.get('openapi')));
}

/** @throws InvalidDocument if the body is not one of OpenAPI, or a path is not a map */
export function openSwagger(body: ApiBody | undefined): SwaggerEdit {
  if (body === undefined || !isSwagger(body.doc)) {
    throw invalidBody(
      "Invalid Swagger document or the Swagger document is not explicitly defined in 'DefinitionBody'.",
    );
  }
  const { doc } = body;
  doc.deepCopy();
  const paths = doc.get('paths') as PythonMap;
  if (!body.arePathsChecked) {
    for (const path of paths.keys()) {
      for (const item of contentsOf(paths.get(path))) expectPathItem(item, path);
    }
    body.arePathsChecked = true;
  }
  const part = (name: string): PythonValue => {
    const value = doc.get(name) ?? null;
    return isTrue(value) ? value : new PythonMap();
  };
  const policy = part(POLICY);
  return {
    body,
    doc,
    paths,
    securityDefinitions: part('securityDefinitions'),
    gatewayResponses: part(GATEWAY_RESPONSES),
    resourcePolicy: isPythonMap(policy) ? policy : new PythonMap(),
    statements: undefined,
    definitions: doc.has('definitions') ? (doc.get('definitions') as PythonValue) : new PythonMap(),
  };
}

export function closeSwagger(edit: SwaggerEdit): ApiBody {
  const { doc } = edit;
  if (isTrue(edit.securityDefinitions)) doc.set(own('securityDefinitions'), edit.securityDefinitions);
  if (isTrue(edit.gatewayResponses)) doc.set(own(GATEWAY_RESPONSES), edit.gatewayResponses);
  if (isTrue(edit.definitions)) doc.set(own('definitions'), edit.definitions);
  doc.deepCopy();
  return edit.body;
}

/** The policy becomes a part of the body. */
export function writePolicy(edit: SwaggerEdit): void {
  edit.doc.set(own(POLICY), edit.resourcePolicy);
}

/** How a method calls its function. */
export interface LambdaIntegration {
  readonly path: string;
  readonly method: string;
  readonly uri: PythonValue;
  readonly methodAuth: JsonObject;
  readonly apiAuth: JsonObject;
  readonly condition: string | undefined;
  readonly transferMode: Json | undefined;
  readonly partition: string;
}

export function addLambdaIntegration(edit: SwaggerEdit, integration: LambdaIntegration): void {
  const { path, method, uri, condition, methodAuth, apiAuth } = integration;
  const key = normalMethod(method);
  if (hasIntegration(edit.paths, path, nameOf(key))) {
    throw invalidBody(`Lambda integration already exists on Path=${path}, Method=${nameOf(key)}`);
  }
  addPath(edit.paths, path, method);
  const conditionalUri = condition ? conditionalValue(condition, uri) : uri;
  const usesIam =
    methodAuth.Authorizer === 'AWS_IAM' || (apiAuth.DefaultAuthorizer === 'AWS_IAM' && !isTruthy(methodAuth));
  const credentials = usesIam ? integrationCredentials(integration) : undefined;
  eachBranch(edit, path, key, condition, (definition) => {
    const written = ownMap({ type: own('aws_proxy'), httpMethod: own('POST'), uri: conditionalUri });
    definition.set(own(INTEGRATION), written);
    if (integration.transferMode === 'RESPONSE_STREAM') written.set(own('responseTransferMode'), own('STREAM'));
    if (credentials !== undefined) written.set(own('credentials'), credentials);
    definition.setDefault(own('responses'), new PythonMap());
  });
}

/** The role of the method, else that of the API; the caller's if there is none. `NONE` is no role. */
function integrationCredentials({ methodAuth, apiAuth, partition }: LambdaIntegration): PythonValue | undefined {
  const roleIn = (auth: JsonObject): Json | undefined => {
    const role = member(auth, 'InvokeRole');
    return !isTruthy(role) && Object.hasOwn(auth, 'InvokeRole') ? 'NONE' : role;
  };
  const methodRole = roleIn(methodAuth);
  const role = isTruthy(methodRole) ? methodRole : roleIn(apiAuth);
  if (role === 'NONE') return undefined;
  if (role === undefined || !isTruthy(role) || role === 'CALLER_CREDENTIALS') {
    return own(callerArn(partition));
  }
  return fromTemplate(role);
}

/** How a method starts a state machine. */
export interface StateMachineIntegration {
  readonly path: string;
  readonly method: string;
  readonly uri: PythonValue;
  readonly credentials: PythonValue;
  readonly requestTemplates: PythonValue;
  readonly condition: string | undefined;
}

export function addStateMachineIntegration(edit: SwaggerEdit, integration: StateMachineIntegration): void {
  const { path, method, uri, condition } = integration;
  const key = normalMethod(method);
  if (hasIntegration(edit.paths, path, nameOf(key))) {
    throw invalidBody(`Integration already exists on Path=${path}, Method=${nameOf(key)}`);
  }
  addPath(edit.paths, path, method);
  const conditionalUri = condition ? conditionalValue(condition, uri) : uri;
  eachBranch(edit, path, key, condition, (definition) => {
    const statuses = (name: string, ok: string, bad: string) =>
      ownMap({ '200': ownMap({ [name]: own(ok) }), '400': ownMap({ [name]: own(bad) }) });
    const written = ownMap({
      type: own('aws'),
      httpMethod: own('POST'),
      uri: conditionalUri,
      responses: statuses('statusCode', '200', '400'),
      credentials: integration.credentials,
    });
    definition.set(own(INTEGRATION), written);
    definition.setDefault(own('responses'), statuses('description', 'OK', 'Bad Request'));
    written.update(plainMap({ requestTemplates: integration.requestTemplates }));
  });
}

/** Writes the method in each branch of the path, and puts it under the condition. */
function eachBranch(
  edit: SwaggerEdit,
  path: string,
  key: string | PythonText,
  condition: string | undefined,
  write: (definition: PythonMap) => void,
): void {
  for (const branch of contentsOf(edit.paths.get(path))) {
    const item = expectPathItem(branch, path);
    const definition = item.get(nameOf(key));
    if (!isPythonMap(definition)) {
      throw invalidBody(`Definition of method '${nameOf(key)}' for path '${path}' should be a map.`);
    }
    write(definition);
    if (condition) item.set(key, conditionalValue(condition, definition));
  }
}

const NOT_METHODS = ['summary', 'description', 'parameters'];

/** All methods of a path that have an integration. */
export function methodsOf(edit: SwaggerEdit, path: string): { method: string; definition: PythonMap }[] {
  const found: { method: string; definition: PythonMap }[] = [];
  for (const branch of contentsOf(edit.paths.get(path))) {
    for (const [name, method] of expectPathItem(branch, path).entries()) {
      if (NOT_METHODS.includes(name)) continue;
      for (const definition of contentsOf(method)) {
        if (!isPythonMap(definition)) {
          throw invalidBody(`Definition of method '${name}' for path '${path}' should be a map.`);
        }
        if (hasIntegrationIn(definition)) found.push({ method: nameOf(normalMethod(name)), definition });
      }
    }
  }
  return found;
}

/** Values of the headers of a preflight response, in API Gateway's quotes. */
export interface CorsHeaders {
  readonly origin: PythonValue;
  readonly headers: PythonValue;
  readonly methods: PythonValue;
  readonly maxAge: PythonValue;
  readonly areCredentialsAllowed: boolean;
}

/** Adds an `OPTIONS` method that answers preflight requests. @throws InvalidTemplate without an origin */
export function addCors(edit: SwaggerEdit, path: string, cors: CorsHeaders): void {
  let { methods } = cors;
  for (const branch of contentsOf(edit.paths.get(path))) {
    const item = expectPathItem(branch, path);
    if (item.has('options')) continue;
    if (!isTrue(cors.origin)) throw new InvalidTemplate('Invalid input. Value for AllowedOrigins is required');
    // The first branch without OPTIONS decides for all branches, as in AWS's translator.
    if (!isTrue(methods)) methods = own(`'${allowedMethods(item)}'`);
    item.set(own('options'), preflight({ ...cors, methods }));
  }
}

function allowedMethods(item: PythonMap): string {
  const methods = item.has(ANY_METHOD)
    ? ['OPTIONS', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH']
    : [...item.keys(), 'options'].map((method) => method.toUpperCase());
  return [...new Set(methods)].sort().join(',');
}

function preflight({ origin, headers, methods, maxAge, areCredentialsAllowed }: CorsHeaders): PythonMap {
  const values = ownMap();
  const types = ownMap();
  const add = (name: string, value: PythonValue, type: string) => {
    values.set(own(`method.response.header.${name}`), value);
    types.set(own(name), plainMap({ type: own(type) }));
  };
  add('Access-Control-Allow-Origin', origin, 'string');
  if (isTrue(headers)) add('Access-Control-Allow-Headers', headers, 'string');
  if (isTrue(methods)) add('Access-Control-Allow-Methods', methods, 'string');
  if (maxAge !== null) add('Access-Control-Max-Age', maxAge, 'integer');
  if (areCredentialsAllowed) add('Access-Control-Allow-Credentials', own("'true'"), 'string');
  return ownMap({
    summary: own('CORS support'),
    consumes: [own('application/json')],
    produces: [own('application/json')],
    [INTEGRATION]: ownMap({
      type: own('mock'),
      requestTemplates: plainMap({ 'application/json': own('{\n  "statusCode" : 200\n}\n') }),
      responses: ownMap({
        default: ownMap({
          statusCode: own('200'),
          responseParameters: values,
          responseTemplates: plainMap({ 'application/json': own('{}\n') }),
        }),
      }),
    }),
    responses: ownMap({
      '200': ownMap({ description: own('Default response for CORS method'), headers: types }),
    }),
  });
}

/** `image~1png` is `image/png`, as in a JSON pointer. */
export function addBinaryMediaTypes(edit: SwaggerEdit, types: PythonValue): void {
  const replaced = (value: PythonValue): PythonValue => {
    if (Array.isArray(value)) return value.map(replaced);
    if (isPythonMap(value)) {
      const map = new PythonMap();
      for (const [key, item] of value.entries()) map.set(key.replaceAll('~1', '/'), replaced(item));
      return map;
    }
    return textOf(value)?.replaceAll('~1', '/') ?? value;
  };
  edit.doc.set(own('x-amazon-apigateway-binary-media-types'), replaced(types));
}

/** In OpenAPI 3 the setting stands in each server, in Swagger 2 at the top. */
export function setExecuteApiEndpoint(edit: SwaggerEdit, isDisabled: PythonValue): void {
  const set = (holder: PythonValue, problem: string) => {
    if (!isPythonMap(holder)) throw invalidBody(`${problem}: It should be a map.`);
    const name = 'x-amazon-apigateway-endpoint-configuration';
    const settings = holder.setDefault(own(name), plainMap({}));
    if (!isPythonMap(settings)) throw invalidBody(`${problem}: The value of '${name}' should be a map.`);
    settings.set(own('disableExecuteApiEndpoint'), isDisabled);
  };
  const { doc } = edit;
  if (!isTrue(doc.get('openapi')) || !isOpenApi3(print(doc.get('openapi')))) {
    set(doc, 'Invalid OpenAPI definition');
    return;
  }
  const servers = doc.has('servers') ? doc.get('servers') : [new PythonMap()];
  const list = Array.isArray(servers) ? servers : [];
  for (const [at, server] of list.entries()) set(server, `Invalid OpenAPI definition of 'servers[${at}]'`);
  doc.set(own('servers'), servers as PythonValue);
}

export function addGatewayResponses(edit: SwaggerEdit, responses: Iterable<readonly [string, PythonMap]>): void {
  const written = isPythonMap(edit.gatewayResponses) ? edit.gatewayResponses : new PythonMap();
  for (const [type, response] of responses) written.set(type, response);
  edit.gatewayResponses = written;
}

/** @throws InvalidDocument if a model has no type */
export function addModels(edit: SwaggerEdit, models: Iterable<readonly [string, PythonMap]>): void {
  const definitions = isPythonMap(edit.definitions) ? edit.definitions : new PythonMap();
  edit.definitions = definitions;
  for (const [name, schema] of models) {
    if (!isTrue(schema.get('type'))) throw invalidBody("'Models' schema is missing 'type'.");
    definitions.set(name.toLowerCase(), schema);
  }
}

/** The body of requests must have the form of the model. */
export function addRequestModel(edit: SwaggerEdit, path: string, method: string, model: JsonObject): void {
  const name = pythonStr(member(model, 'Model')).toLowerCase();
  const isRequired = member(model, 'Required') ?? null;
  const { doc } = edit;
  for (const definition of definitionsOf(edit.paths, path, method)) {
    if ((doc.get('swagger') ?? null) !== null) {
      const parameter = ownMap({
        in: own('body'),
        name,
        schema: plainMap({ $ref: own(`#/definitions/${name}`) }),
      });
      if (isRequired !== null) parameter.set(own('required'), fromTemplate(isRequired));
      definition.set(own('parameters'), [...parametersOf(definition), parameter]);
    } else if (isTrue(doc.get('openapi')) && isOpenApi3(print(doc.get('openapi')))) {
      const schema = plainMap({ $ref: own(`#/components/schemas/${name}`) });
      const body = plainMap({ content: plainMap({ 'application/json': plainMap({ schema }) }) });
      if (isRequired !== null) body.set(own('required'), fromTemplate(isRequired));
      definition.set(own('requestBody'), body);
    }
  }
}

function parametersOf(definition: PythonMap): PythonValue[] {
  const parameters = definition.get('parameters');
  return Array.isArray(parameters) ? parameters : [];
}

export function addRequestValidator(
  edit: SwaggerEdit,
  path: string,
  method: string,
  validates: { readonly body: boolean; readonly parameters: boolean },
): void {
  const name = validatorName(validates);
  const { doc } = edit;
  if (!isTrue(doc.get(REQUEST_VALIDATORS))) doc.set(own(REQUEST_VALIDATORS), new PythonMap());
  const validators = doc.get(REQUEST_VALIDATORS);
  if (isPythonMap(validators) && !isTrue(validators.get(name))) {
    const validator = ownMap({
      validateRequestBody: validates.body,
      validateRequestParameters: validates.parameters,
    });
    validators.update(ownMap({ [name]: validator }));
  }
  for (const definition of definitionsOf(edit.paths, path, method)) {
    definition.update(ownMap({ 'x-amazon-apigateway-request-validator': own(name) }));
  }
}

function validatorName({ body, parameters }: { readonly body: boolean; readonly parameters: boolean }): string {
  if (body) return parameters ? 'body-and-params' : 'body-only';
  return parameters ? 'params-only' : 'no-validation';
}

/** A header, a query parameter or a part of the path, as an event names it: `method.request.header.Authorization`. */
export interface RequestParameter {
  readonly name: string;
  readonly isRequired: Json;
  readonly isCached: Json;
}

export function addRequestParameters(
  edit: SwaggerEdit,
  path: string,
  method: string,
  requestParameters: readonly RequestParameter[],
): void {
  for (const definition of definitionsOf(edit.paths, path, method)) {
    const parameters = [...parametersOf(definition)];
    for (const { name, isRequired, isCached } of requestParameters) {
      const place = name.replaceAll('method.request.', '');
      const dot = place.indexOf('.');
      const location = place.slice(0, dot);
      parameters.push(
        ownMap({
          in: location === 'querystring' ? own('query') : location,
          name: place.slice(dot + 1),
          required: fromTemplate(isRequired),
          type: own('string'),
        }),
      );
      if (!isTruthy(isCached)) continue;
      const integration = integrationOf(definition);
      const keys = integration.get('cacheKeyParameters');
      integration.set(own('cacheKeyParameters'), [...(Array.isArray(keys) ? keys : []), name]);
    }
    definition.set(own('parameters'), parameters);
  }
}

/** The body of the API of a template: what stands in `DefinitionBody`. */
export function swaggerBody(definition: Json | undefined): ApiBody | undefined {
  if (!isMap(definition)) return undefined;
  const doc = fromTemplate(definition);
  return isPythonMap(doc) ? apiBody(doc) : undefined;
}
