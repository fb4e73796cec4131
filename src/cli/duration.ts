/** Points in time on the command line: `10m`, `2h`, `1d`, or a date of ISO 8601. */
import { OperatorError } from '../operator-error.ts';

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** Milliseconds since 1970. @throws OperatorError 'usage' */
export function parseSince(text: string, nowMs: number, command: string): number {
  const [, count, unit = ''] = /^(\d{1,9})([smhdw])$/.exec(text) ?? [];
  if (count !== undefined) return Math.max(0, nowMs - Number(count) * (UNITS[unit] ?? 0));
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  const reason = `--since must be a time such as 10m, 2h, 1d or 2026-01-31T12:00:00Z, not "${text}".`;
  throw new OperatorError('usage', { reason, command });
}
