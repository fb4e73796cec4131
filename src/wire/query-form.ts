/**
 * The query protocol's input: a form whose field names spell out lists, maps and structures (`Tags.member.1.Key=a`).
 * Turns it into the tree that a JSON protocol would have sent, for `structure.ts` to check.
 * https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
 */
import type { HttpRequest } from '../http/exchange.ts';
import { splitTarget } from '../http/request-target.ts';
import type { Member, Members } from '../protocol/member-constraints.ts';
import { WrongType } from './structure.ts';

/** The fields of a request: those of its URL, then those of its body. */
export function readForm(request: Pick<HttpRequest, 'url'>, body: Buffer): URLSearchParams {
  const form = new URLSearchParams(splitTarget(request.url).search);
  for (const [name, value] of new URLSearchParams(body.toString('utf8'))) form.append(name, value);
  return form;
}

/** The tree of the members that the form has. @throws WrongType */
export function treeOfForm(form: URLSearchParams, members: Members): Readonly<Record<string, unknown>> {
  return structureAt(fieldsOf(form), members);
}

/** A field, and those whose names continue its name after a dot. */
type Field = { text: string | undefined; readonly below: Map<string, Field> };

/** No member of a model is deeper. */
const MAX_PARTS = 32;

/** The fields by the parts of their names, read once: a form may have as many fields as a list has items. */
function fieldsOf(form: URLSearchParams): Field {
  const root: Field = { text: undefined, below: new Map() };
  for (const [name, text] of form) {
    const parts = name.split('.', MAX_PARTS + 1);
    if (parts.length > MAX_PARTS) continue;
    let field = root;
    for (const part of parts) {
      const next = field.below.get(part) ?? { text: undefined, below: new Map() };
      field.below.set(part, next);
      field = next;
    }
    // The first of several fields with one name counts.
    field.text ??= text;
  }
  return root;
}

function structureAt(field: Field, members: Members): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(members).map(([name, member]) => {
      const items =
        'flattened' in member && member.flattened !== undefined ? field.below.get(member.flattened) : undefined;
      return [name, valueAt(field.below.get(name), member, items)];
    }),
  );
}

/** Undefined when the form has no field for the member. `flattened` has the items of a flattened list or map. */
function valueAt(field: Field | undefined, member: Member, flattened: Field | undefined): unknown {
  switch (member.type) {
    case 'list': {
      const items = itemsBelow(member.flattened === undefined ? field?.below.get('member') : flattened);
      if (items.length > 0) return items.map((item) => itemAt(item, member.of));
      // `Tags=` is an empty list.
      return member.flattened === undefined && field?.text === '' ? [] : undefined;
    }
    case 'map': {
      const [key, value] = member.entry ?? ['key', 'value'];
      const entries = itemsBelow(member.flattened === undefined ? field?.below.get('entry') : flattened);
      if (entries.length === 0) return undefined;
      return Object.fromEntries(
        entries.map(({ below }) => [below.get(key)?.text ?? '', itemAt(below.get(value), member.value)]),
      );
    }
    case 'structure':
      return field !== undefined && field.below.size > 0 ? structureAt(field, member.members) : undefined;
    default:
      return field?.text === undefined ? undefined : scalarOf(field.text, member);
  }
}

/** An item of a list or a value of a map. Its index is in the form, so it exists even when it is empty. */
function itemAt(field: Field | undefined, member: Member): unknown {
  switch (member.type) {
    case 'structure':
      return structureAt(field ?? { text: undefined, below: new Map() }, member.members);
    case 'list':
    case 'map':
      return valueAt(field, member, undefined);
    default:
      return scalarOf(field?.text ?? '', member);
  }
}

function scalarOf(
  text: string,
  { type }: Extract<Member, { type: 'string' | 'integer' | 'double' | 'boolean' }>,
): unknown {
  if (type === 'string') return text;
  if (type === 'integer') {
    if (!/^[+-]?\d{1,15}$/.test(text)) throw new WrongType(`Unable to parse '${text}' as an integer`);
    return Number(text);
  }
  if (type === 'double') {
    if (!/^[+-]?\d{1,15}(\.\d{1,15})?$/.test(text)) throw new WrongType(`Unable to parse '${text}' as a number`);
    return Number(text);
  }
  if (text !== 'true' && text !== 'false') throw new WrongType(`Unable to parse '${text}' as a boolean`);
  return text === 'true';
}

/** The fields below whose names are numbers, in ascending order. */
function itemsBelow(field: Field | undefined): readonly Field[] {
  const items = [...(field?.below ?? [])].filter(([name]) => /^\d{1,6}$/.test(name));
  return items.sort(([a], [b]) => Number(a) - Number(b)).map(([, item]) => item);
}
