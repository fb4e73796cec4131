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
  return structureAt(form, '', members);
}

function structureAt(form: URLSearchParams, prefix: string, members: Members): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(members).map(([name, member]) => [name, valueAt(form, prefix, name, member)]),
  );
}

/** Undefined when the form has no field for the member. */
function valueAt(form: URLSearchParams, prefix: string, name: string, member: Member): unknown {
  const at = prefix + name;
  const text = form.get(at) ?? undefined;
  switch (member.type) {
    case 'list': {
      const items = member.flattened === undefined ? `${at}.member.` : `${prefix}${member.flattened}.`;
      const indexes = indexesBelow(form, items);
      if (indexes.length > 0) return indexes.map((index) => itemAt(form, `${items}${index}`, member.of));
      // `Tags=` is an empty list.
      return member.flattened === undefined && text === '' ? [] : undefined;
    }
    case 'map': {
      const [key, value] = member.entry ?? ['key', 'value'];
      const entries = member.flattened === undefined ? `${at}.entry.` : `${prefix}${member.flattened}.`;
      const indexes = indexesBelow(form, entries);
      if (indexes.length === 0) return undefined;
      return Object.fromEntries(
        indexes.map((index) => [
          form.get(`${entries}${index}.${key}`) ?? '',
          itemAt(form, `${entries}${index}.${value}`, member.value),
        ]),
      );
    }
    case 'structure': {
      const isPresent = [...form.keys()].some((key) => key.startsWith(`${at}.`));
      return isPresent ? structureAt(form, `${at}.`, member.members) : undefined;
    }
    default:
      return text === undefined ? undefined : scalarOf(text, member);
  }
}

/** An item of a list or a value of a map. Its index is in the form, so it exists even when it is empty. */
function itemAt(form: URLSearchParams, at: string, member: Member): unknown {
  switch (member.type) {
    case 'structure':
      return structureAt(form, `${at}.`, member.members);
    case 'list':
    case 'map':
      return valueAt(form, '', at, member);
    default:
      return scalarOf(form.get(at) ?? '', member);
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

/** The numbers that follow `prefix` in the names of the form's fields, in ascending order. */
function indexesBelow(form: URLSearchParams, prefix: string): readonly number[] {
  const indexes = new Set<number>();
  for (const key of form.keys()) {
    const digits = key.startsWith(prefix) ? /^\d{1,6}/.exec(key.slice(prefix.length))?.[0] : undefined;
    if (digits !== undefined) indexes.add(Number(digits));
  }
  return [...indexes].sort((a, b) => a - b);
}
