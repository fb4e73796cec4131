/** What Lambda's operations have in common: handlers, responses and paging. */
import type { OperationInput, OperationName } from '../../protocol/operations.ts';
import { QUOTAS } from '../../protocol/quotas.ts';
import type { CallContext } from '../../wire/api-call.ts';

export type OperationResponse = {
  /** Becomes the JSON body; undefined sends none. */
  readonly body?: Readonly<Record<string, unknown>>;
  /** Replaces the operation's status. */
  readonly status?: number;
};

export type OperationHandler<Name extends OperationName> = (
  input: OperationInput<Name>,
  call: CallContext,
) => OperationResponse | Promise<OperationResponse>;

export type OperationHandlers = { readonly [Name in OperationName]?: OperationHandler<Name> };

type PageInput = { readonly Marker?: string | undefined; readonly MaxItems?: number | undefined };

/** The page that a client requests with Marker and MaxItems. AWS returns at most 50 items. */
export function pageRequestOf({ Marker, MaxItems }: PageInput): {
  readonly marker: string | undefined;
  readonly maxItems: number;
} {
  return { marker: Marker || undefined, maxItems: Math.min(MaxItems ?? QUOTAS.pageItems, QUOTAS.pageItems) };
}
