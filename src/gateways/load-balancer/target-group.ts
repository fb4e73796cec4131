/** The target groups of load balancers: one per function, with a stable ARN. */
import { createHash } from 'node:crypto';
import { renderTargetGroupArn } from '../../protocol/arn.ts';
import type { RouteFunction } from '../route-function.ts';

/** Named `<gateway>-<function>`, with 16 hexadecimal digits as its id. */
export function targetGroupArn(
  gateway: string,
  target: RouteFunction,
  { accountId, defaultRegion }: { readonly accountId: string; readonly defaultRegion: string },
): string {
  const region = target.region ?? defaultRegion;
  // Target group names have at most 32 letters, digits and hyphens.
  const name = `${gateway}-${target.name}`.replace(/[^A-Za-z0-9-]/g, '-').slice(0, 32);
  const id = createHash('sha256').update(`${gateway} ${target.text}`).digest('hex').slice(0, 16);
  return renderTargetGroupArn({ region, account: target.account ?? accountId }, name, id);
}
