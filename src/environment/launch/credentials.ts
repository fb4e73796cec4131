/**
 * The credentials with which functions sign their own requests. They look like a role's and give no access on AWS. None
 * are stored: the secret of an access key is derived from the key and a secret that this run of the service generates.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Credentials } from './launch-plan.ts';

export interface CredentialIssuer {
  issue(): Credentials;
  /** The secret access key for an access key ID that was issued in this run; undefined for any other. */
  secretOf(accessKeyId: string): string | undefined;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
/** `ASIA`, nine random characters, and seven that prove that this service issued them. */
const KEY_PATTERN = /^ASIA([A-Z2-7]{9})([A-Z2-7]{7})$/;

export function createCredentialIssuer(): CredentialIssuer {
  const secret = randomBytes(32);
  const proofOf = (random: string) => letters(createHmac('sha256', secret).update(`key ${random}`).digest(), 7);
  const secretAccessKeyOf = (accessKeyId: string) =>
    createHmac('sha256', secret).update(`secret ${accessKeyId}`).digest('base64').slice(0, 40);
  return {
    issue() {
      const random = letters(randomBytes(9), 9);
      const accessKeyId = `ASIA${random}${proofOf(random)}`;
      const sessionToken = randomBytes(120).toString('base64');
      return { accessKeyId, secretAccessKey: secretAccessKeyOf(accessKeyId), sessionToken };
    },
    secretOf(accessKeyId) {
      const [, random, proof] = KEY_PATTERN.exec(accessKeyId) ?? [];
      if (random === undefined || proof === undefined) return undefined;
      return timingSafeEqual(Buffer.from(proofOf(random)), Buffer.from(proof))
        ? secretAccessKeyOf(accessKeyId)
        : undefined;
    },
  };
}

function letters(bytes: Buffer, count: number): string {
  return Array.from(bytes.subarray(0, count), (byte) => ALPHABET[byte & 31]).join('');
}
