/**
 * Events and responses of load balancers. Members and limits: AWS's documentation of functions as targets. That nothing is
 * decoded, and default headers: recordings on AWS by hotsock/voker (2026-07) and fujiwara/ridge (2020). The requests are
 * our own.
 */
import { describe, expect, it } from 'vitest';
import { headerLines, receivedRequest, TRACE_ID, wire } from '../../../test/support/gateway-request.ts';
import { MalformedResponse } from '../exchange/proxy-integration.ts';
import { createLoadBalancerIntegration, renderHealthCheckEvent, renderLoadBalancerRefusal } from './load-balancer.ts';

const ARN = 'arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/web/0123456789abcdef';
const single = createLoadBalancerIntegration({ targetGroupArn: ARN, hasMultiValueHeaders: false });
const multi = createLoadBalancerIntegration({ targetGroupArn: ARN, hasMultiValueHeaders: true });

const REQUEST = receivedRequest({
  method: 'POST',
  target: '/caf%C3%A9%20bar?tag=a&tag=b&plus=1+1&enc=a%2Bb&empty=&bare',
  headers: [
    ['Host', 'web-1.us-west-2.elb.localhost'],
    ['Accept', '*/*'],
    ['Content-Type', 'application/json'],
    ['Cookie', 'session=abc; theme=dark'],
    ['X-Twice', 'first'],
    ['x-twice', 'second'],
    ['X-Forwarded-For', '10.0.0.1'],
  ],
  body: '{"name":"λ"}',
});

describe('events of a load balancer', () => {
  it('have every member with single values, the last of each, byte for byte', () => {
    expect(JSON.stringify(single.toEvent(REQUEST))).toBe(
      JSON.stringify({
        requestContext: { elb: { targetGroupArn: ARN } },
        httpMethod: 'POST',
        path: '/caf%C3%A9%20bar',
        queryStringParameters: { tag: 'b', plus: '1+1', enc: 'a%2Bb', empty: '', bare: '' },
        headers: {
          accept: '*/*',
          'content-type': 'application/json',
          cookie: 'session=abc; theme=dark',
          host: 'web-1.us-west-2.elb.localhost',
          'x-amzn-trace-id': TRACE_ID,
          'x-forwarded-for': '10.0.0.1, 192.0.2.1',
          'x-forwarded-port': '3000',
          'x-forwarded-proto': 'http',
          'x-twice': 'second',
        },
        body: '{"name":"λ"}',
        isBase64Encoded: false,
      }),
    );
  });

  it('have every member with multiple values, byte for byte', () => {
    expect(JSON.stringify(multi.toEvent(REQUEST))).toBe(
      JSON.stringify({
        requestContext: { elb: { targetGroupArn: ARN } },
        httpMethod: 'POST',
        path: '/caf%C3%A9%20bar',
        multiValueQueryStringParameters: { tag: ['a', 'b'], plus: ['1+1'], enc: ['a%2Bb'], empty: [''], bare: [''] },
        multiValueHeaders: {
          accept: ['*/*'],
          'content-type': ['application/json'],
          cookie: ['session=abc; theme=dark'],
          host: ['web-1.us-west-2.elb.localhost'],
          'x-amzn-trace-id': [TRACE_ID],
          'x-forwarded-for': ['10.0.0.1, 192.0.2.1'],
          'x-forwarded-port': ['3000'],
          'x-forwarded-proto': ['http'],
          'x-twice': ['first', 'second'],
        },
        body: '{"name":"λ"}',
        isBase64Encoded: false,
      }),
    );
  });

  it('of a minimal request have an empty query and an empty body', () => {
    expect(wire(single.toEvent(receivedRequest()))).toMatchObject({
      queryStringParameters: {},
      body: '',
      isBase64Encoded: false,
    });
    expect(wire(multi.toEvent(receivedRequest()))).toMatchObject({ multiValueQueryStringParameters: {} });
  });

  it.each([
    ['text/css', undefined, false],
    ['application/json', undefined, false],
    ['application/javascript', undefined, false],
    ['application/xml', undefined, false],
    ['application/problem+json', undefined, true],
    ['application/x-www-form-urlencoded', undefined, true],
    ['image/png', undefined, true],
    [undefined, undefined, true],
    ['text/plain', 'gzip', true],
  ])('have a body of type %s, encoding %s', (type, encoding, isBase64Encoded) => {
    const headers = [
      ...(type ? [['content-type', type] as const] : []),
      ...(encoding ? [['content-encoding', encoding] as const] : []),
    ];
    expect(wire(single.toEvent(receivedRequest({ method: 'POST', headers, body: 'abc' })))).toMatchObject({
      body: isBase64Encoded ? 'YWJj' : 'abc',
      isBase64Encoded,
    });
  });

  it('of a health check have no data but the path', () => {
    expect(renderHealthCheckEvent('/health', { targetGroupArn: ARN, hasMultiValueHeaders: false })).toEqual({
      requestContext: { elb: { targetGroupArn: ARN } },
      httpMethod: 'GET',
      path: '/health',
      queryStringParameters: {},
      headers: { 'user-agent': 'ELB-HealthChecker/2.0' },
      body: '',
      isBase64Encoded: false,
    });
    expect(renderHealthCheckEvent('/', { targetGroupArn: ARN, hasMultiValueHeaders: true })).toMatchObject({
      multiValueHeaders: { 'user-agent': ['ELB-HealthChecker/2.0'] },
    });
  });
});

describe('responses of a function behind a load balancer', () => {
  const respond = (integration: typeof single, payload: unknown) => {
    const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
    const response = integration.toResponse(Buffer.from(text), receivedRequest());
    return { ...response, headers: headerLines(response.headers), body: response.body.toString('latin1') };
  };

  it('have status, reason phrase, headers and body', () => {
    const payload = {
      isBase64Encoded: false,
      statusCode: 404,
      statusDescription: '404 No Such Thing',
      headers: { 'Set-cookie': 'a=1', 'Content-Type': 'text/plain' },
      body: 'no',
    };
    expect(respond(single, payload)).toEqual({
      status: 404,
      statusText: 'No Such Thing',
      headers: ['Set-cookie: a=1', 'Content-Type: text/plain', 'Server: awselb/2.0'],
      body: 'no',
    });
  });

  it('have only the headers in the form of the target group', () => {
    const payload = { statusCode: 200, headers: { a: '1' }, multiValueHeaders: { a: ['2', '3'] } };
    expect(respond(single, payload).headers.slice(0, -2)).toEqual(['a: 1']);
    expect(respond(multi, payload).headers.slice(0, -2)).toEqual(['a: 2', 'a: 3']);
  });

  it('default to application/octet-stream', () => {
    expect(respond(single, { statusCode: 200, body: '/wA=', isBase64Encoded: true })).toMatchObject({
      headers: ['Content-Type: application/octet-stream', 'Server: awselb/2.0'],
      body: '\xff\x00',
    });
  });

  it('cannot set the headers of the connection', () => {
    const headers = { Connection: 'close', 'keep-alive': '1', 'X-Mine': '1' };
    expect(respond(single, { statusCode: 200, headers }).headers.slice(0, -2)).toEqual(['X-Mine: 1']);
  });

  it.each([['"text"'], ['no JSON'], [{ body: 'no status' }], [{ statusCode: 200, body: 'x'.repeat(1_048_576) }]])(
    'of an invalid form are refused',
    (payload) => {
      expect(() => respond(single, payload)).toThrow(MalformedResponse);
    },
  );

  it('do not depend on headers in the other form, which .NET functions set to null', () => {
    const headers = { statusCode: 200, headers: { a: '1' }, multiValueHeaders: null, body: '' };
    expect(respond(single, headers).status).toBe(200);
    expect(() => respond(multi, headers)).toThrow(MalformedResponse);
    expect(respond(multi, { statusCode: 200, headers: null, multiValueHeaders: { a: ['1'] } }).status).toBe(200);
  });

  it('can have headers of 16 KB each and 32 KB in total', () => {
    const sized = (...sizes: number[]) => ({
      statusCode: 200,
      // Each line has the name, `: ` and CR LF.
      headers: Object.fromEntries(sizes.map((size, index) => [`x${index}`, 'v'.repeat(size - 6)])),
    });
    expect(respond(single, sized(16_384, 16_384)).headers).toHaveLength(4);
    expect(() => respond(single, sized(16_385))).toThrow(/the header x0 is larger than 16384 bytes/);
    expect(() => respond(single, sized(16_384, 16_384, 7))).toThrow(/larger than 32768 bytes/);
  });

  it('are replaced by an error page for a fault', () => {
    const response = single.toFault({ kind: 'failed' }, receivedRequest());
    expect([response.status, headerLines(response.headers), response.body.toString()]).toEqual([
      502,
      ['Server: awselb/2.0', 'Content-Type: text/html'],
      '<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n',
    ]);
    expect(renderLoadBalancerRefusal(503).status).toBe(503);
    expect(single.toFault({ kind: 'event-too-large' }, receivedRequest()).status).toBe(413);
  });
});
