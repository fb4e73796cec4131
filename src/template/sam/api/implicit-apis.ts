/**
 * Before the transform proper: APIs without a definition get an empty one, and the events of functions and state machines that name
 * no API make `ServerlessRestApi` and `ServerlessHttpApi`. Each path and method of an event is entered into the body of its API; the
 * integrations follow when the function is translated.
 */
import type { Json, JsonObject } from '../../tree.ts';
import { expectMap, expectPresent, expectString, isMap, member } from '../checks.ts';
import { combinedConditions } from '../conditions.ts';
import { InvalidDocument, InvalidEvent, InvalidResource, TransformError } from '../errors.ts';
import { conditional } from '../intrinsics.ts';
import { compareText, isTruthy, pythonStr } from '../python.ts';
import { type ApiState, isManaged, MANAGED } from './api-state.ts';
import { ANY_METHOD, addPath, makePathConditional } from './body-paths.ts';
import type { KeyOrders } from './key-orders.ts';
import { DEFAULT_PATH, openApiSkeleton } from './openapi.ts';
import { Python27Keys } from './python27-keys.ts';
import { isPythonMap, own, type PythonMap } from './python27-values.ts';
import { apiIdOf } from './rest-event.ts';
import { swaggerSkeleton } from './swagger.ts';

/** REST APIs or HTTP APIs. */
interface ImplicitKind {
  readonly eventType: string;
  readonly apiType: string;
  readonly apiId: string;
  readonly idProperty: string;
  readonly skeleton: () => PythonMap;
  readonly properties: JsonObject;
  /** Completes the properties of an event. Undefined if the event is passed over. @throws InvalidEvent */
  readonly complete: (ownerId: string, eventId: string, event: JsonObject, state: ApiState) => JsonObject | undefined;
  readonly hasRouteSettings: boolean;
}

const REST: ImplicitKind = {
  eventType: 'Api',
  apiType: 'AWS::Serverless::Api',
  apiId: 'ServerlessRestApi',
  idProperty: 'RestApiId',
  skeleton: swaggerSkeleton,
  properties: { StageName: 'Prod' },
  complete: (_ownerId, eventId, event) => (isTruthy(event.Properties) ? propertiesOf(eventId, event) : undefined),
  hasRouteSettings: false,
};

const HTTP: ImplicitKind = {
  eventType: 'HttpApi',
  apiType: 'AWS::Serverless::HttpApi',
  apiId: 'ServerlessHttpApi',
  idProperty: 'ApiId',
  skeleton: openApiSkeleton,
  properties: {},
  complete: (ownerId, eventId, event, state) => {
    if (!('Properties' in event)) event.Properties = {};
    const properties = propertiesOf(eventId, event);
    if (!isTruthy(properties.Path) && !isTruthy(properties.Method)) {
      properties.Path = DEFAULT_PATH;
      properties.Method = ANY_METHOD;
      state.defaultRoutes.add(`${ownerId}${eventId}`);
    }
    return properties;
  },
  hasRouteSettings: true,
};

function propertiesOf(eventId: string, event: JsonObject): JsonObject {
  return expectMap(event.Properties, { event: eventId, path: '' }, 'Properties should be a map.');
}

/** What the events of one API come from. */
interface ApiUse {
  /** The condition of the function, or null, by path and method. */
  readonly conditions: Map<string, Map<string, Json>>;
  readonly deletionPolicies: Json[];
  readonly updateReplacePolicies: Json[];
}

const newUse = (): ApiUse => ({ conditions: new Map(), deletionPolicies: [], updateReplacePolicies: [] });

interface Preparation {
  readonly template: JsonObject;
  readonly resources: JsonObject;
  readonly state: ApiState;
  readonly orders: KeyOrders;
}

/** @throws InvalidDocument */
export function prepareApis(template: JsonObject, state: ApiState, orders: KeyOrders): void {
  const resources = template.Resources as JsonObject;
  const preparation: Preparation = { template, resources, state, orders };
  orders.follow(resources);
  for (const kind of [REST, HTTP]) addDefaultDefinitions(preparation, kind);
  try {
    for (const kind of [REST, HTTP]) prepareKind(preparation, kind);
  } catch (error) {
    throw error instanceof TransformError ? new InvalidDocument([error]) : error;
  }
}

function addDefaultDefinitions(preparation: Preparation, kind: ImplicitKind): void {
  const { resources, orders } = preparation;
  for (const logicalId of orders.keysOf(resources)) {
    const resource = resources[logicalId];
    if (!isMap(resource) || resource.Type !== kind.apiType) continue;
    if (!('Properties' in resource) && kind === HTTP) resource.Properties = {};
    const { Properties: properties } = resource;
    if (!isMap(properties)) continue;
    if (isTruthy(member(properties, 'DefinitionBody')) || isTruthy(member(properties, 'DefinitionUri'))) continue;
    manage(preparation, logicalId, properties, kind);
  }
}

/** The body is kept aside; the map in the template stands for it. */
function manage({ template, state }: Preparation, logicalId: string, properties: JsonObject, kind: ImplicitKind): void {
  properties.DefinitionBody = { paths: {} };
  properties[MANAGED] = true;
  state.manage(logicalId, kind.skeleton());
  const globals = isMap(template.Globals) && isMap(template.Globals.Api) ? template.Globals.Api : {};
  if (typeof (properties.OpenApiVersion ?? globals.OpenApiVersion) === 'number') state.numericVersions.add(logicalId);
}

function prepareKind(preparation: Preparation, kind: ImplicitKind): void {
  const { resources, state, orders } = preparation;
  const existing = member(resources, kind.apiId);
  const existingBody = state.managedBody(kind.apiId);
  const implicit: JsonObject = { Type: kind.apiType, Properties: { ...kind.properties } };
  manage(preparation, kind.apiId, implicit.Properties as JsonObject, kind);
  state.implicitApis.add(kind.apiId);
  resources[kind.apiId] = implicit;
  orders.follow(resources).add(kind.apiId);
  const uses = new Map<string, ApiUse>();
  const errors: TransformError[] = [];
  for (const logicalId of orders.keysOf(resources)) {
    const resource = resources[logicalId];
    if (!isMap(resource)) continue;
    if (resource.Type !== 'AWS::Serverless::Function' && resource.Type !== 'AWS::Serverless::StateMachine') continue;
    try {
      prepareEvents(preparation, kind, logicalId, resource, uses);
    } catch (error) {
      if (!(error instanceof InvalidEvent)) throw error;
      errors.push(new InvalidResource(logicalId, error.message));
    }
  }
  setAttributes(preparation, kind, implicit, uses.get(kind.apiId));
  setPathConditions(preparation, kind, uses);
  const paths = state.managedBody(kind.apiId)?.doc.get('paths');
  if (isPythonMap(paths) && paths.size === 0) {
    state.forget(kind.apiId);
    state.implicitApis.delete(kind.apiId);
    if (existing !== undefined) {
      resources[kind.apiId] = existing;
      if (existingBody !== undefined) state.manage(kind.apiId, existingBody.doc);
    } else {
      delete resources[kind.apiId];
      orders.follow(resources).remove(kind.apiId);
    }
  }
  if (errors.length > 0) throw new InvalidDocument(errors);
}

function prepareEvents(
  preparation: Preparation,
  kind: ImplicitKind,
  logicalId: string,
  resource: JsonObject,
  uses: Map<string, ApiUse>,
): void {
  const { orders, state } = preparation;
  const events = isMap(resource.Properties) ? resource.Properties.Events : undefined;
  if (!isMap(events)) return;
  const ofKind = new Python27Keys();
  for (const id of orders.keysOf(events)) {
    const event = events[id];
    if (isMap(event) && event.Type === kind.eventType) ofKind.add(id);
  }
  if (ofKind.size === 0) return;
  for (const eventId of ofKind.keys()) {
    const properties = kind.complete(logicalId, eventId, events[eventId] as JsonObject, state);
    if (properties !== undefined) prepareEvent(preparation, kind, resource, eventId, properties, uses);
  }
  // The translator writes the events back into their map, which may make its table larger.
  orders.follow(events).merge(ofKind.keys());
}

function prepareEvent(
  preparation: Preparation,
  kind: ImplicitKind,
  resource: JsonObject,
  eventId: string,
  properties: JsonObject,
  uses: Map<string, ApiUse>,
): void {
  if (!(kind.idProperty in properties)) {
    propagateTags(preparation, kind, resource);
    properties[kind.idProperty] = { Ref: kind.apiId };
  }
  const place = (path: string) => ({ event: eventId, path });
  const id = apiIdOf(properties[kind.idProperty]);
  expectPresent(member(properties, 'Path'), place('Path'));
  expectPresent(member(properties, 'Method'), place('Method'));
  const apiId = expectString(id, place(kind.idProperty));
  const path = expectString(properties.Path, place('Path'));
  const method = expectString(properties.Method, place('Method'));
  const use = uses.get(apiId) ?? newUse();
  uses.set(apiId, use);
  const methods = use.conditions.get(path) ?? new Map<string, Json>();
  use.conditions.set(path, methods.set(method, resource.Condition ?? null));
  use.deletionPolicies.push(resource.DeletionPolicy ?? null);
  use.updateReplacePolicies.push(resource.UpdateReplacePolicy ?? null);
  enterPath(preparation, kind, eventId, apiId, path, method);
  if (kind.hasRouteSettings && 'RouteSettings' in properties) {
    const route = method === ANY_METHOD ? path : `${method.toUpperCase()} ${path}`;
    addRouteSettings(preparation, apiId, eventId, route, properties.RouteSettings, resource.Condition);
  }
}

function enterPath(
  { resources, state }: Preparation,
  kind: ImplicitKind,
  eventId: string,
  apiId: string,
  path: string,
  method: string,
): void {
  const api = member(resources, apiId);
  const isHttpFromRest = isMap(api) && api.Type === 'AWS::Serverless::HttpApi' && kind !== HTTP;
  if (!isMap(api) || isHttpFromRest) {
    const problem = `must be a valid reference to an '${kind.apiType}' resource in same template.`;
    throw new InvalidEvent(eventId, `${kind.idProperty} ${problem}`);
  }
  const { Properties: properties } = api;
  const body = state.managedBody(apiId);
  if (body === undefined || !isMap(properties) || !isManaged(properties)) return;
  if (!body.doc.has(kind === REST ? 'swagger' : 'openapi')) return;
  if (kind === REST) body.doc.deepCopy();
  addPath(body.doc.get('paths') as PythonMap, path, method);
  if (kind === REST) body.doc.deepCopy();
}

/** With `PropagateTags`, the implicit API has the tags of the functions that use it. */
function propagateTags({ template, resources }: Preparation, kind: ImplicitKind, resource: JsonObject): void {
  const section = pythonStr(resource.Type).slice('AWS::Serverless::'.length);
  const globals = isMap(template.Globals) ? member(template.Globals, section) : undefined;
  const setting = (name: string): Json | undefined => {
    const given = (resource.Properties as JsonObject)[name];
    return isTruthy(given) ? given : isMap(globals) ? member(globals, name) : undefined;
  };
  const tags = setting('Tags');
  if (!isMap(tags) || !isTruthy(tags) || !isTruthy(setting('PropagateTags'))) return;
  const properties = (resources[kind.apiId] as JsonObject).Properties as JsonObject;
  properties.Tags = { ...(isMap(properties.Tags) ? properties.Tags : {}), ...tags };
  properties.PropagateTags = true;
}

function addRouteSettings(
  { resources }: Preparation,
  apiId: string,
  eventId: string,
  route: string,
  given: Json | undefined,
  condition: Json | undefined,
): void {
  const properties = (resources[apiId] as JsonObject).Properties as JsonObject;
  const own = 'RouteSettings' in properties ? properties.RouteSettings : {};
  const settings = expectMap(own, { resource: apiId, path: 'RouteSettings' });
  const wrapped = isTruthy(condition) ? conditional(condition as Json, given ?? null) : given;
  const added = expectMap(wrapped, { event: eventId, path: 'RouteSettings' });
  const present = member(settings, route);
  settings[route] = { ...(isMap(present) ? present : {}), ...added };
  properties.RouteSettings = settings;
}

/** The implicit API is there if one of its functions is, and is kept if one of them is kept. */
function setAttributes(
  { template }: Preparation,
  kind: ImplicitKind,
  implicit: JsonObject,
  use: ApiUse | undefined,
): void {
  if (use === undefined) return;
  const conditions = new Set([...use.conditions.values()].flatMap((methods) => [...methods.values()]));
  const condition = conditionOfAll(template, conditions, `${kind.apiId}Condition`);
  if (condition !== undefined) implicit.Condition = condition;
  const strongest = (policies: readonly Json[], order: readonly string[]): string | undefined =>
    order.find((policy) => policies.includes(policy));
  const deletion = strongest(use.deletionPolicies, ['Retain', 'Delete']);
  if (deletion !== undefined) implicit.DeletionPolicy = deletion;
  const replacement = strongest(use.updateReplacePolicies, ['Retain', 'Snapshot', 'Delete']);
  if (replacement !== undefined) implicit.UpdateReplacePolicy = replacement;
}

/** The only condition, or one that combines them under `name`; undefined if something is without a condition. */
function conditionOfAll(template: JsonObject, conditions: ReadonlySet<Json>, name: string): string | undefined {
  const names = [...conditions].filter((condition): condition is string => typeof condition === 'string');
  if (names.length === 0 || conditions.size !== names.length) return undefined;
  if (names.length === 1) return names[0];
  const section = isMap(template.Conditions) ? template.Conditions : {};
  template.Conditions = { ...section, ...combinedConditions(names.sort(compareText), name) };
  return name;
}

/** A path whose methods all have a condition is there if one of them is. */
function setPathConditions(
  { template, resources, state, orders }: Preparation,
  kind: ImplicitKind,
  uses: ReadonlyMap<string, ApiUse>,
): void {
  for (const apiId of orders.keysOf(resources)) {
    const api = resources[apiId];
    if (!isMap(api) || api.Type !== kind.apiType) continue;
    const body = state.managedBody(apiId);
    if (body === undefined) continue;
    body.doc.deepCopy();
    const paths = body.doc.get('paths') as PythonMap;
    for (const path of paths.keys()) {
      const conditions = new Set(uses.get(apiId)?.conditions.get(path)?.values() ?? []);
      const id = path.replaceAll('/', 'SLASH').replaceAll('{', 'OB').replaceAll('}', 'CB');
      const name = `${apiId}${id}PathCondition`;
      const condition = conditionOfAll(template, conditions, name);
      if (condition !== undefined) {
        makePathConditional(paths, path, conditions.size === 1 ? condition : own(condition));
      }
    }
    body.doc.deepCopy();
  }
}
