/**
 * Requests generated from the API model: for each operation, one that satisfies every constraint, and variants that each
 * violate one. Only the list of texts is written by hand: each pattern must match one of them.
 */
import type { ShapeRow } from '../../src/protocol/operation-rows.ts';
import { compilePattern, type OperationName, operationRow, shapeRow } from '../../src/protocol/operations.ts';

export type ModelRequest = {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
};

export type BrokenRequest = ModelRequest & {
  /** The member and how it was changed. */
  readonly what: string;
  readonly expected: 'ValidationException' | 'SerializationException';
};

type Values = Record<string, unknown>;

const ACCOUNT = '123456789012';
const REGION = 'us-east-1';

/** Each pattern of the model matches one of these. */
const TEXTS = [
  'model-made',
  '1',
  'o-a1b2c3d4e5',
  `arn:aws:iam::${ACCOUNT}:role/r`,
  `arn:aws:lambda:${REGION}:${ACCOUNT}:layer:model-made:1`,
  `arn:aws:lambda:${REGION}:${ACCOUNT}:function:model-made`,
  `arn:aws:lambda:${REGION}:${ACCOUNT}:code-signing-config:csc-0123456789abcdefg`,
  `arn:aws:lambda:${REGION}:${ACCOUNT}:capacity-provider:model-made`,
  `arn:aws:lambda:${REGION}:${ACCOUNT}:function:model-made:1/durable-execution/a/b`,
  `arn:aws:lambda:${REGION}::runtime:${'a'.repeat(64)}`,
  `arn:aws:elasticfilesystem:${REGION}:${ACCOUNT}:access-point/fsap-0123456789abcdef0`,
  `arn:aws:sqs:${REGION}:${ACCOUNT}:queue`,
  '/mnt/data',
  'lambda:InvokeFunction',
  'lambda:GetLayerVersion',
  ACCOUNT,
  'broker:9092',
  'subnet-0a',
  'sg-0a',
  'AAAA',
  'ALL',
  '01234567-89ab-cdef-0123-456789abcdef',
  'some text that is somewhat longer',
];

/** A request that satisfies every constraint. `minimal` leaves out optional members. */
export function validRequest(operation: OperationName, minimal: boolean): ModelRequest {
  return requestOf(operation, valuesOf(operationRow(operation).input, minimal));
}

/** A value that satisfies every constraint for each member of an operation's input. */
export function everyMember(operation: OperationName): Readonly<Record<string, unknown>> {
  return valuesOf(operationRow(operation).input, false);
}

/** Requests that each violate one constraint, and one with a wrong type for each member of the body. */
export function brokenRequests(operation: OperationName): BrokenRequest[] {
  const { input } = operationRow(operation);
  if (input === undefined) return [];
  return breaksOf(input, valuesOf(input, false) as Values, '').map(({ what, values, expected }) => ({
    ...requestOf(operation, values),
    what,
    expected,
  }));
}

function requestOf(operation: OperationName, values: Values): ModelRequest {
  const { method, path, query, input } = operationRow(operation);
  const structure = input === undefined ? undefined : shapeRow(input);
  const search = new URLSearchParams(query ?? '');
  const headers: Record<string, string> = {};
  const json: Values = {};
  let target = path;
  let hasBody = false;
  let payload: Buffer | undefined;
  for (const [name, member] of Object.entries(structure?.members ?? {})) {
    const value = values[name];
    const wireName = member.name ?? name;
    if (name === structure?.payload) payload = Buffer.from('{}');
    else if (member.in === 'uri') target = target.replace(`{${wireName}}`, encodeURIComponent(String(value)));
    else if (value === undefined) hasBody ||= member.in === undefined;
    else if (member.in === 'querystring') {
      for (const one of Array.isArray(value) ? value : [value]) search.append(wireName, String(one));
    } else if (member.in === 'header') headers[wireName] = String(value);
    else {
      json[name] = value;
      hasBody = true;
    }
  }
  const body = payload ?? (hasBody ? Buffer.from(JSON.stringify(json)) : undefined);
  return { method, path: search.size > 0 ? `${target}?${search}` : target, headers, body };
}

function valuesOf(shapeName: string | undefined, minimal: boolean): Values {
  const shape: Partial<ShapeRow> = shapeName === undefined ? {} : shapeRow(shapeName);
  const { members = {}, required = [] } = shape;
  const entries = Object.entries(members)
    .filter(([name]) => !minimal || required.includes(name))
    .map(([name, { shape, unchecked, rule }]) => {
      if (unchecked) return [name, 'provided.al2023'];
      if (rule) return [name, ['provided.al2023']];
      return [name, exampleOf(shape, minimal)];
    });
  return Object.fromEntries(entries);
}

function exampleOf(shapeName: string, minimal: boolean): unknown {
  const shape = shapeRow(shapeName);
  switch (shape.type) {
    case 'structure':
      return valuesOf(shapeName, minimal);
    case 'list':
      return Array.from({ length: Math.max(shape.min ?? 1, 1) }, () => exampleOf(shape.member ?? '', minimal));
    case 'map':
      return { [String(exampleOf(shape.key ?? '', minimal))]: exampleOf(shape.value ?? '', minimal) };
    case 'string':
      return textOf(shapeName);
    case 'boolean':
      return false;
    case 'blob':
      return 'e30=';
    case 'timestamp':
      return 1_700_000_000;
    default:
      return shape.min ?? Math.min(shape.max ?? 1, 1);
  }
}

function textOf(shapeName: string): string {
  const { pattern, min = 0, max = Number.POSITIVE_INFINITY, enum: values } = shapeRow(shapeName);
  if (values?.[0] !== undefined) return values[0];
  const fitting = [...TEXTS, 'x'.repeat(min)].find(
    (text) => text.length >= min && text.length <= max && (!pattern || compilePattern(pattern).test(text)),
  );
  if (fitting === undefined) throw new Error(`No text of the list matches the shape ${shapeName}: ${pattern}`);
  return fitting;
}

type Break = { readonly what: string; readonly values: Values; readonly expected: BrokenRequest['expected'] };

function breaksOf(shapeName: string, values: Values, path: string): Break[] {
  const { members = {}, required = [], payload } = shapeRow(shapeName);
  return Object.entries(members).flatMap(([name, member]): Break[] => {
    if (member.unchecked || member.rule || name === payload) return [];
    const at = `${path}${name}`;
    const shape = shapeRow(member.shape);
    const broken: Break[] = brokenValues(member.shape, member.in).map(({ how, value }) => ({
      what: `${at}: ${how}`,
      values: { ...values, [name]: value },
      expected: 'ValidationException',
    }));
    if (required.includes(name) && member.in !== 'uri') {
      const { [name]: _, ...rest } = values;
      broken.push({ what: `${at}: missing`, values: rest, expected: 'ValidationException' });
    }
    if (member.in === undefined) {
      const value = shape.type === 'structure' || shape.type === 'map' ? [1] : shape.type === 'list' ? 1 : [[1]];
      broken.push({
        what: `${at}: of a wrong type`,
        values: { ...values, [name]: value },
        expected: 'SerializationException',
      });
    }
    if (shape.type === 'structure') {
      const inner = breaksOf(member.shape, values[name] as Values, `${at}.`);
      broken.push(...inner.map((one) => ({ ...one, values: { ...values, [name]: one.values } })));
    }
    return broken;
  });
}

function brokenValues(
  shapeName: string,
  where: string | undefined,
): { readonly how: string; readonly value: unknown }[] {
  const { type, min, max, pattern, enum: values } = shapeRow(shapeName);
  const broken: { how: string; value: unknown }[] = [];
  const isNumber = type === 'integer' || type === 'long' || type === 'double';
  if (isNumber) {
    if (min !== undefined) broken.push({ how: 'too small', value: min - 1 });
    if (max !== undefined) broken.push({ how: 'too large', value: max + 1 });
  }
  if (type === 'string') {
    // The server itself refuses headers and paths that are too long.
    if (max !== undefined && max < 4000) broken.push({ how: 'too long', value: 'x'.repeat(max + 1) });
    if (min !== undefined && min > 0 && where !== 'uri' && where !== 'header')
      broken.push({ how: 'too short', value: '' });
    const odd = ' {}|"';
    if (pattern !== undefined && !compilePattern(pattern).test(odd))
      broken.push({ how: 'off the pattern', value: odd });
    if (values !== undefined) broken.push({ how: 'none of the values', value: 'nonsense' });
  }
  if (type === 'list' && max !== undefined) {
    const item = shapeRow(shapeName).member ?? '';
    broken.push({ how: 'too many', value: Array.from({ length: max + 1 }, () => exampleOf(item, true)) });
  }
  return broken;
}
