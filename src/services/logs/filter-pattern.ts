/**
 * CloudWatch Logs filter patterns: terms, JSON conditions and space-delimited fields, each with regular expressions.
 * Parses a pattern into a predicate on messages. Patterns are case-sensitive, as on AWS.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
 */

import { createRequire } from 'node:module';
import { createGlob, globTokens } from '../../protocol/glob.ts';
import { parseJson } from '../../protocol/json.ts';

/** Whether a log event's message matches. */
export type MessageFilter = (message: string) => boolean;

/** A pattern is invalid. The message is for the client. */
export class InvalidFilterPattern extends Error {
  constructor(reason = 'Invalid filter pattern') {
    super(reason);
    this.name = 'InvalidFilterPattern';
  }
}

/**
 * Parses a filter pattern. An empty pattern matches everything.
 * @throws InvalidFilterPattern
 */
export function parseFilterPattern(pattern: string): MessageFilter {
  const text = pattern.trim();
  if (text === '') return () => true;
  if (text.startsWith('{')) return parseJsonPattern(text);
  if (text.startsWith('[')) return parseFieldsPattern(text);
  return parseTermsPattern(text);
}

// Terms: a message must contain all terms without a sign, none with `-`, and one of those with `?`.

function parseTermsPattern(text: string): MessageFilter {
  const required: MessageFilter[] = [];
  const optional: MessageFilter[] = [];
  const excluded: MessageFilter[] = [];
  const term = /([?-]?)(?:"((?:\\.|[^"\\])*)"|%((?:\\.|[^%\\])+)%|([^\s"%]+))(?=\s|$)\s*/y;
  while (term.lastIndex < text.length) {
    const start = term.lastIndex;
    const match = term.exec(text);
    if (!match) throw new InvalidFilterPattern(`Invalid filter pattern: unexpected text at position ${start + 1}`);
    const [, sign, quoted, regex, word] = match;
    const list = sign === '?' ? optional : sign === '-' ? excluded : required;
    list.push(termFilter(quoted, regex, word));
  }
  // AWS documents that `?` cannot be combined with other terms and is then ignored.
  const alternatives = required.length + excluded.length > 0 ? [] : optional;
  return (message) =>
    required.every((matches) => matches(message)) &&
    !excluded.some((matches) => matches(message)) &&
    (alternatives.length === 0 || alternatives.some((matches) => matches(message)));
}

function termFilter(quoted: string | undefined, regex: string | undefined, word: string | undefined): MessageFilter {
  if (regex !== undefined) {
    return parseRegex(regex);
  }
  if (quoted === undefined && !/^[\p{L}\p{N}_]+$/u.test(word ?? '')) {
    throw new InvalidFilterPattern(`Invalid character(s) in term '${word}'`);
  }
  const wanted = quoted === undefined ? (word ?? '') : unquote(quoted);
  return (message) => message.includes(wanted);
}

function unquote(quoted: string): string {
  return quoted.replace(/\\(.)/g, '$1');
}

/**
 * AWS's regular expressions have no groups and no lookaround. RE2 runs them in time that is linear in the message,
 * whereas Node.js takes minutes for `%a*a*a*a*a*b%`. The package is loaded on first use.
 */
function parseRegex(source: string): MessageFilter {
  const isSupported = /^(?:\\.|[A-Za-z0-9_#=@/;,:\s^$?[\]{}|*+.-])+$/.test(source);
  try {
    if (isSupported) {
      const { RE2JS } = createRequire(import.meta.url)('re2js') as typeof import('re2js');
      const expression = RE2JS.compile(source);
      return (message) => expression.matcher(message).find();
    }
  } catch {
    // Reported below, as for expressions that AWS does not support.
  }
  throw new InvalidFilterPattern(`Invalid filter pattern: unsupported regular expression %${source}%`);
}

// Conditions on values, shared by JSON and fields patterns.

type Operator = '=' | '!=' | '<' | '<=' | '>' | '>=';
type ValueTest = (value: unknown) => boolean;

/** Compares with the operand: `"quoted"`, `%regex%`, a number, or a word in which `*` matches anything. */
function valueTest(operator: Operator, operand: Token): ValueTest {
  if (operator !== '=' && operator !== '!=') {
    const limit = Number(operand.text);
    if (operand.kind !== 'word' || !isNumber(operand.text)) {
      throw new InvalidFilterPattern(`Invalid filter pattern: '${operator}' needs a number, not '${operand.text}'`);
    }
    return (value) => {
      const number = typeof value === 'string' && isNumber(value) ? Number(value) : value;
      return typeof number === 'number' && compare(number, operator, limit);
    };
  }
  const equals = equalityTest(operand);
  return operator === '=' ? equals : (value) => !equals(value);
}

function equalityTest(operand: Token): ValueTest {
  if (operand.kind === 'regex') {
    const expression = parseRegex(operand.text);
    return (value) => isScalar(value) && expression(String(value));
  }
  if (operand.kind === 'word' && isNumber(operand.text)) {
    const wanted = Number(operand.text);
    return (value) =>
      (typeof value === 'number' || (typeof value === 'string' && isNumber(value))) && Number(value) === wanted;
  }
  const glob = createGlob(globTokens(operand.text));
  return (value) => isScalar(value) && glob(String(value));
}

function isScalar(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function isNumber(text: string): boolean {
  return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text.trim());
}

function compare(left: number, operator: '<' | '<=' | '>' | '>=', right: number): boolean {
  switch (operator) {
    case '<':
      return left < right;
    case '<=':
      return left <= right;
    case '>':
      return left > right;
    case '>=':
      return left >= right;
  }
}

// Tokens of both bracketed forms.

type Token = { readonly kind: 'word' | 'quoted' | 'regex' | 'selector' | 'symbol'; readonly text: string };

const TOKEN =
  /\s*(?:("(?:\\.|[^"\\])*")|(%(?:\\.|[^%\\])+%)|(\$(?:\.[\w-]+|\[(?:\d+|\*|"[^"]*"|'[^']*')\]|\.\*)*)|(\|\||&&|!=|<=|>=|[=<>(),])|([^\s"%=<>!(),&|]+))/y;

class Tokens {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(text: string) {
    const tokens: Token[] = [];
    const rest = text.trimEnd();
    TOKEN.lastIndex = 0;
    while (TOKEN.lastIndex < rest.length) {
      const start = TOKEN.lastIndex;
      const match = TOKEN.exec(rest);
      if (!match)
        throw new InvalidFilterPattern(`Invalid filter pattern: unexpected text '${rest.slice(start).trim()}'`);
      const [, quoted, regex, selector, symbol, word] = match;
      if (quoted !== undefined) tokens.push({ kind: 'quoted', text: unquote(quoted.slice(1, -1)) });
      else if (regex !== undefined) tokens.push({ kind: 'regex', text: regex.slice(1, -1) });
      else if (selector !== undefined) tokens.push({ kind: 'selector', text: selector });
      else if (symbol !== undefined) tokens.push({ kind: 'symbol', text: symbol });
      else tokens.push({ kind: 'word', text: word ?? '' });
    }
    this.#tokens = tokens;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#tokens.length;
  }

  next(): Token {
    const token = this.#tokens[this.#at++];
    if (!token) throw new InvalidFilterPattern('Invalid filter pattern: unexpected end');
    return token;
  }

  /** Consumes the next token if it is this symbol or word, in any case. */
  accept(text: string): boolean {
    const token = this.#tokens[this.#at];
    const isIt = (token?.kind === 'symbol' || token?.kind === 'word') && token.text.toUpperCase() === text;
    if (isIt) this.#at += 1;
    return isIt;
  }

  peekIs(symbol: string): boolean {
    const token = this.#tokens[this.#at];
    return token?.kind === 'symbol' && token.text === symbol;
  }

  expect(text: string): void {
    if (!this.accept(text)) throw new InvalidFilterPattern(`Invalid filter pattern: expected '${text}'`);
  }

  operator(): Operator {
    const { kind, text } = this.next();
    const isOperator = kind === 'symbol' && ['=', '!=', '<', '<=', '>', '>='].includes(text);
    if (!isOperator) throw new InvalidFilterPattern(`Invalid filter pattern: '${text}' is not a comparison`);
    return text as Operator;
  }

  operand(): Token {
    const token = this.next();
    if (token.kind === 'symbol' || token.kind === 'selector') {
      throw new InvalidFilterPattern(`Invalid filter pattern: '${token.text}' is not a value`);
    }
    return token;
  }
}

type Condition<Subject> = (subject: Subject) => boolean;

/** Parses `a && (b || c)`, where `primary` parses `a`. `&&` has precedence. */
function parseAlternatives<Subject>(tokens: Tokens, primary: () => Condition<Subject>): Condition<Subject> {
  const group = (): Condition<Subject> => {
    if (!tokens.accept('(')) return primary();
    const inner = parseAlternatives(tokens, primary);
    tokens.expect(')');
    return inner;
  };
  const all = (): Condition<Subject> => {
    const conditions = [group()];
    while (tokens.accept('&&')) conditions.push(group());
    return (subject) => conditions.every((holds) => holds(subject));
  };
  const alternatives = [all()];
  while (tokens.accept('||')) alternatives.push(all());
  return (subject) => alternatives.some((holds) => holds(subject));
}

// JSON: { $.level = "ERROR" && $.latency > 100 }

function parseJsonPattern(text: string): MessageFilter {
  if (!text.endsWith('}')) throw new InvalidFilterPattern("Invalid filter pattern: '}' is missing");
  const tokens = new Tokens(text.slice(1, -1));
  const condition = parseAlternatives(tokens, () => parseJsonCondition(tokens));
  if (!tokens.isAtEnd) throw new InvalidFilterPattern(`Invalid filter pattern: unexpected '${tokens.next().text}'`);
  return (message) => {
    const document = parseDocument(message);
    return document !== undefined && condition(document);
  };
}

function parseDocument(message: string): object | undefined {
  const start = message.trimStart().charAt(0);
  if (start !== '{' && start !== '[') return undefined;
  try {
    return parseJson(message) as object;
  } catch {
    return undefined;
  }
}

function parseJsonCondition(tokens: Tokens): Condition<unknown> {
  const selector = tokens.next();
  if (selector.kind !== 'selector') {
    throw new InvalidFilterPattern(`Invalid filter pattern: '${selector.text}' is not a selector such as $.name`);
  }
  const path = parsePath(selector.text);
  if (tokens.accept('IS')) {
    const word = tokens.next().text.toUpperCase();
    const wanted = new Map<string, unknown>([
      ['NULL', null],
      ['TRUE', true],
      ['FALSE', false],
    ]);
    if (!wanted.has(word)) throw new InvalidFilterPattern(`Invalid filter pattern: IS ${word}`);
    return (document) => select(document, path).some((value) => value === wanted.get(word));
  }
  if (tokens.accept('NOT')) {
    tokens.expect('EXISTS');
    return (document) => select(document, path).length === 0;
  }
  if (tokens.accept('EXISTS')) return (document) => select(document, path).length > 0;
  const test = valueTest(tokens.operator(), tokens.operand());
  return (document) => select(document, path).some(test);
}

function parsePath(selector: string): readonly string[] {
  return [...selector.matchAll(/\.([\w-]+|\*)|\[(?:(\d+|\*)|"([^"]*)"|'([^']*)')\]/g)].map(
    ([, name, index, double, single]) => name ?? index ?? double ?? single ?? '',
  );
}

function select(document: unknown, path: readonly string[]): readonly unknown[] {
  let found: unknown[] = [document];
  for (const step of path) {
    found = found.flatMap((value) => {
      if (typeof value !== 'object' || value === null) return [];
      if (step === '*') return Object.values(value);
      return Object.hasOwn(value, step) ? [(value as Record<string, unknown>)[step]] : [];
    });
  }
  return found;
}

// Space-delimited fields: [ip, user, ..., status = 4*, bytes > 1000]

type Field = { readonly isEllipsis: boolean; readonly holds: Condition<string> };

function parseFieldsPattern(text: string): MessageFilter {
  if (!text.endsWith(']')) throw new InvalidFilterPattern("Invalid filter pattern: ']' is missing");
  const tokens = new Tokens(text.slice(1, -1));
  const fields: Field[] = [];
  while (!tokens.isAtEnd) {
    fields.push(parseField(tokens));
    if (!tokens.isAtEnd) tokens.expect(',');
  }
  const gap = fields.findIndex(({ isEllipsis }) => isEllipsis);
  if (fields.filter(({ isEllipsis }) => isEllipsis).length > 1) {
    throw new InvalidFilterPattern("Invalid filter pattern: '...' can appear only once");
  }
  return (message) => {
    const values = splitFields(message);
    const named = gap < 0 ? fields.length : fields.length - 1;
    if (gap < 0 ? values.length !== named : values.length < named) return false;
    return fields.every(({ isEllipsis, holds }, index) => {
      if (isEllipsis) return true;
      const position = gap >= 0 && index > gap ? values.length - (fields.length - index) : index;
      return holds(values[position] ?? '');
    });
  };
}

function parseField(tokens: Tokens): Field {
  if (tokens.accept('...')) return { isEllipsis: true, holds: () => true };
  let isBare = false;
  const holds = parseAlternatives<string>(tokens, () => {
    const name = tokens.next();
    if (name.kind !== 'word')
      throw new InvalidFilterPattern(`Invalid filter pattern: '${name.text}' is not a field name`);
    const isCompared = ['=', '!=', '<', '<=', '>', '>='].some((operator) => tokens.peekIs(operator));
    if (!isCompared) {
      isBare = true;
      return () => true;
    }
    return valueTest(tokens.operator(), tokens.operand());
  });
  return { isEllipsis: false, holds: isBare ? () => true : holds };
}

/** Text in brackets or double quotes is one field. */
function splitFields(message: string): readonly string[] {
  return [...message.trim().matchAll(/\[([^\]]*)\]|"([^"]*)"|(\S+)/g)].map(
    ([, bracketed, quoted, plain]) => bracketed ?? quoted ?? plain ?? '',
  );
}
