/** `Api` events of functions: a method in the body of the API with its authorization, and the permission to invoke the function. */
import type { Json, JsonObject } from '../../tree.ts';
import {
  expectMap,
  INTEGER,
  isMap,
  LIST,
  MAP,
  member,
  optional,
  type PropertyTable,
  required,
  STRING,
} from '../checks.ts';
import type { EventKind, EventTarget, SamContext, SamEvent } from '../context.ts';
import { InvalidEvent, InvalidResource } from '../errors.ts';
import { invokePermission } from '../events/permission.ts';
import { isIntrinsic, shorthand, sub } from '../intrinsics.ts';
import { isTruthy, pythonStr } from '../python.ts';
import type { CfnResource } from '../resources.ts';
import { type ApiState, isManaged } from './api-state.ts';
import {
  type ApiBody,
  addTimeout,
  apiBody,
  dropIntegration,
  hasIntegration,
  nameOf,
  normalMethod,
} from './body-paths.ts';
import { addEventAuth, type EventAuth } from './event-auth.ts';
import { fromTemplate, isPythonMap, isTrue, own, PythonMap, type PythonValue, plainMap } from './python27-values.ts';
import { withoutParameters } from './resource-policy.ts';
import {
  addLambdaIntegration,
  addRequestModel,
  addRequestParameters,
  addRequestValidator,
  closeSwagger,
  openSwagger,
  type RequestParameter,
  type SwaggerEdit,
  swaggerSkeleton,
} from './swagger.ts';
import { apiGatewayArn, executeApiArn } from './template-arns.ts';

const PROPERTIES: PropertyTable = {
  Path: required(STRING),
  Method: required(STRING),
  RestApiId: required(STRING),
  Stage: optional(STRING),
  Auth: optional(MAP),
  RequestModel: optional(MAP),
  RequestParameters: optional(LIST),
  TimeoutInMillis: optional(INTEGER),
  ResponseTransferMode: optional(STRING),
};

/** The API of an event. */
export interface LinkedApi {
  readonly apiId: string;
  /** The template's own map. */
  readonly properties: JsonObject;
  /** What the stage is called in logical ids. */
  readonly stage: PythonValue;
  readonly stageSuffix: string;
}

export function restEventKind(state: ApiState): EventKind {
  return {
    properties: PROPERTIES,
    link: (event, context) => {
      const api = linkRestApi(event, context, state);
      return (each, target) => translate(each, target, api, context, state);
    },
  };
}

/** `X` of `{Ref: X}`, other values as they are. */
export function apiIdOf(value: Json | undefined): Json | undefined {
  return isMap(value) && 'Ref' in value ? value.Ref : value;
}

/** Finds the API that `RestApiId` names. @throws InvalidEvent or InvalidResource */
export function linkRestApi(event: SamEvent, { resources }: SamContext, state: ApiState): LinkedApi {
  const apiId = apiIdOf(event.properties.RestApiId);
  const problem = 'RestApiId property of Api event must reference a valid resource in the same template.';
  if (typeof apiId !== 'string') throw new InvalidEvent(event.eventId, problem);
  const resource = expectMap(member(resources, apiId), { event: event.eventId, path: 'RestApiId' }, problem);
  const given = 'Properties' in resource ? resource.Properties : {};
  const properties = expectMap(given, { attribute: apiId, path: 'Properties' });
  const stage = member(properties, 'StageName');
  if (stage === '') throw new InvalidResource(apiId, 'StageName cannot be empty.');
  return typeof stage === 'string'
    ? { apiId, properties, stage: state.stageName(apiId, properties), stageSuffix: stage }
    : { apiId, properties, stage: own('Stage'), stageSuffix: 'Stage' };
}

function translate(
  event: SamEvent,
  target: EventTarget,
  api: LinkedApi,
  context: SamContext,
  state: ApiState,
): CfnResource[] {
  const path = event.properties.Path as string;
  const method = (event.properties.Method as string).toLowerCase();
  const permission = restPermission(event, target, path, method, api, context.partition);
  if (isManaged(api.properties) || isTruthy(api.properties.MergeDefinitions)) {
    addIntegration({ event, target, path, method, api, context, state });
  }
  overrideAuth(event, path, method, api, context, state);
  return [permission];
}

/** API Gateway drops the slash at the end of a path. */
export const withoutTrailingSlash = (path: string): string =>
  path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;

function restPermission(
  event: SamEvent,
  target: EventTarget,
  path: string,
  method: string,
  { stageSuffix }: LinkedApi,
  partition: string,
): CfnResource {
  const name = withoutParameters(withoutTrailingSlash(path));
  const resource = `\${__ApiId__}/\${__Stage__}/${method === 'any' ? '*' : method.toUpperCase()}${name}`;
  return invokePermission(target, {
    prefix: event.logicalId,
    suffix: stageSuffix,
    principal: 'apigateway.amazonaws.com',
    sourceArn: sub(executeApiArn(partition, resource), {
      __ApiId__: event.properties.RestApiId as Json,
      __Stage__: '*',
    }),
  });
}

interface Integrated {
  readonly event: SamEvent;
  readonly target: EventTarget;
  readonly path: string;
  readonly method: string;
  readonly api: LinkedApi;
  readonly context: SamContext;
  readonly state: ApiState;
}

function addIntegration(integrated: Integrated): void {
  const { event, target, path, method, api, context, state } = integrated;
  const { apiId, properties } = api;
  const body = state.bodyOf(apiId, properties);
  if (body === undefined) return;
  const isMerged = isTruthy(properties.MergeDefinitions);
  // What is merged is written apart from the template's own definition.
  const edit = openSwagger(isMerged ? apiBody(swaggerSkeleton()) : body);
  if (hasIntegration(edit.paths, path, method)) {
    throw new InvalidEvent(event.eventId, `API method "${method}" defined multiple times for path "${path}".`);
  }
  const given = event.properties;
  const auth = expectMap(isTruthy(given.Auth) ? given.Auth : {}, { event: event.eventId, path: 'Auth' });
  const apiAuth = isTruthy(properties.Auth) ? properties.Auth : {};
  const { Condition } = target.attributes;
  addLambdaIntegration(edit, {
    path,
    method,
    uri: integrationUri(target, context.partition, given.ResponseTransferMode),
    methodAuth: auth,
    apiAuth: expectMap(apiAuth, { resource: apiId, path: 'Auth' }),
    condition: typeof Condition === 'string' ? Condition : undefined,
    transferMode: given.ResponseTransferMode,
    partition: context.partition,
  });
  try {
    if (isTruthy(auth)) addEventAuth(edit, eventAuth(event, auth, path, method, api, context));
    writeRequest(edit, integrated);
  } catch (error) {
    dropIntegration(edit.paths, path, method);
    throw error;
  }
  const written = closeSwagger(edit);
  if (isMerged) state.setBody(apiId, merge(apiId, body, written, path, method));
}

/** What the event says about requests: the timeout, the model and the parameters. */
function writeRequest(edit: SwaggerEdit, { event, path, method, api, context }: Integrated): void {
  const { TimeoutInMillis: timeout, RequestModel: model, RequestParameters: parameters } = event.properties;
  if (timeout !== undefined && isTruthy(timeout)) addTimeout(edit.paths, path, method, fromTemplate(timeout));
  if (isTruthy(model)) writeRequestModel(edit, event, path, method, api.properties);
  if (!isTruthy(parameters)) return;
  // One intrinsic function passes the check for a list; its name is then taken for a parameter.
  const list = isMap(parameters) ? Object.keys(parameters) : (parameters as Json[]);
  const checked = list.map((parameter) => requestParameter(event, parameter, context));
  addRequestParameters(edit, path, method, checked);
}

/** Where API Gateway invokes a function or its alias. */
export function integrationUri(target: EventTarget, partition: string, transferMode?: Json): PythonValue {
  const isStream = transferMode === 'RESPONSE_STREAM';
  const functionPath = `path/${isStream ? '2021-11-15' : '2015-03-31'}/functions/${shorthand(target.arn)}`;
  const uri = apiGatewayArn(
    partition,
    'lambda',
    `${functionPath}/${isStream ? 'response-streaming-invocations' : 'invocations'}`,
  );
  const map = new PythonMap();
  map.set(own('Fn::Sub'), 'Fn::GetAtt' in target.arn ? uri : own(uri));
  return map;
}

export function eventAuth(
  event: SamEvent,
  auth: JsonObject,
  path: string,
  method: string,
  { apiId, properties, stage }: LinkedApi,
  context: SamContext,
): EventAuth {
  const apiAuth = context.resolveParameters(member(properties, 'Auth'));
  return { eventId: event.eventId, auth, path, method, apiId, apiAuth, ownAuth: properties.Auth, stage };
}

/** With `OverrideApiAuth`, the authorization of an event counts for a method of the template's own definition too. */
function overrideAuth(
  event: SamEvent,
  path: string,
  method: string,
  api: LinkedApi,
  context: SamContext,
  state: ApiState,
): void {
  const { Auth: auth } = event.properties;
  const body = state.bodyOf(api.apiId, api.properties);
  if (body === undefined || body.doc.size === 0 || !isMap(auth) || !isTruthy(auth.OverrideApiAuth)) return;
  if (!isTruthy(auth.Authorizer) && !isTruthy(auth.ApiKeyRequired) && !isTruthy(auth.ResourcePolicy)) {
    throw new InvalidEvent(
      event.eventId,
      'Must define one of: Authorizer, ApiKeyRequired or ResourcePolicy when using the OverrideApiAuth property.',
    );
  }
  const edit = openSwagger(body);
  addEventAuth(edit, eventAuth(event, auth, path, method, api, context));
  closeSwagger(edit);
}

function writeRequestModel(
  edit: SwaggerEdit,
  event: SamEvent,
  path: string,
  method: string,
  properties: JsonObject,
): void {
  const model = expectMap(event.properties.RequestModel, { event: event.eventId, path: 'RequestModel' });
  const { Model: name } = model;
  if (!isTruthy(name)) return;
  const fail = (what: string, problem: string): never => {
    const where = `[${pythonStr(name)}] on API method [${method}] for path [${path}]`;
    throw new InvalidEvent(event.eventId, `Unable to set ${what} ${where} ${problem}`);
  };
  const models = member(properties, 'Models');
  if (!isTruthy(models)) fail('RequestModel', 'because the related API does not define any Models.');
  if (!isIntrinsic(models) && !isMap(models)) {
    fail('RequestModel', 'because the related API Models defined is of invalid type.');
  }
  if (typeof name !== 'string') {
    fail('RequestModel', 'because the related API does not contain valid Models.');
  }
  if (!isTruthy(member(models as JsonObject, pythonStr(name)))) {
    fail('RequestModel', "because it wasn't defined in the API's Models.");
  }
  addRequestModel(edit, path, method, model);
  const [body, parameters] = [model.ValidateBody ?? null, model.ValidateParameters ?? null];
  if (body === null && parameters === null) return;
  if (typeof (body ?? false) !== 'boolean' || typeof (parameters ?? false) !== 'boolean') {
    fail(
      'Validator to RequestModel',
      'ValidateBody and ValidateParameters must be a boolean type, strings or intrinsics are not supported.',
    );
  }
  addRequestValidator(edit, path, method, { body: body === true, parameters: parameters === true });
}

/** `method.request.header.X`, or a map from it to Required and Caching. */
function requestParameter({ eventId }: SamEvent, parameter: Json, { keysOf }: SamContext): RequestParameter {
  const fail = (problem: string): never => {
    throw new InvalidEvent(eventId, `Invalid value for 'RequestParameters' property. ${problem}`);
  };
  const checked = (name: string): string =>
    /^method\.request\.(querystring|path|header)\./.test(name)
      ? name
      : fail(
          "Keys must be in the format 'method.request.[querystring|path|header].{value}', e.g 'method.request.header.Authorization'.",
        );
  if (typeof parameter === 'string') return { name: checked(parameter), isRequired: false, isCached: false };
  const name = isMap(parameter) ? keysOf(parameter)[0] : undefined;
  if (!isMap(parameter) || name === undefined) return fail('Property must be either a string or an object');
  checked(name);
  const settings = parameter[name];
  if (!isMap(settings) || !Object.keys(settings).every((key) => key === 'Required' || key === 'Caching')) {
    return fail('Values must be an object, e.g { Required: true, Caching: false }');
  }
  return { name, isRequired: settings.Required ?? false, isCached: settings.Caching ?? false };
}

/** The template's own definition with the method that was written: what both have is taken from the latter. */
function merge(apiId: string, source: ApiBody, written: ApiBody, path: string, method: string): PythonMap {
  const merged = source.doc.copy();
  const ownPaths = merged.get('paths');
  const paths = isPythonMap(ownPaths) && ownPaths.size > 0 ? ownPaths : plainMap({});
  const item = paths.get(path) ?? null;
  if (item !== null && !isPythonMap(item)) {
    const problem = `The value of '${path}' should be a map`;
    throw new InvalidResource(apiId, `Property 'DefinitionBody' is invalid: ${problem}`);
  }
  const given = item?.get(method) ?? null;
  const present = isTrue(given) ? given : null;
  if (present !== null && !isPythonMap(present)) {
    throw new InvalidResource(apiId, `Property 'DefinitionBody.paths.${path}.${method}' should be a map.`);
  }
  const writtenItem = (written.doc.get('paths') as PythonMap).get(path) as PythonMap;
  const definition = new PythonMap('insertion');
  for (const part of [present, writtenItem.get(nameOf(normalMethod(method))) as PythonMap]) {
    for (const [key, value] of part?.entries() ?? []) definition.set(part?.keyOf(key) ?? key, value);
  }
  if (item === null) paths.set(path, new PythonMap('insertion'));
  (paths.get(path) as PythonMap).set(method, definition);
  return merged;
}
