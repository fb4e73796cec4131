/**
 * Intrinsic functions as the transform sees them: it resolves references to parameters, entries of mappings, and references to
 * what it generates. All others pass unchanged. Resolution edits the tree in place, as AWS's translator does, so a resolved value
 * also shows in the output.
 */
import type { Json, JsonObject } from '../tree.ts';
import { isMap, member } from './checks.ts';
import { InvalidDocument, InvalidTemplate } from './errors.ts';
import { pythonStr } from './python.ts';

export const ref = (logicalId: Json): JsonObject => ({ Ref: logicalId });
export const getAtt = (logicalId: string, attribute: string): JsonObject => ({ 'Fn::GetAtt': [logicalId, attribute] });
export const sub = (text: string, variables?: JsonObject): JsonObject => ({
  'Fn::Sub': variables === undefined || Object.keys(variables).length === 0 ? text : [text, variables],
});
export const conditional = (condition: Json, then: Json, otherwise: Json = ref('AWS::NoValue')): JsonObject => ({
  'Fn::If': [condition, then, otherwise],
});

declare const INTRINSIC: unique symbol;
/** Known to be an intrinsic function; the symbol exists in types only. */
export type Intrinsic = JsonObject & { readonly [INTRINSIC]: true };

/** A map with one member that is `Ref`, `Condition` or `Fn::...`. */
export function isIntrinsic(value: Json | undefined): value is Intrinsic {
  const name = onlyKey(value);
  return name !== undefined && (name === 'Ref' || name === 'Condition' || name.startsWith('Fn::'));
}

export function isIf(value: Json | undefined): value is Intrinsic {
  return onlyKey(value) === 'Fn::If';
}

export function isNoValue(value: Json | undefined): boolean {
  return onlyKey(value) === 'Ref' && isMap(value) && value.Ref === 'AWS::NoValue';
}

/** The logical id that a `Ref` or an `Fn::GetAtt` names. */
export function logicalIdOf(value: Json | undefined): string | undefined {
  if (!isIntrinsic(value)) return undefined;
  const named = value.Ref;
  if (typeof named === 'string') return named;
  const attribute = value['Fn::GetAtt'];
  if (Array.isArray(attribute) && attribute.length === 2 && typeof attribute[0] === 'string') return attribute[0];
  if (typeof attribute !== 'string') return undefined;
  const parts = attribute.split('.');
  return parts.length === 2 ? parts[0] : undefined;
}

/** `${X}` or `${X.Attribute}` for an `Fn::Sub`. */
export function shorthand(reference: JsonObject): string {
  if ('Ref' in reference) return `\${${pythonStr(reference.Ref)}}`;
  return `\${${(reference['Fn::GetAtt'] as string[]).join('.')}}`;
}

/** Resolves what it knows, in place. The result is the argument, unless the argument itself is what was resolved. */
export type Resolve = (value: Json | undefined) => Json | undefined;

/** Resolves `Ref` and `Fn::Sub` of parameters. */
export function parameterResolver(parameters: ReadonlyMap<string, Json>): Resolve {
  const parameter = (name: string): Json | undefined => {
    const value = parameters.get(name);
    // CloudFormation's placeholder for the output of a nested stack that does not exist yet
    return typeof value === 'string' && value.startsWith('{{IntrinsicFunction:') ? undefined : value;
  };
  return walker((name, value, map) => {
    if (name === 'Ref') return (typeof value === 'string' ? parameter(value) : undefined) ?? map;
    if (name === 'Fn::Sub') substitute(map, (whole, variable) => parameter(variable) ?? whole);
    return map;
  });
}

/** Resolves `Fn::FindInMap` where all its arguments are text. */
export function mappingResolver(mappings: JsonObject): Resolve {
  if (Object.keys(mappings).length === 0) return (value) => value;
  const find = (name: string, value: Json, map: JsonObject): Json => {
    if (name !== 'Fn::FindInMap') return map;
    if (!Array.isArray(value) || value.length !== 3) {
      const problem = `Invalid FindInMap value ${pythonStr(value)}. FindInMap expects an array with 3 values.`;
      throw new InvalidDocument([new InvalidTemplate(problem)]);
    }
    const [mapping, top, second] = value.map((argument) => findIn(argument));
    if (typeof mapping !== 'string' || typeof top !== 'string' || typeof second !== 'string') return map;
    const entries = member(mappings, mapping);
    if (entries === undefined) return map;
    const entry = isMap(entries) ? member(entries, top) : null;
    if (entry === undefined) return map;
    if (!isMap(entry)) {
      const problem = `Cannot use Fn::FindInMap on Mapping '${mapping}' which is not a a two-level map.`;
      throw new InvalidDocument([new InvalidTemplate(problem)]);
    }
    return member(entry, second) ?? map;
  };
  const findIn = (argument: Json): Json => {
    const name = onlyKey(argument);
    return name === undefined ? argument : find(name, (argument as JsonObject)[name] as Json, argument as JsonObject);
  };
  return walker(find);
}

/** What `!Ref F.Alias` stands for: logical ids of generated resources by the resource and the property. */
export type SamReferences = Map<string, Map<string, string>>;

/** Replaces `F.Alias` in `Ref`, `Fn::Sub` and `Fn::GetAtt` by the logical id of the generated resource. */
export function resolveSamReferences(template: JsonObject, references: SamReferences): void {
  if (references.size === 0) return;
  const target = (logicalId: string, property: string) => references.get(logicalId)?.get(property);
  walker((name, value, map) => {
    if (name === 'Ref' && typeof value === 'string') {
      const dot = value.indexOf('.');
      const found = dot > 0 ? target(value.slice(0, dot), value.slice(dot + 1)) : undefined;
      return found === undefined ? map : ref(found);
    }
    if (name === 'Fn::Sub') {
      substitute(map, (whole, variable) => {
        const [logicalId = '', property] = variable.split('.');
        const found = property === undefined ? undefined : target(logicalId, property);
        return found === undefined ? whole : whole.replace(`${logicalId}.${property}`, () => found);
      });
    }
    if (name === 'Fn::GetAtt') replaceGetAtt(map, value, 2, ([id = '', property = '']) => target(id, property));
    return map;
  })(template);
}

/** Replaces logical ids that the transform has changed (layers), in `Ref`, `Fn::Sub`, `Fn::GetAtt` and `DependsOn`. */
export function renameResources(template: JsonObject, renamed: ReadonlyMap<string, string>): void {
  if (renamed.size === 0) return;
  renameDependencies(template, renamed);
  walker((name, value, map) => {
    if (name === 'Ref' && typeof value === 'string') {
      const found = renamed.get(value);
      return found === undefined ? map : ref(found);
    }
    if (name === 'Fn::Sub') {
      substitute(map, (whole, variable) => {
        const id = variable.split('.')[0] ?? '';
        const found = renamed.get(id);
        return found === undefined ? whole : whole.replaceAll(id, () => found);
      });
    }
    if (name === 'Fn::GetAtt') replaceGetAtt(map, value, 1, ([id = '']) => renamed.get(id));
    return map;
  })(template);
}

function renameDependencies(value: Json, renamed: ReadonlyMap<string, string>): void {
  if (Array.isArray(value)) for (const each of value) renameDependencies(each, renamed);
  if (!isMap(value)) return;
  const dependsOn = member(value, 'DependsOn');
  const rename = (id: Json): Json => (typeof id === 'string' ? (renamed.get(id) ?? id) : id);
  if (typeof dependsOn === 'string') value.DependsOn = rename(dependsOn);
  if (Array.isArray(dependsOn)) value.DependsOn = dependsOn.map(rename);
  for (const each of Object.values(value)) renameDependencies(each, renamed);
}

/** Replaces the first parts of `[A, "B.C"]`, which counts as A, B and C. */
function replaceGetAtt(
  map: JsonObject,
  value: Json,
  parts: number,
  replacement: (parts: readonly string[]) => string | undefined,
): void {
  if (!Array.isArray(value) || value.length < 2 || !value.every((part) => typeof part === 'string')) return;
  const path = value.join('.').split('.');
  const found = replacement(path);
  if (found !== undefined) map['Fn::GetAtt'] = [found, ...path.slice(parts)];
}

/** Walks a tree from the top. `resolve` gets each map with one member, and gives what takes its place. */
function walker(resolve: (name: string, value: Json, map: JsonObject) => Json): Resolve {
  const walk = (value: Json): Json => {
    const name = onlyKey(value);
    const resolved =
      name === undefined ? value : resolve(name, (value as JsonObject)[name] as Json, value as JsonObject);
    if (Array.isArray(resolved)) {
      for (let at = 0; at < resolved.length; at += 1) resolved[at] = walk(resolved[at] as Json);
    } else if (isMap(resolved)) {
      for (const key of Object.keys(resolved)) setMember(resolved, key, walk(resolved[key] as Json));
    }
    return resolved;
  };
  return (value) => (value === undefined ? undefined : walk(value));
}

const VARIABLE = /\$\{([A-Za-z0-9.]+|AWS::[A-Z][A-Za-z]*)\}/g;

/** Replaces the `${...}` of an `Fn::Sub`. Variables of its own map are replaced too, as in AWS's translator. */
function substitute(map: JsonObject, replacement: (whole: string, variable: string) => Json): void {
  const value = map['Fn::Sub'];
  const replaced = (text: string): string =>
    text.replace(VARIABLE, (whole, variable: string) => {
      const found = replacement(whole, variable);
      if (typeof found === 'string') return found;
      const problem = `Invalid Fn::Sub variable value ${pythonStr(found)}. Fn::Sub expects all variables to be strings.`;
      throw new InvalidDocument([new InvalidTemplate(problem)]);
    });
  if (typeof value === 'string') map['Fn::Sub'] = replaced(value);
  else if (Array.isArray(value) && typeof value[0] === 'string') value[0] = replaced(value[0]);
}

function onlyKey(value: Json | undefined): string | undefined {
  if (!isMap(value)) return undefined;
  const keys = Object.keys(value);
  return keys.length === 1 ? keys[0] : undefined;
}

/** Sets a member of any name; a plain assignment to `__proto__` would change the map's prototype. */
export function setMember(map: JsonObject, name: string, value: Json): void {
  if (name === '__proto__')
    Object.defineProperty(map, name, { value, enumerable: true, configurable: true, writable: true });
  else map[name] = value;
}
