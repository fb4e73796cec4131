/**
 * Sends an event to the function that an ARN names, as an asynchronous invocation: for destinations, schedules, topics
 * and buckets. The trace counts how often the chain of calls has come through the function.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import type { FunctionSettings } from '../../functions/settings/open-settings.ts';
import { checkTenant } from '../../functions/tenancy.ts';
import { parseFunctionReference, renderFunctionArn } from '../../protocol/arn.ts';
import type { RequestId } from '../../protocol/names.ts';
import type { EventSender } from '../../services/events/schedules.ts';
import { isRecursive } from '../recursion.ts';
import { createTraces } from '../trace-header.ts';
import type { AsyncInvocations } from './async-invocations.ts';

/**
 * Creates the sender, which resolves once the event is durable. It rejects when the function does not exist, or has
 * tenant isolation: these sources name no tenant.
 */
export function createEventSender({
  accept,
  settings,
  clock,
}: {
  accept: AsyncInvocations['accept'];
  settings: Pick<FunctionSettings, 'directory' | 'get' | 'recursion'>;
  clock: Clock;
}): EventSender {
  const traces = createTraces(clock);
  return async (arn, event, traceId) => {
    const { region, account, name, qualifier } = parseFunctionReference(arn) ?? {};
    if (!region || !account || !name) throw new Error(`"${arn}" is not a function ARN`);
    const scope = { region, account };
    if (!settings.directory.has(scope, name, qualifier)) throw new Error(`The function ${arn} does not exist`);
    checkTenant(settings.get(scope, name, qualifier), undefined);
    const trace = traces.start(traceId, renderFunctionArn(scope, name));
    await accept({
      scope,
      name,
      qualifier,
      requestId: randomUUID() as RequestId,
      payload: Buffer.from(event),
      traceId: trace.forFunction,
      isRecursive: isRecursive(settings, scope, name, trace),
    });
  };
}
