/**
 * Globs: texts in which `*` stands for any text and, where the caller has it, `?` for any character. Several of AWS's
 * services have them, with different escapes; the caller turns its own syntax into tokens. Pure.
 *
 * A regular expression with several `.*` takes exponential or polynomial time on texts that almost match. This matcher
 * takes each piece between two stars at its first place, which is enough, and looks for it by Knuth-Morris-Pratt: the
 * time grows with the length of the text and of the glob, not with their product.
 */

/** A literal text, any text, or any single character (UTF-16 code unit). */
export type GlobToken = { readonly text: string } | '*' | '?';

/** Whether a text matches as a whole. */
export type Glob = (text: string) => boolean;

/** What has to match without a gap; undefined stands for any character. */
type Piece = readonly (string | undefined)[];

/** Prepares a glob. Case counts. */
export function createGlob(tokens: readonly GlobToken[]): Glob {
  const pieces: (string | undefined)[][] = [[]];
  for (const token of tokens) {
    if (token === '*') pieces.push([]);
    else pieces.at(-1)?.push(...(token === '?' ? [undefined] : token.text.split('')));
  }
  const [first = [], ...rest] = pieces;
  const last = rest.pop();
  if (last === undefined) return (text) => text.length === first.length && matchesAt(first, text, 0);
  const finders = rest.filter((piece) => piece.length > 0).map(createFinder);
  return (text) => {
    const end = text.length - last.length;
    if (end < first.length || !matchesAt(first, text, 0) || !matchesAt(last, text, end)) return false;
    let from = first.length;
    for (const find of finders) {
      const after = find(text, from, end);
      if (after === undefined) return false;
      from = after;
    }
    return true;
  };
}

/** The tokens of a text in which every `*` (and with `hasOne`, every `?`) is a wildcard. */
export function globTokens(text: string, { hasOne = false }: { hasOne?: boolean } = {}): GlobToken[] {
  return text
    .split(hasOne ? /([*?])/ : /(\*)/)
    .filter((part) => part !== '')
    .map((part) => (part === '*' || (hasOne && part === '?') ? (part as '*' | '?') : { text: part }));
}

function matchesAt(piece: Piece, text: string, at: number): boolean {
  return piece.every((character, index) => character === undefined || text[at + index] === character);
}

/** Finds a piece within [from, end) of a text; gives the place after it. */
type Finder = (text: string, from: number, end: number) => number | undefined;

function createFinder(piece: Piece): Finder {
  // With single-character wildcards two different texts can match, which the table of the algorithm does not allow for.
  // They only exist in patterns of at most 128 characters.
  if (piece.includes(undefined)) return searchNaively(piece);
  const borders = bordersOf(piece);
  return (text, from, end) => {
    let matched = 0;
    for (let index = from; index < end; index++) {
      while (matched > 0 && text[index] !== piece[matched]) matched = borders[matched - 1] ?? 0;
      if (text[index] === piece[matched]) matched++;
      if (matched === piece.length) return index + 1;
    }
    return undefined;
  };
}

function searchNaively(piece: Piece): Finder {
  return (text, from, end) => {
    for (let at = from; at + piece.length <= end; at++) {
      if (matchesAt(piece, text, at)) return at + piece.length;
    }
    return undefined;
  };
}

/** For each prefix: the length of its longest proper prefix that is a suffix too. */
function bordersOf(piece: Piece): number[] {
  const borders = [0];
  let length = 0;
  for (let index = 1; index < piece.length; index++) {
    while (length > 0 && piece[index] !== piece[length]) length = borders[length - 1] ?? 0;
    if (piece[index] === piece[length]) length++;
    borders.push(length);
  }
  return borders;
}
