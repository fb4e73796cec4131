import { describe, expect, it } from 'vitest';
import { createCredentialIssuer } from './credentials.ts';

describe('credentials of functions', () => {
  it('look like a role’s, differ each time, and are recognized', () => {
    const issuer = createCredentialIssuer();
    const first = issuer.issue();
    const second = issuer.issue();
    expect(first.accessKeyId).toMatch(/^ASIA[A-Z2-7]{16}$/);
    expect(first.secretAccessKey).toHaveLength(40);
    expect(second.accessKeyId).not.toBe(first.accessKeyId);
    expect(issuer.secretOf(first.accessKeyId)).toBe(first.secretAccessKey);
  });

  it('are not recognized when they are made up or from another run', () => {
    const issuer = createCredentialIssuer();
    expect(issuer.secretOf(createCredentialIssuer().issue().accessKeyId)).toBeUndefined();
    expect(issuer.secretOf('ASIAAAAAAAAAAAAAAAAA')).toBeUndefined();
    expect(issuer.secretOf('AKIDEXAMPLE')).toBeUndefined();
  });
});
