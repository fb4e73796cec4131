/**
 * Payload format 2.0, shared by function URLs and HTTP APIs: the event, and responses in which statusCode is optional.
 * Pure. Where the documentation and recordings differ, the recordings win (2025-04 by aws-lambda-dotnet, 2026-07 by
 * hotsock/voker).
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 */
import { encodeBody } from '../exchange/body-encoding.ts';
import { type FunctionResponse, isObject, parseFunctionResponse, parseJson } from '../exchange/function-response.ts';
import {
  firstValue,
  groupQuery,
  type HeaderGroup,
  parseCookies,
  parseQuery,
  type ReceivedRequest,
  renderLogTime,
  sorted,
} from '../exchange/gateway-request.ts';

/** What the event contains in addition to the request. */
export type Payload2Context = {
  readonly routeKey: string;
  readonly rawPath: string;
  /** `requestContext.http.path` */
  readonly path: string;
  readonly accountId: string;
  readonly apiId: string;
  readonly domainName: string;
  readonly domainPrefix: string;
  readonly stage: string;
  readonly requestId: string;
  readonly authorizer?: object | undefined;
  readonly pathParameters?: Readonly<Record<string, string>> | undefined;
  readonly stageVariables?: Readonly<Record<string, string>> | undefined;
};

/** Renders the event. `headers` are by lower-case name. */
export function renderPayload2(
  request: ReceivedRequest,
  headers: ReadonlyMap<string, HeaderGroup>,
  context: Payload2Context,
) {
  const cookies = parseCookies(request.headers);
  const query = groupQuery(parseQuery(request.query));
  const body =
    request.body.length === 0 ? undefined : encodeBody(request.body, firstValue(request.headers, 'content-type'));
  return {
    version: '2.0',
    routeKey: context.routeKey,
    rawPath: context.rawPath,
    rawQueryString: request.query,
    cookies: cookies.length > 0 ? cookies : undefined,
    headers: joinHeaders(headers),
    queryStringParameters:
      query.size > 0 ? sorted([...query].map(([name, values]) => [name, values.join(',')])) : undefined,
    requestContext: {
      accountId: context.accountId,
      apiId: context.apiId,
      authorizer: context.authorizer,
      domainName: context.domainName,
      domainPrefix: context.domainPrefix,
      http: {
        method: request.method,
        path: context.path,
        protocol: 'HTTP/1.1',
        sourceIp: request.sourceIp,
        userAgent: firstValue(request.headers, 'user-agent') ?? '',
      },
      requestId: context.requestId,
      routeKey: context.routeKey,
      stage: context.stage,
      time: renderLogTime(request.receivedMs),
      timeEpoch: request.receivedMs,
    },
    body: body?.body,
    pathParameters: context.pathParameters,
    isBase64Encoded: body?.isBase64Encoded ?? false,
    stageVariables: context.stageVariables,
  };
}

export type Payload2Event = ReturnType<typeof renderPayload2>;

function joinHeaders(headers: ReadonlyMap<string, HeaderGroup>): Record<string, string> {
  // Cookies in one header are separated by semicolons.
  return sorted([...headers].map(([name, { values }]) => [name, values.join(name === 'cookie' ? '; ' : ',')]));
}

/** A response with statusCode, or a body alone. */
export type Payload2Response =
  | { readonly kind: 'full'; readonly response: FunctionResponse }
  | { readonly kind: 'body'; readonly value: unknown; readonly bytes: Buffer };

/**
 * Parses a response. Anything but an object with `statusCode` is a body: any other JSON, and text that is not JSON.
 * @throws MalformedResponse for an object with an invalid member beside statusCode
 */
export function parsePayload2Response(payload: Buffer, kind: 'function-url' | 'http-api-2.0'): Payload2Response {
  const json = parseJson(payload);
  if (json === undefined) return { kind: 'body', value: undefined, bytes: payload };
  if (isObject(json.value) && json.value.statusCode !== undefined) {
    return { kind: 'full', response: parseFunctionResponse(json.value, kind) };
  }
  // A JSON string becomes its text, without the quotes.
  const bytes = typeof json.value === 'string' ? Buffer.from(json.value, 'utf8') : payload;
  return { kind: 'body', value: json.value, bytes };
}
