/**
 * How AWS's APIs write a moment. Each function takes milliseconds since 1970 and renders UTC; plain ISO 8601 with
 * milliseconds (S3, SNS, telemetry) is `Date.prototype.toISOString`.
 */

/** `2026-11-22T10:00:00.000+0000`: functions and layers. */
export function renderDate(epochMs: number): string {
  return new Date(epochMs).toISOString().replace('Z', '+0000');
}

/** `2026-11-22T10:00:00+0000`: provisioned concurrency. */
export function renderDateInSeconds(epochMs: number): string {
  return new Date(epochMs).toISOString().replace(/\.\d+Z$/, '+0000');
}

/** `2026-11-22T10:00:00.000000Z`: function URLs. */
export function renderDateInMicroseconds(epochMs: number): string {
  return new Date(epochMs).toISOString().replace('Z', '000Z');
}

/** `2026-11-22T10:00:00Z`: IAM, STS and EventBridge. */
export function renderIsoSeconds(epochMs: number): string {
  return new Date(epochMs).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** `20261122T100000Z`: signatures. */
export function renderBasicDate(epochMs: number): string {
  return new Date(epochMs).toISOString().replace(/[-:]|\.\d{3}/g, '');
}
