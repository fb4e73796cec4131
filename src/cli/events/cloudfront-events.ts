/**
 * Events of Lambda@Edge: a request or response of CloudFront. AWS's examples differ in what their functions do; the events
 * differ in where the request is, and in the headers that the example needs.
 * https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/lambda-event-structure.html
 */
import { type EventType, eventsOf, type Fields } from './event-type.ts';

type Position = 'viewer-request' | 'origin-request' | 'origin-response' | 'viewer-response';
type Headers = Readonly<Record<string, string>>;
type Row = Omit<EventType, 'service' | 'type'>;

const FIELDS = { uri: '/test', method: 'GET', querystring: '' } as const;

export const CLOUDFRONT_EVENTS: readonly EventType[] = eventsOf('cloudfront', {
  'ab-test': request('viewer-request', 'Choose one of two versions by a cookie', { Cookie: 'X-Experiment-Name=B' }),
  'access-request-in-response': response('viewer-response', 'Read the request while answering', { Vary: '*' }),
  'http-redirect': request('origin-request', 'Answer with a redirect', {}),
  'modify-querystring': request('viewer-request', 'Add to the query string', {}, { querystring: 'auth=test' }),
  'modify-response-header': response('origin-response', 'Change a header of the response', {
    'Last-Modified': 'Thu, 15 Jan 2026 12:00:00 GMT',
    'X-Amz-Meta-Last-Modified': 'Wed, 14 Jan 2026 12:00:00 GMT',
  }),
  'multiple-remote-calls-aggregate-response': request(
    'origin-request',
    'Combine the answers of several services',
    {},
    {
      uri: '/forecast/Seattle:NewYork:Chicago:SanFrancisco',
    },
  ),
  'normalize-querystring-to-improve-cache-hit': request(
    'viewer-request',
    'Sort the query string',
    {},
    {
      querystring: 'size=LARGE&color=RED',
    },
  ),
  'redirect-on-viewer-country': request('origin-request', 'Redirect by the country of the viewer', {
    'CloudFront-Viewer-Country': 'US',
  }),
  'redirect-unauthenticated-users': request('viewer-request', 'Redirect without a session', { Cookie: '' }),
  'response-generation': request('viewer-request', 'Answer without an origin', {}),
  'serve-object-on-viewer-device': request('origin-request', 'Choose an object by the device', {
    'CloudFront-Is-Desktop-Viewer': 'false',
    'CloudFront-Is-Mobile-Viewer': 'true',
    'CloudFront-Is-SmartTV-Viewer': 'false',
    'CloudFront-Is-Tablet-Viewer': 'false',
  }),
  'simple-remote-call': request('origin-request', 'Call another service', {}),
});

function request(position: Position, summary: string, headers: Headers, own: Partial<typeof FIELDS_TYPE> = {}): Row {
  return {
    summary,
    fields: { ...FIELDS, ...own },
    build: (f) => record(position, { request: requestOf(f, position, headers) }),
  };
}

const FIELDS_TYPE: { uri: string; method: string; querystring: string } = FIELDS;

function response(position: Position, summary: string, headers: Headers): Row {
  return {
    summary,
    fields: { ...FIELDS, status: '200' },
    build: (f) =>
      record(position, {
        request: requestOf(f, position, {}),
        response: {
          status: f('status'),
          statusDescription: 'OK',
          headers: render({ 'Content-Type': 'text/html', Server: 'MyCustomOrigin', ...headers }),
        },
      }),
  };
}

function record(eventType: Position, rest: object) {
  const config = {
    distributionDomainName: 'd111111abcdef8.cloudfront.net',
    distributionId: 'EDFDVBD6EXAMPLE',
    eventType,
    requestId: '4TyzHTaYWb1GX1qTfsHhEqV6HUDd_BzoBZnwfnvQc_1oF26ClkoUSEQ==',
  };
  return { Records: [{ cf: { config, ...rest } }] };
}

function requestOf(f: Fields, position: Position, headers: Headers) {
  const isOrigin = position.startsWith('origin');
  const host = isOrigin ? 'example.org' : 'd111111abcdef8.cloudfront.net';
  return {
    clientIp: '203.0.113.178',
    headers: render({
      Host: host,
      'User-Agent': isOrigin ? 'Amazon CloudFront' : 'curl/8.5.0',
      Accept: '*/*',
      ...headers,
    }),
    method: f('method'),
    querystring: f('querystring'),
    uri: f('uri'),
    ...(isOrigin && {
      origin: {
        custom: {
          customHeaders: {},
          domainName: 'example.org',
          keepaliveTimeout: 5,
          path: '',
          port: 443,
          protocol: 'https',
          readTimeout: 30,
          sslProtocols: ['TLSv1.2'],
        },
      },
    }),
  };
}

/** CloudFront's form: by the name in lower case, a list of names and values. */
function render(headers: Headers) {
  const entries = Object.entries(headers).filter(([, value]) => value !== '');
  return Object.fromEntries(entries.map(([key, value]) => [key.toLowerCase(), [{ key, value }]]));
}
