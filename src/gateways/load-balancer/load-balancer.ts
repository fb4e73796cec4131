/**
 * The proxy integration of an Application Load Balancer, with single or with multiple values, and its health checks.
 * Pure. Paths and queries are not decoded.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
 */
import { STATUS_TEXTS } from '../../http/exchange.ts';
import { encodeLoadBalancerBody } from '../exchange/body-encoding.ts';
import { dropConnectionHeaders } from '../exchange/connection-headers.ts';
import { decodeBody, isObject, parseFunctionResponse, parseJson, withDefault } from '../exchange/function-response.ts';
import {
  firstValue,
  groupHeaders,
  groupQuery,
  type Header,
  type ReceivedRequest,
  sorted,
  splitQuery,
} from '../exchange/gateway-request.ts';
import { type GatewayResponse, MalformedResponse, type ProxyIntegration } from '../exchange/proxy-integration.ts';

/** Maximum size of a request body, and of the JSON of a function response. */
export const LOAD_BALANCER_BODY_BYTES = 1_048_576;
/** Maximum size of the request line and each header, and of all headers combined. */
export const LOAD_BALANCER_HEAD_BYTES = { requestLine: 16_384, headers: 65_536 };

/** Maximum size of each header of a response, and of all combined. Beyond it the response is 502. */
export const LOAD_BALANCER_RESPONSE_HEAD_BYTES = { header: 16_384, headers: 32_768 };

/** Maximum number of addresses in X-Forwarded-For. */
export const LOAD_BALANCER_FORWARDED_ADDRESSES = 30;

export type TargetGroup = {
  readonly targetGroupArn: string;
  readonly hasMultiValueHeaders: boolean;
};

/** Creates the integration of one target group. */
export function createLoadBalancerIntegration(targetGroup: TargetGroup): ProxyIntegration {
  return {
    toEvent: (request) => renderEvent(request, targetGroup),
    toResponse: (payload) => parseTargetResponse(payload, targetGroup),
    toFault: ({ kind }) => renderLoadBalancerRefusal(kind === 'event-too-large' ? 413 : 502),
  };
}

/** The event of a health check. Only the path is configurable. */
export function renderHealthCheckEvent(path: string, { targetGroupArn, hasMultiValueHeaders }: TargetGroup): object {
  const agent = 'ELB-HealthChecker/2.0';
  return {
    requestContext: { elb: { targetGroupArn } },
    httpMethod: 'GET',
    path,
    ...(hasMultiValueHeaders
      ? { multiValueQueryStringParameters: {}, multiValueHeaders: { 'user-agent': [agent] } }
      : { queryStringParameters: {}, headers: { 'user-agent': agent } }),
    body: '',
    isBase64Encoded: false,
  };
}

/** The error page of a load balancer. */
export function renderLoadBalancerRefusal(status: number): GatewayResponse {
  const text = `${status} ${STATUS_TEXTS[status] ?? ''}`;
  const lines = ['<html>', `<head><title>${text}</title></head>`, '<body>', `<center><h1>${text}</h1></center>`];
  return {
    status,
    headers: [
      ['Server', 'awselb/2.0'],
      ['Content-Type', 'text/html'],
    ],
    body: Buffer.from([...lines, '</body>', '</html>', ''].join('\r\n')),
  };
}

function renderEvent(request: ReceivedRequest, { targetGroupArn, hasMultiValueHeaders }: TargetGroup): object {
  const headers = [...groupHeaders(request)].map(([name, { values }]) => [name, values] as const);
  const query = [...groupQuery(splitQuery(request.query))];
  const last = <Entries extends readonly (readonly [string, readonly string[]])[]>(entries: Entries) =>
    entries.map(([name, values]) => [name, values.at(-1) ?? ''] as const);
  return {
    requestContext: { elb: { targetGroupArn } },
    httpMethod: request.method,
    path: request.path,
    ...(hasMultiValueHeaders
      ? { multiValueQueryStringParameters: Object.fromEntries(query), multiValueHeaders: sorted(headers) }
      : { queryStringParameters: Object.fromEntries(last(query)), headers: sorted(last(headers)) }),
    ...encodeLoadBalancerBody(
      request.body,
      firstValue(request.headers, 'content-type'),
      firstValue(request.headers, 'content-encoding'),
    ),
  };
}

/** Parses the response of a function to a request or a health check. @throws MalformedResponse */
export function parseTargetResponse(payload: Buffer, { hasMultiValueHeaders }: TargetGroup): GatewayResponse {
  if (payload.length > LOAD_BALANCER_BODY_BYTES) throw new MalformedResponse('it is larger than 1 MB');
  const json = parseJson(payload);
  if (json === undefined || !isObject(json.value)) throw new MalformedResponse('it is not a JSON object');
  // Only the headers in the form of the target group count. .NET functions send null for the other form.
  const response = parseFunctionResponse(json.value, 'load-balancer', {
    ignored: hasMultiValueHeaders ? 'headers' : 'multiValueHeaders',
  });
  const headers = dropConnectionHeaders(hasMultiValueHeaders ? response.multiValueHeaders : response.headers);
  checkHeaderSizes(headers);
  const statusText = /^\d{3} (.+)$/.exec(response.statusDescription ?? '')?.[1];
  return {
    status: response.status,
    statusText: statusText && /^[\x20-\x7e]+$/.test(statusText) ? statusText : undefined,
    headers: withDefault(withDefault(headers, 'Content-Type', 'application/octet-stream'), 'Server', 'awselb/2.0'),
    body: decodeBody(response),
  };
}

/** @throws MalformedResponse for headers over the limits of a response */
function checkHeaderSizes(headers: readonly Header[]): void {
  const { header: headerBytes, headers: totalBytes } = LOAD_BALANCER_RESPONSE_HEAD_BYTES;
  let total = 0;
  for (const [name, value] of headers) {
    // Each header line also has `: ` and CR LF.
    const bytes = Buffer.byteLength(name) + Buffer.byteLength(value) + 4;
    if (bytes > headerBytes) throw new MalformedResponse(`the header ${name} is larger than ${headerBytes} bytes`);
    total += bytes;
  }
  if (total > totalBytes) throw new MalformedResponse(`its headers are larger than ${totalBytes} bytes`);
}
