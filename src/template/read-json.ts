/** The tree and the places of a template in JSON. Syntax errors are Jackson's, which CloudFormation uses (`wire/json-syntax.ts`). */
import { findJsonError, type JsonError } from '../wire/json-syntax.ts';
import type { PlaceNode } from './places.ts';
import { MAX_DEPTH, MAX_NODES } from './template-limits.ts';
import { type Json, object, setNumberText } from './tree.ts';

export type JsonReading =
  | { readonly value: Json; readonly place: PlaceNode }
  | { readonly error: JsonError }
  /** A member that stands twice, or a level too many, at the offset. */
  | { readonly reason: string; readonly offset: number };

export function readJson(text: string): JsonReading {
  const error = findJsonError(Buffer.from(text));
  if (error) return { error };
  const reader = new Reader(text);
  try {
    return reader.read(0);
  } catch (failure) {
    if (failure instanceof Refusal) return { reason: failure.message, offset: failure.offset };
    throw failure;
  }
}

class Refusal extends Error {
  readonly offset: number;

  constructor(reason: string, offset: number) {
    super(reason);
    this.offset = offset;
  }
}

/** Reads text that is valid JSON, so it only needs to tell the kinds of values apart. */
class Reader {
  readonly #text: string;
  #at = 0;
  #nodes = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(depth: number): { value: Json; place: PlaceNode } {
    this.#skip(BLANKS);
    const at = this.#at;
    this.#nodes += 1;
    if (this.#nodes > MAX_NODES) throw new Refusal(`At most ${MAX_NODES} values are allowed`, at);
    if (depth > MAX_DEPTH) throw new Refusal(`At most ${MAX_DEPTH} levels are allowed`, at);
    const first = this.#text[at];
    if (first === '{') return this.#readObject(depth);
    if (first === '[') return this.#readList(depth);
    return { value: JSON.parse(this.#token()) as Json, place: { key: at, value: at } };
  }

  #readObject(depth: number): { value: Json; place: PlaceNode } {
    const start = this.#at;
    const value = object();
    const members = new Map<string, PlaceNode>();
    while (this.#enters('}')) {
      const key = this.#at;
      const name = JSON.parse(this.#token()) as string;
      if (members.has(name)) throw new Refusal(`Duplicate key ${name}`, key);
      this.#skip(BLANKS_AND_COLON);
      const member = this.read(depth + 1);
      value[name] = member.value;
      members.set(name, { ...member.place, key });
      this.#noteNumber(value, name, member);
    }
    return { value, place: { key: start, value: start, members } };
  }

  #readList(depth: number): { value: Json; place: PlaceNode } {
    const start = this.#at;
    const value: Json[] = [];
    const members = new Map<number, PlaceNode>();
    while (this.#enters(']')) {
      const item = this.read(depth + 1);
      members.set(value.length, item.place);
      value.push(item.value);
      this.#noteNumber(value, value.length - 1, item);
    }
    return { value, place: { key: start, value: start, members } };
  }

  /** Steps over the opening bracket or the comma, to the next member; false after the closing bracket. */
  #enters(close: string): boolean {
    this.#skip(BLANKS);
    if (this.#text[this.#at] !== close) this.#at += 1;
    this.#skip(BLANKS);
    const isEnd = this.#text[this.#at] === close;
    if (isEnd) this.#at += 1;
    return !isEnd;
  }

  /** A string, a number or a word. */
  #token(): string {
    const start = this.#at;
    this.#skip(this.#text[start] === '"' ? STRING : WORD);
    return this.#text.slice(start, this.#at);
  }

  #skip(pattern: RegExp): void {
    pattern.lastIndex = this.#at;
    pattern.test(this.#text);
    this.#at = Math.max(pattern.lastIndex, this.#at);
  }

  #noteNumber(
    holder: Parameters<typeof setNumberText>[0],
    key: string | number,
    item: { value: Json; place: PlaceNode },
  ): void {
    if (typeof item.value !== 'number') return;
    const text = this.#text.slice(item.place.value, this.#at);
    if (text !== String(item.value)) setNumberText(holder, key, text);
  }
}

const BLANKS = /[ \t\r\n]*/y;
const BLANKS_AND_COLON = /[ \t\r\n]*:[ \t\r\n]*/y;
const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"/y;
const WORD = /[^ \t\r\n,\]}]*/y;
