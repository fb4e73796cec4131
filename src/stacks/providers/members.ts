/**
 * How properties become members of an operation's input. Templates may write a number or a boolean as a text and the
 * other way round; CloudFormation converts it, so providers do, too.
 */
import { isOperationName, operationRow, shapeRow } from '../../protocol/operations.ts';
import type { OperationMembers } from '../../wire/api-call.ts';
import { ServiceCallFailure } from '../../wire/service-call.ts';
import type { Json, Properties } from './provider.ts';

/** The given members of `properties` that are there. */
export function pick(properties: Properties, names: readonly string[]): Properties {
  return Object.fromEntries(
    names.flatMap((name) => (properties[name] === undefined ? [] : [[name, properties[name] as Json]])),
  );
}

/** Converts scalars of the members to the types that Lambda's API model has for the operation. */
export function lambdaMembers(operation: string, members: OperationMembers): OperationMembers {
  const shape = isOperationName(operation) ? operationRow(operation).input : undefined;
  return shape === undefined ? members : (convert(shape, members as Json) as OperationMembers);
}

function convert(shapeName: string, value: Json): Json {
  const shape = shapeRow(shapeName);
  if (value === null || value === undefined) return value;
  switch (shape.type) {
    case 'structure': {
      if (typeof value !== 'object' || Array.isArray(value)) return value;
      return Object.fromEntries(
        Object.entries(value).map(([name, item]) => {
          const member = shape.members?.[name];
          return [name, member === undefined ? item : convert(member.shape, item)];
        }),
      );
    }
    case 'list':
      return Array.isArray(value) ? value.map((item) => convert(shape.member ?? '', item)) : value;
    case 'map':
      if (typeof value !== 'object' || Array.isArray(value)) return value;
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, convert(shape.value ?? '', item)]));
    case 'integer':
    case 'long':
    case 'double':
      return typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value)) ? Number(value) : value;
    case 'boolean':
      return value === 'true' ? true : value === 'false' ? false : value;
    case 'string':
      return typeof value === 'number' || typeof value === 'boolean' ? String(value) : value;
    default:
      return value;
  }
}

/** A list of Key and Value as a map. */
export function tagMap(tags: Json | undefined): Record<string, string> {
  if (!Array.isArray(tags)) return {};
  return Object.fromEntries(
    (tags as readonly Properties[]).map(({ Key, Value }) => [String(Key), String(Value ?? '')]),
  );
}

/** A map of tags as a list of Key and Value. */
export function tagList(
  tags: Readonly<Record<string, string>>,
): readonly { readonly Key: string; readonly Value: string }[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

/** What must be set and removed to get from one set of tags to another. */
export function tagChanges(
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): { readonly set: Readonly<Record<string, string>>; readonly removed: readonly string[] } {
  const set = Object.fromEntries(Object.entries(after).filter(([key, value]) => before[key] !== value));
  return { set, removed: Object.keys(before).filter((key) => after[key] === undefined) };
}

/** A policy document as the text that operations take. */
export function documentText(document: Json | undefined): string {
  return typeof document === 'string' ? document : JSON.stringify(document ?? null);
}

export function texts(value: Json | undefined): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

/** Whether the service says that what should be deleted is not there. */
export function isMissing(failure: unknown): boolean {
  return failure instanceof ServiceCallFailure && (failure.status === 404 || MISSING.test(failure.code));
}

const MISSING = /NotFound|NoSuch|NonExistent|DoesNotExist/;

/** Runs a deletion. What is not there is deleted. */
export async function tolerateMissing(deletion: Promise<unknown>): Promise<void> {
  try {
    await deletion;
  } catch (failure) {
    if (!isMissing(failure)) throw failure;
  }
}
