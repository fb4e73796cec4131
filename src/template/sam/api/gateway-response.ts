/** `GatewayResponses` of a REST API: what API Gateway itself responds, by type. */
import type { Json, JsonObject } from '../../tree.ts';
import { expectMap, isMap, member } from '../checks.ts';
import type { SamContext } from '../context.ts';
import { InvalidResource } from '../errors.ts';
import { isIntrinsic } from '../intrinsics.ts';
import { isTruthy, pythonStr } from '../python.ts';
import { Python27Keys } from './python27-keys.ts';
import { fromTemplate, own, ownMap, PythonMap, type PythonValue } from './python27-values.ts';

const PROPERTIES = ['ResponseParameters', 'ResponseTemplates', 'StatusCode'];
const PARAMETERS = [
  ['Headers', 'header.'],
  ['Paths', 'path.'],
  ['QueryStrings', 'querystring.'],
] as const;

/** @throws InvalidResource for a response that is not a map with these properties */
export function checkGatewayResponses(apiId: string, responses: JsonObject, { keysOf }: SamContext): void {
  for (const type of keysOf(responses)) {
    const response = responses[type] as Json;
    if (isIntrinsic(response)) {
      throw new InvalidResource(
        apiId,
        'Unable to set GatewayResponses attribute because intrinsic functions are not supported for this field.',
      );
    }
    if (!isMap(response)) {
      const problem = `Invalid property type '${pythonType(response)}' for GatewayResponses.`;
      throw new InvalidResource(apiId, `${problem} Expected an object of type 'GatewayResponse'.`);
    }
    const unknown = keysOf(response).find((name) => !PROPERTIES.includes(name));
    if (unknown !== undefined) {
      throw new InvalidResource(apiId, `Invalid property '${unknown}' in 'GatewayResponses' property '${type}'.`);
    }
  }
}

/** The name of the type of a template's value, as the translator's messages have it. */
export function pythonType(value: Json | undefined): string {
  if (value === null || value === undefined) return 'NoneType';
  if (Array.isArray(value)) return 'list';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float';
  return typeof value === 'string' ? 'Py27UniStr' : 'Py27Dict';
}

/** The responses as API Gateway reads them from a body. @throws InvalidResource */
export function gatewayResponses(
  apiId: string,
  responses: JsonObject,
  context: SamContext,
  read: (value: Json) => PythonValue,
): (readonly [string, PythonMap])[] {
  const checked = new Map<string, GatewayResponse>();
  const order = new Python27Keys();
  for (const type of context.keysOf(responses)) {
    order.add(type);
    checked.set(type, checkedResponse(apiId, type, responses[type] as Json, context));
  }
  return order
    .keys()
    .map((type) => [type, render(apiId, checked.get(type) as GatewayResponse, context, read)] as const);
}

interface GatewayResponse {
  readonly parameters: JsonObject;
  readonly templates: Json | undefined;
  readonly status: Json;
}

function checkedResponse(apiId: string, type: string, given: Json, { keysOf }: SamContext): GatewayResponse {
  const response = expectMap(given, { resource: apiId, path: `GatewayResponses.${type}` });
  const parameters = member(response, 'ResponseParameters');
  const path = `GatewayResponses.${type}.ResponseParameters`;
  const map = isTruthy(parameters) ? expectMap(parameters, { resource: apiId, path }) : {};
  const unknown = keysOf(map).find((name) => !PARAMETERS.some(([known]) => known === name));
  if (unknown !== undefined) throw new InvalidResource(apiId, `Invalid gateway response parameter '${unknown}'`);
  const status = member(response, 'StatusCode') ?? null;
  if (isTruthy(status) && !/^[0-9]{1,3}$/.test(pythonStr(status))) {
    throw new InvalidResource(apiId, "Property 'StatusCode' must be numeric");
  }
  return { parameters: map, templates: member(response, 'ResponseTemplates'), status };
}

function render(
  apiId: string,
  { parameters, templates, status }: GatewayResponse,
  context: SamContext,
  read: (value: Json) => PythonValue,
): PythonMap {
  const written = ownMap({
    responseParameters: prefixed(apiId, parameters, context),
    responseTemplates: isTruthy(templates) ? read(templates as Json) : new PythonMap(),
  });
  const code = status === null ? '' : pythonStr(status);
  if (code !== '') written.set(own('statusCode'), own(code));
  return written;
}

function prefixed(apiId: string, parameters: JsonObject, { keysOf }: SamContext): PythonMap {
  const written = new PythonMap();
  for (const [property, prefix] of PARAMETERS) {
    const values = Object.hasOwn(parameters, property) ? parameters[property] : {};
    const map = expectMap(values, { resource: apiId, path: `ResponseParameters.${property}` });
    for (const key of keysOf(map)) written.set(`gatewayresponse.${prefix}${key}`, fromTemplate(map[key] as Json));
  }
  return written;
}
