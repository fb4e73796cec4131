/**
 * The Lambda API as data: each operation with its method, path, status and shapes, and each shape with its constraints,
 * generated from AWS's model. The router, the validator, the renderer, the CLI and the documents read these rows.
 */
import { OPERATIONS } from './generated/operations.ts';
import { SHAPES } from './generated/shapes.ts';
import type { OperationInputs, OperationOutputs } from './generated/types.ts';
import type { OperationRow, ShapeRow } from './operation-rows.ts';

export type OperationName = keyof typeof OPERATIONS;
/** The parsed input of an operation: blobs are bytes, timestamps are seconds since 1970. */
export type OperationInput<Name extends OperationName> = OperationInputs[Name];
export type OperationOutput<Name extends OperationName> = OperationOutputs[Name];

/** The names of all operations, in alphabetical order. */
export const OPERATION_NAMES = Object.keys(OPERATIONS) as readonly OperationName[];

export function isOperationName(name: string): name is OperationName {
  return Object.hasOwn(OPERATIONS, name);
}

export function operationRow(name: OperationName): OperationRow {
  return OPERATIONS[name];
}

/**
 * A pattern of the model, to match the whole of a text. Java's `\p{L}` needs JavaScript's Unicode mode; the other
 * patterns contain escapes that this mode does not allow.
 */
export function compilePattern(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})$`, pattern.includes('\\p{') ? 'u' : '');
}

/** The constraints of a shape. The name comes from another row of the tables. */
export function shapeRow(name: string): ShapeRow {
  const row = SHAPES[name];
  if (row === undefined) throw new Error(`unknown shape ${name}: generate the protocol tables again`);
  return row;
}
