/**
 * Event ids and paging tokens of CloudWatch Logs. An event id has 56 digits, as on AWS, and sorts like its event.
 * Tokens are opaque to clients and stateless: the position is in the token.
 */
import type { LogPosition } from './log-reader.ts';

const SEQUENCE_DIGITS = 16;
const EVENT_ID = /^3(\d{15})0{24}(\d{16})$/;

/** `FilteredLogEvent.eventId`: unique in its group and the same in every response. */
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

/** A token for the next page of one operation. */
export function renderPageToken(operation: string, start: string): string {
  return Buffer.from(JSON.stringify([operation, start])).toString('base64url');
}

/** The position in the token. Undefined if it is not a token of this operation. */
export function parsePageToken(operation: string, token: string): string | undefined {
  try {
    const [of, start] = JSON.parse(Buffer.from(token, 'base64url').toString()) as unknown[];
    return of === operation && typeof start === 'string' ? start : undefined;
  } catch {
    return undefined;
  }
}

export function parsePositionToken(operation: string, token: string): LogPosition | undefined {
  return parseEventId(parsePageToken(operation, token) ?? '');
}
