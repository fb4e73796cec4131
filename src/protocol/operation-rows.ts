/** The row types of the generated tables of the Lambda API: operations, members and shapes. */

export type OperationRow = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'PATCH';
  /** Segments in braces are parameters, percent-encoded on the wire. */
  readonly path: string;
  /** `key=value`, which distinguishes this operation from another one on the same path. */
  readonly query?: string;
  /** Status of a successful response. */
  readonly status: number;
  /** Name of the input structure in the table of shapes. */
  readonly input?: string;
  readonly output?: string;
};

export type MemberRow = {
  readonly shape: string;
  /** Where the request or response carries it, if not in the JSON body. */
  readonly in?: 'uri' | 'querystring' | 'header' | 'statusCode';
  /** Its name there. */
  readonly name?: string;
  /** The service checks this member by its own rules instead of the shape's constraints. */
  readonly unchecked?: true;
  /** A list of runtimes. AWS accepts retired ones in it, but its message lists only the supported ones. */
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
  /** The member that is the entire body. */
  readonly payload?: string;
  /** Shape of a list's items. */
  readonly member?: string;
  readonly key?: string;
  readonly value?: string;
  /** Minimum length of a string, list or map; minimum value of a number. */
  readonly min?: number;
  readonly max?: number;
  /** Java regular expression that the whole string must match. The ones in use mean the same in JavaScript. */
  readonly pattern?: string;
  readonly enum?: readonly string[];
  /** AWS leaves the value out of its messages. */
  readonly sensitive?: true;
  /** Items of this list may be null. */
  readonly nullable?: true;
};
