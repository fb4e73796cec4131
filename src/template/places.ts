/**
 * Where each node of a template stands in its file. Nodes are addressed by their path in the tree, short tags in their
 * long form: the text of `!Sub x` at `V` is at `[..., 'V', 'Fn::Sub']`.
 */
import type { Path } from './tree.ts';

/** Line and column count from 1. */
export type Place = { readonly file?: string; readonly line: number; readonly column: number };

/** Offsets in the text of a node's key (or of an item of a list) and of its value, and its members. */
export type PlaceNode = {
  readonly key: number;
  readonly value: number;
  readonly members?: ReadonlyMap<string | number, PlaceNode>;
};

export class Places {
  readonly #text: string;
  readonly #root: PlaceNode;
  readonly #file: string | undefined;
  #lineStarts: number[] | undefined;

  constructor(text: string, root: PlaceNode, file: string | undefined) {
    this.#text = text;
    this.#root = root;
    this.#file = file;
  }

  /** The place of a member's key or of a list's item. Undefined where the template has no such node. */
  of(path: Path): Place | undefined {
    const node = this.#find(path);
    return node && this.at(node.key);
  }

  /** The place of a node's value. Undefined where the template has no such node. */
  ofValue(path: Path): Place | undefined {
    const node = this.#find(path);
    return node && this.at(node.value);
  }

  /** The place of the node, or of the closest one above it that the template has. */
  near(path: Path): Place {
    let node = this.#root;
    for (const step of path) {
      const next = node.members?.get(step);
      if (!next) break;
      node = next;
    }
    return this.at(node.key);
  }

  /** The place of an offset in the text. */
  at(offset: number): Place {
    this.#lineStarts ??= lineStartsOf(this.#text);
    const line = lineOf(this.#lineStarts, offset);
    const column = offset - (this.#lineStarts[line - 1] ?? 0) + 1;
    return { ...(this.#file !== undefined && { file: this.#file }), line, column };
  }

  #find(path: Path): PlaceNode | undefined {
    let node: PlaceNode | undefined = this.#root;
    for (const step of path) node = node?.members?.get(step);
    return node;
  }
}

function lineStartsOf(text: string): number[] {
  const starts = [0];
  for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', end + 1)) starts.push(end + 1);
  return starts;
}

/** The number of the last line that starts at or before `offset`. */
function lineOf(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle;
  }
  return low + 1;
}
