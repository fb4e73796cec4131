/**
 * How the tables of AWS's services describe the input of an operation: members with AWS's types and constraints. One
 * row gives validation its rules and TypeScript the type of the parsed input. Lambda's own operations are generated
 * from the API model instead (`protocol/generated`).
 */

type Presence = { readonly required?: true };

export type StringMember = Presence & {
  readonly type: 'string';
  readonly min?: number;
  readonly max?: number;
  /** The whole value must match. Written as in the API model. */
  readonly pattern?: string;
  readonly values?: readonly string[];
};
export type NumberMember = Presence & {
  readonly type: 'integer' | 'double';
  readonly min?: number;
  readonly max?: number;
};
export type BooleanMember = Presence & { readonly type: 'boolean' };
export type ListMember = Presence & {
  readonly type: 'list';
  readonly of: Member;
  readonly min?: number;
  readonly max?: number;
  /** Query protocol: the items are `FLATTENED.1`, `FLATTENED.2` ... instead of `NAME.member.1` ... */
  readonly flattened?: string;
};
export type MapMember = Presence & {
  readonly type: 'map';
  readonly key: StringMember;
  readonly value: Member;
  readonly min?: number;
  readonly max?: number;
  /** Query protocol: the entries are `FLATTENED.1` ... instead of `NAME.entry.1` ... */
  readonly flattened?: string;
  /** Query protocol: the names of an entry's two parts. Defaults to `key` and `value`. */
  readonly entry?: readonly [key: string, value: string];
};
export type StructureMember = Presence & { readonly type: 'structure'; readonly members: Members };
export type Member = StringMember | NumberMember | BooleanMember | ListMember | MapMember | StructureMember;
export type Members = { readonly [name: string]: Member };

export type ValueOf<M extends Member> = M extends StringMember
  ? string
  : M extends NumberMember
    ? number
    : M extends BooleanMember
      ? boolean
      : M extends ListMember
        ? readonly ValueOf<M['of']>[]
        : M extends MapMember
          ? Readonly<Record<string, ValueOf<M['value']>>>
          : M extends StructureMember
            ? InputOf<M['members']>
            : never;

/** The parsed input of an operation: required members are present, the others may be undefined. */
export type InputOf<Ms extends Members> = {
  readonly [Name in keyof Ms as Ms[Name] extends { required: true } ? Name : never]: ValueOf<Ms[Name]>;
} & {
  readonly [Name in keyof Ms as Ms[Name] extends { required: true } ? never : Name]?: ValueOf<Ms[Name]> | undefined;
};

/** An operation of a service that uses REST with JSON, and the member names of the wire. */
export type RestOperation = {
  readonly method: string;
  /** Labels have the names of members: `/restapis/{restApiId}`. */
  readonly path: string;
  /** Of a successful response. */
  readonly status: number;
  /** Members whose names in the query differ, by those names. */
  readonly query?: Readonly<Record<string, string>>;
  /** Members whose names in the body differ, by those names. */
  readonly body?: Readonly<Record<string, string>>;
  /** The member that is the whole body, as base64. */
  readonly blob?: string;
  readonly members: Members;
};

/** Marks a member as required. */
export function required<const M extends Member>(member: M): M & { readonly required: true } {
  return { ...member, required: true };
}
