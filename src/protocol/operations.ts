/**
 * The Lambda API as data: each operation with its method, path, status and shapes, and each shape with its
 * constraints, generated from AWS's model. Router, validator, renderer, command line and documents read these rows.
 */
import { OPERATIONS } from './generated/operations.ts';
import { SHAPES } from './generated/shapes.ts';
import type { OperationInputs, OperationOutputs } from './generated/types.ts';

export type OperationRow = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'PATCH';
  /** Segments in braces are parameters, percent-encoded on the wire. */
  readonly path: string;
  /** `key=value` that tells this operation from another one on the same path. */
  readonly query?: string;
  /** Status of success. */
  readonly status: number;
  /** Name of the input structure in the table of shapes. */
  readonly input?: string;
  readonly output?: string;
};

export type MemberRow = {
  readonly shape: string;
  /** Where it travels when that is not the JSON body. */
  readonly in?: 'uri' | 'querystring' | 'header' | 'statusCode';
  /** Its name there. */
  readonly name?: string;
  /** The service checks this member by rules of its own instead of the shape's constraints. */
  readonly unchecked?: true;
  /** A list of runtimes of which AWS knows also the retired ones, but names only those it accepts. */
  readonly rule?: 'known-runtimes';
};

export type ShapeRow = {
  readonly type:
    | 'structure'
    | 'list'
    | 'map'
    | 'string'
    | 'integer'
    | 'long'
    | 'double'
    | 'boolean'
    | 'blob'
    | 'timestamp';
  readonly members?: Readonly<Record<string, MemberRow>>;
  readonly required?: readonly string[];
  /** The member that is the whole body. */
  readonly payload?: string;
  /** Shape of a list's items. */
  readonly member?: string;
  readonly key?: string;
  readonly value?: string;
  /** Least length of a string, list or map; least value of a number. */
  readonly min?: number;
  readonly max?: number;
  /** Java regular expression that the whole string must match; the ones in use mean the same in JavaScript. */
  readonly pattern?: string;
  readonly enum?: readonly string[];
  /** AWS leaves the value out of its messages. */
  readonly sensitive?: true;
  /** Items of this list may be null. */
  readonly nullable?: true;
};

export type OperationName = keyof typeof OPERATIONS;
/** What an operation receives, parsed: blobs as bytes, timestamps in seconds since 1970. */
export type OperationInput<Name extends OperationName> = OperationInputs[Name];
export type OperationOutput<Name extends OperationName> = OperationOutputs[Name];

/** Every operation's name, in alphabetical order. */
export const OPERATION_NAMES = Object.keys(OPERATIONS) as readonly OperationName[];

export function operationRow(name: OperationName): OperationRow {
  return OPERATIONS[name];
}

/** The constraints of a shape. The name comes from another row of the tables. */
export function shapeRow(name: string): ShapeRow {
  const row = SHAPES[name];
  if (row === undefined) throw new Error(`no shape is called ${name}: generate the protocol tables again`);
  return row;
}
