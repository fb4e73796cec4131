/** Responds to requests whose route has a fixed response, or passes them on to another HTTP server. */
import type { Clock } from '../clock.ts';
import { send } from '../http/client.ts';
import type { Log } from '../log.ts';
import type { ChosenRoute } from './choose-gateway.ts';
import { dropConnectionHeaders } from './exchange/connection-headers.ts';
import {
  allValues,
  decodePercent,
  groupHeaders,
  type Header,
  type ReceivedRequest,
} from './exchange/gateway-request.ts';
import type { GatewayResponse } from './exchange/proxy-integration.ts';
import type { FixedResponse, HttpServer } from './route-target.ts';

/** Maximum size of another server's response, in bytes: API Gateway's limit. */
const RESPONSE_BYTES = 10_485_760;

export async function respondWithoutFunction(
  chosen: ChosenRoute,
  target: FixedResponse | HttpServer,
  request: ReceivedRequest,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<GatewayResponse> {
  if (target.kind === 'fixed') {
    const { status, headers, body } = target;
    return chosen.finish({ status, headers: Object.entries(headers), body: Buffer.from(body) }, request);
  }
  const timeout = new AbortController();
  const cancel = chosen.timeoutMs === undefined ? undefined : clock.after(chosen.timeoutMs, () => timeout.abort());
  try {
    return chosen.finish(await forward(target, chosen.parameters, request, timeout.signal), request);
  } catch (failure) {
    const kind = timeout.signal.aborted ? 'too-slow' : 'failed';
    log.warn({ err: failure, gateway: chosen.gateway, uri: target.uri }, 'the server of an HTTP integration failed');
    return chosen.integration.toFault({ kind }, request);
  } finally {
    cancel?.();
  }
}

async function forward(
  { uri, method }: HttpServer,
  parameters: ChosenRoute['parameters'],
  request: ReceivedRequest,
  signal: AbortSignal,
): Promise<GatewayResponse> {
  const values = new Map(parameters);
  const url = new URL(uri.replace(/\{([\w.-]+)\+?\}/g, (_, name: string) => checkPath(values.get(name) ?? '')));
  if (request.query !== '') url.search = url.search === '' ? request.query : `${url.search}&${request.query}`;
  const headers = Object.entries(allValues(groupHeaders(request)))
    .filter(([name]) => !['host', 'content-length'].includes(name.toLowerCase()))
    .map(([name, all]) => [name, all.join(', ')] as const);
  const response = await send({
    method: method === 'ANY' ? request.method : method,
    url,
    headers: Object.fromEntries(headers),
    body: request.body,
    signal,
    maxResponseBytes: RESPONSE_BYTES,
  });
  const received = Object.entries(response.headers).flatMap(([name, value]): Header[] =>
    value === undefined ? [] : [value].flat().map((one) => [name, one]),
  );
  return { status: response.status, headers: dropConnectionHeaders(received), body: response.body };
}

/** A client must not leave the path of the integration with `..`. */
function checkPath(value: string): string {
  const segments = decodePercent(value).split('/');
  if (segments.some((segment) => segment === '.' || segment === '..')) throw new Error('the path has dot segments');
  return value;
}
