/**
 * The tree and the places of a template in YAML. The library `yaml` parses and composes; it sees all scalars as text
 * (schema `failsafe`), and `yaml-scalars.ts` decides what they mean. Short tags become their long form.
 *
 * Bounds: the nesting is checked while the text is parsed, before anything walks it by recursion, and copies that aliases make are counted.
 * AWS refuses aliases, but the deployment tools resolve them before they send a template: the caller chooses.
 */
import {
  type Alias,
  Composer,
  CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  type ParsedNode,
  Parser,
  type Scalar,
  type YAMLMap,
} from 'yaml';
import type { PlaceNode } from './places.ts';
import { MAX_ALIAS_NODES, MAX_DEPTH, MAX_NODES, MAX_PROBLEMS, MAX_YAML_TOKENS } from './template-limits.ts';
import { type Json, type JsonObject, object, setNumberText } from './tree.ts';
import { createLexer } from './yaml-lexer.ts';
import { looksOctal, readPlainScalar, readTaggedScalar, type ScalarValue } from './yaml-scalars.ts';

export type ReadNode = { readonly value: Json; readonly place: PlaceNode };

/** What is wrong at an offset of the text. `reason` is a sentence for people, without its period. */
export type YamlProblem = { readonly reason: string; readonly offset: number };

/** Why a text is not a template. `alias`: it has an alias where the caller refuses them. */
export class YamlFailure extends Error {
  readonly problems: readonly YamlProblem[];
  readonly kind: 'syntax' | 'alias';

  constructor(problems: readonly YamlProblem[], kind: 'syntax' | 'alias' = 'syntax') {
    super(problems[0]?.reason);
    this.problems = problems;
    this.kind = kind;
  }
}

/** A plain scalar with a leading zero that other readers take for an octal number. */
export type OctalScalar = { readonly text: string; readonly offset: number };

export type ReadYaml = ReadNode & {
  readonly octals: readonly OctalScalar[];
  /** Repeated keys. The value of the last one counts. */
  readonly duplicates: readonly YamlProblem[];
};

/** @throws YamlFailure */
export function readYaml(text: string, options: { readonly aliases: 'expand' | 'refuse' }): ReadYaml {
  const steps = readInSteps(text, options.aliases);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Reads a part of the text with each step. A step may take a few hundred milliseconds with the largest texts. @throws YamlFailure */
export function* readInSteps(text: string, aliases: 'expand' | 'refuse'): Generator<void, ReadYaml> {
  const tokens = yield* tokensOf(text);
  // The library makes an Error for each tag that it does not know, and stack traces are what they cost.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  let document: ParsedDocument | undefined;
  try {
    document = composeDocument(tokens, text);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
  yield;
  return readDocument(document, text, aliases);
}

type ParsedDocument = Document.Parsed<ParsedNode>;

/** @throws YamlFailure */
function composeDocument(tokens: CST.Token[], text: string): ParsedDocument | undefined {
  const settings = { version: '1.1', schema: 'failsafe', uniqueKeys: false, prettyErrors: false } as const;
  // Not all of them: a text can have one for each line.
  const [document, second] = new Composer(settings).compose(tokens, true, text.length);
  const errors =
    document?.errors.slice(0, MAX_PROBLEMS).map((error) => ({ reason: error.message, offset: error.pos[0] })) ?? [];
  if (second) errors.push({ reason: 'A template is one YAML document', offset: second.range[0] });
  if (errors.length > 0) throw new YamlFailure(errors);
  return document;
}

/** @throws YamlFailure */
function readDocument(document: ParsedDocument | undefined, text: string, aliases: 'expand' | 'refuse'): ReadYaml {
  if (!document?.contents) return { ...EMPTY, octals: [], duplicates: [] };
  const reader = new Reader(text, aliases);
  const read = reader.read(document.contents, 0);
  return { ...read, octals: reader.octals, duplicates: reader.duplicates };
}

function* tokensOf(text: string): Generator<void, CST.Token[]> {
  const parser = new Parser();
  const { stack } = parser as unknown as { readonly stack: readonly unknown[] };
  const tokens: CST.Token[] = [];
  let offset = 0;
  for (const [index, lexeme] of (yield* lexemesOf(text)).entries()) {
    if (index % STEP_TOKENS === 0) yield;
    for (const token of parser.next(lexeme)) tokens.push(token);
    // The composer, which follows, is recursive. The stack also holds a scalar and the document.
    if (stack.length > MAX_DEPTH + 2) throw new YamlFailure([{ reason: TOO_DEEP, offset }]);
    if (!isControl(lexeme)) offset += lexeme.length;
  }
  for (const token of parser.end()) tokens.push(token);
  return tokens;
}

/** Counted before anything is made of them: the parser and the composer take much longer. */
function* lexemesOf(text: string): Generator<void, string[]> {
  const lexemes: string[] = [];
  for (const lexeme of createLexer().lex(text)) {
    if (lexemes.length >= MAX_YAML_TOKENS) {
      throw new YamlFailure([{ reason: `At most ${MAX_YAML_TOKENS} tokens are allowed`, offset: 0 }]);
    }
    lexemes.push(lexeme);
    if (lexemes.length % STEP_TOKENS === 0) yield;
  }
  return lexemes;
}

/** Lexemes that the lexer adds to the text: start of a document, of a scalar, and the end of broken brackets. */
function isControl(lexeme: string): boolean {
  return lexeme === CST.DOCUMENT || lexeme === CST.SCALAR || lexeme === CST.FLOW_END;
}

/** Tokens of one step. */
const STEP_TOKENS = 2_000;
const TOO_DEEP = `At most ${MAX_DEPTH} levels are allowed`;
const OWN_TAGS = 'tag:yaml.org,2002:';

class Reader {
  /** Keys that stand twice in their map. The reading goes on, so that all are found. */
  readonly duplicates: YamlProblem[] = [];
  readonly octals: OctalScalar[] = [];
  readonly #text: string;
  readonly #aliases: 'expand' | 'refuse';
  /** The last node of each name so far; undefined while the node is being read, which an alias inside it must not see. */
  readonly #anchors = new Map<string, ParsedNode | undefined>();
  #nodes = 0;
  #aliasNodes = 0;
  #aliasDepth = 0;

  constructor(text: string, aliases: 'expand' | 'refuse') {
    this.#text = text;
    this.#aliases = aliases;
  }

  /** `key` is the offset of the member's key or of the list's item. */
  read(node: ParsedNode, depth: number, key: number = node.range[0]): ReadNode {
    if (depth > MAX_DEPTH) throw new YamlFailure([{ reason: TOO_DEEP, offset: node.range[0] }]);
    this.#nodes += 1;
    if (this.#nodes > MAX_NODES) {
      throw new YamlFailure([{ reason: `At most ${MAX_NODES} values are allowed`, offset: node.range[0] }]);
    }
    if (this.#aliasDepth > 0) this.#count(node);
    if (isAlias(node)) return this.#readAlias(node, depth, key);
    const anchor = this.#aliasDepth === 0 ? node.anchor : undefined;
    if (anchor !== undefined) this.#anchors.set(anchor, undefined);
    const read = this.#readTagged(node, depth, key);
    if (anchor !== undefined) this.#anchors.set(anchor, node);
    return read;
  }

  #count(node: ParsedNode): void {
    this.#aliasNodes += 1;
    if (this.#aliasNodes <= MAX_ALIAS_NODES) return;
    throw new YamlFailure([{ reason: `Aliases may add at most ${MAX_ALIAS_NODES} nodes`, offset: node.range[0] }]);
  }

  #readAlias(alias: Alias.Parsed, depth: number, key: number): ReadNode {
    const target = this.#targetOf(alias);
    this.#aliasDepth += 1;
    const { value, place } = this.read(target, depth, key);
    this.#aliasDepth -= 1;
    return { value, place: { ...place, key } };
  }

  #targetOf(alias: Alias.Parsed): ParsedNode {
    const at = alias.range[0];
    if (this.#aliases === 'refuse') throw new YamlFailure([{ reason: 'Aliases are not allowed', offset: at }], 'alias');
    const target = this.#anchors.get(alias.source);
    if (target) return target;
    const reason = this.#anchors.has(alias.source) ? 'refers to itself' : 'has no anchor before it';
    throw new YamlFailure([{ reason: `The alias *${alias.source} ${reason}`, offset: at }]);
  }

  #readTagged(node: Exclude<ParsedNode, Alias.Parsed>, depth: number, key: number): ReadNode {
    const tag = node.tag;
    const isShort = tag?.startsWith('!') === true && tag.length > 1;
    if (!isShort) return this.#readPlain(node, depth, key);
    const name = tag.slice(1);
    const long = name === 'Ref' || name === 'Condition' ? name : `Fn::${name}`;
    const tagAt = this.#tagBefore(node.range[0], tag);
    const argument = isScalar(node)
      ? readArgument(name, node, this.#textOf(node))
      : this.#readPlain(node, depth + 1, node.range[0]);
    return {
      value: object([[long, argument.value]]),
      place: {
        key: key === node.range[0] ? tagAt : key,
        value: tagAt,
        members: new Map([[long, { ...argument.place, key: tagAt }]]),
      },
    };
  }

  #readPlain(node: Exclude<ParsedNode, Alias.Parsed>, depth: number, key: number): ReadNode {
    const at = node.range[0];
    if (isScalar(node)) {
      const text = this.#textOf(node);
      if (looksOctal(text) && isPlain(node) && this.octals.length < MAX_PROBLEMS)
        this.octals.push({ text, offset: at });
      return { value: readScalar(node, text).value, place: { key, value: at } };
    }
    if (isMap(node)) return this.#readMap(node, depth, key);
    const list: Json[] = [];
    const members = new Map<number, PlaceNode>();
    for (const [index, item] of node.items.entries()) {
      const read = this.read(item as ParsedNode, depth + 1);
      list.push(read.value);
      members.set(index, read.place);
      noteNumber(list, index, item as ParsedNode);
    }
    return { value: list, place: { key, value: at, members } };
  }

  #readMap(node: YAMLMap.Parsed, depth: number, key: number): ReadNode {
    const map = object();
    const members = new Map<string, PlaceNode>();
    const merged: ReadNode[] = [];
    for (const pair of node.items) {
      const name = this.#keyOf(pair.key);
      const value = pair.value;
      if (name === '<<' && value && isPlain(pair.key)) {
        merged.push(...this.#readMerged(value, depth));
        continue;
      }
      if (members.has(name) && this.duplicates.length < MAX_PROBLEMS)
        this.duplicates.push({ reason: `Duplicate key ${name}`, offset: pair.key.range[0] });
      const read = value ? this.read(value, depth + 1, pair.key.range[0]) : EMPTY;
      map[name] = read.value;
      members.set(name, { ...read.place, key: pair.key.range[0] });
      if (value) noteNumber(map, name, value);
    }
    for (const from of merged) mergeInto(map, members, from);
    return { value: map, place: { key, value: node.range[0], members } };
  }

  #keyOf(key: ParsedNode): string {
    const node = isAlias(key) ? this.#targetOf(key) : key;
    if (!isScalar(node)) throw new YamlFailure([{ reason: 'A key must be text', offset: key.range[0] }]);
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    return typeof node.value === 'string' ? node.value : '';
  }

  /** The offset of a tag, which the library's ranges leave out; that of the value where it is not close. */
  #tagBefore(offset: number, tag: string): number {
    const start = Math.max(0, offset - tag.length - 100);
    const at = this.#text.slice(start, offset).lastIndexOf(tag);
    return at === -1 ? offset : start + at;
  }

  /** The library ends a block scalar with a line break even where the text ends without one. */
  #textOf(node: Scalar.Parsed): string {
    const text = typeof node.value === 'string' ? node.value : '';
    const isLast = node.type?.startsWith('BLOCK') && node.range[1] >= this.#text.length && !this.#text.endsWith('\n');
    return isLast && text.endsWith('\n') ? text.slice(0, -1) : text;
  }

  /** The maps that `<<` merges: one, or a list of which the first wins. */
  #readMerged(value: ParsedNode, depth: number): ReadNode[] {
    const read = this.read(value, depth);
    const maps = Array.isArray(read.value)
      ? read.value.map((item, index) => ({ value: item, place: read.place.members?.get(index) ?? read.place }))
      : [read];
    const isEveryMap = maps.every(({ value: map }) => typeof map === 'object' && map !== null && !Array.isArray(map));
    if (!isEveryMap)
      throw new YamlFailure([{ reason: 'The merge key << needs a map or a list of maps', offset: value.range[0] }]);
    return maps;
  }
}

const EMPTY: ReadNode = { value: null, place: { key: 0, value: 0 } };

function mergeInto(map: JsonObject, members: Map<string, PlaceNode>, from: ReadNode): void {
  for (const [name, value] of Object.entries(from.value as JsonObject)) {
    if (members.has(name)) continue;
    map[name] = value;
    members.set(name, from.place.members?.get(name) ?? from.place);
  }
}

function isPlain(node: ParsedNode): boolean {
  return isScalar(node) && node.tag === undefined && (node.type === 'PLAIN' || node.type === undefined);
}

function readScalar(node: Scalar.Parsed, text = String(node.value)): ScalarValue {
  const tag = node.tag;
  if (tag === undefined) return isPlain(node) ? readPlainScalar(text) : { value: text };
  if (!tag.startsWith(OWN_TAGS)) return { value: text };
  const read = readTaggedScalar(tag.slice(OWN_TAGS.length), text);
  if (!read)
    throw new YamlFailure([
      { reason: `CloudFormation does not support the tag !!${tag.slice(OWN_TAGS.length)}`, offset: node.range[0] },
    ]);
  return read;
}

/** The argument of a short tag in one scalar is text: `!Select 1` has no number. `!GetAtt a.b.c` is [a, b.c]. */
function readArgument(tag: string, node: ParsedNode, text: string): ReadNode {
  const at = node.range[0];
  if (tag !== 'GetAtt') return { value: text, place: { key: at, value: at } };
  const dot = text.indexOf('.');
  const parts = dot === -1 ? [text] : [text.slice(0, dot), text.slice(dot + 1)];
  const members = new Map(parts.map((_, index) => [index, { key: at, value: at }] as const));
  return { value: parts, place: { key: at, value: at, members } };
}

function noteNumber(holder: JsonObject | Json[], key: string | number, node: ParsedNode): void {
  if (!isScalar(node) || node.tag?.startsWith('!')) return;
  const { numberText } = readScalar(node);
  if (numberText !== undefined) setNumberText(holder, key, numberText);
}
