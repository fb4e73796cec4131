/**
 * What Lambda reports when an asynchronous invocation has ended: the invocation record for a destination, and the
 * attributes of the message for a dead-letter queue. Pure; `send-to-destination.ts` sends them.
 * https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
 */
import type { Outcome } from '../../environment/invocation.ts';
import { parseLambdaArn } from '../../protocol/arn.ts';
import { renderIsoSeconds } from '../../protocol/dates.ts';
import type { Version } from '../../protocol/names.ts';

export type Condition =
  | 'Success'
  | 'RetriesExhausted'
  | 'EventAgeExceeded'
  | 'ZeroReservedConcurrency'
  /** AWS does not document its name for this condition. */
  | 'RecursiveInvocation';

/** An event that will not be tried again. */
export type EndedEvent = {
  readonly requestId: string;
  /** With the requested qualifier, or `$LATEST`. */
  readonly functionArn: string;
  readonly condition: Condition;
  readonly attempts: number;
  readonly payload: Buffer;
  /** The outcome of the last attempt; undefined when the function did not run. */
  readonly outcome: Extract<Outcome, { kind: 'returned' | 'failed' }> | undefined;
  /** Why the function did not run; `status` is an HTTP status. */
  readonly refusal: { readonly status: number; readonly message: string } | undefined;
  readonly atMs: number;
};

export type MessageAttribute = { readonly type: 'String' | 'Number'; readonly value: string };

/** A message to a queue or topic. */
export type OutgoingMessage = {
  readonly arn: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, MessageAttribute>>;
  /** Continues the trace and the lineage in the invocations that the message causes. */
  readonly traceId: string;
};

/** What one destination or dead-letter queue receives. */
export type DestinationRecord = OutgoingMessage & { readonly event: EndedEvent };

/** Sends a record to the service that its ARN names. Rejects with the reason when it cannot. */
export type SendToDestination = (record: DestinationRecord) => Promise<void>;

/** The record that a destination receives, as JSON text. Payloads are copied as text, so numbers keep their digits. */
export function renderInvocationRecord(event: EndedEvent): string {
  const { requestId, functionArn, condition, attempts, payload, outcome } = event;
  const members = [
    ['version', '"1.0"'],
    ['timestamp', JSON.stringify(new Date(event.atMs).toISOString())],
    ['requestContext', JSON.stringify({ requestId, functionArn, condition, approximateInvokeCount: attempts })],
    ['requestPayload', jsonOf(payload)],
  ];
  if (outcome !== undefined) {
    const executedVersion: Version = outcome.executedVersion;
    const functionError = outcome.kind === 'failed' ? 'Unhandled' : undefined;
    members.push(
      ['responseContext', JSON.stringify({ statusCode: 200, executedVersion, functionError })],
      ['responsePayload', jsonOf(outcome.payload)],
    );
  }
  return `{${members.map(([name, json]) => `"${name}":${json}`).join(',')}}`;
}

/** The message attributes that a dead-letter queue or topic receives with the event. */
export function deadLetterAttributes({
  requestId,
  outcome,
  refusal,
}: EndedEvent): Readonly<Record<string, MessageAttribute>> {
  const message = refusal?.message ?? (outcome && errorMessageOf(outcome.payload)) ?? '';
  return {
    RequestID: { type: 'String', value: requestId },
    ErrorCode: { type: 'Number', value: String(refusal?.status ?? 200) },
    // An attribute's value may not be empty.
    ErrorMessage: { type: 'String', value: firstBytes(message, 1024) || 'null' },
  };
}

/** The event that EventBridge receives. */
export function renderBusEvent(
  { body, arn, event }: DestinationRecord,
  { id, account, region }: { readonly id: string; readonly account: string; readonly region: string },
): string {
  const result = event.condition === 'Success' ? 'Success' : 'Failure';
  const head = {
    version: '0',
    id,
    'detail-type': `Lambda Function Invocation Result - ${result}`,
    source: 'lambda',
    account,
    time: renderIsoSeconds(event.atMs),
    region,
    resources: [arn, event.functionArn],
  };
  return `${JSON.stringify(head).slice(0, -1)},"detail":${body}}`;
}

/** `aws/lambda/async/<function>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<uuid>` */
export function renderObjectKey({ functionArn, atMs }: EndedEvent, uuid: string): string {
  const time = new Date(atMs).toISOString();
  const name = parseLambdaArn(functionArn)?.id ?? '';
  return `aws/lambda/async/${name}/${time.slice(0, 10).replaceAll('-', '/')}/${time.slice(0, 19).replaceAll(':', '.')}-${uuid}`;
}

/** A custom runtime may respond with something other than JSON; it becomes a string, so that the record is valid JSON. */
function jsonOf(payload: Buffer): string {
  const text = payload.toString('utf8');
  try {
    JSON.parse(text);
    return text;
  } catch {
    return JSON.stringify(text);
  }
}

function errorMessageOf(payload: Buffer): string | undefined {
  try {
    const { errorMessage } = JSON.parse(payload.toString('utf8')) as { readonly errorMessage?: unknown };
    return typeof errorMessage === 'string' ? errorMessage : undefined;
  } catch {
    return undefined;
  }
}

function firstBytes(text: string, count: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= count) return text;
  // A character that is cut in half becomes U+FFFD, which is removed.
  return bytes
    .subarray(0, count)
    .toString('utf8')
    .replace(/\uFFFD$/, '');
}
