import { describe, expect, it } from 'vitest';
import { createCredentialIssuer } from './credentials.ts';

const HELLO = { roleArn: 'arn:aws:iam::123456789012:role/r', functionName: 'hello' };

describe('credentials of functions', () => {
  it('look like a role’s, differ each time, and are recognized', () => {
    const issuer = createCredentialIssuer();
    const first = issuer.issue(HELLO);
    const second = issuer.issue(HELLO);
    expect(first.accessKeyId).toMatch(/^ASIA[A-Z2-7]{16}$/);
    expect(first.secretAccessKey).toHaveLength(40);
    expect(second.accessKeyId).not.toBe(first.accessKeyId);
    const { secretAccessKey: secret, sessionToken } = first;
    expect(issuer.keyOf(first.accessKeyId)).toEqual({ secret, sessionToken });
  });

  it('are not recognized when they are made up or from another run', () => {
    const issuer = createCredentialIssuer();
    expect(issuer.keyOf(createCredentialIssuer().issue(HELLO).accessKeyId)).toBeUndefined();
    expect(issuer.keyOf('ASIAAAAAAAAAAAAAAAAA')).toBeUndefined();
    expect(issuer.keyOf('AKIDEXAMPLE')).toBeUndefined();
  });

  it('identify the function that they were issued for, among many', () => {
    const issuer = createCredentialIssuer();
    const identities = Array.from({ length: 2000 }, (_, index) => ({ ...HELLO, functionName: `function-${index}` }));
    const keys = identities.map((identity) => issuer.issue(identity).accessKeyId);
    expect(keys.map((key) => issuer.identityOf(key))).toEqual(identities);
    expect(issuer.identityOf(createCredentialIssuer().issue(HELLO).accessKeyId)).toBeUndefined();
  });
});
