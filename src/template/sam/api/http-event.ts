/** `HttpApi` events of functions: a route in the body of the API with its authorization, and the permission to invoke the function. */
import type { Json, JsonObject } from '../../tree.ts';
import { expectMap, INTEGER, isMap, MAP, member, optional, type PropertyTable, STRING } from '../checks.ts';
import type { EventKind, EventTarget, SamContext, SamEvent } from '../context.ts';
import { InvalidDocument, InvalidEvent, InvalidResource } from '../errors.ts';
import { invokePermission } from '../events/permission.ts';
import { sub } from '../intrinsics.ts';
import { isTruthy, pythonStr } from '../python.ts';
import type { CfnResource } from '../resources.ts';
import { type ApiState, isManaged } from './api-state.ts';
import { ANY_METHOD, type ApiBody, addTimeout, dropIntegration, hasIntegration } from './body-paths.ts';
import { mistypedAuthorizer } from './event-auth.ts';
import {
  addHttpIntegration,
  addHttpMethodAuthorizer,
  addPathParameters,
  closeOpenApi,
  DEFAULT_PATH,
  isDefaultFunction,
  type OpenApiEdit,
  openOpenApi,
  setPayloadFormatVersion,
  withoutHttpParameters,
} from './openapi.ts';
import { fromTemplate } from './python27-values.ts';
import { apiIdOf, integrationUri, withoutTrailingSlash } from './rest-event.ts';
import { executeApiArn, PARTITION } from './template-arns.ts';

const PROPERTIES: PropertyTable = {
  Path: optional(STRING),
  Method: optional(STRING),
  ApiId: optional(STRING),
  Stage: optional(STRING),
  Auth: optional(MAP),
  TimeoutInMillis: optional(INTEGER),
  RouteSettings: optional(MAP),
  PayloadFormatVersion: optional(STRING),
};

/** A route of an event. `prepare` of the implicit APIs has given each event a path, a method and an API. */
interface Route {
  readonly event: SamEvent;
  readonly path: string;
  readonly method: string;
  readonly apiId: string;
  /** Of the API: the template's own map. */
  readonly properties: JsonObject;
  readonly body: ApiBody | undefined;
  /** The translator has named the path and the method. */
  readonly isDefaultRoute: boolean;
}

export function httpEventKind(state: ApiState): EventKind {
  return {
    properties: PROPERTIES,
    link: (event, context) => {
      const { apiId, properties } = linkHttpApi(event, context);
      return (each, target) => {
        const path = pythonStr(each.properties.Path);
        const method = pythonStr(each.properties.Method).toLowerCase();
        const body = state.bodyOf(apiId, properties);
        const isDefaultRoute = state.defaultRoutes.has(each.logicalId);
        return translate({ event: each, path, method, apiId, properties, body, isDefaultRoute }, target);
      };
    },
  };
}

function linkHttpApi(event: SamEvent, { resources }: SamContext): { apiId: string; properties: JsonObject } {
  const apiId = apiIdOf(event.properties.ApiId);
  const resource = typeof apiId === 'string' ? member(resources, apiId) : undefined;
  if (typeof apiId !== 'string' || !isMap(resource)) {
    const problem = "ApiId must be a valid reference to an 'AWS::Serverless::HttpApi' resource in same template.";
    throw new InvalidEvent(event.eventId, problem);
  }
  const { Properties: properties } = resource;
  return { apiId, properties: isMap(properties) ? properties : {} };
}

function translate(route: Route, target: EventTarget): CfnResource[] {
  const permission = httpPermission(route, target);
  addRoute(route, target);
  return permission === undefined ? [] : [permission];
}

/** None for a function that already gets all requests without a path of their own. */
function httpPermission({ event, path, method, apiId, body }: Route, target: EventTarget): CfnResource | undefined {
  const edit = body !== undefined && body.doc.size > 0 ? openedFor(apiId, body) : undefined;
  const trimmed = withoutTrailingSlash(path);
  const isDefault = trimmed === DEFAULT_PATH;
  if (!isDefault && edit !== undefined && isDefaultFunction(edit, target.logicalId)) return undefined;
  const name = isDefault ? '' : withoutHttpParameters(trimmed);
  const verb = method === 'any' || method === ANY_METHOD ? '*' : method.toUpperCase();
  // A path /$default with a star for the method would be one too many.
  const resource = method === 'any' && name === `/${DEFAULT_PATH}` ? name : `/${verb}${name}`;
  return invokePermission(target, {
    prefix: event.logicalId,
    principal: 'apigateway.amazonaws.com',
    sourceArn: sub(executeApiArn(PARTITION, `\${__ApiId__}/\${__Stage__}${resource}`), {
      __ApiId__: event.properties.ApiId as Json,
      __Stage__: '*',
    }),
  });
}

function openedFor(apiId: string, body: ApiBody): OpenApiEdit {
  try {
    return openOpenApi(body);
  } catch (error) {
    if (!(error instanceof InvalidDocument)) throw error;
    throw new InvalidResource(apiId, error.causes.map(({ message }) => message).join(' '));
  }
}

function addRoute(route: Route, target: EventTarget): void {
  const { event, path, method, properties, body, isDefaultRoute } = route;
  if (body === undefined) return;
  const edit = openOpenApi(body);
  if (isManaged(properties) && hasIntegration(edit.paths, path, method)) {
    throw new InvalidEvent(event.eventId, `API method '${method}' defined multiple times for path '${path}'.`);
  }
  const { Condition } = target.attributes;
  const condition = typeof Condition === 'string' ? Condition : undefined;
  addHttpIntegration(edit, path, method, integrationUri(target, PARTITION), condition, isDefaultRoute);
  const { Auth: auth, TimeoutInMillis: timeout, PayloadFormatVersion: version } = event.properties;
  try {
    if (isMap(auth) && isTruthy(auth)) addAuth(edit, route, auth);
  } catch (error) {
    if (isManaged(properties)) dropIntegration(edit.paths, path, method);
    throw error;
  }
  if (timeout !== undefined && isTruthy(timeout)) addTimeout(edit.paths, path, method, fromTemplate(timeout));
  const parameters = parametersIn(path);
  if (parameters.length > 0) addPathParameters(edit, path, method, parameters);
  if (version !== undefined && isTruthy(version)) setPayloadFormatVersion(edit, path, method, fromTemplate(version));
  closeOpenApi(edit);
}

/** The names in braces, in one pass. */
function parametersIn(path: string): string[] {
  const names: string[] = [];
  for (let open = path.indexOf('{'); open >= 0; ) {
    const close = path.indexOf('}', open + 1);
    if (close < 0) break;
    names.push(path.slice(open + 1, close));
    open = path.indexOf('{', close + 1);
  }
  return names;
}

function addAuth(edit: OpenApiEdit, { event, path, method, apiId, properties }: Route, auth: JsonObject): void {
  const { eventId } = event;
  const given = Object.hasOwn(properties, 'Auth') ? properties.Auth : {};
  const apiAuth = expectMap(given, { resource: apiId, path: 'Auth' });
  const authorizer = isTruthy(auth.Authorizer) ? auth.Authorizer : apiAuth.DefaultAuthorizer;
  if (authorizer === undefined || !isTruthy(authorizer)) {
    throw new InvalidEvent(
      eventId,
      "'Auth' section requires either an explicit 'Authorizer' set or a 'DefaultAuthorizer' configured on the HttpApi.",
    );
  }
  checkAuthorizer(eventId, `API method [${method}] for path [${path}]`, authorizer, apiAuth);
  if (isTruthy(auth.AuthorizationScopes) && !Array.isArray(auth.AuthorizationScopes)) {
    const problem = "because 'AuthorizationScopes' must be a list of strings.";
    throw new InvalidEvent(eventId, `Unable to set Authorizer on API method [${method}] for path [${path}] ${problem}`);
  }
  addHttpMethodAuthorizer(edit, path, method, pythonStr(authorizer), apiAuth.Authorizers, auth.AuthorizationScopes);
}

function checkAuthorizer(eventId: string, where: string, authorizer: Json, apiAuth: JsonObject): void {
  if (authorizer === 'NONE') {
    if (isTruthy(apiAuth.DefaultAuthorizer)) return;
    const problem = "because 'NONE' is only a valid value when a DefaultAuthorizer on the API is specified.";
    throw new InvalidEvent(eventId, `Unable to set Authorizer on ${where} ${problem}`);
  }
  if (authorizer === 'AWS_IAM' && apiAuth.EnableIamAuthorizer === true) return;
  const named = `Unable to set Authorizer [${pythonStr(authorizer)}] on ${where}`;
  const authorizers = isTruthy(apiAuth) ? apiAuth.Authorizers : {};
  if (typeof authorizer !== 'string' || !isMap(authorizers)) throw mistypedAuthorizer(eventId, named);
  if (!isTruthy(authorizers)) {
    throw new InvalidEvent(eventId, `${named} because the related API does not define any Authorizers.`);
  }
  if (!isTruthy(member(authorizers, authorizer))) {
    throw new InvalidEvent(eventId, `${named} because it wasn't defined in the API's Authorizers.`);
  }
}
