/**
 * Pages of a list: where one ends is written into its marker, so that the next begins right behind it whatever was
 * added or removed in between. Markers are opaque to clients.
 */

/** One page of a list, in a stable order; `nextMarker` is opaque and undefined on the last page. */
export type Page<Item> = { readonly items: readonly Item[]; readonly nextMarker: string | undefined };

/** The place behind which a page begins, as the columns by which the list is ordered. */
export type PagePosition = readonly (string | number)[];

/** Writes a position as a marker. */
export function renderMarker(position: PagePosition): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

/** Reads a marker that `renderMarker` wrote for a position of the same kind as `start`; undefined for anything else. */
export function parseMarker<Position extends PagePosition>(marker: string, start: Position): Position | undefined {
  try {
    const position: unknown = JSON.parse(Buffer.from(marker, 'base64url').toString());
    const fits =
      Array.isArray(position) &&
      position.length === start.length &&
      position.every((part, index) => typeof part === typeof start[index]);
    return fits ? (position as unknown as Position) : undefined;
  } catch {
    return undefined;
  }
}

/** Cuts rows, of which one more than `size` was read, into a page. */
export function pageOf<Item>(
  rows: readonly Item[],
  size: number,
  positionOf: (item: Item) => PagePosition,
): Page<Item> {
  const items = rows.slice(0, size);
  const last = items.at(-1);
  return { items, nextMarker: rows.length > size && last !== undefined ? renderMarker(positionOf(last)) : undefined };
}
