/**
 * The order in which AWS's translator takes the members of a template's maps. In a template with a REST API it is the order of
 * Python 2.7, in which the names of deployments have their origin; elsewhere it is the order of the text.
 */
import type { Json, JsonObject } from '../../tree.ts';
import { isMap, member } from '../checks.ts';
import { isTruthy } from '../python.ts';
import { Python27Keys } from './python27-keys.ts';

export class KeyOrders {
  readonly #isOldOrder: boolean;
  /** Maps from sections of Globals other than Api: they keep the order of the text. */
  readonly #plain = new WeakSet<JsonObject>();
  /** The orders of maps that the transform has changed. */
  readonly #orders = new WeakMap<JsonObject, Python27Keys>();

  constructor(template: JsonObject) {
    this.#isOldOrder = hasRestApi(template) || hasDefaultAuthorizer(template);
    for (const [name, section] of Object.entries(sectionOf(template, 'Globals'))) {
      if (name !== 'Api') this.#keepOrder(section);
    }
  }

  keysOf(map: JsonObject): readonly string[] {
    if (!this.#isOldOrder || this.#plain.has(map)) return Object.keys(map);
    const order = this.#orders.get(map);
    if (order === undefined) return freshOrder(map).keys();
    for (const key of order.keys()) if (!Object.hasOwn(map, key)) order.remove(key);
    order.merge(Object.keys(map).filter((key) => !order.has(key)));
    return order.keys();
  }

  /** Notes that Globals have been merged into a map of a resource: the members of Globals come first. */
  merge(global: JsonObject, local: JsonObject, merged: JsonObject): void {
    if (this.#plain.has(global)) {
      this.#plain.add(merged);
      for (const key of Object.keys(global)) if (!Object.hasOwn(local, key)) this.#keepOrder(merged[key] as Json);
      return;
    }
    const order = (this.#orders.get(global) ?? freshOrder(global)).copy();
    for (const key of this.keysOf(local)) order.add(key);
    this.#orders.set(merged, order);
  }

  #keepOrder(value: Json): void {
    if (Array.isArray(value)) for (const item of value) this.#keepOrder(item);
    if (!isMap(value)) return;
    this.#plain.add(value);
    for (const item of Object.values(value)) this.#keepOrder(item);
  }

  /** The order of a map that the transform has changed. */
  orderOf(map: JsonObject): Python27Keys | undefined {
    return this.#orders.get(map);
  }

  /** From now on, members are in the order in which they were added. */
  follow(map: JsonObject): Python27Keys {
    const order = this.#orders.get(map) ?? freshOrder(map);
    this.#orders.set(map, order);
    return order;
  }
}

function freshOrder(map: JsonObject): Python27Keys {
  const order = new Python27Keys();
  for (const key of Object.keys(map)) order.add(key);
  return order;
}

const sectionOf = (value: Json | undefined, name: string): JsonObject => {
  const found = isMap(value) ? member(value, name) : undefined;
  return isMap(found) ? found : {};
};

function hasEvent(resource: Json, type: string): boolean {
  const events = sectionOf(sectionOf(resource, 'Properties'), 'Events');
  return Object.values(events).some((event) => isMap(event) && event.Type === type);
}

function hasRestApi(template: JsonObject): boolean {
  return Object.values(sectionOf(template, 'Resources')).some((resource) => {
    if (!isMap(resource)) return false;
    if (resource.Type === 'AWS::Serverless::Api') return true;
    const hasEvents =
      resource.Type === 'AWS::Serverless::Function' || resource.Type === 'AWS::Serverless::StateMachine';
    return hasEvents && hasEvent(resource, 'Api');
  });
}

function hasDefaultAuthorizer(template: JsonObject): boolean {
  const globals = sectionOf(sectionOf(template, 'Globals'), 'HttpApi');
  const isGlobal = isTruthy(sectionOf(globals, 'Auth').DefaultAuthorizer);
  return Object.values(sectionOf(template, 'Resources')).some((resource) => {
    if (!isMap(resource)) return false;
    if (resource.Type === 'AWS::Serverless::HttpApi') {
      return isGlobal || isTruthy(sectionOf(sectionOf(resource, 'Properties'), 'Auth').DefaultAuthorizer);
    }
    return isGlobal && resource.Type === 'AWS::Serverless::Function' && hasEvent(resource, 'HttpApi');
  });
}
