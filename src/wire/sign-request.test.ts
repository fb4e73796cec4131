import { describe, expect, it } from 'vitest';
import { signRequest } from './sign-request.ts';

describe('signing a request', () => {
  // The published example of Signature Version 4 ("get-vanilla-query-order-key-case" of AWS's test suite has the same
  // credentials): access key AKIDEXAMPLE, 30 August 2015, region us-east-1.
  const key = {
    accessKeyId: 'AKIDEXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
    region: 'us-east-1',
    service: 'service',
  };
  const epochMs = Date.UTC(2015, 7, 30, 12, 36, 0);

  it('produces the signatures of the published test suite', () => {
    const vanilla = {
      method: 'GET',
      url: new URL('http://example.amazonaws.com/'),
      headers: {},
      body: Buffer.alloc(0),
    };
    expect(signRequest(vanilla, key, epochMs).authorization).toBe(
      'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
    );
    const ordered = { ...vanilla, url: new URL('http://example.amazonaws.com/?Param2=value2&Param1=value1') };
    expect(signRequest(ordered, key, epochMs).authorization).toContain(
      'Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
    );
  });
});
