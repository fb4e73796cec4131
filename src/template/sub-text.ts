/** The parts of a text of `Fn::Sub`: literal text and names in `${}`. `${!Name}` is the literal `${Name}`. */

export type SubPart = { readonly literal: string } | { readonly name: string };

/** `${` without `}` is literal text. Takes linear time. */
export function parseSub(text: string): SubPart[] {
  const parts: SubPart[] = [];
  let literalStart = 0;
  let end = text.lastIndexOf('}');
  for (let at = text.indexOf('${'); at !== -1 && at < end; at = text.indexOf('${', literalStart)) {
    const close = text.indexOf('}', at);
    if (at > literalStart) parts.push({ literal: text.slice(literalStart, at) });
    const name = text.slice(at + 2, close);
    parts.push(name.startsWith('!') ? { literal: `\${${name.slice(1)}}` } : { name: name.trim() });
    literalStart = close + 1;
    end = Math.max(end, close);
  }
  if (literalStart < text.length) parts.push({ literal: text.slice(literalStart) });
  return parts;
}

/** A name as CloudFormation allows it between the brackets. */
export function isSubName(name: string): boolean {
  return /^[A-Za-z0-9_.:]+$/.test(name);
}

/** `Resource.Attribute.More` as [Resource, Attribute.More]; undefined for a name without a dot. */
export function splitAttribute(name: string): readonly [string, string] | undefined {
  const dot = name.indexOf('.');
  return dot === -1 ? undefined : [name.slice(0, dot), name.slice(dot + 1)];
}
