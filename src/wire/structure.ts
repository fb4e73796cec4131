/**
 * The one reader of structures, for the query and JSON protocols: untrusted input -> the typed input of an operation,
 * by the operation's member table. It collects all violations of constraints into one message in AWS's wording. Checks
 * beyond the API model are the service's.
 */
import { parseJson } from '../protocol/json.ts';
import type { InputOf, Member, Members } from '../protocol/member-constraints.ts';
import type { CallContext } from './api-call.ts';

/** The handlers of a service, one for each row of its operations table. */
export type OperationHandlers<Operations extends Readonly<Record<string, Members>>, Result> = {
  readonly [Name in keyof Operations]: (
    input: InputOf<Operations[Name]>,
    call: CallContext,
  ) => Result | Promise<Result>;
};

/** A value has another type than in the model. AWS fails to deserialize such a request before it validates anything. */
export class WrongType extends Error {}

/** The input violates one or more constraints of the model; the message lists them as AWS does. */
export class ConstraintViolations extends Error {
  constructor(violations: readonly string[]) {
    const count = violations.length === 1 ? '1 validation error' : `${violations.length} validation errors`;
    super(`${count} detected: ${violations.join('; ')}`);
  }
}

/** The body of a request in a JSON protocol; an empty one is an empty structure. @throws WrongType */
export function parseJsonBody(body: Buffer): unknown {
  if (body.length === 0) return {};
  try {
    return parseJson(body.toString('utf8'));
  } catch {
    throw new WrongType('The request body is not valid JSON.');
  }
}

/**
 * Checks `value`, a JSON object, against the table. Ignores members that the table does not name; null means absent.
 * @throws WrongType or ConstraintViolations
 */
export function parseInput<Ms extends Members>(value: unknown, members: Ms): InputOf<Ms> {
  const violations: string[] = [];
  const parsed = parseStructure(value, members, '', violations);
  if (violations.length > 0) throw new ConstraintViolations(violations);
  return parsed as InputOf<Ms>;
}

function parseStructure(value: unknown, members: Members, path: string, violations: string[]): Record<string, unknown> {
  if (!isObject(value)) throw new WrongType('Expected an object');
  const parsed: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(members)) {
    const at = path + name.charAt(0).toLowerCase() + name.slice(1);
    const given = Object.hasOwn(value, name) ? value[name] : undefined;
    if (given === undefined || given === null) {
      if (member.required) violations.push(violation('null', at, 'Member must not be null'));
    } else {
      parsed[name] = parseMember(given, member, at, violations);
    }
  }
  return parsed;
}

function parseMember(value: unknown, member: Member, at: string, violations: string[]): unknown {
  switch (member.type) {
    case 'string':
      if (typeof value !== 'string') throw new WrongType(`${at} must be a string`);
      checkSize([...value].length, member, 'length', `'${value}'`, at, violations);
      if (member.pattern !== undefined && !new RegExp(`^(?:${member.pattern})$`, 'u').test(value)) {
        const rule = `Member must satisfy regular expression pattern: ${member.pattern}`;
        violations.push(violation(`'${value}'`, at, rule));
      }
      if (member.values !== undefined && !member.values.includes(value)) {
        violations.push(
          violation(`'${value}'`, at, `Member must satisfy enum value set: [${member.values.join(', ')}]`),
        );
      }
      return value;
    case 'integer':
      if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw new WrongType(`${at} must be an integer`);
      checkSize(value, member, 'value', `'${value}'`, at, violations);
      return value;
    case 'double':
      if (typeof value !== 'number') throw new WrongType(`${at} must be a number`);
      checkSize(value, member, 'value', `'${value}'`, at, violations);
      return value;
    case 'boolean':
      if (typeof value !== 'boolean') throw new WrongType(`${at} must be a boolean`);
      return value;
    case 'list':
      if (!Array.isArray(value)) throw new WrongType(`${at} must be a list`);
      checkSize(value.length, member, 'length', `'[${value.map(shown).join(', ')}]'`, at, violations);
      return value.map((item, index) => parseMember(item, member.of, `${at}.${index + 1}.member`, violations));
    case 'map': {
      if (!isObject(value)) throw new WrongType(`${at} must be a map`);
      const entries = Object.entries(value);
      checkSize(entries.length, member, 'length', `'${shown(value)}'`, at, violations);
      return Object.fromEntries(
        entries.map(([key, item]) => [
          parseMember(key, member.key, `${at}.key`, violations),
          parseMember(item, member.value, `${at}.${key}.member`, violations),
        ]),
      );
    }
    case 'structure':
      return parseStructure(value, member.members, `${at}.`, violations);
  }
}

function checkSize(
  size: number,
  { min, max }: { readonly min?: number; readonly max?: number },
  what: 'length' | 'value',
  value: string,
  at: string,
  violations: string[],
): void {
  if (max !== undefined && size > max) {
    violations.push(violation(value, at, `Member must have ${what} less than or equal to ${max}`));
  }
  if (min !== undefined && size < min) {
    violations.push(violation(value, at, `Member must have ${what} greater than or equal to ${min}`));
  }
}

function violation(value: string, at: string, rule: string): string {
  return `Value ${value} at '${at}' failed to satisfy constraint: ${rule}`;
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
