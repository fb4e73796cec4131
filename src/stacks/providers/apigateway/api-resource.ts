/**
 * Providers of resources that have one operation each for creation, change and deletion, as most of API Gateway and Elastic
 * Load Balancing have. A property that a change leaves out is set back to the empty value of its kind.
 */
import type { OperationMembers } from '../../../wire/api-call.ts';
import { ServiceCallFailure } from '../../../wire/service-call.ts';
import type { Json, PhysicalResource, Properties, ResourceContext, ResourceProvider } from '../provider.ts';

export type ApiResource = {
  readonly type: string;
  readonly service: string;
  /** Without the verb: `Integration`. */
  readonly noun: string;
  /** The member of the result that identifies the resource, and with which the other operations name it. */
  readonly id: string;
  /** Properties that the other operations need as well, such as `ApiId`. */
  readonly parents: readonly string[];
  /** What `Ref` returns, if it is not the ID. */
  readonly refOf?: (properties: Properties) => string;
  readonly attributes?: (
    id: string,
    context: ResourceContext,
    result: OperationMembers,
  ) => Readonly<Record<string, Json>>;
  /** The members of the operations that change it, from the properties. Defaults to the properties. */
  readonly members?: (properties: Properties) => OperationMembers;
  /** Values for properties that are left out, if they are not empty. */
  readonly resets?: Readonly<Record<string, Json>>;
};

export function apiResource(resource: ApiResource): ResourceProvider {
  const { type, service, noun, id, parents, members = (properties) => properties } = resource;
  const physical = (idValue: string, properties: Properties, context: ResourceContext, result: OperationMembers) => {
    const physicalId = resource.refOf?.(properties) ?? idValue;
    return { physicalId, attributes: { [id]: idValue, ...resource.attributes?.(idValue, context, result) } };
  };
  const address = (existing: PhysicalResource & { readonly properties: Properties }) => ({
    ...pickMembers(existing.properties, parents),
    [id]: existing.attributes[id] ?? existing.physicalId,
  });
  return {
    type,
    async create(properties, context) {
      const result = await context.call(service, `Create${noun}`, members(properties));
      const made = physical(String(result[id]), properties, context, result);
      context.created(made.physicalId);
      return made;
    },
    async update(existing, properties, context) {
      const reset = resetMembers(existing.properties, properties, resource.resets ?? {});
      const input = { ...members({ ...reset, ...properties }), ...address(existing) };
      const result = await context.call(service, `Update${noun}`, input);
      return physical(String(existing.attributes[id] ?? existing.physicalId), properties, context, result);
    },
    delete: (existing, context) => ignoreMissing(context.call(service, `Delete${noun}`, address(existing))),
  };
}

export function pickMembers(properties: Properties, names: readonly string[]): Record<string, Json> {
  return Object.fromEntries(
    names.flatMap((name) => (properties[name] === undefined ? [] : [[name, properties[name] as Json]])),
  );
}

export function omitMembers(properties: Properties, names: readonly string[]): Record<string, Json> {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => !names.includes(name)));
}

/** Empty values for what was there before and is not any more. */
export function resetMembers(
  before: Properties,
  after: Properties,
  resets: Readonly<Record<string, Json>>,
): Record<string, Json> {
  return Object.fromEntries(
    Object.entries(before)
      .filter(([name]) => after[name] === undefined)
      .map(([name, value]) => [name, resets[name] ?? emptyOf(value)]),
  );
}

function emptyOf(value: Json): Json {
  if (typeof value === 'string') return '';
  if (typeof value === 'boolean') return false;
  if (typeof value !== 'object' || value === null) return null;
  return Array.isArray(value) ? [] : {};
}

/** Waits for a deletion. What does not exist is deleted. */
export async function ignoreMissing(deletion: Promise<unknown>): Promise<void> {
  try {
    await deletion;
  } catch (failure) {
    if (!(failure instanceof ServiceCallFailure) || !(failure.status === 404 || /NotFound/.test(failure.code))) {
      throw failure;
    }
  }
}

/** The OpenAPI document of `Body` or `BodyS3Location` as text; undefined without either. */
export async function bodyText(
  { Body, BodyS3Location }: Properties,
  context: ResourceContext,
): Promise<string | undefined> {
  if (Body !== undefined && Body !== null) return typeof Body === 'string' ? Body : JSON.stringify(Body);
  if (typeof BodyS3Location !== 'object' || BodyS3Location === null) return undefined;
  const { Bucket, Key, Version } = BodyS3Location as Properties;
  const { Body: content } = await context.call('s3', 'GetObject', { Bucket, Key, VersionId: Version });
  return Buffer.from(String(content), 'base64').toString('utf8');
}
