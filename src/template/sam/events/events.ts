/** The events of a function or a state machine: finds their kinds, checks them, and translates them in order. */
import type { Json, JsonObject } from '../../tree.ts';
import { checkProperties, isMap, member } from '../checks.ts';
import type { EventKind, EventTarget, SamContext, SamEvent } from '../context.ts';
import { InvalidEvent, InvalidResource } from '../errors.ts';
import { compareText, isTruthy, pythonStr } from '../python.ts';
import { type CfnResource, checkLogicalId, type SamResource } from '../resources.ts';

/** An event whose resources are found. */
export interface LinkedEvent {
  readonly eventId: string;
  /** What events are ordered by: the path of an API's event, else the event's id. */
  readonly order: string;
  readonly translate: (target: EventTarget) => readonly CfnResource[];
}

/** @throws InvalidResource for the first event that is wrong */
export function linkEvents(
  resource: SamResource,
  kinds: ReadonlyMap<string, EventKind>,
  context: SamContext,
): LinkedEvent[] {
  const { Events } = resource.properties;
  if (!isMap(Events) || !isTruthy(Events)) return [];
  return named(resource, () =>
    context
      .keysOf(Events)
      .map((eventId) => linkEvent(resource.logicalId, eventId, Events[eventId] as Json, kinds, context)),
  );
}

/** Translates in the order of paths. @throws InvalidResource for the first event that is wrong */
export function translateEvents(
  resource: SamResource,
  events: readonly LinkedEvent[],
  target: EventTarget,
): CfnResource[] {
  const ordered = [...events].sort((one, other) => compareText(one.order, other.order));
  return named(resource, () => ordered.flatMap((event) => [...event.translate(target)]));
}

/** The error of an event becomes the resource's. */
export function named<T>(resource: SamResource, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof InvalidEvent) throw new InvalidResource(resource.logicalId, error.message);
    throw error;
  }
}

function linkEvent(
  ownerId: string,
  eventId: string,
  definition: Json,
  kinds: ReadonlyMap<string, EventKind>,
  context: SamContext,
): LinkedEvent {
  if (!isMap(definition)) {
    throw new InvalidEvent(eventId, `'${pythonType(definition)}' object has no attribute 'get'`);
  }
  const type = member(definition, 'Type');
  const kind = typeof type === 'string' ? kinds.get(type) : undefined;
  if (typeof type !== 'string' || kind === undefined) {
    const problem = 'Resource dict has missing or invalid value for key Type.';
    throw new InvalidEvent(eventId, `${problem} Event Type is: ${pythonStr(type)}.`);
  }
  const event = (): SamEvent => readEvent(ownerId, eventId, type, definition, kind);
  const translate = kind.link(event(), context);
  const properties = definition.Properties;
  const path = isMap(properties) ? member(properties, 'Path') : undefined;
  return {
    eventId,
    order: path === undefined ? eventId : pythonStr(path),
    translate: (target) => translate(event(), target),
  };
}

function readEvent(ownerId: string, eventId: string, type: string, definition: JsonObject, kind: EventKind): SamEvent {
  const logicalId = `${ownerId}${eventId}`;
  checkLogicalId(logicalId);
  const properties = 'Properties' in definition ? definition.Properties : {};
  if (!isMap(properties)) throw new InvalidResource(logicalId, 'Properties of a resource must be an object.');
  checkProperties(logicalId, type, properties, kind.properties);
  return { logicalId, eventId, type, properties: { ...properties } };
}

function pythonType(value: Json): string {
  if (value === null) return 'NoneType';
  if (Array.isArray(value)) return 'list';
  if (typeof value === 'string') return 'str';
  if (typeof value === 'boolean') return 'bool';
  return Number.isInteger(value) ? 'int' : 'float';
}
