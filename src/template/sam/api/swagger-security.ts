/** Authorizers and API keys in the body of a REST API: their definitions, and the `security` of each method. */
import type { Json, JsonObject } from '../../tree.ts';
import { isMap, member } from '../checks.ts';
import { InvalidTemplate } from '../errors.ts';
import { isTruthy, pythonStr } from '../python.ts';
import { definitionsOf, expectPythonMap, invalidBody, securityOf } from './body-paths.ts';
import {
  areEqual,
  fromTemplate,
  isPythonMap,
  isTrue,
  own,
  ownMap,
  PythonMap,
  type PythonValue,
  toTemplate,
} from './python27-values.ts';
import { methodsOf, type SwaggerEdit } from './swagger.ts';

/** An authorizer of an API by its name. */
export interface NamedAuthorizer {
  readonly name: string;
  readonly scopes: PythonValue;
  readonly definition: () => PythonMap;
}

/** @throws InvalidTemplate if the body's own `securityDefinitions` are not a map */
export function addAuthorizers(edit: SwaggerEdit, authorizers: readonly NamedAuthorizer[]): void {
  const definitions = securityDefinitionsOf(edit);
  for (const { name, definition } of authorizers) definitions.set(name, definition());
}

export function addApiKeyDefinition(edit: SwaggerEdit): void {
  const definition = ownMap({ type: own('apiKey'), name: own('x-api-key'), in: own('header') });
  addDefinition(edit, 'api_key', definition);
}

function addIamDefinition(edit: SwaggerEdit): void {
  const definition = ownMap({
    'x-amazon-apigateway-authtype': own('awsSigv4'),
    type: own('apiKey'),
    name: own('Authorization'),
    in: own('header'),
  });
  addDefinition(edit, 'AWS_IAM', definition);
}

function addDefinition(edit: SwaggerEdit, name: string, definition: PythonMap): void {
  const definitions = securityDefinitionsOf(edit);
  if (!definitions.has(name)) definitions.update(ownMap({ [name]: definition }));
}

function securityDefinitionsOf(edit: SwaggerEdit): PythonMap {
  if (!isTrue(edit.securityDefinitions)) edit.securityDefinitions = new PythonMap();
  const definitions = edit.securityDefinitions;
  if (!isPythonMap(definitions)) throw new InvalidTemplate('securityDefinitions must be a dictionary.');
  return definitions;
}

/** Every method that names no authorizer gets the default one. `NONE` at a method stands for none. */
export function setDefaultAuthorizer(
  edit: SwaggerEdit,
  path: string,
  defaultAuthorizer: string,
  authorizers: readonly NamedAuthorizer[],
  includesPreflight: boolean,
): void {
  const names = new Set(['AWS_IAM', ...authorizers.map(({ name }) => name)]);
  const scopes = authorizers.find(({ name }) => name === defaultAuthorizer)?.scopes ?? [];
  for (const { method, definition } of methodsOf(edit, path)) {
    if (method === 'options' && !includesPreflight) continue;
    const entries = entriesOf(definition, path, method);
    const others = entries.filter((entry) => !entry.keys().some((key) => names.has(key)));
    const own = entries.filter((entry) => entry.keys().some((key) => names.has(key)));
    const none = others.findIndex((entry) => entry.has('NONE'));
    if (none >= 0) others.splice(none, 1);
    const chosen = none >= 0 ? [] : own.length > 0 ? own : [entryOf(defaultAuthorizer, scopes)];
    writeSecurity(edit, definition, [...others, ...chosen]);
  }
}

/** Every method that does not say otherwise requires an API key. `api_key_false` at a method says otherwise. */
export function setDefaultApiKeyRequired(edit: SwaggerEdit, path: string, includesPreflight: boolean): void {
  for (const { method, definition } of methodsOf(edit, path)) {
    const entries = entriesOf(definition, path, method);
    const others = entries.filter((entry) => !entry.has('api_key') && !entry.has('api_key_false'));
    const isRefused = entries.some((entry) => entry.has('api_key_false'));
    const isLeftOut = isRefused || (method === 'options' && !includesPreflight);
    const security = isLeftOut ? others : [...others, ownMap({ api_key: [] })];
    if (!areEqual(security, entries)) definition.set(own('security'), security);
  }
}

function entriesOf(definition: PythonMap, path: string, method: string): PythonMap[] {
  return securityOf(definition, path, method).map((entry) =>
    expectPythonMap(
      entry,
      `${pythonStr(toTemplate(entry))} in Security for path ${path} method ${method} is not a valid dictionary.`,
    ),
  );
}

function entryOf(name: string, scopes: PythonValue): PythonMap {
  const entry = new PythonMap();
  entry.set(name, scopes);
  return entry;
}

function writeSecurity(edit: SwaggerEdit, definition: PythonMap, security: readonly PythonValue[]): void {
  if (security.length === 0) return;
  definition.set(own('security'), [...security]);
  const [first] = security;
  if (isPythonMap(first) && first.has('AWS_IAM')) addIamDefinition(edit);
}

/** What the `Auth` of an event says about its method. */
export function addMethodAuth(
  edit: SwaggerEdit,
  path: string,
  method: string,
  auth: JsonObject,
  apiAuthorizers: Json | undefined,
): void {
  const authorizer = member(auth, 'Authorizer');
  if (isTruthy(authorizer)) {
    setMethodAuthorizer(edit, path, method, authorizer as Json, apiAuthorizers, member(auth, 'AuthorizationScopes'));
  }
  const isKeyRequired = member(auth, 'ApiKeyRequired') ?? null;
  if (isKeyRequired === null) return;
  for (const definition of definitionsOf(edit.paths, path, method)) {
    if (isTruthy(isKeyRequired)) addApiKeyDefinition(edit);
    const entry = ownMap({ [isTruthy(isKeyRequired) ? 'api_key' : 'api_key_false']: [] });
    definition.set(own('security'), [...securityOf(definition, path, method), entry]);
  }
}

function setMethodAuthorizer(
  edit: SwaggerEdit,
  path: string,
  method: string,
  authorizer: Json,
  apiAuthorizers: Json | undefined,
  methodScopes: Json | undefined,
): void {
  const name = pythonStr(authorizer);
  for (const definition of definitionsOf(edit.paths, path, method)) {
    const existing = securityOf(definition, path, method);
    let scopes: PythonValue = [];
    if (name !== 'NONE' && isMap(apiAuthorizers) && isTruthy(apiAuthorizers)) {
      const defined = member(apiAuthorizers, name);
      if (defined !== undefined && !isMap(defined)) {
        throw invalidBody(`Type of authorizer '${name}' must be a dictionary`);
      }
      const found = methodScopes ?? (defined && member(defined, 'AuthorizationScopes')) ?? null;
      if (defined !== undefined && found !== null) scopes = fromTemplate(found);
    }
    writeSecurity(edit, definition, [...existing, entryOf(name, scopes)]);
  }
}
