/**
 * Attributes of SQS messages: their constraints, and the digests with which clients verify them. Pure.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
 */
import { createHash } from 'node:crypto';
import { SQS_QUOTAS } from '../protocol/sqs-operations.ts';
import { SqsError } from './sqs-error.ts';

/** As in the JSON protocol: `BinaryValue` is Base64. */
export type MessageAttributeValue = {
  readonly DataType: string;
  readonly StringValue?: string | undefined;
  readonly BinaryValue?: string | undefined;
};
export type MessageAttributes = Readonly<Record<string, MessageAttributeValue>>;

/** Matches characters that XML 1.0 cannot represent. Messages must not contain them. */
const UNPRINTABLE = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u;

/** @throws SqsError */
export function checkBody(body: string): void {
  if (body === '') throw new SqsError('MissingParameter', 'The request must contain the parameter MessageBody.');
  if (UNPRINTABLE.test(body)) {
    throw new SqsError(
      'InvalidMessageContents',
      'Invalid binary character was found in the message body, the set of allowed characters is ' +
        '#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF.',
    );
  }
}

/** @throws SqsError */
export function checkAttributes(attributes: MessageAttributes): void {
  const names = Object.keys(attributes);
  if (names.length > SQS_QUOTAS.messageAttributes) {
    throw invalid(`Number of message attributes [${names.length}] exceeds the allowed maximum [10].`);
  }
  for (const [name, { DataType, StringValue, BinaryValue }] of Object.entries(attributes)) {
    // Recorded on AWS: letters of any script. The documentation allows only ASCII letters.
    if (!/^(?!aws\.|amazon\.)[\p{L}\p{N}_-]+(\.[\p{L}\p{N}_-]+)*$/iu.test(name) || name.length > 256) {
      throw invalid(
        `Message (user) attribute name '${name}' is invalid. It can contain alphanumeric characters, underscores, ` +
          'hyphens and periods, must not start or end with a period, nor begin with AWS. or Amazon.',
      );
    }
    if (!DataType) throw invalid(`The message attribute '${name}' must contain non-empty message attribute type.`);
    const kind = /^(String|Number|Binary)(\..{1,249})?$/.exec(DataType)?.[1];
    if (kind === undefined) {
      throw invalid(
        `The message attribute '${name}' has an invalid message attribute type, the set of supported type prefixes is ` +
          'Binary, Number, and String.',
      );
    }
    const value = kind === 'Binary' ? BinaryValue : StringValue;
    if (!value) {
      throw invalid(`Message (user) attribute '${name}' must contain a non-empty value of type '${DataType}'.`);
    }
    if (kind === 'String' && UNPRINTABLE.test(value)) {
      throw invalid(`Invalid binary character was found in the value of message (user) attribute '${name}'.`);
    }
    if (kind === 'Number' && !/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(value)) {
      throw invalid(`Can't cast the value of message (user) attribute '${name}' to a number.`);
    }
  }
}

/** The size of a message in bytes, as SQS counts it. */
export function sizeOf(body: string, attributes: MessageAttributes): number {
  return Object.entries(attributes).reduce(
    (sum, [name, { DataType, StringValue, BinaryValue }]) =>
      sum +
      Buffer.byteLength(name) +
      Buffer.byteLength(DataType) +
      Buffer.byteLength(StringValue ?? '') +
      Buffer.byteLength(BinaryValue ?? '', 'base64'),
    Buffer.byteLength(body),
  );
}

export function md5Of(content: string | Buffer): string {
  return createHash('md5').update(content).digest('hex');
}

/** The digest of the attributes. Undefined if there are none. */
export function md5OfAttributes(attributes: MessageAttributes): string | undefined {
  const names = Object.keys(attributes).sort();
  if (names.length === 0) return undefined;
  const hash = createHash('md5');
  const add = (part: string | Buffer) => {
    const bytes = Buffer.from(part as string);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hash.update(length).update(bytes);
  };
  for (const name of names) {
    const { DataType = '', StringValue, BinaryValue } = attributes[name] ?? {};
    add(name);
    add(DataType);
    const isBinary = DataType.startsWith('Binary');
    hash.update(Buffer.of(isBinary ? 2 : 1));
    add(isBinary ? Buffer.from(BinaryValue ?? '', 'base64') : (StringValue ?? ''));
  }
  return hash.digest('hex');
}

/** The attributes that a receiver requested: by name, by prefix (`a.*`) or `All`. */
export function selectAttributes(attributes: MessageAttributes, wanted: readonly string[]): MessageAttributes {
  if (wanted.some((name) => name === 'All' || name === '.*' || name === '*')) return attributes;
  const isWanted = (name: string) =>
    wanted.some((pattern) => (pattern.endsWith('.*') ? name.startsWith(pattern.slice(0, -2)) : name === pattern));
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => isWanted(name)));
}

function invalid(message: string): SqsError {
  return new SqsError('InvalidParameterValue', message);
}
