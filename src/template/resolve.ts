/**
 * The functions of a template: `resolve` returns a node with every function replaced by its value. It needs the values of
 * parameters, mappings and conditions, and what is known of the resources; it changes nothing and reaches nothing.
 *
 * A resource that does not exist yet makes a value unknown: `UNKNOWN`, the text that change sets show. The results of
 * functions on unknown values are unknown, as recorded on AWS; `Fn::Sub` keeps its other text.
 */
import { subdivide } from './cidr.ts';
import { FUNCTION_ERRORS, type FunctionName, unresolvedDependencies } from './function-errors.ts';
import { referencesOf } from './references.ts';
import { parseSub, splitAttribute } from './sub-text.ts';
import { TemplateError } from './template-error.ts';
import { MAX_MADE_CHARACTERS } from './template-limits.ts';
import {
  isObject,
  type Json,
  type JsonObject,
  keepNumberTexts,
  member,
  numberText,
  object,
  onlyKey,
  type Path,
  renderJson,
} from './tree.ts';

/** What change sets show for a value that is known once the change set is executed. */
export const UNKNOWN = '{{changeSet:KNOWN_AFTER_APPLY}}';

/** `Ref: AWS::NoValue`. Removes its member or item. */
export const NO_VALUE: unique symbol = Symbol('AWS::NoValue');

export type Resolved = Json | typeof NO_VALUE;

/** What the functions of a node may refer to. */
export type Scope = {
  /** Values of parameters and pseudo parameters. */
  readonly values: ReadonlyMap<string, Json>;
  readonly mappings: JsonObject;
  /** Whether a condition is true. @throws TemplateError for a name that the template does not have */
  condition(name: string, path: Path): boolean;
  /** Whether the template has the resource, and its condition is true. */
  hasResource(logicalId: string): boolean;
  /** The physical id. Undefined while the resource does not exist. */
  ref(logicalId: string): Json | undefined;
  /** An attribute. Undefined while the resource does not exist. */
  attribute(logicalId: string, name: string): Json | undefined;
  /** The value of another stack's export. Undefined if there is none. */
  exportedValue(name: string): string | undefined;
  /** Whether the template lists the transform AWS::LanguageExtensions. */
  readonly hasExtensions: boolean;
};

/** @throws TemplateError in CloudFormation's words, with the path of the function */
export function resolve(node: Json, scope: Scope, path: Path = []): Resolved {
  if (Array.isArray(node)) return resolveList(node, scope, path);
  if (!isObject(node)) return node;
  const key = onlyKey(node);
  const evaluate = key === undefined ? undefined : FUNCTIONS.get(key);
  if (key === undefined || evaluate === undefined) return resolveMap(node, scope, path);
  if (key === 'Fn::Length' || key === 'Fn::ToJsonString') {
    if (!scope.hasExtensions) return resolveMap(node, scope, path);
  }
  const call = new Call(key as FunctionName, node, scope, [...path, key]);
  const value = evaluate(node[key] ?? null, call);
  call.requireRoom(sizeOf(value));
  return value;
}

/** Characters that the functions of a scope have made. */
const made = new WeakMap<Scope, number>();

function sizeOf(value: Resolved): number {
  if (typeof value === 'string') return value.length;
  return Array.isArray(value) ? value.length * CHARACTERS_OF_ITEM : 0;
}

const CHARACTERS_OF_ITEM = 10;

function resolveList(list: Json[], scope: Scope, path: Path): Json {
  const made: Json[] = [];
  for (const [index, item] of list.entries()) {
    const value = resolve(item, scope, [...path, index]);
    if (value !== NO_VALUE) made.push(value);
  }
  return made.length === list.length ? keepNumberTexts(list, made) : made;
}

function resolveMap(map: JsonObject, scope: Scope, path: Path): Json {
  const made = object();
  for (const [key, item] of Object.entries(map)) {
    const value = resolve(item, scope, [...path, key]);
    if (value !== NO_VALUE) made[key] = value;
  }
  return keepNumberTexts(map, made);
}

/** One use of a function: its arguments, and its error. */
class Call {
  readonly scope: Scope;
  readonly path: Path;
  readonly #name: FunctionName;
  readonly #holder: JsonObject;

  constructor(name: FunctionName, holder: JsonObject, scope: Scope, path: Path) {
    this.#name = name;
    this.#holder = holder;
    this.scope = scope;
    this.path = path;
  }

  /** The argument as a list of `least` to `most` nodes that are not resolved yet. */
  list(argument: Json, least: number, most = least): Json[] {
    if (!Array.isArray(argument) || argument.length < least || argument.length > most) throw this.error();
    return argument;
  }

  value(node: Json | undefined, ...step: Path): Json {
    if (node === undefined) throw this.error();
    const value = resolve(node, this.scope, [...this.path, ...step]);
    if (value === NO_VALUE) throw this.error();
    return value;
  }

  text(node: Json | undefined, ...step: Path): string {
    const value = this.value(node, ...step);
    if (value === null || typeof value === 'object') throw this.error();
    if (typeof value !== 'number') return String(value);
    // Numbers are written as in the template: 1.0.
    const holder = step.length === 0 ? this.#holder : this.#holder[this.#name];
    const key = step.at(-1) ?? this.#name;
    const text = step.length <= 1 && (isObject(holder) || Array.isArray(holder)) ? numberText(holder, key) : undefined;
    return text !== undefined && Number(text) === value ? text : String(value);
  }

  /** Texts; undefined if the list as a whole is unknown. */
  texts(node: Json | undefined, ...step: Path): string[] | undefined {
    const value = this.value(node, ...step);
    if (value === UNKNOWN) return undefined;
    if (!Array.isArray(value)) throw this.error();
    return value.map((item, index) => {
      if (item === null || typeof item === 'object') throw this.error();
      return numberText(value, index) ?? String(item);
    });
  }

  /** Counts `characters` that the function makes. @throws TemplateError if the template's functions make too many */
  requireRoom(characters: number): void {
    const total = (made.get(this.scope) ?? 0) + characters;
    if (total > MAX_MADE_CHARACTERS) {
      const message = `Template error: the functions of the template make more than ${MAX_MADE_CHARACTERS} characters`;
      throw this.error(message, 'Use fewer or shorter values.');
    }
    made.set(this.scope, total);
  }

  error(message: string = FUNCTION_ERRORS[this.#name], suggestion?: string): TemplateError {
    return new TemplateError({ message, path: this.path, ...(suggestion !== undefined && { suggestion }) });
  }
}

type Evaluate = (argument: Json, call: Call) => Resolved;

const FUNCTIONS = new Map<string, Evaluate>([
  ['Ref', ref],
  ['Fn::Base64', (argument, call) => onKnown(call.text(argument), (text) => Buffer.from(text).toString('base64'))],
  ['Fn::Cidr', cidr],
  ['Fn::FindInMap', findInMap],
  ['Fn::GetAtt', getAtt],
  ['Fn::GetAZs', (argument, call) => zones(call.text(argument), call)],
  ['Fn::If', choose],
  ['Fn::ImportValue', importValue],
  ['Fn::Join', join],
  [
    'Fn::Length',
    (argument, call) => {
      const value = call.value(argument);
      if (value === UNKNOWN) return UNKNOWN;
      if (!Array.isArray(value)) throw call.error();
      return value.length;
    },
  ],
  ['Fn::Select', select],
  [
    'Fn::Split',
    (argument, call) => {
      const [delimiter, text] = call.list(argument, 2);
      if (typeof delimiter !== 'string') throw call.error();
      return onKnown(call.text(text, 1), (known) => known.split(delimiter));
    },
  ],
  ['Fn::Sub', sub],
  [
    'Fn::ToJsonString',
    (argument, call) => {
      const value = call.value(argument);
      if (value === null || typeof value !== 'object') throw call.error();
      return onKnown(renderJson(value, 0), (text) => text);
    },
  ],
]);

function onKnown(text: string, change: (text: string) => Json): Json {
  return text.includes(UNKNOWN) ? UNKNOWN : change(text);
}

function ref(name: Json, call: Call): Resolved {
  if (typeof name !== 'string') throw call.error();
  return refTo(name, call);
}

function refTo(name: string, call: Call): Resolved {
  if (name === 'AWS::NoValue') return NO_VALUE;
  const value = call.scope.values.get(name);
  if (value !== undefined) return value;
  if (call.scope.hasResource(name)) return call.scope.ref(name) ?? UNKNOWN;
  throw call.error(unresolvedDependencies([name], call.path[0] === 'Outputs' ? 'Outputs' : 'Resources'));
}

function getAtt(argument: Json, call: Call): Resolved {
  const [logicalId, ...rest] =
    typeof argument === 'string' ? (splitAttribute(argument) ?? [argument]) : call.list(argument, 2, 20);
  if (typeof logicalId !== 'string' || logicalId === '') throw call.error();
  const name = rest.map((step, index) => call.text(step, index + 1)).join('.');
  if (name === '') throw call.error();
  return attributeOf(logicalId, name, call);
}

function attributeOf(logicalId: string, name: string, call: Call): Json {
  if (call.scope.hasResource(logicalId)) return call.scope.attribute(logicalId, name) ?? UNKNOWN;
  throw call.error(`Template error: instance of Fn::GetAtt references undefined resource ${logicalId}`);
}

function sub(argument: Json, call: Call): Resolved {
  const [text, names] = Array.isArray(argument) ? call.list(argument, 1, 2) : [argument];
  if (typeof text !== 'string' || (names !== undefined && !isObject(names))) throw call.error();
  // Each value is evaluated once: functions nest, and a name can stand any number of times.
  const values = new Map<string, string>();
  let result = '';
  for (const part of parseSub(text)) {
    if ('literal' in part) {
      result += part.literal;
      continue;
    }
    const value = values.get(part.name) ?? textOf(subValue(part.name, names, call), call);
    values.set(part.name, value);
    call.requireRoom(value.length);
    result += value;
  }
  return result;
}

function subValue(name: string, names: JsonObject | undefined, call: Call): Json {
  const own = member(names, name);
  if (own !== undefined) return call.value(own, 1, name);
  const attribute = splitAttribute(name);
  const value = attribute && !call.scope.values.has(name) ? attributeOf(...attribute, call) : refTo(name, call);
  return value === NO_VALUE ? '' : value;
}

/** A list, which only parameters and attributes are, is joined by commas. */
function textOf(value: Json, call: Call): string {
  if (Array.isArray(value)) return value.map((item) => textOf(item, call)).join(',');
  if (value === null || typeof value === 'object') throw call.error();
  return String(value);
}

function join(argument: Json, call: Call): Json {
  const [delimiter, list] = call.list(argument, 2);
  if (typeof delimiter !== 'string') throw call.error();
  const texts = call.texts(list, 1);
  if (texts === undefined || texts.some((text) => text.includes(UNKNOWN))) return UNKNOWN;
  call.requireRoom(texts.reduce((total, text) => total + text.length + delimiter.length, 0));
  return texts.join(delimiter);
}

function select(argument: Json, call: Call): Json {
  const [position, list] = call.list(argument, 2);
  const index = call.text(position, 0);
  const items = call.value(list, 1);
  if (items === UNKNOWN || index === UNKNOWN) return UNKNOWN;
  if (!Array.isArray(items) || !/^\d{1,9}$/.test(index)) throw call.error();
  const item = items[Number(index)];
  if (item === undefined)
    throw call.error(`Template error: Fn::Select cannot select nonexistent value at index ${index}`);
  if (item === null) throw call.error();
  return item;
}

function choose(argument: Json, call: Call): Resolved {
  const [condition, yes = null, no = null] = call.list(argument, 3);
  if (typeof condition !== 'string') throw call.error();
  const branch = call.scope.condition(condition, [...call.path, 0]) ? 1 : 2;
  return resolve(branch === 1 ? yes : no, call.scope, [...call.path, branch]);
}

function findInMap(argument: Json, call: Call): Json {
  const [name, first, second, fallback] = call.list(argument, 3, 4);
  const hasFallback = call.scope.hasExtensions && isObject(fallback) && Object.hasOwn(fallback, 'DefaultValue');
  if (fallback !== undefined && !hasFallback) throw call.error();
  const keys = [call.text(name, 0), call.text(first, 1), call.text(second, 2)] as const;
  if (keys.some((key) => key.includes(UNKNOWN))) return UNKNOWN;
  const mapping = member(call.scope.mappings, keys[0]);
  const value = member(member(mapping, keys[1]), keys[2]);
  if (value !== undefined && value !== null) return value;
  if (hasFallback) return call.value(member(fallback, 'DefaultValue'), 3, 'DefaultValue');
  if (mapping === undefined) {
    throw call.error(
      `Template error: Mapping named '${keys[0]}' is not present in the 'Mappings' section of template.`,
    );
  }
  throw call.error(`Template error: Unable to get mapping for ${keys.join('::')}`);
}

function importValue(argument: Json, call: Call): Json {
  if (referencesOf(argument, call.path).some(({ name }) => call.scope.hasResource(name))) {
    throw call.error(
      'Template error: the attribute in Fn::ImportValue must not depend on any resources, imported values, or Fn::GetAZs',
    );
  }
  const name = call.text(argument);
  const value = call.scope.exportedValue(name);
  if (value === undefined) throw call.error(`No export named ${name} found.`);
  return value;
}

function cidr(argument: Json, call: Call): Json {
  const [block, count, bits] = call.list(argument, 2, 3);
  const [text, number] = [call.text(block, 0), call.text(count, 1)];
  if (text.includes(UNKNOWN)) return UNKNOWN;
  const blocks = subdivide(text, Number(number), bits === undefined ? undefined : Number(call.text(bits, 2)));
  if (!blocks) throw call.error();
  return blocks;
}

/** Every region gets three zones here. */
function zones(region: string, call: Call): Json {
  const name = region === '' ? String(call.scope.values.get('AWS::Region') ?? '') : region;
  return ['a', 'b', 'c'].map((zone) => `${name}${zone}`);
}
