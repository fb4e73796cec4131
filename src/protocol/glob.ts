/**
 * Globs: patterns in which `*` matches any text and, optionally, `?` any character. Several AWS services have them,
 * with different escapes, so the caller turns its syntax into tokens. Pure.
 *
 * A regular expression with several `.*` takes exponential or polynomial time on texts that almost match. This matcher
 * takes the first match of each piece between two stars, which is sufficient, and finds it with Knuth-Morris-Pratt. The
 * time grows with the sum of the lengths of text and glob, not with their product.
 */

/** A literal text, any text, or any single character (UTF-16 code unit). */
export type GlobToken = { readonly text: string } | '*' | '?';

/** Whether the whole text matches. */
export type Glob = (text: string) => boolean;

/** Consecutive characters that must match; undefined matches any character. */
type Piece = readonly (string | undefined)[];

/** Prepares a glob. It is case-sensitive. */
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

/** Finds a piece within [from, end) of a text and returns the index after it. */
type Finder = (text: string, from: number, end: number) => number | undefined;

function createFinder(piece: Piece): Finder {
  // Knuth-Morris-Pratt cannot handle single-character wildcards. They exist only in patterns of at most 128 characters,
  // for which a naive search is fast enough.
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

/** For each prefix: the length of its longest proper prefix that is also a suffix. */
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
