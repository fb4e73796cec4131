/**
 * Renders a `ServiceError` as AWS does: status, `x-amzn-ErrorType`, and a body whose message key and `Type` are spelled
 * as for that exception.
 */
import { RESPONSE_HEADERS } from '../protocol/headers.ts';
import type { ServiceError } from '../protocol/service-errors.ts';
import { SERVICE_ERRORS } from '../protocol/service-errors.ts';

export type RenderedError = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

type Row = {
  readonly status: number;
  readonly wireName?: string;
  readonly messageKey: string;
  readonly type?: string;
};

/** The error's members come before `Type` and the message, as `Reason` does on AWS. */
export function renderError(error: ServiceError): RenderedError {
  const row: Row = SERVICE_ERRORS[error.code];
  return {
    status: row.status,
    headers: { [RESPONSE_HEADERS.errorType]: row.wireName ?? error.code },
    body: JSON.stringify({
      ...error.members,
      ...(row.type && { Type: row.type }),
      [row.messageKey]: error.message || null,
    }),
  };
}
