/**
 * The HTTP gateways' port: finds the gateway of each request, has the function run, and writes its answer. Every rule of a
 * gateway's form is in the gateway's own file; here are sockets, limits and waiting. Cross-origin requests are let in, as on
 * AWS, and judged by each gateway's CORS; a host name that nobody gave to this service is not.
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { Invocation, Outcome } from '../environment/invocation.ts';
import type { FunctionVersion } from '../functions/function.ts';
import type { FunctionSettings } from '../functions/settings/open-settings.ts';
import type { LocatedUrl } from '../functions/settings/url-settings.ts';
import { BodyFailure, readBody } from '../http/body.ts';
import type { HttpHandler, HttpRequest, HttpResponse } from '../http/exchange.ts';
import { checkCaller } from '../http/guard.ts';
import { createTraces } from '../invocation/trace-header.ts';
import type { Log } from '../log.ts';
import { AUTHENTICATION_ERRORS } from '../protocol/authentication-errors.ts';
import type { FunctionName, RequestId, Scope } from '../protocol/names.ts';
import { renderFunctionArn } from '../protocol/names.ts';
import { QUOTAS } from '../protocol/quotas.ts';
import { ServiceError } from '../protocol/service-errors.ts';
import { verifySignature } from '../wire/sigv4.ts';
import { type ChosenGateway, chooseGateway } from './choose-gateway.ts';
import {
  type GatewayRequest,
  type Header,
  hostOf,
  parseRawHeaders,
  splitTarget,
  valuesOf,
} from './exchange/gateway-request.ts';
import {
  type FunctionFault,
  type GatewayResponse,
  MalformedAnswer,
  type ProxyIntegration,
  Refused,
} from './exchange/proxy-integration.ts';
import { StreamedAnswer } from './exchange/streamed-response.ts';
import { breakOff, writeChunk, writeHead, writeResponse } from './exchange/write-response.ts';
import { findTarget, type Target } from './find-target.ts';
import {
  answerPreflight,
  createFunctionUrlIntegration,
  FORBIDDEN,
  renderUrlHead,
  renderUrlRefusal,
  renderUrlTooLarge,
  type UrlCaller,
} from './function-url/function-url.ts';
import type { RouteFunction } from './gateway-config.ts';
import type { Gateways } from './gateways.ts';

export type GatewayHandlerOptions = {
  readonly gateways: Pick<Gateways, 'all'>;
  readonly settings: Pick<FunctionSettings, 'urls' | 'resolve'>;
  /** Runs a version; rejects only when this machine could not. */
  readonly invoke: (version: FunctionVersion, invocation: Invocation) => Promise<Outcome>;
  /** Of gateways whose functions name no region. */
  readonly defaultRegion: string;
  readonly accountId: string;
  /** The secret of an access key, for URLs with AWS_IAM. */
  readonly secretOf: (accessKeyId: string) => string | undefined;
  /** Whom an access key stands for. */
  readonly identityOf: (
    accessKeyId: string,
    scope: Scope,
  ) => { readonly account: string; readonly arn: string; readonly userId: string };
  /** The host that the port was bound to; clients may name it. */
  readonly boundHost: string;
  /** Further names by which clients may call (`--allow-host`). */
  readonly allowedHosts: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
};

/** What a request becomes before a gateway sees it. */
type Received = { readonly http: HttpRequest; readonly response: HttpResponse; readonly request: GatewayRequest };

type Run = Received & {
  readonly scope: Scope;
  readonly name: FunctionName;
  readonly qualifier: string | undefined;
  readonly integration: ProxyIntegration;
  /** How long the gateway waits; undefined for as long as it takes. */
  readonly patienceMs?: number | undefined;
};

/** The handler of the gateways' port. */
export function createGatewayHandler(options: GatewayHandlerOptions): HttpHandler {
  const { gateways, settings, invoke, accountId, clock, log } = options;
  const traces = createTraces(clock);
  const newApiRequestId = createApiRequestIds();

  /** The request's own refusal, before any gateway is asked; undefined for one that may go on. */
  function refuse(http: HttpRequest, headers: readonly Header[]): { status: number; message: string } | undefined {
    // Which of two hosts counts is what requests are smuggled with. https://www.rfc-editor.org/rfc/rfc9112#section-3.2
    if (valuesOf(headers, 'host').length > 1) return { status: 400, message: 'The request has more than one Host.' };
    const hosts = gateways.all().flatMap((gateway) => gateway.hosts);
    const policy = { boundHost: options.boundHost, allowedHosts: [...options.allowedHosts, ...hosts] };
    if (checkCaller({ host: http.headers.host }, policy, http.socket.localAddress).admitted) return undefined;
    log.warn({ host: http.headers.host }, 'a request to a foreign host was refused');
    const host = http.headers.host === undefined ? 'no host' : `the host '${http.headers.host}'`;
    const message = `Refused: ${host} is not this service's. If it is yours, start the service with --allow-host.`;
    return { status: 403, message };
  }

  /** The request without its body and its trace: whose those are shows later. */
  function receive(http: HttpRequest, headers: readonly Header[], path: string, query: string): GatewayRequest {
    return {
      method: http.method ?? 'GET',
      path,
      query,
      headers,
      body: NO_BODY,
      sourceIp: (http.socket.remoteAddress ?? '127.0.0.1').replace(/^::ffff:(?=\d+\.)/i, ''),
      port: http.socket.localPort ?? 0,
      requestId: randomUUID(),
      traceId: '',
      trace: '',
      receivedMs: Math.trunc(clock.epochMs()),
    };
  }

  function traced(http: HttpRequest, request: GatewayRequest, scope: Scope, name: FunctionName): GatewayRequest {
    const header = oneValue(http.headers['x-amzn-trace-id']);
    const trace = traces.start(header, renderFunctionArn(scope, name)).forFunction;
    return { ...request, trace, traceId: trace.split(';', 1)[0] ?? trace };
  }

  async function answerUrl(
    http: HttpRequest,
    response: HttpResponse,
    target: Target & { kind: 'function-url' },
    received: GatewayRequest,
  ) {
    const located = settings.urls.locate(target.id);
    let head: GatewayRequest = { ...received, path: target.path };
    if (located === undefined || (target.region !== undefined && target.region !== located.scope.region)) {
      http.resume();
      return writeResponse(
        response,
        head.method,
        renderUrlRefusal(403, 'AccessDeniedException', { Message: null }, head),
      );
    }
    const { scope, url } = located;
    const name = url.functionName as FunctionName;
    head = traced(http, head, scope, name);
    const preflight = answerPreflight(located.url, head);
    if (preflight) {
      http.resume();
      return writeResponse(response, head.method, preflight);
    }
    const request = { ...head, body: await readUrlBody(http, head) };
    const caller = located.url.authType === 'AWS_IAM' ? authenticate(http, request, located) : undefined;
    const domainName = `${url.id}.lambda-url.${scope.region}.localhost`;
    const integration = createFunctionUrlIntegration({ url, domainName, caller });
    const run: Run = { http, response, request, scope, name, qualifier: url.qualifier || undefined, integration };
    await (url.invokeMode === 'RESPONSE_STREAM' ? runStreaming(run, located) : runBuffered(run));
  }

  /** Who signed. @throws Refused */
  function authenticate(http: HttpRequest, request: GatewayRequest, { scope }: LocatedUrl): UrlCaller {
    const bodyHash = createHash('sha256').update(request.body).digest('hex');
    const signed = { method: request.method, target: http.url ?? '/', rawHeaders: http.rawHeaders };
    const result = verifySignature(signed, { secretOf: options.secretOf, nowMs: clock.epochMs(), bodyHash });
    if ('fault' in result) {
      const row = AUTHENTICATION_ERRORS['rest-json'][result.fault.kind];
      const body: Record<string, string> =
        result.fault.kind === 'missing' ? { Message: FORBIDDEN } : { message: row.message ?? result.fault.message };
      const errorType = result.fault.kind === 'missing' ? 'AccessDeniedException' : row.code;
      throw new Refused(renderUrlRefusal(row.status, errorType, body, request));
    }
    const { accessKeyId, service, region } = result.verified.scope;
    if (service !== 'lambda' || region !== scope.region) {
      const message = `Credential should be scoped to a valid region and to service 'lambda', not '${region}' and '${service}'.`;
      throw new Refused(renderUrlRefusal(403, 'InvalidSignatureException', { message }, request));
    }
    const { account, arn, userId } = options.identityOf(accessKeyId, scope);
    return { accessKey: accessKeyId, accountId: account, callerId: userId, userArn: arn, userId };
  }

  async function answerGateway(
    http: HttpRequest,
    response: HttpResponse,
    target: Target & { kind: 'gateways' },
    received: GatewayRequest,
  ) {
    const chosen = chooseGateway(target.candidates, received, {
      accountId,
      defaultRegion: options.defaultRegion,
      headBytes: headBytes(http),
      newApiRequestId,
    });
    if (chosen.kind === 'answered') {
      http.resume();
      return writeResponse(response, chosen.request.method, chosen.response);
    }
    const { name, qualifier } = chosen.target;
    const scope = scopeOf(chosen.target);
    const request = { ...traced(http, chosen.request, scope, name), body: await readGatewayBody(http, chosen) };
    await runBuffered({
      http,
      response,
      request,
      scope,
      name,
      qualifier,
      integration: chosen.integration,
      patienceMs: chosen.patienceMs,
    });
  }

  function scopeOf({ region, account }: RouteFunction): Scope {
    return { region: region ?? options.defaultRegion, account: account ?? accountId };
  }

  /** Runs a function whose answer is written once it is there. */
  async function runBuffered(run: Run): Promise<void> {
    const { integration, request, response } = run;
    const outcome = await withPatience(run, () => start(run));
    if (outcome.kind !== 'returned') return finish(run, integration.toFault(faultOf(outcome), request));
    let answer: GatewayResponse;
    try {
      answer = integration.toResponse(outcome.payload, request);
    } catch (failure) {
      if (!(failure instanceof MalformedAnswer)) throw failure;
      complain(run, failure);
      answer = integration.toFault({ kind: 'failed' }, request);
    }
    if (!response.destroyed) finish(run, answer);
  }

  /** Runs a function whose answer is passed on as it is written. */
  async function runStreaming(run: Run, { url }: LocatedUrl): Promise<void> {
    const { integration, request, response } = run;
    const streamed = new StreamedAnswer({
      head: ({ status, headers, cookies }) =>
        writeHead(response, status, renderUrlHead(url, request, headers, cookies, 'application/octet-stream')),
      write: (chunk) => (request.method === 'HEAD' ? undefined : writeChunk(response, chunk)),
    });
    const outcome = await start(run, streamed);
    if (outcome.kind === 'returned') {
      if (outcome.payload.length > 0) {
        streamed.begin(outcome.contentType);
        await streamed.write(outcome.payload);
      }
      streamed.end();
    }
    if (streamed.complaint) complain(run, streamed.complaint);
    if (outcome.kind === 'returned' && streamed.complaint === undefined) response.end();
    // What was sent cannot be taken back: the client sees that the end is missing.
    else if (streamed.isHeadSent) breakOff(response);
    else finish(run, integration.toFault(faultOf(outcome), request));
  }

  async function start(run: Run, responseSink?: StreamedAnswer): Promise<Outcome | FunctionFault> {
    const { request, scope, name, qualifier, integration } = run;
    let version: FunctionVersion;
    try {
      version = settings.resolve(scope, name, qualifier);
    } catch (failure) {
      if (!(failure instanceof ServiceError)) throw failure;
      log.warn({ function: name, qualifier }, `a gateway's function cannot be invoked: ${failure.message}`);
      return { kind: 'unavailable' };
    }
    const payload = Buffer.from(JSON.stringify(integration.toEvent(request)));
    if (payload.length > QUOTAS.invokePayloadBytes) return { kind: 'event-too-large' };
    const outcome = invoke(version, {
      requestId: request.requestId as RequestId,
      payload,
      invokedFunctionArn: renderFunctionArn(scope, name, qualifier),
      traceId: request.trace,
      clientContext: undefined,
      cognitoIdentity: undefined,
      wantsLogTail: false,
      responseSink,
    });
    return outcome.catch((failure: Error): FunctionFault => {
      log.error({ err: failure, function: name }, `a gateway's function could not be run: ${failure.message}`);
      return { kind: 'failed' };
    });
  }

  /** What comes first: the outcome, or the end of the gateway's patience. The function goes on either way. */
  async function withPatience(
    { patienceMs }: Run,
    work: () => Promise<Outcome | FunctionFault>,
  ): Promise<Outcome | FunctionFault> {
    const outcome = work();
    if (patienceMs === undefined) return outcome;
    let cancel: () => void = () => undefined;
    const timeout = new Promise<FunctionFault>((resolve) => {
      cancel = clock.after(patienceMs, () => resolve({ kind: 'too-slow' }));
    });
    return Promise.race([outcome, timeout]).finally(() => cancel());
  }

  function finish({ response, request }: Run, answer: GatewayResponse): void {
    if (!response.destroyed) writeResponse(response, request.method, answer);
  }

  function complain({ name }: Run, failure: MalformedAnswer): void {
    log.warn({ function: name }, `a function's answer is not one that its gateway takes: ${failure.message}`);
  }

  return async (http, response) => {
    const headers = parseRawHeaders(http.rawHeaders);
    const refusal = refuse(http, headers);
    if (refusal !== undefined) {
      http.resume();
      return sendJson(response, refusal.status, { message: refusal.message });
    }
    const { path, query } = splitTarget(http.url ?? '/');
    const target = findTarget(hostOf(headers), path, gateways.all());
    const received = receive(http, headers, path, query);
    try {
      switch (target.kind) {
        case 'function-url':
          return await answerUrl(http, response, target, received);
        case 'gateways':
          return await answerGateway(http, response, target, received);
        case 'nothing':
          http.resume();
          return sendJson(response, 404, { message: nothingHere(target.named, http.method ?? 'GET', path) });
      }
    } catch (failure) {
      if (failure instanceof BodyFailure && failure.reason === 'aborted') return;
      if (failure instanceof Refused) return writeResponse(response, http.method ?? 'GET', failure.response);
      throw failure;
    }
  };
}

const NO_BODY = Buffer.alloc(0);

/** An answer that was not usable is a failure as well. */
function faultOf(outcome: Outcome | FunctionFault): FunctionFault {
  return outcome.kind === 'failed' || outcome.kind === 'returned' ? { kind: 'failed' } : outcome;
}

async function readUrlBody(http: HttpRequest, request: GatewayRequest): Promise<Buffer> {
  try {
    return await readBody(http, QUOTAS.invokePayloadBytes);
  } catch (failure) {
    if (failure instanceof BodyFailure && failure.reason === 'too-large') {
      throw new Refused(renderUrlTooLarge(request));
    }
    throw failure;
  }
}

async function readGatewayBody(http: HttpRequest, chosen: ChosenGateway): Promise<Buffer> {
  try {
    return await readBody(http, chosen.bodyBytes);
  } catch (failure) {
    if (failure instanceof BodyFailure && failure.reason === 'too-large') throw new Refused(chosen.renderTooLarge());
    throw failure;
  }
}

const API_REQUEST_ID_BYTES = 11;

/** Makes ids of eleven random bytes, as API Gateway writes them: `JKJaXmPLvHcESHA=`. Draws many at once, which is cheap. */
function createApiRequestIds(): () => string {
  let page = Buffer.alloc(0);
  let drawn = 0;
  return () => {
    if (drawn >= page.length) {
      page = randomBytes(API_REQUEST_ID_BYTES * 512);
      drawn = 0;
    }
    drawn += API_REQUEST_ID_BYTES;
    const id = page.toString('base64', drawn - API_REQUEST_ID_BYTES, drawn);
    return id.replaceAll('+', '-').replaceAll('/', '_');
  };
}

function headBytes({ method = '', url = '', rawHeaders }: HttpRequest): {
  readonly line: number;
  readonly headers: readonly number[];
} {
  const headers: number[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    headers.push((rawHeaders[index]?.length ?? 0) + (rawHeaders[index + 1]?.length ?? 0) + 4);
  }
  return { line: method.length + url.length + 10, headers };
}

function nothingHere(named: string | undefined, method: string, path: string): string {
  return named === undefined
    ? `Nothing answers ${method} ${path} here. Give a function a URL (CreateFunctionUrlConfig), or set up a route: ` +
        `lamella start --route "${method} ${path} -> NAME".`
    : `There is no gateway '${named}'. Set it up with PUT /_lamella/gateways/${named} on the API's port.`;
}

function sendJson(response: HttpResponse, status: number, body: object): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': bytes.length }).end(bytes);
}

function oneValue(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
