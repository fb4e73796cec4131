/**
 * Access to the queues of another SQS (`--sqs-endpoint`) in the JSON protocol: the calls that event source mappings and
 * deliveries need. Queues are found by the name in their ARN.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html
 */
import type { Clock } from '../../clock.ts';
import { send as sendHttp } from '../../http/client.ts';
import { parseQueueArn } from '../../protocol/arn.ts';
import { SQS_QUOTAS, SQS_TARGET_PREFIX, type SqsOperationName } from '../../protocol/sqs-operations.ts';
import type { MessageAttributes } from '../../queues/message-attributes.ts';
import { deadLetterArnOf } from '../../queues/redrive-policy.ts';
import { signRequest } from '../../wire/sign-request.ts';
import type { QueueAccess } from './queue-access.ts';

export type RemoteQueuesOptions = {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
  /** The wall clock, because signatures contain the time. */
  readonly clock: Clock;
};

type Json = Readonly<Record<string, unknown>>;

export function createRemoteQueues(options: RemoteQueuesOptions): QueueAccess {
  const urls = new Map<string, string>();

  async function call(region: string, operation: SqsOperationName, input: Json, signal?: AbortSignal): Promise<Json> {
    const url = new URL(options.endpoint);
    const body = Buffer.from(JSON.stringify(input));
    const headers = {
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': `${SQS_TARGET_PREFIX}.${operation}`,
      ...(options.sessionToken !== undefined && { 'x-amz-security-token': options.sessionToken }),
    };
    const { accessKeyId, secretAccessKey, clock } = options;
    const key = { accessKeyId, secretAccessKey, region, service: 'sqs' };
    const signed = signRequest({ method: 'POST', url, headers, body }, key, clock.epochMs());
    const response = await sendHttp({ method: 'POST', url, headers: signed, body, ...(signal && { signal }) });
    if (response.status === 200) return response.body.length === 0 ? {} : JSON.parse(response.body.toString('utf8'));
    throw new Error(`${operation} at ${options.endpoint} failed with status ${response.status}: ${response.body}`);
  }

  async function at(arn: string): Promise<{ readonly region: string; readonly QueueUrl: string }> {
    const target = parseQueueArn(arn);
    if (target === undefined) throw new Error(`${arn} is not a queue ARN`);
    const { region, account } = target.scope;
    const known = urls.get(arn);
    if (known !== undefined) return { region, QueueUrl: known };
    const input = { QueueName: target.name, QueueOwnerAWSAccountId: account };
    const { QueueUrl } = await call(region, 'GetQueueUrl', input);
    if (typeof QueueUrl !== 'string') throw new Error(`${options.endpoint} returned no URL for ${arn}`);
    urls.set(arn, QueueUrl);
    return { region, QueueUrl };
  }

  const attribute = async (arn: string, name: string): Promise<string | undefined> => {
    const { region, QueueUrl } = await at(arn);
    const { Attributes } = await call(region, 'GetQueueAttributes', { QueueUrl, AttributeNames: [name] });
    return (Attributes as Readonly<Record<string, string>> | undefined)?.[name];
  };

  return {
    async send(arn, { body, attributes, traceId, groupId, deduplicationId }) {
      const { region, QueueUrl } = await at(arn);
      await call(region, 'SendMessage', {
        QueueUrl,
        MessageBody: body,
        MessageAttributes: attributes,
        ...(groupId !== undefined && { MessageGroupId: groupId }),
        ...(deduplicationId !== undefined && { MessageDeduplicationId: deduplicationId }),
        ...(traceId !== undefined && {
          MessageSystemAttributes: { AWSTraceHeader: { DataType: 'String', StringValue: traceId } },
        }),
      });
    },
    async receive(arn, { count, waitSeconds, signal }) {
      const { region, QueueUrl } = await at(arn);
      const input = {
        QueueUrl,
        MaxNumberOfMessages: Math.min(count, SQS_QUOTAS.receiveMessages),
        WaitTimeSeconds: Math.min(SQS_QUOTAS.waitSeconds, Math.ceil(waitSeconds)),
        // Also the older name, because some implementations of SQS support only that.
        AttributeNames: ['All'],
        MessageSystemAttributeNames: ['All'],
        MessageAttributeNames: ['All'],
      };
      const { Messages = [] } = await call(region, 'ReceiveMessage', input, signal).catch((failure: unknown) => {
        if (signal.aborted) return {} as Json;
        throw failure;
      });
      return (Messages as readonly Json[]).map((message) => ({
        messageId: String(message.MessageId),
        receiptHandle: String(message.ReceiptHandle),
        body: String(message.Body),
        attributes: (message.MessageAttributes ?? {}) as MessageAttributes,
        systemAttributes: (message.Attributes ?? {}) as Readonly<Record<string, string>>,
      }));
    },
    async remove(arn, receiptHandles) {
      const { region, QueueUrl } = await at(arn);
      for (let index = 0; index < receiptHandles.length; index += SQS_QUOTAS.batchEntries) {
        const handles = receiptHandles.slice(index, index + SQS_QUOTAS.batchEntries);
        const Entries = handles.map((ReceiptHandle, entry) => ({ Id: String(entry), ReceiptHandle }));
        await call(region, 'DeleteMessageBatch', { QueueUrl, Entries });
      }
    },
    async release(arn, receiptHandles) {
      const { region, QueueUrl } = await at(arn);
      for (const ReceiptHandle of receiptHandles) {
        // If this fails, the message becomes visible again after its visibility timeout.
        await call(region, 'ChangeMessageVisibility', { QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }).catch(
          () => {},
        );
      }
    },
    visibilitySeconds: async (arn) => Number((await attribute(arn, 'VisibilityTimeout')) ?? 30),
    async deadLetterArn(arn) {
      const policy = await attribute(arn, 'RedrivePolicy');
      return policy ? deadLetterArnOf(policy) : undefined;
    },
  };
}
