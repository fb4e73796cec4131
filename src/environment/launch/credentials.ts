/**
 * The credentials with which functions sign their own requests. They look like a role's and give no access on AWS. None
 * are stored: secret and token of an access key are derived from the key and a secret that this run of the service
 * generates. The key also contains the number of the identity it stands for.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { AccessKey } from '../../wire/sigv4.ts';
import type { Credentials } from './launch-plan.ts';

/** A function that calls AWS's services, in its role. */
export type FunctionIdentity = { readonly roleArn: string; readonly functionName: string };

export interface CredentialIssuer {
  /** Issues new credentials for one environment of a function. */
  issue(identity: FunctionIdentity): Credentials;
  /** Looks up an access key that was issued in this run; undefined for any other. */
  keyOf(accessKeyId: string): AccessKey | undefined;
  /** Returns the function that an access key was issued for; undefined for a key of others. */
  identityOf(accessKeyId: string): FunctionIdentity | undefined;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const NUMBER_LENGTH = 4;
/** `ASIA`, the number of the identity, five random characters, and seven that prove that this service issued them. */
const KEY_PATTERN = /^ASIA([A-Z2-7]{9})([A-Z2-7]{7})$/;

export function createCredentialIssuer(): CredentialIssuer {
  const secret = randomBytes(32);
  // One entry per function and role of this run.
  const identities: FunctionIdentity[] = [];
  const numbers = new Map<string, number>();
  const derive = (what: string, text: string): Buffer =>
    createHmac('sha256', secret).update(`${what} ${text}`).digest();
  const proofOf = (text: string): string => letters(derive('key', text), 7);
  const credentialsOf = (accessKeyId: string): Credentials => ({
    accessKeyId,
    secretAccessKey: derive('secret', accessKeyId).toString('base64').slice(0, 40),
    sessionToken: ['token 1', 'token 2', 'token 3']
      .map((name) => derive(name, accessKeyId).toString('base64'))
      .join(''),
  });
  const numberOf = (identity: FunctionIdentity): number => {
    const name = `${identity.roleArn} ${identity.functionName}`;
    const number = numbers.get(name) ?? identities.push(identity) - 1;
    numbers.set(name, number);
    return number;
  };
  /** The part of an own key before the proof. */
  const provenOf = (accessKeyId: string): string | undefined => {
    const [, text, proof] = KEY_PATTERN.exec(accessKeyId) ?? [];
    if (text === undefined || proof === undefined) return undefined;
    return timingSafeEqual(Buffer.from(proofOf(text)), Buffer.from(proof)) ? text : undefined;
  };
  return {
    issue(identity) {
      const text = renderNumber(numberOf(identity)) + letters(randomBytes(5), 5);
      return credentialsOf(`ASIA${text}${proofOf(text)}`);
    },
    keyOf(accessKeyId) {
      if (provenOf(accessKeyId) === undefined) return undefined;
      const { secretAccessKey, sessionToken } = credentialsOf(accessKeyId);
      return { secret: secretAccessKey, sessionToken };
    },
    identityOf(accessKeyId) {
      const text = provenOf(accessKeyId);
      return text === undefined ? undefined : identities[parseNumber(text)];
    },
  };
}

function letters(bytes: Buffer, count: number): string {
  return Array.from(bytes.subarray(0, count), (byte) => ALPHABET[byte & 31]).join('');
}

function renderNumber(number: number): string {
  return Array.from({ length: NUMBER_LENGTH }, (_, index) => ALPHABET[(number >> (5 * index)) & 31]).join('');
}

function parseNumber(text: string): number {
  return Array.from(text.slice(0, NUMBER_LENGTH), (letter, index) => ALPHABET.indexOf(letter) << (5 * index)).reduce(
    (sum, part) => sum + part,
    0,
  );
}
