/**
 * Parses the input of an operation with the generated tables of AWS's model: collects members from path, query, headers
 * and body, converts them to the model's types, and checks the model's constraints. All violations are reported in one
 * message, in AWS's wording. Rules beyond the model are checked by the operations. Unknown members are ignored, as on
 * AWS.
 */

import type { HttpRequest } from '../../http/exchange.ts';
import { parseJson } from '../../protocol/json.ts';
import type { MemberRow, ShapeRow } from '../../protocol/operation-rows.ts';
import type { OperationInput, OperationName } from '../../protocol/operations.ts';
import { compilePattern, operationRow, shapeRow } from '../../protocol/operations.ts';
import { renderAcceptedRuntimes, runtimeStatusOf } from '../../protocol/runtimes.ts';
import { ServiceError } from '../../protocol/service-errors.ts';
import { findJsonError, renderJsonError } from '../../wire/json-syntax.ts';

export type RawInput = {
  /** By the name in the path template, percent-decoded. */
  readonly pathParameters: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: HttpRequest['headers'];
  readonly body: Buffer;
};

/** Whether an operation has a request body: JSON or a blob. */
export function takesBody(operation: OperationName): boolean {
  const { input } = operationRow(operation);
  return input !== undefined && Object.values(shapeRow(input).members ?? {}).some((member) => member.in === undefined);
}

/** Parses the input. @throws ServiceError SerializationException for wrong types, ValidationException for violations */
export function parseInput<Name extends OperationName>(operation: Name, raw: RawInput): OperationInput<Name> {
  const { input } = operationRow(operation);
  if (input === undefined) return {} as OperationInput<Name>;
  const structure = shapeRow(input);
  const body = bodyOf(structure, raw.body);
  const values: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(structure.members ?? {})) {
    const value =
      name === structure.payload && shapeRow(member.shape).type === 'blob'
        ? raw.body
        : memberOf(name, member, raw, body);
    if (value !== undefined) values[name] = value;
  }
  const violations: string[] = [];
  collectOfStructure(structure, values, '', violations);
  if (violations.length > 0) throw validationError(violations);
  return values as OperationInput<Name>;
}

/** Parses members that a caller inside this process passes as values. @throws ServiceError like `parseInput` */
export function parseMembers<Name extends OperationName>(
  operation: Name,
  given: Readonly<Record<string, unknown>>,
): OperationInput<Name> {
  const { input } = operationRow(operation);
  if (input === undefined) return {} as OperationInput<Name>;
  const values = fromJson(input, given) as Record<string, unknown>;
  const violations: string[] = [];
  collectOfStructure(shapeRow(input), values, '', violations);
  if (violations.length > 0) throw validationError(violations);
  return values as OperationInput<Name>;
}

/** `N validation errors detected: ...; ...` */
export function validationError(violations: readonly string[]): ServiceError {
  const errors = violations.length === 1 ? '1 validation error' : `${violations.length} validation errors`;
  return new ServiceError('ValidationException', `${errors} detected: ${violations.join('; ')}`);
}

/** `Value 'x' at 'functionName' failed to satisfy constraint: Member must ...` */
export function renderViolation(path: string, value: unknown, constraint: string, sensitive = false): string {
  const shown = sensitive ? '' : value === undefined || value === null ? ' null' : ` '${renderValue(value)}'`;
  return `Value${shown} at '${path}' failed to satisfy constraint: ${constraint}`;
}

// --- members --------------------------------------------------------------------------------------------------------

function bodyOf(structure: ShapeRow, body: Buffer): Readonly<Record<string, unknown>> {
  const isJson = Object.entries(structure.members ?? {}).some(
    ([name, member]) => member.in === undefined && name !== structure.payload,
  );
  if (!isJson || body.length === 0) return {};
  let parsed: unknown;
  try {
    parsed = parseJson(body.toString('utf8'));
  } catch (failure) {
    const error = findJsonError(body);
    const why = error ? renderJsonError(error) : (failure as Error).message;
    throw new ServiceError('SerializationException', `Could not parse request body into json: ${why}`);
  }
  if (parsed === null) return {};
  if (Array.isArray(parsed)) throw unexpectedList();
  if (typeof parsed !== 'object') throw unconvertible(parsed, 'Structure');
  return parsed as Readonly<Record<string, unknown>>;
}

function memberOf(name: string, member: MemberRow, raw: RawInput, body: Readonly<Record<string, unknown>>): unknown {
  const shape = shapeRow(member.shape);
  const wireName = member.name ?? name;
  switch (member.in) {
    case 'uri':
      return fromText(shape, raw.pathParameters[wireName]);
    case 'querystring':
      if (shape.type === 'list') {
        const all = raw.query.getAll(wireName);
        return all.length === 0 ? undefined : all;
      }
      return fromText(shape, raw.query.get(wireName) ?? undefined);
    case 'header': {
      const header = raw.headers[wireName.toLowerCase()];
      return fromText(shape, Array.isArray(header) ? header.join(',') : header);
    }
    default:
      return Object.hasOwn(body, wireName) ? fromJson(member.shape, body[wireName]) : undefined;
  }
}

function fromText(shape: ShapeRow, text: string | undefined): unknown {
  if (text === undefined) return undefined;
  switch (shape.type) {
    case 'integer':
    case 'long':
      if (!/^[+-]?\d+$/.test(text)) throw unconvertible(text, shape.type === 'long' ? 'Long' : 'Integer');
      return Number(text);
    case 'double':
      if (text.trim() === '' || Number.isNaN(Number(text))) throw unconvertible(text, 'Double');
      return Number(text);
    case 'boolean':
      if (text !== 'true' && text !== 'false') throw unconvertible(text, 'Boolean');
      return text === 'true';
    case 'timestamp': {
      const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Date.parse(text) / 1000;
      if (Number.isNaN(seconds)) throw unconvertible(text, 'Date');
      return seconds;
    }
    default:
      return text;
  }
}

function fromJson(shapeName: string, json: unknown): unknown {
  if (json === null) return undefined;
  const shape = shapeRow(shapeName);
  if (shape.type === 'structure') {
    const object = objectOf(json);
    const values: Record<string, unknown> = {};
    for (const [name, member] of Object.entries(shape.members ?? {})) {
      if (!Object.hasOwn(object, name)) continue;
      const value = fromJson(member.shape, object[name]);
      if (value !== undefined) values[name] = value;
    }
    return values;
  }
  if (shape.type === 'map') {
    const entries = Object.entries(objectOf(json));
    return Object.fromEntries(entries.map(([key, value]) => [key, fromJson(shape.value ?? '', value) ?? null]));
  }
  if (shape.type === 'list') {
    if (!Array.isArray(json)) throw typeof json === 'object' ? unexpectedStructure() : unconvertible(json, 'List');
    return json.map((item) => fromJson(shape.member ?? '', item) ?? null);
  }
  if (Array.isArray(json)) throw unexpectedList();
  if (typeof json === 'object') throw unexpectedStructure();
  return scalarFromJson(shape, json);
}

function scalarFromJson(shape: ShapeRow, json: unknown): unknown {
  switch (shape.type) {
    case 'string':
      if (typeof json !== 'string') throw unconvertible(json, 'String');
      return json;
    case 'integer':
    case 'long':
      if (typeof json !== 'number') throw unconvertible(json, shape.type === 'long' ? 'Long' : 'Integer');
      // AWS's parser truncates fractions.
      return Math.trunc(json);
    case 'double':
      if (typeof json !== 'number') throw unconvertible(json, 'Double');
      return json;
    case 'boolean':
      if (typeof json !== 'boolean') throw unconvertible(json, 'Boolean');
      return json;
    case 'timestamp': {
      const seconds = typeof json === 'number' ? json : typeof json === 'string' ? Date.parse(json) / 1000 : Number.NaN;
      if (Number.isNaN(seconds)) throw unconvertible(json, 'Date');
      return seconds;
    }
    default: {
      if (typeof json !== 'string') throw unconvertible(json, 'Blob');
      const bytes = Buffer.from(json, 'base64');
      // Node skips characters that are not base64: the result is shorter than the text implies then.
      if (bytes.length !== Math.floor((json.replace(/={1,2}$/, '').length * 3) / 4)) {
        throw new ServiceError('SerializationException', 'A blob of the request is not valid base64');
      }
      return bytes;
    }
  }
}

function objectOf(json: unknown): Readonly<Record<string, unknown>> {
  if (Array.isArray(json)) throw unexpectedList();
  if (typeof json !== 'object' || json === null) throw unconvertible(json, 'Structure');
  return json as Readonly<Record<string, unknown>>;
}

const JAVA_CLASSES: Readonly<Record<string, string>> = {
  string: 'java.lang.String',
  boolean: 'java.lang.Boolean',
  number: 'com.amazon.coral.value.json.numbers.TruncatingBigNumber',
};

function unconvertible(value: unknown, to: string): ServiceError {
  const from = JAVA_CLASSES[typeof value] ?? typeof value;
  return new ServiceError('SerializationException', `class ${from} can not be converted to an ${to}`);
}

function unexpectedList(): ServiceError {
  return new ServiceError('SerializationException', 'Start of list found where not expected');
}

function unexpectedStructure(): ServiceError {
  return new ServiceError('SerializationException', 'Start of structure or map found where not expected.');
}

// --- constraints ----------------------------------------------------------------------------------------------------

function collectOfStructure(
  structure: ShapeRow,
  values: Readonly<Record<string, unknown>>,
  path: string,
  violations: string[],
): void {
  for (const [name, member] of Object.entries(structure.members ?? {})) {
    const memberPath = `${path}${name.charAt(0).toLowerCase()}${name.slice(1)}`;
    const value = values[name];
    if (value === undefined) {
      if (structure.required?.includes(name)) violations.push(renderViolation(memberPath, null, NOT_NULL));
    } else if (member.rule === 'known-runtimes') {
      collectOfRuntimes(value as readonly unknown[], member.shape, memberPath, violations);
    } else if (!member.unchecked) {
      collect(member.shape, value, memberPath, violations);
    }
  }
}

function collect(shapeName: string, value: unknown, path: string, violations: string[]): void {
  const shape = shapeRow(shapeName);
  switch (shape.type) {
    case 'structure':
      collectOfStructure(shape, value as Readonly<Record<string, unknown>>, `${path}.`, violations);
      return;
    case 'list':
      collectOfList(shape, value as readonly unknown[], path, violations);
      return;
    case 'map':
      collectOfMap(shape, value as Readonly<Record<string, unknown>>, path, violations);
      return;
    default:
      for (const { text, holds } of constraintsOf(shapeName)) {
        if (!holds(value)) violations.push(renderViolation(path, value, text, shape.sensitive));
      }
  }
}

function collectOfList(shape: ShapeRow, values: readonly unknown[], path: string, violations: string[]): void {
  for (const { text, holds } of lengthConstraints(shape)) {
    if (!holds(values)) violations.push(renderViolation(path, values, text, shape.sensitive));
  }
  const itemShape = shapeRow(shape.member ?? '');
  if (itemShape.type === 'structure') {
    values.forEach((value, index) => {
      const itemPath = `${path}.${index + 1}.member`;
      if (value === null) violations.push(renderViolation(itemPath, null, NOT_NULL));
      else collect(shape.member ?? '', value, itemPath, violations);
    });
    return;
  }
  const constraints = itemConstraints(shape.member ?? '', shape.nullable === true);
  if (!values.every((value) => constraints.every(({ holds }) => holds(value)))) {
    const texts = constraints.map(({ text }) => text).join(', ');
    const sensitive = shape.sensitive ?? itemShape.sensitive;
    violations.push(renderViolation(path, values, `Member must satisfy constraint: [${texts}]`, sensitive));
  }
}

function collectOfMap(
  shape: ShapeRow,
  values: Readonly<Record<string, unknown>>,
  path: string,
  violations: string[],
): void {
  const keys = Object.keys(values);
  for (const { text, holds } of lengthConstraints(shape)) {
    if (!holds(keys)) violations.push(renderViolation(path, values, text, shape.sensitive));
  }
  const parts = [
    { what: 'Map keys', constraints: constraintsOf(shape.key ?? ''), of: keys },
    { what: 'Map value', constraints: itemConstraints(shape.value ?? '', false), of: Object.values(values) },
  ];
  for (const { what, constraints, of } of parts) {
    if (of.every((value) => constraints.every(({ holds }) => holds(value)))) continue;
    const texts = constraints.map(({ text }) => text).join(', ');
    violations.push(renderViolation(path, values, `${what} must satisfy constraint: [${texts}]`, shape.sensitive));
  }
}

function collectOfRuntimes(values: readonly unknown[], shapeName: string, path: string, violations: string[]): void {
  for (const { text, holds } of lengthConstraints(shapeRow(shapeName))) {
    if (!holds(values)) violations.push(renderViolation(path, values, text));
  }
  if (!values.every((value) => typeof value === 'string' && runtimeStatusOf(value) !== 'unknown')) {
    const text = `Member must satisfy enum value set: ${renderAcceptedRuntimes()}`;
    violations.push(renderViolation(path, values, text));
  }
}

type Constraint = { readonly text: string; readonly holds: (value: unknown) => boolean };

const NOT_NULL = 'Member must not be null';

const CONSTRAINTS_BY_SHAPE = new Map<string, readonly Constraint[]>();

/** The constraints of a scalar, in the order in which AWS lists them. Cached by shape. */
function constraintsOf(shapeName: string): readonly Constraint[] {
  const cached = CONSTRAINTS_BY_SHAPE.get(shapeName);
  if (cached) return cached;
  const shape = shapeRow(shapeName);
  const constraints = [...lengthConstraints(shape), ...patternConstraint(shape), ...enumConstraint(shape)];
  CONSTRAINTS_BY_SHAPE.set(shapeName, constraints);
  return constraints;
}

/** The constraints of a list's item or a map's value, which can be null or another list. */
function itemConstraints(shapeName: string, isNullable: boolean): readonly Constraint[] {
  const shape = shapeRow(shapeName);
  const own =
    shape.type === 'list'
      ? [...lengthConstraints(shape), nestedConstraint(itemConstraints(shape.member ?? '', shape.nullable === true))]
      : constraintsOf(shapeName);
  const present = own.map(({ text, holds }) => ({ text, holds: (value: unknown) => value === null || holds(value) }));
  return isNullable ? present : [...present, { text: NOT_NULL, holds: (value) => value !== null }];
}

function nestedConstraint(constraints: readonly Constraint[]): Constraint {
  const texts = constraints.map(({ text }) => text).join(', ');
  return {
    text: `Member must satisfy constraint: [${texts}]`,
    holds: (value) => (value as readonly unknown[]).every((item) => constraints.every(({ holds }) => holds(item))),
  };
}

function lengthConstraints({ type, min, max }: ShapeRow): readonly Constraint[] {
  const isNumber = type === 'integer' || type === 'long' || type === 'double';
  const what = isNumber ? 'value' : 'length';
  const measure = isNumber ? (value: unknown) => value as number : lengthOf;
  const shown = (bound: number) => (type === 'double' ? renderDouble(bound) : String(bound));
  const constraints: Constraint[] = [];
  if (max !== undefined) {
    const text = `Member must have ${what} less than or equal to ${shown(max)}`;
    constraints.push({ text, holds: (value) => measure(value) <= max });
  }
  if (min !== undefined) {
    const text = `Member must have ${what} greater than or equal to ${shown(min)}`;
    constraints.push({ text, holds: (value) => measure(value) >= min });
  }
  return constraints;
}

/**
 * The pattern is not tested on text that exceeds its maximum length by more than this: the length constraint fails
 * anyway, and some patterns take quadratic time.
 */
const PATTERN_SLACK = 4096;

function patternConstraint({ pattern, max }: ShapeRow): readonly Constraint[] {
  if (pattern === undefined) return [];
  const expression = compilePattern(pattern);
  const longest = max === undefined ? Number.POSITIVE_INFINITY : max + PATTERN_SLACK;
  return [
    {
      text: `Member must satisfy regular expression pattern: ${pattern}`,
      holds: (value) => (value as string).length > longest || expression.test(value as string),
    },
  ];
}

function enumConstraint({ enum: values }: ShapeRow): readonly Constraint[] {
  if (values === undefined) return [];
  const allowed = new Set<unknown>(values);
  return [{ text: `Member must satisfy enum value set: [${values.join(', ')}]`, holds: (value) => allowed.has(value) }];
}

function lengthOf(value: unknown): number {
  return typeof value === 'string' || Array.isArray(value) || Buffer.isBuffer(value)
    ? value.length
    : Object.keys(value as object).length;
}

/** Renders a value as Java prints it: `[a, b]`, `{2=0.5}`. */
function renderValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(renderValue).join(', ')}]`;
  if (Buffer.isBuffer(value)) return `java.nio.HeapByteBuffer[pos=0 lim=${value.length} cap=${value.length}]`;
  if (typeof value === 'object' && value !== null) {
    // The only maps whose values AWS shows contain numbers, and those are doubles.
    const entries = Object.entries(value).map(
      ([key, item]) => `${key}=${typeof item === 'number' ? renderDouble(item) : renderValue(item)}`,
    );
    return `{${entries.join(', ')}}`;
  }
  return String(value);
}

function renderDouble(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}
