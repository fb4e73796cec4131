/**
 * What a function receives of a queue, which messages a mapping lets through, and what the function's answer means for
 * each of them. Pure. https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
 */
import { parseArn } from '../../protocol/arn.ts';
import { createEventPattern } from '../../protocol/event-pattern.ts';
import { md5Of, md5OfAttributes } from '../../queues/message-attributes.ts';
import type { SqsMessage } from '../../services/sqs/sqs-messages.ts';

export type SqsRecord = Readonly<Record<string, unknown>> & { readonly body: string };

/**
 * One record of the event. A digest that there is none of is null for a mapping with a batching window, and not there for
 * one without. Recorded on AWS (2025-11).
 */
export function renderRecord(message: SqsMessage, queueArn: string, hasWindow: boolean): SqsRecord {
  const { messageId, receiptHandle, body, attributes, systemAttributes } = message;
  return {
    messageId,
    receiptHandle,
    body,
    attributes: systemAttributes,
    messageAttributes: Object.fromEntries(
      Object.entries(attributes).map(([name, { DataType, StringValue, BinaryValue }]) => [
        name,
        {
          stringValue: StringValue,
          binaryValue: BinaryValue,
          stringListValues: [],
          binaryListValues: [],
          dataType: DataType,
        },
      ]),
    ),
    md5OfMessageAttributes: md5OfAttributes(attributes) ?? (hasWindow ? null : undefined),
    md5OfBody: md5Of(body),
    eventSource: 'aws:sqs',
    eventSourceARN: queueArn,
    awsRegion: parseArn(queueArn)?.region,
  };
}

export function renderSqsEvent(records: readonly SqsRecord[]): Buffer {
  return Buffer.from(JSON.stringify({ Records: records }));
}

/** Whether a record passes; a mapping without filters lets everything through. */
export type RecordFilter = (record: SqsRecord) => boolean;

/**
 * The filter of a mapping: one of its patterns is enough. A pattern of the body that is an object wants a body of JSON,
 * one that is a list a body of plain text; a body of the other kind does not pass.
 * @throws InvalidPattern
 */
export function createRecordFilter(patterns: readonly string[]): RecordFilter {
  const tests = patterns.map((text): RecordFilter => {
    const json = JSON.parse(text) as Readonly<Record<string, unknown>>;
    const pattern = createEventPattern(json);
    const wanted = json.body === undefined ? 'anything' : Array.isArray(json.body) ? 'text' : 'json';
    return (record) => {
      const body = structureOf(record.body);
      if (wanted === 'json' && body === undefined) return false;
      if (wanted === 'text' && body !== undefined) return false;
      return pattern.matches({ ...record, body: body ?? record.body });
    };
  });
  return (record) => tests.length === 0 || tests.some((test) => test(record));
}

/** JSON objects and lists; a bare number or word is plain text. */
function structureOf(body: string): object | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Which messages a function says it could not process (`ReportBatchItemFailures`): ids, or `all` when what it says makes
 * no sense. https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
 */
export function parseBatchFailures(payload: Buffer, messageIds: ReadonlySet<string>): 'all' | ReadonlySet<string> {
  const text = payload.toString('utf8').trim();
  if (text === '') return new Set();
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return 'all';
  }
  if (answer === null || answer === '') return new Set();
  if (typeof answer !== 'object') return 'all';
  const { batchItemFailures } = answer as { readonly batchItemFailures?: unknown };
  if (batchItemFailures === undefined || batchItemFailures === null) return new Set();
  if (!Array.isArray(batchItemFailures)) return 'all';
  const failed = new Set<string>();
  for (const item of batchItemFailures) {
    const id = (item as { readonly itemIdentifier?: unknown } | null)?.itemIdentifier;
    if (typeof id !== 'string' || !messageIds.has(id)) return 'all';
    failed.add(id);
  }
  return failed;
}
