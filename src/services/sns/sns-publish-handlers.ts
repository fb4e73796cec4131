/** SNS's Publish and PublishBatch: their input becomes a publication, with SNS's checks. */
import { parseJson } from '../../protocol/json.ts';
import type { InputOf } from '../../protocol/member-constraints.ts';
import { type SNS_OPERATIONS, SNS_QUOTAS } from '../../protocol/sns-operations.ts';
import { type MessageAttributes as Attributes, sizeOf } from '../../queues/message-attributes.ts';
import type { CallContext } from '../../wire/api-call.ts';
import { QueryError } from '../../wire/query-protocol.ts';
import type { OperationHandlers } from '../../wire/structure.ts';
import type { XmlStructure } from '../../wire/xml.ts';
import { checkBatch, checkBatchSize, checkFifoIds, checkMessageAttributes, findTopic, invalid } from './sns-checks.ts';
import type { SnsTopics } from './sns-topics.ts';
import type { Publication, Published } from './topic.ts';

type PublishHandlers = Pick<OperationHandlers<typeof SNS_OPERATIONS, XmlStructure>, 'Publish' | 'PublishBatch'>;

export function createPublishHandlers(topics: SnsTopics): PublishHandlers {
  return {
    async Publish(input, call) {
      if (input.PhoneNumber !== undefined) throw invalid('PhoneNumber Reason: Lamella sends no text messages');
      const arn = input.TopicArn ?? input.TargetArn;
      if (arn === undefined) throw invalid('TopicArn or TargetArn Reason: no value for required parameter');
      const publication = publicationOf(input, call);
      const topic = findTopic(topics, arn);
      checkFifoIds(topic, input);
      return renderPublished(await topics.publish(topic, publication));
    },
    async PublishBatch({ TopicArn, PublishBatchRequestEntries: entries }, call) {
      const topic = findTopic(topics, TopicArn);
      checkBatch(entries);
      for (const entry of entries) {
        checkMessageAttributes(entry.MessageAttributes ?? {});
        checkFifoIds(topic, entry);
      }
      checkBatchSize(
        entries.reduce((sum, { Message, MessageAttributes = {} }) => sum + sizeOf(Message, MessageAttributes), 0),
      );
      const Successful: XmlStructure[] = [];
      const Failed: XmlStructure[] = [];
      for (const entry of entries) {
        try {
          Successful.push({
            Id: entry.Id,
            ...renderPublished(await topics.publish(topic, publicationOf(entry, call))),
          });
        } catch (failure) {
          if (!(failure instanceof QueryError)) throw failure;
          Failed.push({ Id: entry.Id, Code: failure.code, Message: failure.message, SenderFault: true });
        }
      }
      return { Successful, Failed };
    },
  };
}

function renderPublished({ messageId, sequenceNumber }: Published): XmlStructure {
  return { MessageId: messageId, SequenceNumber: sequenceNumber };
}

type MessageInput = Pick<
  InputOf<(typeof SNS_OPERATIONS)['Publish']>,
  'Message' | 'Subject' | 'MessageStructure' | 'MessageAttributes' | 'MessageGroupId' | 'MessageDeduplicationId'
>;

function publicationOf(
  { Message, Subject, MessageStructure, MessageAttributes = {}, ...ids }: MessageInput,
  call: CallContext,
): Publication {
  const attributes: Attributes = MessageAttributes;
  if (Message === '') throw invalid('Empty message');
  if (
    Subject !== undefined &&
    (Subject === '' || Subject.length > SNS_QUOTAS.subjectLength || /[\n\r]/.test(Subject))
  ) {
    throw invalid('Subject');
  }
  checkMessageAttributes(attributes);
  if (sizeOf(Message, attributes) > SNS_QUOTAS.messageBytes) throw invalid('Message too long');
  const trace = call.request?.headers['x-amzn-trace-id'];
  return {
    ...messagesOf(Message, MessageStructure),
    subject: Subject,
    attributes,
    traceId: Array.isArray(trace) ? trace[0] : trace,
    groupId: ids.MessageGroupId,
    deduplicationId: ids.MessageDeduplicationId,
  };
}

function messagesOf(text: string, structure: string | undefined): Pick<Publication, 'message' | 'messageFor'> {
  if (structure === undefined) return { message: text };
  if (structure !== 'json') throw invalid('MessageStructure');
  let messages: unknown;
  try {
    messages = parseJson(text);
  } catch {
    throw invalid('Message Structure - JSON message body failed to parse');
  }
  const byProtocol = messages as Readonly<Record<string, unknown>> | null;
  if (typeof byProtocol?.default !== 'string') {
    throw invalid('Message Structure - No default entry in JSON message body');
  }
  const texts = Object.entries(byProtocol).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  return { message: byProtocol.default, messageFor: Object.fromEntries(texts) };
}
