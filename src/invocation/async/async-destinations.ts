/**
 * What Lambda says of an asynchronous invocation that has come to its end: the record for its destination, the message
 * for its dead-letter queue. Pure, but for the addresses, to which `Delivery` carries it.
 * https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
 */
import type { Outcome } from '../../environment/invocation.ts';
import type { Version } from '../../protocol/names.ts';

export type Condition =
  | 'Success'
  | 'RetriesExhausted'
  | 'EventAgeExceeded'
  | 'ZeroReservedConcurrency'
  /** AWS does not publish what it calls this one. */
  | 'RecursiveInvocation';

/** An event whose road has ended. */
export type EndedEvent = {
  readonly requestId: string;
  /** With the qualifier that was asked for, or `$LATEST`. */
  readonly functionArn: string;
  readonly condition: Condition;
  readonly attempts: number;
  readonly payload: Buffer;
  /** How the last attempt ended; undefined when it did not get to run. */
  readonly outcome: Extract<Outcome, { kind: 'returned' | 'failed' }> | undefined;
  /** HTTP status of why it did not run. */
  readonly refusal: { readonly status: number; readonly message: string } | undefined;
  readonly atMs: number;
};

export type MessageAttribute = { readonly type: 'String' | 'Number'; readonly value: string };

/** What goes to one address. */
export type Parcel = {
  readonly arn: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, MessageAttribute>>;
  /** For the trace and the lineage of what it sets off. */
  readonly traceId: string;
  readonly event: EndedEvent;
};

/** Carries a parcel to the service that its ARN names. Rejects with the reason when it cannot. */
export type Delivery = (parcel: Parcel) => Promise<void>;

/** The record that a destination receives, as JSON text. Payloads stand in it as they were, digit by digit. */
export function renderRecord(event: EndedEvent): string {
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

/** What a dead-letter queue or topic receives beside the event itself. */
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

/** EventBridge's event of it. */
export function renderBusEvent(
  { body, arn, event }: Parcel,
  { id, account, region }: { readonly id: string; readonly account: string; readonly region: string },
): string {
  const result = event.condition === 'Success' ? 'Success' : 'Failure';
  const head = {
    version: '0',
    id,
    'detail-type': `Lambda Function Invocation Result - ${result}`,
    source: 'lambda',
    account,
    time: `${new Date(event.atMs).toISOString().slice(0, 19)}Z`,
    region,
    resources: [arn, event.functionArn],
  };
  return `${JSON.stringify(head).slice(0, -1)},"detail":${body}}`;
}

/** `aws/lambda/async/<function>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<uuid>` */
export function renderObjectKey({ functionArn, atMs }: EndedEvent, uuid: string): string {
  const time = new Date(atMs).toISOString();
  const name = functionArn.split(':')[6] ?? '';
  return `aws/lambda/async/${name}/${time.slice(0, 10).replaceAll('-', '/')}/${time.slice(0, 19).replaceAll(':', '.')}-${uuid}`;
}

/** Runtimes of people's own may answer with what is no JSON; the record stays one. */
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
  // Half a character at the cut becomes U+FFFD, which is dropped.
  return bytes
    .subarray(0, count)
    .toString('utf8')
    .replace(/\uFFFD$/, '');
}
