/**
 * How CloudWatch Logs names places in a log to its clients: event ids and paging tokens. An id is 56 digits, as on AWS,
 * and sorts as the event it names; tokens are opaque to clients and hold no state of ours.
 */
import type { LogPosition } from './log-reader.ts';

const SEQUENCE_DIGITS = 16;
const EVENT_ID = /^3(\d{15})0{24}(\d{16})$/;

/** `FilteredLogEvent.eventId`: unique in its group and stable from call to call. */
export function renderEventId({ epochMs, sequence }: LogPosition): string {
  return `3${String(epochMs).padStart(15, '0')}${'0'.repeat(24)}${String(sequence).padStart(SEQUENCE_DIGITS, '0')}`;
}

function parseEventId(text: string): LogPosition | undefined {
  const match = EVENT_ID.exec(text);
  return match ? { epochMs: Number(match[1]), sequence: Number(match[2]) } : undefined;
}

export type StreamCursor = { readonly direction: 'forward' | 'backward'; readonly position: LogPosition };

/** `nextForwardToken` and `nextBackwardToken`: `f/<event id>/s` and `b/<event id>/s`. */
export function renderStreamCursor({ direction, position }: StreamCursor): string {
  return `${direction === 'forward' ? 'f' : 'b'}/${renderEventId(position)}/s`;
}

export function parseStreamCursor(token: string): StreamCursor | undefined {
  const match = /^([fb])\/(\d{56})\/s$/.exec(token);
  const position = parseEventId(match?.[2] ?? '');
  return position && { direction: match?.[1] === 'f' ? 'forward' : 'backward', position };
}

/** A token for the pages of one operation. */
export function renderPageToken(operation: string, place: string): string {
  return Buffer.from(JSON.stringify([operation, place])).toString('base64url');
}

/** The place that the token names; undefined when it is not a token of this operation. */
export function parsePageToken(operation: string, token: string): string | undefined {
  try {
    const [of, place] = JSON.parse(Buffer.from(token, 'base64url').toString()) as unknown[];
    return of === operation && typeof place === 'string' ? place : undefined;
  } catch {
    return undefined;
  }
}

export function parsePositionToken(operation: string, token: string): LogPosition | undefined {
  return parseEventId(parsePageToken(operation, token) ?? '');
}
