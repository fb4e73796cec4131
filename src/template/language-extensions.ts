/**
 * The loops of the transform AWS::LanguageExtensions: `Fn::ForEach::NAME: [IDENTIFIER, COLLECTION, {KEY: BODY}]` in
 * Conditions, Resources, Outputs and inside properties. Its functions Fn::Length, Fn::ToJsonString and the default of
 * Fn::FindInMap are evaluated with the others (`resolve.ts`).
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-foreach.html
 */
import { TemplateError } from './template-error.ts';
import { MAX_MADE_CHARACTERS } from './template-limits.ts';
import { isObject, type Json, type JsonObject, keepNumberTexts, object, onlyKey, type Path } from './tree.ts';

/** The values of a collection that is not a plain list: a `Ref`, or another function. Undefined if it is not a list. */
export type Collection = (node: Json, path: Path) => Json | undefined;

/** Nodes that the loops of a template may make. Loops nest at most 5 levels on AWS. */
const MAX_NODES = 200_000;
const MAX_NESTING = 5;
const PREFIX = 'Fn::ForEach::';

/** A copy of the template without loops. @throws TemplateError for a loop that is not as it should be */
export function expandLoops(body: JsonObject, collection: Collection): JsonObject {
  return new Expansion(collection).expand(body, [], new Map(), 0) as JsonObject;
}

type Bindings = ReadonlyMap<string, string>;

class Expansion {
  readonly #collection: Collection;
  #nodes = 0;
  #characters = 0;

  constructor(collection: Collection) {
    this.#collection = collection;
  }

  expand(node: Json, path: Path, bindings: Bindings, nesting: number): Json {
    this.#nodes += 1;
    if (this.#nodes > MAX_NODES) throw failure(`the loops make more than ${MAX_NODES} values`, path);
    if (typeof node === 'string') return this.#substitute(node, bindings, path);
    if (node === null || typeof node !== 'object') return node;
    if (Array.isArray(node)) {
      return keepNumberTexts(
        node,
        node.map((item, index) => this.expand(item, [...path, index], bindings, nesting)),
      );
    }
    const reference = onlyKey(node) === 'Ref' ? bindings.get(String(node.Ref)) : undefined;
    if (reference !== undefined) return reference;
    const made = object();
    for (const [key, value] of Object.entries(node)) {
      const at = [...path, key];
      const members = key.startsWith(PREFIX)
        ? this.#loop(value, at, bindings, nesting + 1)
        : [[this.#substitute(key, bindings, at), this.expand(value, at, bindings, nesting)] as const];
      for (const [name, member] of members) {
        if (Object.hasOwn(made, name)) throw failure(`the key ${name} stands twice`, at);
        made[name] = member;
      }
    }
    return keepNumberTexts(node, made);
  }

  #substitute(text: string, bindings: Bindings, path: Path): string {
    return substitute(text, bindings, (characters) => {
      this.#characters += characters;
      if (this.#characters > MAX_MADE_CHARACTERS) {
        throw failure(`the loops make more than ${MAX_MADE_CHARACTERS} characters`, path);
      }
    });
  }

  #loop(argument: Json, path: Path, bindings: Bindings, nesting: number): (readonly [string, Json])[] {
    const [identifier, collection = null, output] = Array.isArray(argument) && argument.length === 3 ? argument : [];
    if (typeof identifier !== 'string' || !isObject(output)) {
      throw failure('Fn::ForEach needs a list of an identifier, a collection and a map', path);
    }
    if (nesting > MAX_NESTING) throw failure(`loops may be nested at most ${MAX_NESTING} times`, path);
    if (bindings.has(identifier)) throw failure(`the identifier ${identifier} is already used by an outer loop`, path);
    return this.#items(collection, [...path, 1], bindings).flatMap((item) => {
      const inner = new Map(bindings).set(identifier, item);
      const expanded = this.expand(output, [...path, 2], inner, nesting);
      return Object.entries(expanded as JsonObject);
    });
  }

  #items(collection: Json, path: Path, bindings: Bindings): string[] {
    const list = Array.isArray(collection)
      ? collection
      : this.#collection(this.expand(collection, path, bindings, 0), path);
    if (!Array.isArray(list))
      throw failure('the collection of Fn::ForEach must be a list, or Ref to a parameter that is one', path);
    return list.flatMap((item, index) => {
      const value = item !== null && typeof item === 'object' ? this.#collection(item, [...path, index]) : item;
      const texts = Array.isArray(value) ? value : [value];
      return texts.map((text) => {
        if (text === null || text === undefined || typeof text === 'object') {
          throw failure('the items of a collection must be texts', [...path, index]);
        }
        return this.#substitute(String(text), bindings, path);
      });
    });
  }
}

/** Replaces `${Identifier}`, and `&{Identifier}` by the value without what is not alphanumeric. */
function substitute(text: string, bindings: Bindings, count: (characters: number) => void): string {
  if (bindings.size === 0 || !text.includes('{')) return text;
  return text.replace(/([$&])\{([A-Za-z0-9]+)\}/g, (whole, kind: string, name: string) => {
    const value = bindings.get(name);
    if (value === undefined) return whole;
    count(value.length);
    return kind === '&' ? value.replace(/[^A-Za-z0-9]/g, '') : value;
  });
}

function failure(reason: string, path: Path): TemplateError {
  return new TemplateError({ message: `Transform AWS::LanguageExtensions failed with: ${reason}.`, path });
}
