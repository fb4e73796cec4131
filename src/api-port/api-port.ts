/**
 * The API port: one address for several AWS services. The credential scope in a request's signature, which every AWS
 * client sends, selects the service; for unsigned requests the service is inferred from the request. Admits callers
 * (`http/guard.ts`, and `authentication.ts` with `--enforce-auth`) and passes each call to its service.
 */
import { randomUUID } from 'node:crypto';
import { isAdminTarget } from '../admin-api/admin-api.ts';
import type { HttpHandler, HttpRequest, HttpResponse } from '../http/exchange.ts';
import { CONTENT_PREFIX } from '../lambda-api/operations/content.ts';
import type { Log } from '../log.ts';
import { CLOUDFORMATION_VERSION } from '../protocol/cloudformation-operations.ts';
import { CLOUDTRAIL_TARGET_PREFIX } from '../protocol/cloudtrail-operations.ts';
import { DYNAMODB_STREAMS_TARGET_PREFIX, DYNAMODB_TARGET_PREFIX } from '../protocol/dynamodb-operations.ts';
import { ECR_TARGET_PREFIX } from '../protocol/ecr-operations.ts';
import { EVENTS_TARGET_PREFIX } from '../protocol/events-operations.ts';
import { IAM_VERSION } from '../protocol/iam-operations.ts';
import { LOGS_TARGET_PREFIX } from '../protocol/logs-operations.ts';
import type { RequestId } from '../protocol/names.ts';
import { SECRETS_TARGET_PREFIX } from '../protocol/secretsmanager-operations.ts';
import { SNS_VERSION } from '../protocol/sns-operations.ts';
import { SQS_TARGET_PREFIX, SQS_VERSION } from '../protocol/sqs-operations.ts';
import { SSM_TARGET_PREFIX } from '../protocol/ssm-operations.ts';
import { STS_VERSION } from '../protocol/sts-operations.ts';
import { CALLBACK_PREFIX } from '../stacks/signals.ts';
import type { ApiCall, ServiceHandler } from '../wire/api-call.ts';
import { renderError } from '../wire/query-protocol.ts';
import { parseCredentialScope } from '../wire/sigv4.ts';
import type { Authenticator } from './authentication.ts';
import { renderAuthenticationFault } from './authentication.ts';
import { createCallerCheck } from './callers.ts';

export type ApiServices = {
  readonly lambda: ServiceHandler;
  readonly iam: ServiceHandler;
  readonly sts: ServiceHandler;
  readonly logs: ServiceHandler;
  readonly s3?: ServiceHandler | undefined;
  readonly sqs?: ServiceHandler | undefined;
  readonly sns?: ServiceHandler | undefined;
  readonly events?: ServiceHandler | undefined;
  readonly scheduler?: ServiceHandler | undefined;
  readonly ssm?: ServiceHandler | undefined;
  readonly secretsmanager?: ServiceHandler | undefined;
  readonly cloudformation?: ServiceHandler | undefined;
  readonly apigateway?: ServiceHandler | undefined;
  readonly elasticloadbalancing?: ServiceHandler | undefined;
  readonly ecr?: ServiceHandler | undefined;
  readonly dynamodb?: ServiceHandler | undefined;
  readonly cloudtrail?: ServiceHandler | undefined;
};

export type ApiHandlerOptions = ApiServices & {
  /** The admin API. */
  readonly admin?: ServiceHandler | undefined;
  /** Responses to wait handles and custom resources of stacks, at URLs whose last part is secret. */
  readonly callbacks?: ServiceHandler | undefined;
  /** The region of unsigned requests. */
  readonly defaultRegion: string;
  readonly accountId: string;
  /** The host that the port is bound to; clients may use it in `Host`. Defaults to 127.0.0.1. */
  readonly boundHost?: string;
  /** Further values of `Host` that clients may use (`--allow-host`). */
  readonly allowedHosts: readonly string[];
  /** Refuses requests without a valid signature. Optional. */
  readonly authenticator?: Authenticator | undefined;
  readonly log: Log;
};

type ServiceName = keyof ApiServices;

const SERVICE_NAMES: readonly ServiceName[] = [
  'lambda',
  'iam',
  'sts',
  'logs',
  's3',
  'sqs',
  'sns',
  'events',
  'scheduler',
  'ssm',
  'secretsmanager',
  'cloudformation',
  'apigateway',
  'elasticloadbalancing',
  'ecr',
  'dynamodb',
  'cloudtrail',
];
const BY_TARGET: Readonly<Record<string, ServiceName>> = {
  [LOGS_TARGET_PREFIX]: 'logs',
  [SQS_TARGET_PREFIX]: 'sqs',
  [EVENTS_TARGET_PREFIX]: 'events',
  [SSM_TARGET_PREFIX]: 'ssm',
  [SECRETS_TARGET_PREFIX]: 'secretsmanager',
  [ECR_TARGET_PREFIX]: 'ecr',
  [CLOUDTRAIL_TARGET_PREFIX]: 'cloudtrail',
  [DYNAMODB_TARGET_PREFIX]: 'dynamodb',
  [DYNAMODB_STREAMS_TARGET_PREFIX]: 'dynamodb',
};
/** A region in a credential scope. */
export const REGION = /^[a-z]{2,5}(-[a-z]+)+-\d{1,2}$/;

const NO_QUERY = new URLSearchParams();

/** Creates the handler of the whole API port. */
export function createApiHandler(options: ApiHandlerOptions): HttpHandler {
  const { boundHost = '127.0.0.1', allowedHosts } = options;
  const judge = createCallerCheck({ boundHost, allowedHosts });
  return async (request, response) => {
    const requestId = randomUUID() as RequestId;
    const verdict = judge(request);
    if (!verdict.admitted) {
      response.setHeader('x-amzn-RequestId', requestId);
      options.log.warn(
        { requestId, host: request.headers.host, origin: request.headers.origin },
        'request from a foreign host or origin refused',
      );
      return sendJsonError(response, 403, 'AccessDeniedException', `Refused: ${verdict.reason}.`);
    }
    const query = request.url?.includes('?') ? new URLSearchParams(queryOf(request)) : NO_QUERY;
    const credential = parseCredentialScope(request.headers.authorization, query);
    const service = credential ? credential.service : await guessService(request, query);
    if (request.headers.authorization === undefined && isChangeByLink(request, query))
      return refuseLink(response, requestId);
    // The URL of a download carries its own signature, which the Lambda API verifies.
    const isCallback = options.callbacks !== undefined && (request.url ?? '/').startsWith(CALLBACK_PREFIX);
    const isVerified = isCallback || isDownload(request);
    const authentication = isVerified ? undefined : await options.authenticator?.authenticate(request);
    const call: ApiCall = {
      request,
      response,
      requestId,
      scope: {
        region: credential?.region && REGION.test(credential.region) ? credential.region : options.defaultRegion,
        account: options.accountId,
      },
      baseUrl: `http://${request.headers.host}`,
      accessKeyId: credential?.accessKeyId,
      signature: authentication && 'verified' in authentication ? authentication.verified : undefined,
    };
    // The Lambda API writes it with its other headers: setting it first would send Node down a slower path for all
    // headers.
    if (service !== 'lambda') response.setHeader('x-amzn-RequestId', requestId);
    if (authentication && 'fault' in authentication) {
      response.setHeader('x-amzn-RequestId', requestId);
      return renderAuthenticationFault(call, service, authentication.fault);
    }
    if (isCallback) return options.callbacks?.(call);
    if (options.admin !== undefined && isAdminTarget(request.url ?? '/')) return options.admin(call);
    const name = SERVICE_NAMES.find((known) => known === service);
    const handler = name && options[name];
    if (handler === undefined) return refuseService(call, service, options);
    await handler(call);
  };
}

/**
 * Whether an unsigned GET would change something, by the query protocol. A page of any origin can send such a request,
 * with `<img src>`, and older browsers do not say from where. AWS's own clients sign, and send POST.
 */
function isChangeByLink({ method }: HttpRequest, query: URLSearchParams): boolean {
  const action = query.get('Action');
  return action !== null && (method === 'GET' || method === 'HEAD') && !/^(?:Get|List|Describe)[A-Z]/.test(action);
}

function refuseLink(response: HttpResponse, requestId: RequestId): void {
  response.setHeader('x-amzn-RequestId', requestId);
  const reason = 'an unsigned GET request must not change anything; send it with POST, or sign it';
  sendJsonError(response, 403, 'AccessDeniedException', `Refused: ${reason}.`);
}

function isDownload({ method, url }: HttpRequest): boolean {
  return (method === 'GET' || method === 'HEAD') && (url ?? '/').startsWith(CONTENT_PREFIX);
}

function queryOf(request: HttpRequest): string {
  const url = request.url ?? '/';
  const start = url.indexOf('?');
  return start < 0 ? '' : url.slice(start + 1);
}

async function guessService(request: HttpRequest, query: URLSearchParams): Promise<ServiceName> {
  const target = request.headers['x-amz-target'];
  const targeted = typeof target === 'string' ? BY_TARGET[target.slice(0, target.indexOf('.'))] : undefined;
  if (targeted !== undefined) return targeted;
  if (/(^|\.)s3(\.[a-z0-9-]+)?\.localhost(:\d+)?$/i.test(request.headers.host ?? '')) return 's3';
  // SigV2 is only used for S3: older tools presign with it when they do not know the endpoint.
  if (query.has('AWSAccessKeyId') || request.headers.authorization?.startsWith('AWS ')) return 's3';
  // Among the services with a query protocol, only SQS has paths other than `/`: those of queues.
  if (/^\/\d{12}\/[^/?]+\?/.test(request.url ?? '/') && query.has('Action')) return 'sqs';
  if (/^\/(\d{12}\/[^/?]+)?(\?|$)/.test(request.url ?? '/')) {
    const version = query.get('Version') ?? (isForm(request) ? await peekVersion(request) : undefined);
    if (version === IAM_VERSION) return 'iam';
    if (version === STS_VERSION) return 'sts';
    if (version === SNS_VERSION) return 'sns';
    if (version === SQS_VERSION) return 'sqs';
    if (version === CLOUDFORMATION_VERSION) return 'cloudformation';
  }
  return 'lambda';
}

function isForm(request: HttpRequest): boolean {
  return request.headers['content-type']?.startsWith('application/x-www-form-urlencoded') ?? false;
}

/** Reads `Version` from the first chunk of a form and puts the chunk back, so that the service reads the whole body. */
async function peekVersion(request: HttpRequest): Promise<string | undefined> {
  const chunk = await firstChunk(request);
  return chunk === undefined ? undefined : (new URLSearchParams(chunk.toString('utf8')).get('Version') ?? undefined);
}

function firstChunk(request: HttpRequest): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const settle = (chunk: Buffer | undefined) => {
      request.off('readable', onReadable).off('end', onEnd).off('error', onEnd).off('close', onEnd);
      if (chunk) request.unshift(chunk);
      resolve(chunk);
    };
    const onReadable = () => {
      const chunk = request.read() as Buffer | null;
      if (chunk !== null) settle(chunk);
    };
    const onEnd = () => settle(undefined);
    request.on('readable', onReadable).on('end', onEnd).on('error', onEnd).on('close', onEnd);
  });
}

/** Responds in the protocol that the client seems to use, so that its SDK shows the message. */
function refuseService(call: ApiCall, service: string, services: ApiServices): void {
  const code = 'NotImplementedException';
  const offered = SERVICE_NAMES.filter((name) => services[name] !== undefined);
  const message = `Lamella does not offer the service '${service}'. Available services: ${offered.join(', ')}.`;
  call.request.resume();
  if (isForm(call.request)) {
    const xml = renderError('https://lamella.invalid/', code, 501, message, call.requestId);
    call.response.writeHead(501, { 'Content-Type': 'text/xml' }).end(xml);
  } else {
    sendJsonError(call.response, 501, code, message);
  }
}

function sendJsonError(response: HttpResponse, status: number, code: string, message: string): void {
  response
    .writeHead(status, { 'Content-Type': 'application/json', 'x-amzn-ErrorType': code })
    .end(JSON.stringify({ __type: code, Message: message }));
}
