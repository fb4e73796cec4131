/**
 * When Lambda stops a chain of calls that has become a loop, and the error message it then returns.
 * https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
 */
import type { FunctionSettings } from '../functions/settings/open-settings.ts';
import type { Scope } from '../protocol/names.ts';
import { QUOTAS } from '../protocol/quotas.ts';
import type { Trace } from './trace-header.ts';

export const RECURSION_MESSAGE =
  'Lambda has detected your function being invoked in a recursive loop with other AWS resources and stopped ' +
  "your function's invocation.";

/** Whether an invocation with this trace exceeds the limit of a recursive loop. */
export function isRecursive(
  { recursion }: Pick<FunctionSettings, 'recursion'>,
  scope: Scope,
  name: string,
  trace: Trace,
): boolean {
  return trace.earlierRuns >= QUOTAS.recursiveInvocations && recursion.get(scope, name, '') !== 'Allow';
}
