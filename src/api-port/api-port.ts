/**
 * The door of the API port: one address answers for several of AWS's services, told apart by the credential scope of
 * the request's signature, as every AWS client sends it. Lets in (`http/guard.ts`, and `authentication.ts` if asked
 * for), names the call and hands it on; what a service answers is the service's business. Unsigned requests are told
 * apart by their looks.
 */
import { randomUUID } from 'node:crypto';
import { isAdminTarget } from '../admin-api/admin-api.ts';
import type { HttpHandler, HttpRequest, HttpResponse } from '../http/exchange.ts';
import { checkCaller } from '../http/guard.ts';
import type { Log } from '../log.ts';
import { IAM_VERSION } from '../protocol/iam-operations.ts';
import { LOGS_TARGET_PREFIX } from '../protocol/logs-operations.ts';
import type { RequestId } from '../protocol/names.ts';
import { SNS_VERSION } from '../protocol/sns-operations.ts';
import { SQS_TARGET_PREFIX, SQS_VERSION } from '../protocol/sqs-operations.ts';
import { STS_VERSION } from '../protocol/sts-operations.ts';
import type { ApiCall, ServiceHandler } from '../wire/api-call.ts';
import { renderError } from '../wire/query-protocol.ts';
import { parseCredentialScope } from '../wire/sigv4.ts';
import type { Authenticator } from './authentication.ts';
import { renderAuthenticationFault } from './authentication.ts';

export type ApiServices = {
  readonly lambda: ServiceHandler;
  readonly iam: ServiceHandler;
  readonly sts: ServiceHandler;
  readonly logs: ServiceHandler;
  readonly s3?: ServiceHandler | undefined;
  readonly sqs?: ServiceHandler | undefined;
  readonly sns?: ServiceHandler | undefined;
};

export type ApiHandlerOptions = ApiServices & {
  /** Answers Lamella's own calls. */
  readonly admin?: ServiceHandler | undefined;
  /** For unsigned requests. */
  readonly defaultRegion: string;
  readonly accountId: string;
  /** The host that the port was bound to; clients may name it. */
  readonly boundHost?: string;
  /** Further names by which clients may call (`--allow-host`). */
  readonly allowedHosts: readonly string[];
  /** When given, requests without a valid signature by one of its keys are refused. */
  readonly authenticator?: Authenticator | undefined;
  readonly log: Log;
};

type ServiceName = keyof ApiServices;

const SERVICE_NAMES: readonly ServiceName[] = ['lambda', 'iam', 'sts', 'logs', 's3', 'sqs', 'sns'];
const REGION = /^[a-z]{2,5}(-[a-z]+)+-\d{1,2}$/;

const ADMITTED = { admitted: true } as const;
const REMEMBERED_HOSTS = 100;
const NO_QUERY = new URLSearchParams();

/** The handler of the whole API port. */
export function createApiHandler(options: ApiHandlerOptions): HttpHandler {
  const policy = { boundHost: options.boundHost ?? '127.0.0.1', allowedHosts: options.allowedHosts };
  // Clients repeat themselves: what was admitted by its Host alone is admitted again.
  const admitted = new Set<string>();
  const judge = ({ headers, socket }: HttpRequest) => {
    if (headers.origin !== undefined || headers['sec-fetch-site'] !== undefined) {
      return checkCaller(headers, policy, socket.localAddress);
    }
    const key = `${headers.host} ${socket.localAddress}`;
    if (admitted.has(key)) return ADMITTED;
    const verdict = checkCaller(headers, policy, socket.localAddress);
    if (verdict.admitted && admitted.size < REMEMBERED_HOSTS) admitted.add(key);
    return verdict;
  };
  return async (request, response) => {
    const requestId = randomUUID() as RequestId;
    const verdict = judge(request);
    if (!verdict.admitted) {
      response.setHeader('x-amzn-RequestId', requestId);
      options.log.warn(
        { requestId, host: request.headers.host, origin: request.headers.origin },
        'foreign caller refused',
      );
      return sendJsonError(response, 403, 'AccessDeniedException', `Refused: ${verdict.reason}.`);
    }
    const query = request.url?.includes('?') ? new URLSearchParams(queryOf(request)) : NO_QUERY;
    const credential = parseCredentialScope(request.headers.authorization, query);
    const service = credential ? credential.service : await guessService(request, query);
    const authentication = await options.authenticator?.authenticate(request);
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
    // Lambda writes it with its other headers: set before them, it would make Node merge all the slow way.
    if (service !== 'lambda') response.setHeader('x-amzn-RequestId', requestId);
    if (authentication && 'fault' in authentication) {
      response.setHeader('x-amzn-RequestId', requestId);
      return renderAuthenticationFault(call, service, authentication.fault);
    }
    if (options.admin !== undefined && isAdminTarget(request.url ?? '/')) return options.admin(call);
    const name = SERVICE_NAMES.find((known) => known === service);
    const handler = name && options[name];
    if (handler === undefined) return refuseService(call, service, options);
    await handler(call);
  };
}

function queryOf(request: HttpRequest): string {
  const url = request.url ?? '/';
  const start = url.indexOf('?');
  return start < 0 ? '' : url.slice(start + 1);
}

async function guessService(request: HttpRequest, query: URLSearchParams): Promise<ServiceName> {
  const target = request.headers['x-amz-target'];
  if (typeof target === 'string' && target.startsWith(`${LOGS_TARGET_PREFIX}.`)) return 'logs';
  if (typeof target === 'string' && target.startsWith(`${SQS_TARGET_PREFIX}.`)) return 'sqs';
  if (/(^|\.)s3(\.[a-z0-9-]+)?\.localhost(:\d+)?$/i.test(request.headers.host ?? '')) return 's3';
  // Only S3 still knew SigV2: older tools presign with it for endpoints that they have never heard of.
  if (query.has('AWSAccessKeyId') || request.headers.authorization?.startsWith('AWS ')) return 's3';
  // Of these, SQS alone has another path: that of a queue.
  if (/^\/\d{12}\/[^/?]+\?/.test(request.url ?? '/') && query.has('Action')) return 'sqs';
  if (/^\/(\d{12}\/[^/?]+)?(\?|$)/.test(request.url ?? '/')) {
    const version = query.get('Version') ?? (isForm(request) ? await peekVersion(request) : undefined);
    if (version === IAM_VERSION) return 'iam';
    if (version === STS_VERSION) return 'sts';
    if (version === SNS_VERSION) return 'sns';
    if (version === SQS_VERSION) return 'sqs';
  }
  return 'lambda';
}

function isForm(request: HttpRequest): boolean {
  return request.headers['content-type']?.startsWith('application/x-www-form-urlencoded') ?? false;
}

/** `Version` from the first piece of a form, which is put back: the service reads the body as if untouched. */
async function peekVersion(request: HttpRequest): Promise<string | undefined> {
  const piece = await firstPiece(request);
  return piece === undefined ? undefined : (new URLSearchParams(piece.toString('utf8')).get('Version') ?? undefined);
}

function firstPiece(request: HttpRequest): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const settle = (piece: Buffer | undefined) => {
      request.off('readable', onReadable).off('end', onEnd).off('error', onEnd).off('close', onEnd);
      if (piece) request.unshift(piece);
      resolve(piece);
    };
    const onReadable = () => {
      const piece = request.read() as Buffer | null;
      if (piece !== null) settle(piece);
    };
    const onEnd = () => settle(undefined);
    request.on('readable', onReadable).on('end', onEnd).on('error', onEnd).on('close', onEnd);
  });
}

/** Said in the protocol that the client seems to speak, so that its SDK shows the text. */
function refuseService(call: ApiCall, service: string, services: ApiServices): void {
  const code = 'NotImplementedException';
  const offered = SERVICE_NAMES.filter((name) => services[name] !== undefined);
  const message = `Lamella does not offer the service '${service}'. It answers for ${offered.join(', ')}.`;
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
