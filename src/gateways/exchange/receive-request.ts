/**
 * Reads a request from the HTTP port. The head comes first: it decides which gateway handles the request, and with it
 * how long the body may be. Refuses requests that no gateway may see: for a foreign host, or with two `Host` headers.
 * Cross-origin requests are let in, as on AWS, and left to each gateway's CORS.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import { BodyFailure, type BodyFailureReason, readBody } from '../../http/body.ts';
import type { HttpRequest } from '../../http/exchange.ts';
import { checkCaller } from '../../http/guard.ts';
import { createTraces } from '../../invocation/trace-header.ts';
import type { Log } from '../../log.ts';
import {
  type Header,
  parseRawHeaders,
  type RequestHead,
  type RequestTrace,
  splitTarget,
  valuesOf,
} from './gateway-request.ts';
import { type GatewayResponse, Refused, refuse } from './proxy-integration.ts';

export type RequestReceiverOptions = {
  /** The host that the port is bound to. Clients may name it. */
  readonly boundHost: string;
  /** More names that clients may use (`--allow-host`, and the hosts of the gateways). */
  readonly allowedHosts: () => readonly string[];
  readonly clock: Clock;
  readonly log: Log;
};

export type RequestReceiver = {
  /** Parses everything before the body. @throws Refused */
  readHead(http: HttpRequest): RequestHead;
  /** Starts the trace of the invocation of the function with this unqualified ARN, or continues the client's. */
  startTrace(http: HttpRequest, functionArn: string): RequestTrace;
};

export function createRequestReceiver({
  boundHost,
  allowedHosts,
  clock,
  log,
}: RequestReceiverOptions): RequestReceiver {
  const traces = createTraces(clock);

  function checkHost(http: HttpRequest, headers: readonly Header[]): void {
    // Two hosts are a means of request smuggling. https://www.rfc-editor.org/rfc/rfc9112#section-3.2
    if (valuesOf(headers, 'host').length > 1) throw refuse(400, 'The request has more than one Host header.');
    const { host } = http.headers;
    const policy = { boundHost, allowedHosts: allowedHosts() };
    if (checkCaller({ host }, policy, http.socket.localAddress).admitted) return;
    log.warn({ host }, 'refused a request for a foreign host');
    if (host === undefined) throw refuse(403, 'Refused: the request has no Host header.');
    const message = `Refused: the host '${host}' is not this service. If it is yours, start the service with --allow-host.`;
    throw refuse(403, message);
  }

  return {
    readHead(http) {
      const headers = parseRawHeaders(http.rawHeaders);
      checkHost(http, headers);
      return {
        method: http.method ?? 'GET',
        ...splitTarget(http.url ?? '/'),
        headers,
        sourceIp: (http.socket.remoteAddress ?? '127.0.0.1').replace(/^::ffff:(?=\d+\.)/i, ''),
        port: http.socket.localPort ?? 0,
        requestId: randomUUID(),
        receivedMs: Math.trunc(clock.epochMs()),
      };
    },
    startTrace(http, functionArn) {
      const given = http.headers['x-amzn-trace-id'];
      const traceHeader = traces.start(Array.isArray(given) ? given[0] : given, functionArn).forFunction;
      return { traceHeader, traceRoot: traceHeader.split(';', 1)[0] ?? traceHeader };
    },
  };
}

/** Why the HTTP port refuses a body. */
export type BodyRefusal = Exclude<BodyFailureReason, 'aborted'>;

/** Reads the body. @throws Refused with `renderRefusal()` @throws BodyFailure 'aborted' */
export async function receiveBody(
  http: HttpRequest,
  limitBytes: number,
  renderRefusal: (reason: BodyRefusal) => GatewayResponse,
): Promise<Buffer> {
  try {
    return await readBody(http, limitBytes);
  } catch (failure) {
    if (failure instanceof BodyFailure && failure.reason !== 'aborted')
      throw new Refused(renderRefusal(failure.reason));
    throw failure;
  }
}

/** Bytes of the request line, and of each header line. */
export type HeadSize = { readonly line: number; readonly headers: readonly number[] };

export function measureHead({ method = '', url = '', rawHeaders }: HttpRequest): HeadSize {
  const headers: number[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    // Each header line also has `: ` and CR LF, the request line two spaces and `HTTP/1.1`.
    headers.push((rawHeaders[index]?.length ?? 0) + (rawHeaders[index + 1]?.length ?? 0) + 4);
  }
  return { line: method.length + url.length + 10, headers };
}
