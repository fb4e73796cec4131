/**
 * Which names the functions of a node refer to, and the order of resources that follows. The order is that of the
 * references that count: of `Fn::If`, only the branch that its condition chooses.
 */
import { parseSub, splitAttribute } from './sub-text.ts';
import { isObject, type Json, onlyKey, type Path } from './tree.ts';

/** A reference to a parameter, pseudo parameter or resource; with `attribute` to one of a resource. */
export type Reference = {
  readonly name: string;
  readonly attribute?: string;
  readonly by: 'Ref' | 'Fn::GetAtt' | 'Fn::Sub';
  readonly path: Path;
};

/** Whether a condition is true; undefined to follow both branches of `Fn::If`. */
export type Choose = ((condition: string, path: Path) => boolean) | undefined;

/** All references in the node, in the order of the text. */
export function referencesOf(node: Json, path: Path, choose?: Choose): Reference[] {
  const found: Reference[] = [];
  visit(node, path, choose, found);
  return found;
}

function visit(node: Json, path: Path, choose: Choose, found: Reference[]): void {
  if (Array.isArray(node)) {
    for (const [index, item] of node.entries()) visit(item, [...path, index], choose, found);
    return;
  }
  if (!isObject(node)) return;
  const key = onlyKey(node);
  const argument = key === undefined ? undefined : (node[key] ?? null);
  if (key !== undefined && argument !== undefined && visitFunction(key, argument, [...path, key], choose, found))
    return;
  for (const [name, value] of Object.entries(node)) visit(value, [...path, name], choose, found);
}

/** Returns whether the function's argument needs no further visit. */
function visitFunction(key: string, argument: Json, path: Path, choose: Choose, found: Reference[]): boolean {
  if (key === 'Ref' && typeof argument === 'string') {
    found.push({ name: argument, by: 'Ref', path });
    return true;
  }
  if (key === 'Fn::GetAtt') return visitGetAtt(argument, path, found);
  if (key === 'Fn::Sub') return visitSub(argument, path, choose, found);
  if (key === 'Fn::If' && choose && Array.isArray(argument) && typeof argument[0] === 'string') {
    const branch = choose(argument[0], [...path, 0]) ? 1 : 2;
    visit(argument[branch] ?? null, [...path, branch], choose, found);
    return true;
  }
  return false;
}

function visitGetAtt(argument: Json, path: Path, found: Reference[]): boolean {
  const [name, ...rest] =
    typeof argument === 'string' ? (splitAttribute(argument) ?? []) : Array.isArray(argument) ? argument : [];
  if (typeof name !== 'string') return false;
  const isKnown = rest.length > 0 && rest.every((step) => typeof step === 'string');
  found.push({ name, by: 'Fn::GetAtt', path, ...(isKnown && { attribute: rest.join('.') }) });
  return isKnown;
}

function visitSub(argument: Json, path: Path, choose: Choose, found: Reference[]): boolean {
  const [text, names] = Array.isArray(argument) ? argument : [argument];
  if (typeof text !== 'string') return false;
  const own = isObject(names) ? names : {};
  for (const part of parseSub(text)) {
    if (!('name' in part) || Object.hasOwn(own, part.name)) continue;
    const [name, attribute] = splitAttribute(part.name) ?? [part.name];
    found.push({ name, by: 'Fn::Sub', path, ...(attribute !== undefined && { attribute }) });
  }
  if (isObject(names)) visit(names, [...path, 1], choose, found);
  return true;
}

/**
 * Groups of names that depend on each other in a circle, each in the order of the map (Tarjan's strongly connected
 * components, without recursion). Names that the map does not have are left out.
 */
export function circlesOf(dependencies: ReadonlyMap<string, Iterable<string>>): string[][] {
  const order = [...dependencies.keys()];
  const position = new Map(order.map((name, index) => [name, index]));
  const indexes = new Map<string, number>();
  const lowest = new Map<string, number>();
  const stack: string[] = [];
  const onStack = new Set<string>();
  const circles: string[][] = [];
  const open: { name: string; targets: Iterator<string> }[] = [];
  const enter = (name: string) => {
    indexes.set(name, indexes.size);
    lowest.set(name, indexes.size - 1);
    stack.push(name);
    onStack.add(name);
    open.push({ name, targets: (dependencies.get(name) ?? [])[Symbol.iterator]() });
  };
  const lower = (name: string, value: number) => lowest.set(name, Math.min(lowest.get(name) ?? value, value));
  const leave = (name: string) => {
    const parent = open.at(-1)?.name;
    if (parent !== undefined) lower(parent, lowest.get(name) ?? 0);
    if (lowest.get(name) !== indexes.get(name)) return;
    const group = stack.splice(stack.lastIndexOf(name));
    for (const member of group) onStack.delete(member);
    const isSelf = [...(dependencies.get(name) ?? [])].includes(name);
    if (group.length > 1 || isSelf) circles.push(group.sort((a, b) => (position.get(a) ?? 0) - (position.get(b) ?? 0)));
  };
  for (const start of order) {
    if (!indexes.has(start)) enter(start);
    for (let top = open.at(-1); top; top = open.at(-1)) {
      const next = top.targets.next();
      if (next.done) {
        open.pop();
        leave(top.name);
      } else if (position.has(next.value)) {
        if (!indexes.has(next.value)) enter(next.value);
        else if (onStack.has(next.value)) lower(top.name, indexes.get(next.value) ?? 0);
      }
    }
  }
  return circles.sort((a, b) => (position.get(a[0] ?? '') ?? 0) - (position.get(b[0] ?? '') ?? 0));
}
