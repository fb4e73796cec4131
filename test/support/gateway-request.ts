/** Creates requests to a gateway: the parts that a test gives, and fixed values for the rest. */
import { type Header, type ReceivedRequest, splitTarget } from '../../src/gateways/exchange/gateway-request.ts';

/** 12 March 2020, 19:03:58.390 UTC, as in AWS's own examples. */
export const RECEIVED_MS = Date.UTC(2020, 2, 12, 19, 3, 58, 390);
export const REQUEST_ID = 'b1f8f4a3-5a0c-4f0e-9d5e-0b6f8f2f4d11';
export const TRACE_ID = 'Root=1-5e6b4a90-1de4d666d4dd26aced652b6c';

/** The fault of a throttled function. */
export const THROTTLED = { kind: 'throttled', reason: 'ConcurrentInvocationLimitExceeded' } as const;

type Sent = {
  readonly method?: string;
  readonly target?: string;
  readonly headers?: readonly Header[];
  readonly body?: string | Buffer;
};

export function receivedRequest({ method = 'GET', target = '/', headers = [], body = '' }: Sent = {}): ReceivedRequest {
  return {
    method,
    ...splitTarget(target),
    headers,
    body: Buffer.from(body),
    sourceIp: '192.0.2.1',
    port: 3000,
    requestId: REQUEST_ID,
    traceRoot: TRACE_ID,
    traceHeader: `${TRACE_ID};Parent=53995c3f42cd8ad8;Sampled=0`,
    receivedMs: RECEIVED_MS,
  };
}

/** Converts an event to what a function receives, through JSON. */
export function wire(event: object): Record<string, unknown> {
  return JSON.parse(JSON.stringify(event));
}

/** A response's headers as `name: value` lines, in order. */
export function headerLines(headers: readonly Header[]): string[] {
  return headers.map(([name, value]) => `${name}: ${value}`);
}
