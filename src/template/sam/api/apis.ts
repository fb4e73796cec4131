/** The APIs of the SAM transform: what `transform.ts` gets of this directory. */
import { systemClock } from '../../../clock.ts';
import { type Json, type JsonObject, onlyKey } from '../../tree.ts';
import { isMap } from '../checks.ts';
import type { Apis, SamContext } from '../context.ts';
import { isTruthy, pythonStr } from '../python.ts';
import { ApiState } from './api-state.ts';
import { httpApiKind } from './http-api.ts';
import { httpEventKind } from './http-event.ts';
import { prepareApis } from './implicit-apis.ts';
import { KeyOrders } from './key-orders.ts';
import { fromTemplate, own, PythonMap, type PythonValue, print } from './python27-values.ts';
import { restApiKind } from './rest-api.ts';
import { apiIdOf, restEventKind } from './rest-event.ts';
import { stateMachineEventKind } from './state-machine-event.ts';
import { WEB_SOCKET_API } from './web-socket-api.ts';

/** @param seconds since 1970; the deployments of an API with `AlwaysDeploy` are named after it */
export function createApis(seconds: () => number = () => systemClock.epochMs() / 1000): Apis {
  const state = new ApiState(seconds);
  let orders: KeyOrders | undefined;
  const ordersOf = (template: JsonObject): KeyOrders => {
    orders ??= new KeyOrders(template);
    state.orders = orders;
    return orders;
  };
  return {
    resourceKinds: [restApiKind(state), httpApiKind(state), WEB_SOCKET_API],
    functionEvents: { Api: restEventKind(state), HttpApi: httpEventKind(state) },
    stateMachineEvents: { Api: stateMachineEventKind(state) },
    prepare: (template) => prepareApis(template, state, ordersOf(template)),
    merged: (global, local, merged) => orders?.merge(global, local, merged),
    beforeResource: (resource, context) => noteFunctionName(resource, context, state),
    finish: () => {},
    keysOf: (template) => {
      const known = ordersOf(template);
      return (map) => known.keysOf(map);
    },
  };
}

/** An API is deployed again when one of its functions gets another name. */
function noteFunctionName(resource: JsonObject, context: SamContext, state: ApiState): void {
  if (pythonStr(resource.Type).trim() !== 'AWS::Serverless::Function') return;
  const properties = isMap(resource.Properties) ? resource.Properties : {};
  const { Events: events, FunctionName: name } = properties;
  if (!isMap(events) || name === undefined) return;
  const resolved = resolve(name, context);
  const text = isTruthy(name) ? print(resolved) : '';
  for (const eventId of context.keysOf(events)) {
    const event = events[eventId];
    if (!isMap(event) || event.Type !== 'Api' || !isMap(event.Properties)) continue;
    const apiId = apiIdOf(event.Properties.RestApiId);
    if (typeof apiId !== 'string' || apiId === '') continue;
    state.functionNames.set(apiId, (state.functionNames.get(apiId) ?? '') + text);
  }
}

/** The value with parameters resolved. The region and the partition are text of the translator. */
function resolve(value: Json, context: SamContext): PythonValue {
  if (Array.isArray(value)) return value.map((item) => resolve(item, context));
  if (!isMap(value)) return fromTemplate(value);
  const key = onlyKey(value);
  if (key === 'Ref' || key === 'Fn::Sub') {
    const resolved = context.resolveParameters(structuredClone(value)) as Json;
    const isPseudo = value.Ref === 'AWS::Region' || value.Ref === 'AWS::Partition';
    return isPseudo && typeof resolved === 'string' ? own(resolved) : fromTemplate(resolved);
  }
  const map = new PythonMap();
  for (const [name, item] of Object.entries(value)) map.set(name, resolve(item, context));
  return map;
}
