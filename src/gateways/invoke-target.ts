/** Invokes the target of a load balancer for a health check. */
import { randomUUID } from 'node:crypto';
import { createTraces } from '../invocation/trace-header.ts';
import { renderFunctionArn } from '../protocol/arn.ts';
import type { RequestId } from '../protocol/names.ts';
import { ServiceError } from '../protocol/service-errors.ts';
import type { GatewayHandlerOptions } from './gateway-port.ts';
import type { RouteFunction } from './route-function.ts';

/** Returns the function's response; undefined if it failed, was throttled or does not exist. */
export async function invokeTarget(
  { settings, invoke, accountId, defaultRegion, clock }: Omit<GatewayHandlerOptions, 'boundHost'>,
  { name, qualifier, region, account }: RouteFunction,
  event: object,
): Promise<Buffer | undefined> {
  const scope = { region: region ?? defaultRegion, account: account ?? accountId };
  try {
    const outcome = await invoke(settings.resolve(scope, name, qualifier), {
      requestId: randomUUID() as RequestId,
      payload: Buffer.from(JSON.stringify(event)),
      invokedFunctionArn: renderFunctionArn(scope, name, qualifier),
      traceId: createTraces(clock).start(undefined, renderFunctionArn(scope, name)).forFunction,
      clientContext: undefined,
      cognitoIdentity: undefined,
      wantsLogTail: false,
    });
    return outcome.kind === 'returned' ? outcome.payload : undefined;
  } catch (failure) {
    if (failure instanceof ServiceError) return undefined;
    throw failure;
  }
}
