/**
 * AWS::CloudFormation::CustomResource and Custom::*: a function, or what listens to a topic, makes the resource and sends
 * its response to a URL. The function is invoked synchronously, so that one that fails without a response fails the
 * resource at once; on AWS the stack would wait for an hour.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
 */
import { parseTopicArn } from '../../protocol/arn.ts';
import type { Signals } from '../signals.ts';
import { createPhysicalName } from './physical-names.ts';
import {
  type ExistingResource,
  type Json,
  type PhysicalResource,
  type Properties,
  type ResourceContext,
  ResourceFailure,
  type ResourceProvider,
} from './provider.ts';
import { waitForSignals } from './wait-for-signals.ts';

type RequestType = 'Create' | 'Update' | 'Delete';

const DEFAULT_TIMEOUT_SECONDS = 3600;

export type CustomResourceOptions = {
  readonly signals: Signals;
  readonly callbackUrl: (target: string) => string;
  /** Why functions cannot reach the callback URL; undefined if they can. */
  readonly unreachable?: string | undefined;
};

export function customResourceProviders(options: CustomResourceOptions): ResourceProvider[] {
  return ['AWS::CloudFormation::CustomResource', 'Custom::*'].map((type) => ({
    type,
    createOnly: ['ServiceToken'],
    attributes: ['*'],
    async create(properties, context) {
      const outcome = await send(options, 'Create', properties, context, undefined);
      const physicalId = outcome.physicalId ?? defaultId(context);
      context.created(physicalId);
      return settled(outcome, physicalId);
    },
    async update(existing, properties, context) {
      const outcome = await send(options, 'Update', properties, context, existing);
      const physicalId = outcome.physicalId ?? existing.physicalId;
      if (outcome.failure === undefined) context.created(physicalId);
      return settled(outcome, physicalId);
    },
    async delete(existing, context) {
      const { failure } = await send(options, 'Delete', existing.properties, context, existing);
      if (failure !== undefined) throw new ResourceFailure(failure);
    },
  }));
}

type Outcome = {
  readonly physicalId: string | undefined;
  readonly attributes: Readonly<Record<string, Json>>;
  readonly failure: string | undefined;
};

function settled({ attributes, failure }: Outcome, physicalId: string): PhysicalResource {
  if (failure !== undefined) throw new ResourceFailure(failure);
  return { physicalId, attributes };
}

/** Sends the request and waits for the response. @throws ResourceFailure without one */
async function send(
  { signals, callbackUrl, unreachable }: CustomResourceOptions,
  RequestType: RequestType,
  properties: Properties,
  context: ResourceContext,
  existing: ExistingResource | undefined,
): Promise<Outcome> {
  if (unreachable !== undefined) throw new ResourceFailure(unreachable);
  const { token, stack, logicalId, type } = context;
  const ServiceToken = properties.ServiceToken;
  if (typeof ServiceToken !== 'string')
    throw new ResourceFailure('ServiceToken must be the ARN of a function or a topic.');
  const request = {
    RequestType,
    ServiceToken,
    ResponseURL: callbackUrl(token),
    StackId: stack.id,
    RequestId: token,
    LogicalResourceId: logicalId,
    ...(existing && { PhysicalResourceId: existing.physicalId }),
    ResourceType: type,
    ResourceProperties: asTexts(properties),
    ...(RequestType === 'Update' && existing && { OldResourceProperties: asTexts(existing.properties) }),
  };
  const crash = deliver(ServiceToken, request, context);
  const timeoutMs = Number(properties.ServiceTimeout ?? DEFAULT_TIMEOUT_SECONDS) * 1000;
  const response = waitForSignals(signals, token, context, { timeoutMs, isEnough: (all) => all.length > 0 });
  // A response that arrived counts, even if the function failed afterwards.
  const first = await Promise.race([response, crash]);
  const failure = typeof first === 'string' && signals.all(token).length === 0 ? first : undefined;
  const message = signals.all(token)[0];
  signals.clear(token);
  if (message?.message === undefined) {
    throw new ResourceFailure(
      failure ??
        `CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId [${token}].`,
    );
  }
  return outcomeOf(message.message, token);
}

/** Invokes the service. Resolves only with the reason of a failure: success says nothing before the response is there. */
async function deliver(serviceToken: string, request: object, context: ResourceContext): Promise<string> {
  if (parseTopicArn(serviceToken) !== undefined) {
    const Subject = 'AWS CloudFormation resource request';
    await context.call('sns', 'Publish', { TopicArn: serviceToken, Subject, Message: JSON.stringify(request) });
    return never();
  }
  const Payload = Buffer.from(JSON.stringify(request)).toString('base64');
  const result = await context.call('lambda', 'Invoke', { FunctionName: serviceToken, Payload });
  if (result.FunctionError === undefined) return never();
  const error = Buffer.from(String(result.Payload ?? ''), 'base64').toString('utf8');
  return `The function failed without sending a response: ${error.slice(0, 500)}`;
}

function never(): Promise<never> {
  return new Promise(() => {});
}

function outcomeOf(message: Readonly<Record<string, Json>>, requestId: string): Outcome {
  const { Status, Reason, PhysicalResourceId, Data } = message;
  const isMap = typeof Data === 'object' && Data !== null && !Array.isArray(Data);
  return {
    physicalId: typeof PhysicalResourceId === 'string' && PhysicalResourceId !== '' ? PhysicalResourceId : undefined,
    attributes: isMap ? flattened(Data as Properties) : {},
    failure:
      Status === 'SUCCESS'
        ? undefined
        : `Received response status [FAILED] from custom resource. Message returned: ${String(Reason ?? '')} ` +
          `(RequestId: ${requestId})`,
  };
}

/** GetAtt reaches into maps with dots. */
function flattened(data: Properties, prefix = ''): Record<string, Json> {
  return Object.fromEntries(
    Object.entries(data).flatMap(([name, value]): [string, Json][] => {
      const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
      const inner = isMap ? Object.entries(flattened(value as Properties, `${prefix}${name}.`)) : [];
      return [[`${prefix}${name}`, value], ...inner];
    }),
  );
}

/** CloudFormation sends every scalar as a text. */
function asTexts(value: Json): Json {
  if (Array.isArray(value)) return value.map(asTexts);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, asTexts(item)]));
  }
  return value === null ? '' : String(value);
}

function defaultId({ stack, logicalId }: ResourceContext): string {
  return createPhysicalName({ stackName: stack.name, logicalId, maxLength: 128, randomLength: 8 });
}
