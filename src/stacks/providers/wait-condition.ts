/**
 * AWS::CloudFormation::WaitConditionHandle, whose Ref is a URL to send signals to, and AWS::CloudFormation::WaitCondition,
 * which waits for them or for those of SignalResource.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-waitcondition.html
 */
import { CALLBACK_PREFIX, type Signal, type Signals, signalTarget } from '../signals.ts';
import { type Properties, type ResourceContext, ResourceFailure, type ResourceProvider } from './provider.ts';
import { waitForSignals } from './wait-for-signals.ts';

const TARGET = new RegExp(`${CALLBACK_PREFIX}([A-Za-z0-9-]+)$`);
const DEFAULT_TIMEOUT_SECONDS = 43_200;

export function waitConditionProviders(signals: Signals, callbackUrl: (target: string) => string): ResourceProvider[] {
  const handle: ResourceProvider = {
    type: 'AWS::CloudFormation::WaitConditionHandle',
    create: async (_, { token }) => ({ physicalId: callbackUrl(token), attributes: {} }),
    update: async (existing) => existing,
    delete: async ({ physicalId }) => signals.clear(TARGET.exec(physicalId)?.[1] ?? ''),
  };
  const condition: ResourceProvider = {
    type: 'AWS::CloudFormation::WaitCondition',
    attributes: ['Data'],
    async create(properties, context) {
      const { target, count, timeoutMs } = expectationOf(properties, context);
      const isOver = (all: readonly Signal[]) => all.some(({ succeeded }) => !succeeded) || all.length >= count;
      const all = await waitForSignals(signals, target, context, { timeoutMs, isEnough: isOver });
      if (all === undefined) {
        const received = signals.all(target).length;
        throw new ResourceFailure(`WaitCondition timed out. Received ${received} conditions when expecting ${count}`);
      }
      const failed = all.find(({ succeeded }) => !succeeded);
      if (failed !== undefined) {
        const { reason = '', uniqueId } = failed;
        throw new ResourceFailure(`WaitCondition received failed message: '${reason}' for uniqueId: ${uniqueId}`);
      }
      const data = Object.fromEntries(all.map(({ uniqueId, data: text = '' }) => [uniqueId, text]));
      return { physicalId: `${context.stack.id}/${context.logicalId}`, attributes: { Data: JSON.stringify(data) } };
    },
    async update() {
      throw new ResourceFailure('Update to resource type AWS::CloudFormation::WaitCondition is not supported.');
    },
    delete: async (_, { stack, logicalId }) => signals.clear(signalTarget(stack.id, logicalId)),
  };
  return [handle, condition];
}

function expectationOf(properties: Properties, context: ResourceContext) {
  const { Handle, Timeout, Count } = properties;
  const policy = context.creationPolicy?.ResourceSignal;
  if (policy !== undefined) {
    const { Count: signals, Timeout: duration } = policy;
    const target = signalTarget(context.stack.id, context.logicalId);
    return { target, count: Number(signals ?? 1), timeoutMs: millisecondsOf(String(duration ?? 'PT5M')) };
  }
  const target = typeof Handle === 'string' ? TARGET.exec(Handle)?.[1] : undefined;
  if (target === undefined) throw new ResourceFailure('Property Handle must refer to a WaitConditionHandle.');
  const seconds = Math.min(Number(Timeout ?? DEFAULT_TIMEOUT_SECONDS), DEFAULT_TIMEOUT_SECONDS);
  return { target, count: Number(Count ?? 1), timeoutMs: seconds * 1000 };
}

/** `PT1H30M5S` in milliseconds. @throws ResourceFailure */
function millisecondsOf(duration: string): number {
  const [, hours = '0', minutes = '0', seconds = '0'] = /^PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?$/.exec(duration) ?? [];
  const total = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
  if (total === 0)
    throw new ResourceFailure(`Invalid Timeout "${duration}" of ResourceSignal: use a form such as PT5M.`);
  return total;
}
