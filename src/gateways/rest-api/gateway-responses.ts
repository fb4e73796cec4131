/**
 * Gateway responses of a REST API: what replaces the API's own errors. Each kind of error has a type; `DEFAULT_4XX` and
 * `DEFAULT_5XX` stand for those without a response of their own. Pure.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
 */
import { isObject, parseJson } from '../exchange/function-response.ts';
import { firstValue, type Header, type RequestHead } from '../exchange/gateway-request.ts';
import type { GatewayResponse } from '../exchange/proxy-integration.ts';

export type GatewayResponseRule = {
  readonly status?: number | undefined;
  /** Text in single quotes, `method.request.header.NAME`, `context.NAME` or `stageVariables.NAME`, by header. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** By media type. `$context` and `$stageVariables` are replaced in them. */
  readonly templates?: Readonly<Record<string, string>> | undefined;
};

/** By the type of the error. */
export type GatewayResponses = Readonly<Record<string, GatewayResponseRule>>;

/** What templates and headers can name. */
export type ErrorContext = {
  readonly gatewayResponses: GatewayResponses;
  readonly accountId: string;
  readonly apiId: string;
  readonly stage: string;
  readonly stageVariables: Readonly<Record<string, string>> | undefined;
  readonly resourcePath?: string | undefined;
  readonly extendedRequestId: string;
};

/** The types that errors of Lamella's REST APIs have, by the error type in their headers. */
const TYPES: Readonly<Record<string, string>> = {
  AccessDeniedException: 'ACCESS_DENIED',
  AuthorizerConfigurationException: 'AUTHORIZER_CONFIGURATION_ERROR',
  ExpiredTokenException: 'EXPIRED_TOKEN',
  ForbiddenException: 'INVALID_API_KEY',
  IncompleteSignatureException: 'INVALID_SIGNATURE',
  InvalidSignatureException: 'INVALID_SIGNATURE',
  MissingAuthenticationTokenException: 'MISSING_AUTHENTICATION_TOKEN',
  RequestTooLongException: 'REQUEST_TOO_LARGE',
  UnauthorizedException: 'UNAUTHORIZED',
};

/** The response that the API has for an error, or the error as it is. */
export function customizeError(response: GatewayResponse, head: RequestHead, context: ErrorContext): GatewayResponse {
  const { gatewayResponses } = context;
  const type = typeOf(response);
  const fallback = response.status >= 500 ? 'DEFAULT_5XX' : 'DEFAULT_4XX';
  const rule = ownRule(gatewayResponses, type) ?? ownRule(gatewayResponses, fallback);
  if (rule === undefined) return response;
  const variables = variablesOf(response, type ?? fallback, head, context);
  const template = chooseTemplate(rule.templates, head);
  const given = Object.entries(rule.headers ?? {}).flatMap(([name, source]): Header[] => {
    const value = headerValue(source, head, variables, context);
    return value === undefined ? [] : [[name, value]];
  });
  const replaced = new Set([...given.map(([name]) => name.toLowerCase()), ...(template ? ['content-type'] : [])]);
  const kept = response.headers.filter(([name]) => !replaced.has(name.toLowerCase()));
  return {
    status: rule.status ?? response.status,
    headers: [...(template ? [['Content-Type', template.mediaType] as const] : []), ...kept, ...given],
    body: template ? Buffer.from(renderTemplate(template.text, variables, context)) : response.body,
  };
}

function ownRule(responses: GatewayResponses, type: string | undefined): GatewayResponseRule | undefined {
  return type !== undefined && Object.hasOwn(responses, type) ? responses[type] : undefined;
}

function typeOf({ headers, status }: GatewayResponse): string | undefined {
  if (status === 413) return 'REQUEST_TOO_LARGE';
  if (status === 504) return 'INTEGRATION_TIMEOUT';
  const errorType = headers.find(([name]) => name.toLowerCase() === 'x-amzn-errortype')?.[1] ?? '';
  return Object.hasOwn(TYPES, errorType) ? TYPES[errorType] : undefined;
}

type Variables = Readonly<Record<string, string | undefined>>;

function variablesOf(
  { body }: GatewayResponse,
  responseType: string,
  head: RequestHead,
  context: ErrorContext,
): Variables {
  const json = parseJson(body)?.value;
  const found = isObject(json) ? (json.message ?? json.Message) : body.toString('utf8');
  const message = typeof found === 'string' ? found : null;
  return {
    accountId: context.accountId,
    apiId: context.apiId,
    'error.message': message ?? '',
    'error.messageString': JSON.stringify(message),
    'error.responseType': responseType,
    'error.validationErrorString': '',
    extendedRequestId: context.extendedRequestId,
    httpMethod: head.method,
    'identity.sourceIp': head.sourceIp,
    'identity.userAgent': firstValue(head.headers, 'user-agent'),
    path: head.path,
    requestId: head.requestId,
    requestTimeEpoch: String(head.receivedMs),
    resourcePath: context.resourcePath,
    stage: context.stage,
  };
}

/** The first media type that the client accepts; JSON if it names none of them. */
function chooseTemplate(
  templates: GatewayResponseRule['templates'],
  { headers }: RequestHead,
): { readonly mediaType: string; readonly text: string } | undefined {
  if (templates === undefined) return undefined;
  const accepted = (firstValue(headers, 'accept') ?? '').split(',').map((one) => one.split(';', 1)[0]?.trim() ?? '');
  const mediaType = [...accepted, 'application/json', ...Object.keys(templates)].find((one) =>
    Object.hasOwn(templates, one),
  );
  const text = mediaType === undefined ? undefined : templates[mediaType];
  return mediaType === undefined || text === undefined ? undefined : { mediaType, text };
}

function renderTemplate(text: string, variables: Variables, { stageVariables }: ErrorContext): string {
  return text
    .replace(
      /\$(?:context\.([A-Za-z][\w.]*\w)|\{context\.([A-Za-z][\w.]*\w)\})/g,
      (_, plain?: string, braced?: string) => variableOf(variables, plain ?? braced ?? ''),
    )
    .replace(/\$(?:stageVariables\.(\w+)|\{stageVariables\.(\w+)\})/g, (_, plain?: string, braced?: string) =>
      variableOf(stageVariables ?? {}, plain ?? braced ?? ''),
    );
}

function variableOf(variables: Variables, name: string): string {
  return (Object.hasOwn(variables, name) ? variables[name] : undefined) ?? '';
}

function headerValue(
  source: string,
  { headers }: RequestHead,
  variables: Variables,
  { stageVariables }: ErrorContext,
): string | undefined {
  const [, fixed] = /^'(.*)'$/s.exec(source) ?? [];
  if (fixed !== undefined) return fixed;
  const [, kind, name = ''] = /^(method\.request\.header|context|stageVariables)\.(.+)$/.exec(source) ?? [];
  if (kind === 'method.request.header') return firstValue(headers, name.toLowerCase());
  return variableOf(kind === 'context' ? variables : (stageVariables ?? {}), name) || undefined;
}
