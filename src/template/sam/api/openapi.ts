/** Edits the body of an HTTP API: methods with their integrations, authorizers, CORS, tags, title and description. */
import type { Json } from '../../tree.ts';
import { isMap } from '../checks.ts';
import { isTruthy, pythonStr } from '../python.ts';
import {
  ANY_METHOD,
  type ApiBody,
  addPath,
  conditionalValue,
  contentsOf,
  definitionsOf,
  expectMethod,
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
  securityOf,
} from './body-paths.ts';
import {
  fromTemplate,
  isPythonMap,
  isTrue,
  own,
  ownMap,
  PythonMap,
  type PythonValue,
  plainMap,
  print,
  textOf,
  toTemplate,
} from './python27-values.ts';

const CORS = 'x-amazon-apigateway-cors';
const TAG_VALUE = 'x-amazon-apigateway-tag-value';

/** The path of all requests that no other path takes. */
export const DEFAULT_PATH = '$default';

/** A body that is being edited. `closeOpenApi` puts the parts back that stand beside `doc`. */
export interface OpenApiEdit {
  readonly body: ApiBody;
  readonly doc: PythonMap;
  readonly paths: PythonMap;
  readonly securitySchemes: PythonMap;
  tags: PythonValue;
  readonly info: PythonMap;
}

/** The least body that is valid. */
export function openApiSkeleton(): PythonMap {
  return ownMap({
    openapi: own('3.0.1'),
    info: ownMap({ version: own('1.0'), title: refValue('AWS::StackName') }),
    paths: ownMap(),
  });
}

export function isOpenApi(value: PythonValue | undefined): value is PythonMap {
  if (!isPythonMap(value) || !isPythonMap(value.get('paths'))) return false;
  return isTrue(value.get('openapi')) && isOpenApi3(print(value.get('openapi')));
}

/** @throws InvalidDocument if the body is not one of OpenAPI 3 */
export function openOpenApi(body: ApiBody | undefined): OpenApiEdit {
  if (body === undefined || !isOpenApi(body.doc)) {
    throw invalidBody(
      "Invalid OpenApi document. Invalid values or missing keys for 'openapi' or 'paths' in 'DefinitionBody'.",
    );
  }
  const { doc } = body;
  const components = doc.get('components') ?? null;
  if (components !== null && !isPythonMap(components)) {
    throw invalidBody("Invalid OpenApi document: The value of 'components' should be a map");
  }
  const schemes = components?.get('securitySchemes');
  const info = doc.get('info');
  const tags = doc.get('tags') ?? null;
  return {
    body,
    doc,
    paths: doc.get('paths') as PythonMap,
    securitySchemes: isPythonMap(schemes) ? schemes : new PythonMap(),
    tags: isTrue(tags) ? tags : [],
    info: isPythonMap(info) ? info : new PythonMap(),
  };
}

export function closeOpenApi(edit: OpenApiEdit): ApiBody {
  const { doc } = edit;
  if (isTrue(edit.tags)) doc.set(own('tags'), edit.tags);
  if (edit.securitySchemes.size > 0) {
    if (!isTrue(doc.get('components'))) doc.set(own('components'), new PythonMap());
    (doc.get('components') as PythonMap).set(own('securitySchemes'), edit.securitySchemes);
  }
  if (edit.info.size > 0) doc.set(own('info'), edit.info);
  return edit.body;
}

/** Whether all requests without a path of their own go to the function. */
export function isDefaultFunction(edit: OpenApiEdit, logicalId: string): boolean {
  if (!hasIntegration(edit.paths, DEFAULT_PATH, ANY_METHOD)) return false;
  return definitionsOf(edit.paths, DEFAULT_PATH, ANY_METHOD, true).every((definition) => {
    const integration = definition.has(INTEGRATION) ? integrationOf(definition) : new PythonMap();
    const uri = integration.get('uri');
    if (!isPythonMap(uri)) return false;
    return contentsOf(uri).every(
      (content) => isPythonMap(content) && functionIn(textOf(content.get('Fn::Sub')) ?? '') === logicalId,
    );
  });
}

/** The `F` of the first `F.Arn`. */
function functionIn(text: string): string | undefined {
  for (let at = text.indexOf('.Arn'); at >= 0; at = text.indexOf('.Arn', at + 1)) {
    let start = at;
    while (start > 0 && /[A-Za-z0-9]/.test(text.charAt(start - 1))) start -= 1;
    if (start < at) return text.slice(start, at);
  }
  return undefined;
}

/** Adds the integration unless the body has one for the method. A default route is one that the translator named. */
export function addHttpIntegration(
  edit: OpenApiEdit,
  path: string,
  method: string,
  uri: PythonValue,
  condition: string | undefined,
  isDefaultRoute: boolean,
): void {
  const key = isDefaultRoute ? own(method) : normalMethod(method);
  const name = nameOf(key);
  if (hasIntegration(edit.paths, path, name)) return;
  addPath(edit.paths, isDefaultRoute ? own(path) : path, key);
  for (const branch of contentsOf(edit.paths.get(path))) {
    const item = expectPathItem(branch, path);
    if ((item.get(name) ?? null) === null) item.set(key, new PythonMap());
    const definition = expectMethod(item.get(name), path, name);
    definition.set(
      own(INTEGRATION),
      ownMap({
        type: own('aws_proxy'),
        httpMethod: own('POST'),
        payloadFormatVersion: own('2.0'),
        uri: condition ? conditionalValue(condition, uri) : uri,
      }),
    );
    if (path === DEFAULT_PATH && name === ANY_METHOD) definition.set(own('isDefaultRoute'), true);
    definition.setDefault(own('responses'), new PythonMap());
    if (condition) item.set(key, conditionalValue(condition, definition));
  }
}

/** Declares the `{name}` parts of a path. */
export function addPathParameters(edit: OpenApiEdit, path: string, method: string, names: readonly string[]): void {
  for (const definition of definitionsOf(edit.paths, path, method)) {
    const present = definition.get('parameters');
    const parameters = Array.isArray(present) ? present : [];
    const known = byName(parameters);
    for (const name of names) {
      const existing = known.get(name) ?? ownMap({ name });
      if (!known.has(name)) parameters.push(existing);
      known.set(name, existing);
      existing.set(own('in'), own('path'));
      existing.set(own('required'), true);
    }
    definition.set(own('parameters'), parameters);
  }
}

/** The first of the maps with each `name`. */
function byName(list: readonly PythonValue[]): Map<string, PythonMap> {
  const found = new Map<string, PythonMap>();
  for (const item of list) {
    const name = isPythonMap(item) ? textOf(item.get('name')) : undefined;
    if (name !== undefined && isPythonMap(item) && !found.has(name)) found.set(name, item);
  }
  return found;
}

export function setPayloadFormatVersion(edit: OpenApiEdit, path: string, method: string, version: PythonValue): void {
  for (const definition of definitionsOf(edit.paths, path, method)) {
    integrationOf(definition).set(own('payloadFormatVersion'), version);
  }
}

export function addSecuritySchemes(edit: OpenApiEdit, schemes: Iterable<readonly [string, PythonValue]>): void {
  for (const [name, scheme] of schemes) edit.securitySchemes.set(name, scheme);
}

/** Every method but OPTIONS that names no authorizer gets the default one. */
export function setDefaultHttpAuthorizer(edit: OpenApiEdit, path: string, name: string, scopes: PythonValue): void {
  for (const branch of contentsOf(edit.paths.get(path))) {
    const item = expectPathItem(branch, path);
    for (const [methodName, method] of item.entries()) {
      const normal = nameOf(normalMethod(methodName));
      if (normal === 'parameters' || normal === 'options') continue;
      if (!item.has(normal)) throw invalidBody(`Could not find ${normal} in ${path} within DefinitionBody.`);
      for (const content of contentsOf(method)) {
        const definition = expectMethod(content, path, methodName);
        if (!hasIntegrationIn(definition) || isTrue(definition.get('security'))) continue;
        definition.set(own('security'), [securityEntry(name, scopes)]);
      }
    }
  }
}

function securityEntry(name: string, scopes: PythonValue): PythonMap {
  const entry = new PythonMap('insertion');
  entry.set(name, scopes);
  return entry;
}

/** Puts an authorizer before a method. `NONE` and `AWS_IAM` have no scopes. */
export function addHttpMethodAuthorizer(
  edit: OpenApiEdit,
  path: string,
  method: string,
  name: string,
  authorizers: Json | undefined,
  methodScopes: Json | undefined,
): void {
  for (const definition of definitionsOf(edit.paths, path, method)) {
    let scopes: PythonValue = [];
    if (name !== 'NONE' && name !== 'AWS_IAM') {
      const authorizer = isMap(authorizers) && Object.hasOwn(authorizers, name) ? authorizers[name] : {};
      if (!isMap(authorizer)) throw invalidBody(`Type of authorizer '${name}' must be a dictionary`);
      const found = isTruthy(methodScopes) ? methodScopes : authorizer.AuthorizationScopes;
      if (isTruthy(authorizer) && found !== undefined && isTruthy(found)) scopes = fromTemplate(found);
    }
    const existing = securityOf(definition, path, method);
    definition.set(own('security'), [...existing, securityEntry(name, scopes)]);
  }
}

/** Tags of the API, as API Gateway reads them from the body. */
export function addTags(edit: OpenApiEdit, tags: Iterable<readonly [string, PythonValue]>): void {
  const list = edit.tags;
  if (!Array.isArray(list)) {
    const shown = `${pythonStr(toTemplate(list))} is a ${isPythonMap(list) ? 'dict' : 'str'} not a list.`;
    throw invalidBody(`Tags in OpenApi DefinitionBody needs to be a list. ${shown}`);
  }
  const known = byName(list);
  for (const [name, value] of tags) {
    const tag = known.get(name) ?? ownMap({ name });
    if (!known.has(name)) list.push(tag);
    known.set(name, tag);
    tag.set(own(TAG_VALUE), value);
  }
}

/** In each server of the body. */
export function setHttpExecuteApiEndpoint(edit: OpenApiEdit, isDisabled: PythonValue): void {
  const servers = edit.doc.has('servers') ? edit.doc.get('servers') : [new PythonMap()];
  for (const server of Array.isArray(servers) ? servers : []) {
    if (!isPythonMap(server)) {
      throw invalidBody("Value of 'servers' item must be a dictionary according to Swagger spec.");
    }
    const name = 'x-amazon-apigateway-endpoint-configuration';
    const settings = server.get(name);
    const written = isPythonMap(settings) ? settings : plainMap({});
    written.set(own('disableExecuteApiEndpoint'), isDisabled);
    server.set(own(name), written);
  }
  edit.doc.set(own('servers'), servers as PythonValue);
}

const CORS_KEYS = ['allowOrigins', 'allowHeaders', 'allowMethods', 'exposeHeaders', 'maxAge', 'allowCredentials'];

/** `CorsConfiguration` of a template. */
export interface HttpCors {
  readonly AllowOrigins: Json;
  readonly AllowHeaders: Json;
  readonly AllowMethods: Json;
  readonly ExposeHeaders: Json;
  readonly MaxAge: Json;
  readonly AllowCredentials: Json;
}

export function setHttpCors(edit: OpenApiEdit, cors: HttpCors): void {
  const present = edit.doc.has(CORS) ? edit.doc.get(CORS) : plainMap({});
  if (!isPythonMap(present)) {
    throw invalidBody(`Value of '${CORS}' must be a dictionary according to Swagger spec.`);
  }
  const { AllowOrigins: origins } = cors;
  if (isMap(origins) && isFunction(origins)) {
    present.update(fromTemplate(lowerCorsKeys(origins)) as PythonMap);
  } else {
    for (const key of CORS_KEYS) {
      const value = cors[(key.charAt(0).toUpperCase() + key.slice(1)) as keyof HttpCors];
      const isSet = key === 'maxAge' ? value !== null : key === 'allowCredentials' ? value === true : isTruthy(value);
      if (isSet) present.set(own(key), fromTemplate(value));
    }
  }
  edit.doc.set(own(CORS), present);
}

function isFunction(map: { readonly [key: string]: Json }): boolean {
  const keys = Object.keys(map);
  return keys.length === 1 && /^(Ref$|Condition$|Fn::)/.test(keys[0] ?? '');
}

/** A configuration inside of an intrinsic function, with OpenAPI's keys. AWS's translator replaces the words in all texts. */
function lowerCorsKeys(value: Json): Json {
  if (typeof value === 'string') return lowered(value);
  if (Array.isArray(value)) return value.map(lowerCorsKeys);
  if (!isMap(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [lowered(key), lowerCorsKeys(item)]));
}

function lowered(text: string): string {
  return CORS_KEYS.reduce((result, key) => result.replaceAll(key.charAt(0).toUpperCase() + key.slice(1), key), text);
}

export function setDescription(edit: OpenApiEdit, description: PythonValue): void {
  if (!isTrue(edit.info.get('description'))) edit.info.set(own('description'), description);
}

export function setTitle(edit: OpenApiEdit, title: PythonValue): void {
  if (isDefaultTitle(edit.info.get('title'))) edit.info.set(own('title'), title);
}

/** `!Ref AWS::StackName`, the title of `openApiSkeleton`. */
export function isDefaultTitle(title: PythonValue | undefined): boolean {
  return isPythonMap(title) && title.size === 1 && textOf(title.get('Ref')) === 'AWS::StackName';
}

/** The path as a pattern for permissions: `/users/{id}` is `/users/*`. */
export function withoutHttpParameters(path: string): string {
  return path.replace(/\{([a-zA-Z0-9._-]+|proxy\+)\}/g, '*');
}

/** The body as JSON, for the template. */
export const renderBody = (body: ApiBody): Json => toTemplate(body.doc);
