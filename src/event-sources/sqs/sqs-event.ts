/**
 * The event of a batch of SQS messages, the filter of a mapping, and the batch item failures in the function's
 * response. Pure. https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
 */

import { parseArn } from '../../protocol/arn.ts';
import { createEventPattern } from '../../protocol/event-pattern.ts';
import { parseJson } from '../../protocol/json.ts';
import { md5Of, md5OfAttributes } from '../../queues/message-attributes.ts';
import type { SqsMessage } from '../../services/sqs/sqs-messages.ts';

export type SqsRecord = Readonly<Record<string, unknown>> & { readonly body: string };

/**
 * Renders a message as a record of the event. Recorded on AWS (2025-11): without message attributes, their digest is
 * null for a mapping with a batching window and omitted for one without.
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

/** Whether a record passes. Without patterns, every record does. */
export type RecordFilter = (record: SqsRecord) => boolean;

/**
 * Creates the filter of a mapping. A record passes if it matches one of the patterns. A body pattern that is an object
 * only matches JSON bodies; one that is a list only matches plain text.
 * @throws InvalidPattern
 */
export function createRecordFilter(patterns: readonly string[]): RecordFilter {
  const tests = patterns.map((text): RecordFilter => {
    const json = parseJson(text) as Readonly<Record<string, unknown>>;
    const pattern = createEventPattern(json);
    const bodyKind = json.body === undefined ? 'anything' : Array.isArray(json.body) ? 'text' : 'json';
    return (record) => {
      const body = structureOf(record.body);
      if (bodyKind === 'json' && body === undefined) return false;
      if (bodyKind === 'text' && body !== undefined) return false;
      return pattern.matches({ ...record, body: body ?? record.body });
    };
  });
  return (record) => tests.length === 0 || tests.some((test) => test(record));
}

/** Parses a JSON object or list. Anything else, e.g. a number, is plain text. */
function structureOf(body: string): object | undefined {
  try {
    const value: unknown = parseJson(body);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Parses the ids of messages that a function failed to process (`ReportBatchItemFailures`), or `all` for an invalid
 * response. https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
 */
export function parseBatchFailures(payload: Buffer, messageIds: ReadonlySet<string>): 'all' | ReadonlySet<string> {
  const text = payload.toString('utf8').trim();
  if (text === '') return new Set();
  let response: unknown;
  try {
    response = parseJson(text);
  } catch {
    return 'all';
  }
  if (response === null || response === '') return new Set();
  if (typeof response !== 'object') return 'all';
  const { batchItemFailures } = response as { readonly batchItemFailures?: unknown };
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
