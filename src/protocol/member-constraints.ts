/**
 * How the tables of the companion services describe an operation's input: members with AWS's types and constraints.
 * One table row gives validation its rules and TypeScript the type of the parsed input. Lambda's own operations are
 * generated from the API model instead (`protocol/generated`).
 */

type Presence = { readonly required?: true };

export type StringMember = Presence & {
  readonly type: 'string';
  readonly min?: number;
  readonly max?: number;
  /** The whole value must match; as the API model writes it. */
  readonly pattern?: string;
  readonly values?: readonly string[];
};
export type NumberMember = Presence & { readonly type: 'integer'; readonly min?: number; readonly max?: number };
export type BooleanMember = Presence & { readonly type: 'boolean' };
export type ListMember = Presence & {
  readonly type: 'list';
  readonly of: Member;
  readonly min?: number;
  readonly max?: number;
};
/** Text to text. */
export type MapMember = Presence & {
  readonly type: 'map';
  readonly key: StringMember;
  readonly value: StringMember;
  readonly min?: number;
  readonly max?: number;
};
/** Text to structures; in the query protocol `NAME.entry.1.Name` and `NAME.entry.1.Value.*`. */
export type StructureMapMember = Presence & { readonly type: 'structure-map'; readonly members: Members };
export type StructureMember = Presence & { readonly type: 'structure'; readonly members: Members };
export type Member =
  | StringMember
  | NumberMember
  | BooleanMember
  | ListMember
  | MapMember
  | StructureMapMember
  | StructureMember;
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
          ? Readonly<Record<string, string>>
          : M extends StructureMapMember
            ? Readonly<Record<string, InputOf<M['members']>>>
            : M extends StructureMember
              ? InputOf<M['members']>
              : never;

/** The parsed input of an operation: required members are there, the others may be undefined. */
export type InputOf<Ms extends Members> = {
  readonly [Name in keyof Ms as Ms[Name] extends { required: true } ? Name : never]: ValueOf<Ms[Name]>;
} & {
  readonly [Name in keyof Ms as Ms[Name] extends { required: true } ? never : Name]?: ValueOf<Ms[Name]> | undefined;
};

/** Marks a member as required. */
export function required<const M extends Member>(member: M): M & { readonly required: true } {
  return { ...member, required: true };
}
