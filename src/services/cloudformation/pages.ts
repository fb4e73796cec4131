/** Paging of lists: the token is the position of the next item. */
import { CLOUDFORMATION_QUOTAS } from '../../protocol/cloudformation-operations.ts';
import { invalid } from '../../stacks/stack-error.ts';

/** The page that begins at the token. @throws StackError for a token of another kind */
export function paged<Item>(
  items: readonly Item[],
  token: string | undefined,
): { readonly page: readonly Item[]; readonly nextToken: string | undefined } {
  const start = token === undefined ? 0 : positionOf(token);
  const end = start + CLOUDFORMATION_QUOTAS.pageItems;
  return { page: items.slice(start, end), nextToken: end < items.length ? String(end) : undefined };
}

/** @throws StackError */
export function positionOf(token: string): number {
  if (!/^\d{1,15}$/.test(token)) throw invalid('Invalid NextToken.');
  return Number(token);
}
