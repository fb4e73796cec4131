/**
 * JSON from outside, with a bound on its nesting. `JSON.parse` takes any depth, but code that walks the value
 * (JSON.stringify, Array.flat, patterns) would exhaust the stack. Every reader of untrusted JSON uses this one.
 */

/** Maximum nesting of objects and lists: the default of Jackson, which AWS's services use. */
export const MAX_JSON_DEPTH = 1000;

/** @throws SyntaxError for invalid JSON, and for JSON that is nested too deeply */
export function parseJson(text: string): unknown {
  if (isDeeperThan(text, MAX_JSON_DEPTH)) {
    throw new SyntaxError(`The JSON is nested too deeply: at most ${MAX_JSON_DEPTH} levels are allowed`);
  }
  return JSON.parse(text);
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** One pass that skips strings. In invalid JSON the result does not matter, as parsing fails. */
function isDeeperThan(text: string, limit: number): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case 0x5b: // [
      case 0x7b: // {
        depth += 1;
        if (depth > limit) return true;
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth -= 1;
        break;
      case QUOTE:
        at = endOfString(text, at);
    }
  }
  return false;
}

/** The position of the quote that ends the string, or the text's end. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
}
