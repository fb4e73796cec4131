/**
 * Events of what turns HTTP requests into invocations: function URLs, HTTP and REST APIs with their authorizers, load
 * balancers. The same shapes as those of Lamella's own gateways.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 */
import {
  ACCOUNT,
  arnOf,
  EPOCH_MS,
  type EventType,
  eventsOf,
  PARTITION,
  REGION,
  REQUEST_ID,
  TIME,
} from './event-type.ts';

const URL_FIELDS = { method: 'POST', path: '/path/to/resource', query: 'foo=bar', ...ACCOUNT } as const;
const HTTP_FIELDS = { ...URL_FIELDS, body: '{"test":"body"}', stage: '$default' } as const;

export const GATEWAY_EVENTS: readonly EventType[] = [
  ...eventsOf('lambda-url', {
    request: {
      summary: 'HTTP request to a function URL',
      fields: {
        ...URL_FIELDS,
        body: HTTP_FIELDS.body,
        host: 'abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-east-1.on.aws',
      },
      build: (f) => payloadV2(f, '$default', f('host')),
    },
  }),
  ...eventsOf('apigateway', {
    'aws-proxy': {
      summary: 'HTTP request to a REST API (or to an HTTP API with payload format 1.0)',
      fields: {
        ...HTTP_FIELDS,
        stage: 'prod',
        resource: '/{proxy+}',
        'dns-suffix': 'us-east-1.amazonaws.com',
      },
      build: restRequest,
    },
    'http-api-proxy': {
      summary: 'HTTP request to an HTTP API (payload format 2.0)',
      fields: { ...HTTP_FIELDS, 'dns-suffix': 'us-east-1.amazonaws.com' },
      build: (f) => payloadV2(f, f('stage'), `abcdef1234.execute-api.${f('dns-suffix')}`),
    },
    authorizer: {
      summary: 'Token for a Lambda authorizer of a REST API',
      fields: { ...AUTHORIZER_FIELDS(), token: 'Bearer token', stage: 'prod', method: 'POST', resource: '{proxy+}' },
      build: (f) => ({ type: 'TOKEN', methodArn: methodArn(f), authorizationToken: f('token') }),
    },
    'request-authorizer': {
      summary: 'Request for a Lambda authorizer of a REST API',
      fields: { ...AUTHORIZER_FIELDS(), stage: 'test', method: 'GET', resource: 'request' },
      build: (f) => {
        const {
          body: _,
          isBase64Encoded: __,
          ...request
        } = restRequest((name) =>
          name === 'path'
            ? `/${f('resource')}`
            : name === 'resource'
              ? `/${f('resource')}`
              : (REQUEST_DEFAULTS[name] ?? f(name)),
        );
        return { type: 'REQUEST', methodArn: methodArn(f), ...request };
      },
    },
    'http-api-authorizer': {
      summary: 'Request for a Lambda authorizer of an HTTP API (payload format 2.0)',
      fields: {
        ...URL_FIELDS,
        stage: '$default',
        ...REGION,
        ...PARTITION,
        token: 'Bearer token',
        'dns-suffix': 'us-east-1.amazonaws.com',
      },
      build: (f) => {
        const {
          body: _,
          isBase64Encoded: __,
          ...request
        } = payloadV2(f, f('stage'), `abcdef1234.execute-api.${f('dns-suffix')}`);
        return {
          ...request,
          type: 'REQUEST',
          routeArn: arnOf(f, 'execute-api', `abcdef1234/${f('stage')}/${f('method')}${f('path')}`),
          identitySource: [f('token')],
          headers: { ...request.headers, authorization: f('token') },
        };
      },
    },
  }),
  ...eventsOf('alb', {
    request: {
      summary: 'HTTP request to a load balancer',
      fields: {
        method: HTTP_FIELDS.method,
        path: HTTP_FIELDS.path,
        body: HTTP_FIELDS.body,
        query: HTTP_FIELDS.query,
        ...ACCOUNT,
        ...REGION,
        ...PARTITION,
        'dns-suffix': 'us-east-2.elb.amazonaws.com',
      },
      build: (f) => ({
        requestContext: {
          elb: {
            targetGroupArn: arnOf(f, 'elasticloadbalancing', 'targetgroup/my-targets/6d0ecf831eec9f09'),
          },
        },
        httpMethod: f('method'),
        path: withSlash(f('path')),
        queryStringParameters: parametersOf(f('query')) ?? {},
        headers: {
          accept: '*/*',
          'content-type': 'application/json',
          host: `my-load-balancer-1234567890.${f('dns-suffix')}`,
          'user-agent': 'curl/8.5.0',
          'x-amzn-trace-id': 'Root=1-6968d5c0-1a2b3c4d5e6f708192a3b4c5',
          'x-forwarded-for': '203.0.113.10',
          'x-forwarded-port': '443',
          'x-forwarded-proto': 'https',
        },
        body: f('body'),
        isBase64Encoded: false,
      }),
    },
  }),
];

const REQUEST_DEFAULTS: Readonly<Record<string, string>> = {
  body: '',
  query: 'foo=bar',
  'dns-suffix': 'us-east-1.amazonaws.com',
};

function AUTHORIZER_FIELDS() {
  return { ...ACCOUNT, ...REGION, ...PARTITION, 'rest-api-id': 'abcdef1234' } as const;
}

type Field = (name: string) => string;

function methodArn(f: Field): string {
  return arnOf(f, 'execute-api', `${f('rest-api-id')}/${f('stage')}/${f('method')}/${f('resource')}`);
}

function payloadV2(f: Field, stage: string, host: string) {
  const path = withSlash(f('path'));
  const query = parametersOf(f('query'));
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString: f('query'),
    headers: {
      accept: '*/*',
      'content-type': 'application/json',
      host,
      'user-agent': 'curl/8.5.0',
      'x-amzn-trace-id': 'Root=1-6968d5c0-1a2b3c4d5e6f708192a3b4c5',
      'x-forwarded-for': '203.0.113.10',
      'x-forwarded-port': '443',
      'x-forwarded-proto': 'https',
    },
    ...(query !== undefined && { queryStringParameters: query }),
    requestContext: {
      accountId: f('account-id'),
      apiId: host.split('.')[0],
      domainName: host,
      domainPrefix: host.split('.')[0],
      http: {
        method: f('method'),
        path,
        protocol: 'HTTP/1.1',
        sourceIp: '203.0.113.10',
        userAgent: 'curl/8.5.0',
      },
      requestId: REQUEST_ID,
      routeKey: '$default',
      stage,
      time: '15/Jan/2026:12:00:00 +0000',
      timeEpoch: EPOCH_MS,
    },
    body: f('body'),
    isBase64Encoded: false,
  };
}

function restRequest(f: Field) {
  const path = withSlash(f('path'));
  const host = `abcdef1234.execute-api.${f('dns-suffix')}`;
  const headers = {
    Accept: '*/*',
    'Content-Type': 'application/json',
    Host: host,
    'User-Agent': 'curl/8.5.0',
    'X-Amzn-Trace-Id': 'Root=1-6968d5c0-1a2b3c4d5e6f708192a3b4c5',
    'X-Forwarded-For': '203.0.113.10',
    'X-Forwarded-Port': '443',
    'X-Forwarded-Proto': 'https',
  };
  const query = parametersOf(f('query'));
  const proxy = f('resource') === '/{proxy+}' ? { proxy: path.slice(1) } : null;
  return {
    resource: f('resource'),
    path,
    httpMethod: f('method'),
    headers,
    multiValueHeaders: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
    queryStringParameters: query ?? null,
    multiValueQueryStringParameters:
      query === undefined ? null : Object.fromEntries(Object.entries(query).map(([name, value]) => [name, [value]])),
    pathParameters: proxy,
    stageVariables: null,
    requestContext: {
      accountId: f('account-id'),
      apiId: 'abcdef1234',
      domainName: host,
      domainPrefix: 'abcdef1234',
      extendedRequestId: 'Xa1bCdEfGhIjKlM=',
      httpMethod: f('method'),
      identity: {
        accessKey: null,
        accountId: null,
        apiKey: null,
        caller: null,
        cognitoAuthenticationProvider: null,
        cognitoAuthenticationType: null,
        cognitoIdentityId: null,
        cognitoIdentityPoolId: null,
        principalOrgId: null,
        sourceIp: '203.0.113.10',
        user: null,
        userAgent: 'curl/8.5.0',
        userArn: null,
      },
      path: `/${f('stage')}${path}`,
      protocol: 'HTTP/1.1',
      requestId: REQUEST_ID,
      requestTime: '15/Jan/2026:12:00:00 +0000',
      requestTimeEpoch: Date.parse(TIME),
      resourceId: 'a1b2c3',
      resourcePath: f('resource'),
      stage: f('stage'),
    },
    body: f('body'),
    isBase64Encoded: false,
  };
}

function withSlash(path: string): string {
  return path.startsWith('/') ? path : `/${path}`;
}

/** The last value of each name, as all of these gateways have it; undefined without a query. */
function parametersOf(query: string): Record<string, string> | undefined {
  return query === '' ? undefined : Object.fromEntries(new URLSearchParams(query));
}
