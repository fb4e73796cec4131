/**
 * The names that CloudFormation gives to resources whose templates do not name them: `STACK-LOGICAL-RANDOM12`, cut to
 * the service's maximum. The random end stays whole, and the stack's name gives way before the logical id.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-name.html
 */
import { randomInt } from 'node:crypto';

const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
const MIXED = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
const LOWER = 'abcdefghijklmnopqrstuvwxyz0123456789';

export type NameParts = {
  readonly stackName: string;
  readonly logicalId: string;
  readonly maxLength: number;
  readonly lowerCase?: boolean | undefined;
  readonly suffix?: string | undefined;
  /** Characters of the random end. Defaults to 12. */
  readonly randomLength?: number | undefined;
};

export function createPhysicalName({
  stackName,
  logicalId,
  maxLength,
  lowerCase = false,
  suffix = '',
  randomLength = 12,
}: NameParts): string {
  const random = randomText(lowerCase ? LOWER : MIXED, randomLength);
  const room = maxLength - suffix.length - randomLength - 2;
  const logical = logicalId.slice(0, Math.max(1, Math.min(logicalId.length, Math.ceil(room / 2), room - 1)));
  // What the one part does not need, the other may have.
  const stack = stackName.slice(0, Math.max(1, room - logical.length));
  const longer = logicalId.slice(0, Math.max(1, room - stack.length));
  const name = `${stack}-${longer}-${random}${suffix}`;
  return lowerCase ? name.toLowerCase() : name;
}

/** Digits and upper-case letters, as in identifiers of recorded resources. */
export function randomUpperCase(length: number): string {
  return randomText(UPPER, length);
}

/** Lower-case hexadecimal digits, as in identifiers of EC2. */
export function randomHex(length: number): string {
  return randomText('0123456789abcdef', length);
}

function randomText(alphabet: string, length: number): string {
  return Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join('');
}
