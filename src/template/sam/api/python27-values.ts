/**
 * The body of an API as AWS's translator holds it. The name of a deployment is a hash of that body as Python 2.7 prints it, where
 * the text of a template is `u'text'` and the translator's own is `'text'`, and where maps have the order of `python27-keys.ts`.
 */
import { isObject, type Json, type JsonObject, numberText, object, setNumberText } from '../../tree.ts';
import { Python27Keys } from './python27-keys.ts';

/** `string` is the text of a template. */
export type PythonValue = null | boolean | number | string | PythonFloat | PythonText | PythonValue[] | PythonMap;

/** Text of the translator. */
export class PythonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A number that the template writes with a point or an exponent. */
export class PythonFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** How often the tree that a map belongs to has been copied. */
interface Copies {
  count: number;
}

/**
 * A dictionary. Its order is that of Python 2.7, or the order of insertion. AWS's translator copies a whole body whenever it edits it,
 * and a copy may change the order of keys. Here the copies are counted, and a map makes up for them before its keys change or are
 * read, so that an edit costs what it changes.
 */
export class PythonMap {
  readonly #members = new Map<string, PythonValue>();
  /** The keys that are text of the translator. */
  readonly #own = new Set<string>();
  readonly #order: Python27Keys | undefined;
  #copies: Copies | undefined;
  #replayed = 0;

  constructor(order: Python27Keys | 'insertion' = new Python27Keys()) {
    this.#order = order === 'insertion' ? undefined : order;
  }

  get size(): number {
    return this.#members.size;
  }

  has(key: string): boolean {
    return this.#members.has(key);
  }

  get(key: string): PythonValue | undefined {
    return this.#members.get(key);
  }

  set(key: string | PythonText, value: PythonValue): void {
    const name = typeof key === 'string' ? key : key.text;
    if (!this.#members.has(name)) {
      this.#settle();
      this.#order?.add(name);
      if (typeof key !== 'string') this.#own.add(name);
    }
    this.#members.set(name, value);
    if (this.#copies !== undefined) join(value, this.#copies);
  }

  /** `dict.update`. */
  update(other: PythonMap): void {
    this.#settle();
    this.#order?.merge(other.keys());
    for (const [key, value] of other.entries()) {
      if (!this.#members.has(key) && other.#own.has(key)) this.#own.add(key);
      this.#members.set(key, value);
      if (this.#copies !== undefined) join(value, this.#copies);
    }
  }

  setDefault(key: string | PythonText, value: PythonValue): PythonValue {
    const name = typeof key === 'string' ? key : key.text;
    if (!this.#members.has(name)) this.set(key, value);
    return this.#members.get(name) as PythonValue;
  }

  delete(key: string): void {
    if (!this.#members.delete(key)) return;
    this.#settle();
    this.#own.delete(key);
    this.#order?.remove(key);
  }

  keys(): readonly string[] {
    if (this.#order === undefined) return [...this.#members.keys()];
    this.#settle();
    return this.#order.keys();
  }

  entries(): [string, PythonValue][] {
    return this.keys().map((key) => [key, this.#members.get(key) as PythonValue]);
  }

  /** The key as it is printed: text of the template or of the translator. */
  keyOf(key: string): string | PythonText {
    return this.#own.has(key) ? new PythonText(key) : key;
  }

  /** `dict.copy`: the values are the same. */
  copy(): PythonMap {
    const order = this.#order;
    this.#settle();
    const copy = new PythonMap(order === undefined ? 'insertion' : order.copy());
    for (const [key, value] of this.entries()) {
      copy.#members.set(key, value);
      if (this.#own.has(key)) copy.#own.add(key);
    }
    return copy;
  }

  /** The map and all below it have been copied: `copy.deepcopy`. */
  deepCopy(): void {
    this.#copies ?? this.join({ count: 0 });
    (this.#copies as Copies).count += 1;
  }

  /** Makes the map a part of a tree. */
  join(copies: Copies): void {
    if (this.#copies === copies) return;
    this.#settle();
    this.#copies = copies;
    this.#replayed = copies.count;
    for (const value of this.#members.values()) join(value, copies);
  }

  #settle(): void {
    if (this.#copies === undefined) return;
    this.#order?.deepCopy(this.#copies.count - this.#replayed);
    this.#replayed = this.#copies.count;
  }
}

function join(value: PythonValue, copies: Copies): void {
  if (value instanceof PythonMap) value.join(copies);
  else if (Array.isArray(value)) for (const item of value) join(item, copies);
}

/** Text of the translator. */
export const own = (text: string): PythonText => new PythonText(text);

/** A map of the translator in the order of Python 2.7. */
export function ownMap(members: Readonly<Record<string, PythonValue>> = {}): PythonMap {
  return fill(new PythonMap(), members);
}

/** A map of the translator in the order of insertion. */
export function plainMap(members: Readonly<Record<string, PythonValue>>): PythonMap {
  return fill(new PythonMap('insertion'), members);
}

function fill(map: PythonMap, members: Readonly<Record<string, PythonValue>>): PythonMap {
  for (const [key, value] of Object.entries(members)) map.set(own(key), value);
  return map;
}

export function isPythonMap(value: PythonValue | undefined): value is PythonMap {
  return value instanceof PythonMap;
}

/** The characters of a text; undefined for other values. */
export function textOf(value: PythonValue | undefined): string | undefined {
  if (value instanceof PythonText) return value.text;
  return typeof value === 'string' ? value : undefined;
}

/** Whether Python takes the value for true: not None, False, 0, or empty. */
export function isTrue(value: PythonValue | undefined): boolean {
  if (value instanceof PythonMap) return value.size > 0;
  if (value instanceof PythonText) return value.text !== '';
  if (value instanceof PythonFloat) return value.value !== 0;
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}

/** The order of a map that the transform has changed; undefined for the order of the text. */
export type OrderOf = (map: JsonObject) => Python27Keys | undefined;

/** Values of a template. */
export function fromTemplate(value: Json, orderOf?: OrderOf): PythonValue {
  if (Array.isArray(value)) return value.map((item, at) => fromMember(value, at, item, orderOf));
  if (!isObject(value)) return value;
  const map = new PythonMap(orderOf?.(value)?.clone());
  for (const [key, item] of Object.entries(value)) map.set(key, fromMember(value, key, item, orderOf));
  return map;
}

/** A member of a map or list of the template. */
function fromMember(
  holder: JsonObject | Json[],
  key: string | number,
  item: Json,
  orderOf: OrderOf | undefined,
): PythonValue {
  if (typeof item !== 'number') return fromTemplate(item, orderOf);
  return /[.eE]/.test(numberText(holder, key) ?? '') ? new PythonFloat(item) : item;
}

/** The value for the template that goes to CloudFormation. */
export function toTemplate(value: PythonValue): Json {
  if (value instanceof PythonText) return value.text;
  if (value instanceof PythonFloat) return value.value;
  if (Array.isArray(value)) {
    const list = value.map(toTemplate);
    value.forEach((item, at) => {
      noteFloat(list, at, item);
    });
    return list;
  }
  if (!(value instanceof PythonMap)) return value;
  const map = object(value.entries().map(([key, item]) => [key, toTemplate(item)] as const));
  for (const [key, item] of value.entries()) noteFloat(map, key, item);
  return map;
}

function noteFloat(holder: JsonObject | Json[], key: string | number, item: PythonValue): void {
  if (item instanceof PythonFloat) setNumberText(holder, key, printFloat(item.value));
}

/** Whether Python's `==` holds. */
export function areEqual(one: PythonValue | undefined, other: PythonValue | undefined): boolean {
  if (one === other) return true;
  if (Array.isArray(one) && Array.isArray(other)) {
    return one.length === other.length && one.every((item, at) => areEqual(item, other[at]));
  }
  if (one instanceof PythonMap && other instanceof PythonMap) {
    return (
      one.size === other.size && one.keys().every((key) => other.has(key) && areEqual(one.get(key), other.get(key)))
    );
  }
  const text = textOf(one);
  if (text !== undefined) return text === textOf(other);
  return one instanceof PythonFloat && areEqual(one.value, other instanceof PythonFloat ? other.value : other);
}

/** `str(value)`. */
export function print(value: PythonValue | undefined): string {
  return textOf(value) ?? printInside(value);
}

/** `repr(value)`. */
function printInside(value: PythonValue | undefined): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return printText(value);
  if (value instanceof PythonText) return printOwnText(value.text);
  if (value instanceof PythonFloat) return printFloat(value.value);
  if (Array.isArray(value)) return `[${value.map(printInside).join(', ')}]`;
  return `{${value
    .entries()
    .map(([key, item]) => `${printInside(value.keyOf(key))}: ${printInside(item)}`)
    .join(', ')}}`;
}

/** `json.dumps(value)`. */
export function printJson(value: PythonValue): string {
  const text = textOf(value);
  if (text !== undefined) return printJsonText(text);
  if (value instanceof PythonFloat) return printFloat(value.value);
  if (Array.isArray(value)) return `[${value.map(printJson).join(', ')}]`;
  if (!(value instanceof PythonMap)) return JSON.stringify(value);
  return `{${value
    .entries()
    .map(([key, item]) => `${printJsonText(key)}: ${printJson(item)}`)
    .join(', ')}}`;
}

function printJsonText(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\uffff]/g, (unit) => `\\u${hex(unit.charCodeAt(0), 4)}`);
}

/** `repr` of Python 2.7's `unicode`. */
function printText(text: string): string {
  const escaped = text.replace(/[^ -~]|\\/gu, (character) => {
    const short = SHORT_ESCAPES[character];
    if (short !== undefined) return short;
    const code = character.codePointAt(0) as number;
    if (code > 0xffff) return `\\U${hex(code, 8)}`;
    return code > 0xff ? `\\u${hex(code, 4)}` : `\\x${hex(code, 2)}`;
  });
  return `u${quote(escaped)}`;
}

/** `repr` of Python 3's `str`, in which the translator writes its own text. */
function printOwnText(text: string): string {
  const escaped = text.replace(/[\p{C}\p{Z}\\]/gu, (character) => {
    if (character === ' ') return character;
    const short = SHORT_ESCAPES[character];
    if (short !== undefined) return short;
    const code = character.codePointAt(0) as number;
    if (code > 0xffff) return `\\U${hex(code, 8)}`;
    return code > 0xff ? `\\u${hex(code, 4)}` : `\\x${hex(code, 2)}`;
  });
  return quote(escaped);
}

const SHORT_ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' };

const hex = (code: number, digits: number): string => code.toString(16).padStart(digits, '0');

function quote(text: string): string {
  if (!text.includes("'")) return `'${text}'`;
  return text.includes('"') ? `'${text.replaceAll("'", "\\'")}'` : `"${text}"`;
}

/** `repr` of a float: the shortest digits, with an exponent below 0.0001 and from 1e16. */
function printFloat(value: number): string {
  const size = Math.abs(value);
  if (value !== 0 && (size < 1e-4 || size >= 1e16)) {
    const [digits = '', exponent = ''] = value.toExponential().split('e');
    return `${digits}e${exponent.slice(0, 1)}${exponent.slice(1).padStart(2, '0')}`;
  }
  const text = String(value);
  return Number.isInteger(value) ? `${text}.0` : text;
}
