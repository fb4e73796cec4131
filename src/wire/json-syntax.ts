/**
 * Checks that bytes are one JSON value in valid UTF-8, as AWS checks an event. Error messages are worded as Jackson's,
 * which AWS passes on to clients. Trailing tokens are an error too. One pass over the bytes, without building the
 * value: the only allocation is an array for the nesting.
 */

/** A syntax error in the wording of AWS's parser, with its position. */
export type JsonError = { readonly message: string; readonly line: number; readonly column: number };

/** The first syntax error in `bytes`; undefined when they are one JSON value. */
export function findJsonError(bytes: Buffer): JsonError | undefined {
  try {
    new Scanner(bytes).scanDocument();
    return undefined;
  } catch (failure) {
    if (failure instanceof SyntaxFailure) return failure;
    throw failure;
  }
}

/** `<message>\n at [Source: REDACTED (...); line: 1, column: 3]` */
export function renderJsonError({ message, line, column }: JsonError): string {
  return `${message}\n at ${renderSource(line, column)}`;
}

function renderSource(line: number, column: number): string {
  return (
    '[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); ' +
    `line: ${line}, column: ${column}]`
  );
}

const VALID_TOKENS = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

const LITERALS: ReadonlyMap<number, readonly number[]> = new Map(
  ['true', 'false', 'null'].map((word) => [word.charCodeAt(0), [...Buffer.from(word)]]),
);

/** 1 for bytes that a string may contain as they are: no quote, backslash, control or non-ASCII byte. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte < 0x80 && byte !== QUOTE && byte !== BACKSLASH ? 1 : 0,
);

class SyntaxFailure extends Error implements JsonError {
  readonly line: number;
  readonly column: number;

  constructor(message: string, line: number, column: number) {
    super(message);
    this.line = line;
    this.column = column;
  }
}

type OpenMarker = { readonly kind: number; readonly line: number; readonly column: number };

class Scanner {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at = 0;
  #line = 1;
  #lineStart = 0;
  /** The open arrays and objects, outermost first, with the position of their opening byte. */
  readonly #open: OpenMarker[] = [];
  /** True directly after an opening bracket. */
  #isFresh = false;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#end = bytes.length;
  }

  scanDocument(): void {
    const first = this.#nextToken();
    if (first === -1) throw new SyntaxFailure('No content to map due to end-of-input', this.#line, 0);
    this.#scanValue(first);
    while (this.#open.length > 0) this.#scanInside();
    const next = this.#nextToken();
    if (next !== -1) this.#failAtTrailingToken(next);
  }

  /** Scans the next item of the innermost array or object, or its end. */
  #scanInside(): void {
    const { kind } = this.#innermost();
    let byte = this.#nextToken();
    if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      if (byte !== (kind === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY)) this.#failAtCloseMarker(byte);
      this.#open.pop();
      this.#isFresh = false;
      return;
    }
    if (byte === -1) this.#failAtMissingCloseMarker();
    if (!this.#isFresh) {
      if (byte !== COMMA) {
        const entries = kind === OPEN_OBJECT ? 'Object' : 'Array';
        this.#failAtByte(byte, `was expecting comma to separate ${entries} entries`);
      }
      byte = this.#nextToken();
      if (byte === -1) this.#failAtEndWithin(kind);
    }
    this.#scanValue(kind === OPEN_OBJECT ? this.#scanName(byte) : byte);
  }

  /** Scans a name and its colon. Returns the first byte of the value. */
  #scanName(byte: number): number {
    if (byte !== QUOTE) this.#failAtByte(byte, 'was expecting double-quote to start field name');
    this.#scanString('name');
    const colon = this.#nextToken();
    if (colon === -1) this.#failAtEndWithin(OPEN_OBJECT);
    if (colon !== COLON) this.#failAtByte(colon, 'was expecting a colon to separate field name and value');
    const value = this.#nextToken();
    if (value === -1) this.#failAtEndWithin(OPEN_OBJECT);
    return value;
  }

  /** Scans the rest of a value whose first byte has been read. Only enters arrays and objects. */
  #scanValue(byte: number): void {
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      this.#isFresh = true;
      this.#open.push({ kind: byte, line: this.#line, column: this.#at - this.#lineStart });
      return;
    }
    if (byte === QUOTE) this.#scanString('value');
    else if (byte === MINUS || isDigit(byte)) this.#scanNumber(byte);
    else {
      const word = LITERALS.get(byte);
      if (word === undefined) this.#failAtValue(byte);
      else this.#scanLiteral(word);
    }
    this.#isFresh = false;
  }

  #scanLiteral(word: readonly number[]): void {
    const from = this.#at - 1;
    for (let index = 1; index < word.length; index++) {
      if (this.#bytes[this.#at] !== word[index]) this.#failAtToken(from);
      this.#at++;
    }
    const next = this.#bytes[this.#at];
    if (next !== undefined && (isWordByte(next) || next >= 0x80)) this.#failAtToken(from);
  }

  #scanNumber(first: number): void {
    let byte = first;
    if (byte === MINUS) {
      byte = this.#readByte();
      if (!isDigit(byte)) {
        this.#failAtNumber(byte, 'expected digit (0-9) to follow minus sign, for valid numeric value');
      }
    }
    const leading = byte;
    byte = this.#readByte();
    if (leading === 0x30 && isDigit(byte)) {
      throw this.#failure('Invalid numeric value: Leading zeroes not allowed');
    }
    while (isDigit(byte)) byte = this.#readByte();
    if (byte === 0x2e) {
      byte = this.#readByte();
      if (!isDigit(byte)) this.#failAtNumber(byte, 'Decimal point not followed by a digit');
      while (isDigit(byte)) byte = this.#readByte();
    }
    if (byte === 0x65 || byte === 0x45) {
      byte = this.#readByte();
      if (byte === 0x2b || byte === MINUS) byte = this.#readByte();
      if (!isDigit(byte)) this.#failAtNumber(byte, 'Exponent indicator not followed by a digit');
      while (isDigit(byte)) byte = this.#readByte();
    }
    if (byte === -1) return;
    if (this.#open.length === 0 && !isSpace(byte)) {
      this.#failAtByte(byte, 'Expected space separating root-level values');
    }
    this.#at--;
  }

  /** Scans a string whose opening quote has been read. */
  #scanString(what: 'name' | 'value'): void {
    const bytes = this.#bytes;
    const end = this.#end;
    for (;;) {
      let at = this.#at;
      while (at < end && PLAIN[bytes[at] ?? 0] === 1) at++;
      this.#at = at;
      const byte = this.#readByte();
      if (byte === QUOTE) return;
      if (byte === -1) throw this.#failure(END_OF_STRING[what]);
      if (byte === BACKSLASH) this.#scanEscape(what);
      else if (byte < 0x20) {
        throw this.#failure(
          `Illegal unquoted character ((CTRL-CHAR, code ${byte})): ` +
            `has to be escaped using backslash to be included in ${what === 'name' ? 'name' : 'string value'}`,
        );
      } else this.#scanMultibyte(byte);
    }
  }

  #scanEscape(what: 'name' | 'value'): void {
    const byte = this.#readByte();
    if (byte === -1) throw this.#failure(END_OF_STRING[what]);
    if (byte === 0x75) {
      for (let digits = 0; digits < 4; digits++) {
        const digit = this.#readByte();
        if (digit === -1) throw this.#failure(END_OF_STRING[what]);
        if (!isHexDigit(digit)) this.#failAtByte(digit, 'expected a hex-digit for character escape sequence');
      }
    } else if (!ESCAPES.has(byte)) {
      this.#at--;
      const described = describe(this.#decode());
      throw this.#failure(`Unrecognized character escape ${described}`);
    }
  }

  #scanMultibyte(first: number): void {
    let following: number;
    if ((first & 0xe0) === 0xc0) following = 1;
    else if ((first & 0xf0) === 0xe0) following = 2;
    else if ((first & 0xf8) === 0xf0) following = 3;
    else throw this.#failure(`Invalid UTF-8 start byte 0x${first.toString(16)}`);
    while (following-- > 0) {
      const byte = this.#readByte();
      if (byte === -1) throw this.#failure('Unexpected end-of-input in the middle of a UTF-8 character');
      if ((byte & 0xc0) !== 0x80) throw this.#failure(`Invalid UTF-8 middle byte 0x${byte.toString(16)}`);
    }
  }

  /** Reads the next byte that is not white space; -1 at the end. */
  #nextToken(): number {
    for (;;) {
      const byte = this.#readByte();
      if (byte > 0x20 || byte === -1) return byte;
      if (byte === 0x0a) {
        this.#line++;
        this.#lineStart = this.#at;
      } else if (!isSpace(byte)) {
        throw this.#failure(
          `Illegal character ((CTRL-CHAR, code ${byte})): ` +
            'only regular white space (\\r, \\n, \\t) is allowed between tokens',
        );
      }
    }
  }

  #readByte(): number {
    if (this.#at >= this.#end) return -1;
    return this.#bytes[this.#at++] ?? -1;
  }

  #innermost(): OpenMarker {
    const innermost = this.#open.at(-1);
    if (innermost === undefined) throw new Error('no array or object is open');
    return innermost;
  }

  // --- failures ---------------------------------------------------------------------------------------------------

  /** A failure at the position after the last byte read. */
  #failure(message: string): SyntaxFailure {
    return new SyntaxFailure(message, this.#line, this.#at - this.#lineStart + 1);
  }

  /** Fails at the position of the last byte read. */
  #failAtByte(byte: number, expectation: string): never {
    this.#at--;
    const column = this.#at - this.#lineStart + 1;
    const character = byte < 0x80 ? byte : this.#decodeLoosely();
    throw new SyntaxFailure(`Unexpected character (${describe(character)}): ${expectation}`, this.#line, column);
  }

  #failAtNumber(byte: number, expectation: string): never {
    if (byte === -1) throw this.#failure(`Unexpected end-of-input in numeric value: ${expectation}`);
    this.#at--;
    const column = this.#at - this.#lineStart + 1;
    const character = byte < 0x80 ? byte : this.#decodeLoosely();
    const message = `Unexpected character (${describe(character)}) in numeric value: ${expectation}`;
    throw new SyntaxFailure(message, this.#line, column);
  }

  #failAtValue(byte: number): never {
    if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) {
      if (this.#open.length === 0) this.#failAtCloseMarker(byte);
      this.#failAtByte(byte, 'expected a value');
    }
    if (byte === COMMA) this.#failAtByte(byte, 'expected a value');
    if (isWordByte(byte) && !isDigit(byte)) this.#failAtToken(this.#at - 1);
    return this.#failAtByte(byte, `expected a valid value ${VALID_TOKENS}`);
  }

  /** Fails at an invalid word that starts at `from`. Quotes as much of it as Jackson does. */
  #failAtToken(from: number): never {
    let token = this.#bytes.toString('latin1', from, this.#at);
    while (this.#at < this.#end) {
      const character = this.#decode();
      if (!isWordCharacter(character)) break;
      token += String.fromCodePoint(character);
      if (token.length >= 256) {
        token += '...';
        break;
      }
    }
    throw this.#failure(`Unrecognized token '${token}': was expecting ${VALID_TOKENS}`);
  }

  #failAtCloseMarker(byte: number): never {
    const innermost = this.#open.at(-1);
    const expected = innermost === undefined || innermost.kind === OPEN_ARRAY ? ']' : '}';
    const what = innermost === undefined ? 'root' : innermost.kind === OPEN_ARRAY ? 'Array' : 'Object';
    const start = renderSource(innermost?.line ?? 1, innermost?.column ?? 0);
    throw this.#failure(
      `Unexpected close marker '${String.fromCharCode(byte)}': expected '${expected}' (for ${what} starting at ${start})`,
    );
  }

  #failAtMissingCloseMarker(): never {
    const { kind, line, column } = this.#innermost();
    const what = kind === OPEN_OBJECT ? 'Object' : 'Array';
    throw this.#failure(
      `Unexpected end-of-input: expected close marker for ${what} (start marker at ${renderSource(line, column)})`,
    );
  }

  #failAtEndWithin(kind: number): never {
    const what = kind === OPEN_OBJECT ? 'Object' : 'Array';
    throw this.#failure(`Unexpected end-of-input within/between ${what} entries`);
  }

  #failAtTrailingToken(byte: number): never {
    if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) this.#failAtCloseMarker(byte);
    this.#scanValue(byte);
    throw this.#failure(
      'Trailing token found after value: not allowed as per `DeserializationFeature.FAIL_ON_TRAILING_TOKENS`',
    );
  }

  /** Reads one character. Throws for invalid UTF-8. */
  #decode(): number {
    const first = this.#readByte();
    if (first < 0x80) return first;
    const from = this.#at - 1;
    this.#scanMultibyte(first);
    return this.#bytes.toString('utf8', from, this.#at).codePointAt(0) ?? 0xfffd;
  }

  /** Like `#decode`, but returns the byte itself when it does not begin a valid character. */
  #decodeLoosely(): number {
    const from = this.#at;
    const first = this.#bytes[from] ?? 0;
    const length = (first & 0xe0) === 0xc0 ? 2 : (first & 0xf0) === 0xe0 ? 3 : (first & 0xf8) === 0xf0 ? 4 : 1;
    const text = this.#bytes.toString('utf8', from, from + length);
    const character = text.codePointAt(0) ?? first;
    return character === 0xfffd ? first : character;
  }
}

const END_OF_STRING = {
  name: 'Unexpected end-of-input in field name',
  value: 'Unexpected end-of-input: was expecting closing quote for a string value',
} as const;

const ESCAPES: ReadonlySet<number> = new Set(Buffer.from('"\\/bfnrt'));

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function isHexDigit(byte: number): boolean {
  return isDigit(byte) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66);
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}

/** The ASCII characters that Java allows in an identifier. */
function isWordByte(byte: number): boolean {
  return (
    isDigit(byte) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a) || byte === 0x5f || byte === 0x24
  );
}

function isWordCharacter(character: number): boolean {
  return character < 0x80
    ? isWordByte(character)
    : /[\p{L}\p{Nl}\p{Sc}\p{Pc}\p{Mn}\p{Mc}\p{Nd}]/u.test(String.fromCodePoint(character));
}

/** `'x' (code 120)`, or `(CTRL-CHAR, code 153)`. */
function describe(character: number): string {
  if (character < 0x20 || (character >= 0x7f && character <= 0x9f)) return `(CTRL-CHAR, code ${character})`;
  const hex = character > 255 ? ` / 0x${character.toString(16)}` : '';
  return `'${String.fromCodePoint(character)}' (code ${character}${hex})`;
}
