/**
 * Pagination: the marker of a page contains its last position, so the next page begins right after it, whatever was
 * added or removed in between. Markers are opaque to clients.
 */
import { QUOTAS } from '../protocol/quotas.ts';
import { ServiceError } from '../protocol/service-errors.ts';

/** One page of a list in a stable order. `nextMarker` is undefined on the last page. */
export type Page<Item> = { readonly items: readonly Item[]; readonly nextMarker: string | undefined };

/** The position after which a page begins: values of the columns by which the list is sorted. */
export type PagePosition = readonly (string | number)[];

/** Renders a position as a marker. */
export function renderMarker(position: PagePosition): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

/**
 * Parses a marker of `renderMarker` for a position of the same types as `start`. Returns undefined for any other text.
 */
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

/** The position of a marker; `start` without one. @throws ServiceError for an invalid marker */
export function positionOf<Position extends PagePosition>(marker: string | undefined, start: Position): Position {
  if (marker === undefined || marker === '') return start;
  const position = parseMarker(marker, start);
  if (position !== undefined) return position;
  throw new ServiceError('InvalidParameterValueException', 'Invalid value for parameter Marker.');
}

/** The position of a marker; `start` without one or for an invalid one. */
export function positionOrStart<Position extends PagePosition>(marker: string | undefined, start: Position): Position {
  return (marker === undefined ? undefined : parseMarker(marker, start)) ?? start;
}

/** The size of a page for a requested size. AWS returns at most 50 items. */
export function pageSize(maxItems: number | undefined): number {
  return Math.max(1, Math.min(maxItems ?? QUOTAS.pageItems, QUOTAS.pageItems));
}

/** Returns the first `size` rows as a page. The caller reads one row more, to find out whether a page follows. */
export function pageOf<Item>(
  rows: readonly Item[],
  size: number,
  positionOfItem: (item: Item) => PagePosition,
): Page<Item> {
  const items = rows.slice(0, size);
  const last = items.at(-1);
  const hasMore = rows.length > size && last !== undefined;
  return { items, nextMarker: hasMore ? renderMarker(positionOfItem(last)) : undefined };
}
