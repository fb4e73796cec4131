/**
 * The Runtime API of one environment. Each environment has its own address, so that a connection identifies the
 * environment. Can be used alone: it does not depend on processes, a database or a sandbox.
 */

import type { Server, Socket } from 'node:net';
import type { Connection } from '../http/connection-owner.ts';
import type { HttpRequest, HttpResponse } from '../http/exchange.ts';
import { type ConnectionLimits, type Listener, listen } from '../http/listener.ts';
import type { PlainRequest, PlainResponse } from '../http/plain-connection.ts';
import type { PlainHead } from '../http/plain-request.ts';
import { EXTENSIONS_API, LOGS_API, RUNTIME_API, TELEMETRY_API } from '../protocol/endpoints.ts';
import { writeNotFound, writeWrongMethod } from './api-response.ts';
import { MAX_COLLECTED_BYTES } from './collected-bodies.ts';
import {
  type FunctionMetadata,
  handleEventNext,
  handleExtensionError,
  handleRegister,
} from './extensions/extension-handlers.ts';
import { handleError, handleInitError, handleNext, handleResponse } from './runtime-handlers.ts';
import type { RuntimeSession } from './session.ts';
import { handleSubscribe } from './telemetry/telemetry-handlers.ts';
import { type Reach, reachAt } from './telemetry/telemetry-reach.ts';

export type RuntimeApiOptions = {
  readonly session: RuntimeSession;
  /** Returned to extensions when they register. */
  readonly metadata: FunctionMetadata;
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** A server that already listens there, in a network of which this process is not a part. Closed with the listener. */
  readonly server?: Server | undefined;
  /** Connects to the environment's ports. Defaults to connecting to `host`. */
  readonly reach?: Reach | undefined;
  readonly onFailure: (failure: unknown) => void;
  /**
   * Whether the peer of a connection belongs to this environment. Called once per connection, as soon as it is accepted,
   * so that the result is usually known when the first request has arrived. A request ID proves nothing: it is in the log.
   */
  readonly isTrusted?: (connection: Connection) => boolean | Promise<boolean>;
  /**
   * Whether the environment has processes. Late requests of killed processes may still arrive and must not be taken for
   * requests of the processes that are started next.
   */
  readonly isInhabited?: () => boolean;
  /** Whether the environment's processes are frozen, and so cannot finish a request. */
  readonly isFrozen?: () => boolean;
  /** Places for the connections of all environments. */
  readonly connections?: ConnectionLimits['budget'];
};

/** Starts to listen. The caller closes the listener. Throws `OperatorError` `port-in-use` or `cannot-listen`. */
export function startRuntimeApi(options: RuntimeApiOptions): Promise<Listener> {
  const { session, metadata, host, port, server, reach = reachAt(host), onFailure } = options;
  const trust = createTrust(options);
  return listen({
    host,
    port,
    server,
    maxHeaderBytes: HEAD_BYTES,
    inOrder: true,
    onFailure,
    onConnection: trust.decide,
    limits: {
      maxConnections: MAX_CONNECTIONS,
      maxUnfinishedHeadBytes: MAX_UNFINISHED_HEAD_BYTES,
      headTimeoutMs: HEAD_TIMEOUT_MS,
      isPaused: options.isFrozen,
      budget: options.connections,
    },
    plain: {
      takes: isFrequent,
      handler: (request, response) => routeFrequent(session, trust, request, response),
    },
    handler: (request, response) => route({ session, metadata, reach, trust }, request, response),
  });
}

/** Runtimes send an error's cause in a header or, after a stream, in a trailer; AWS's clients send up to 1 MiB. */
const HEAD_BYTES = 1024 * 1024 + 16 * 1024;

/** Lambda's server has no such limits, but on Lambda a function can only harm itself. Runtimes use one or two connections. */
export const MAX_CONNECTIONS = 128;
const MAX_UNFINISHED_HEAD_BYTES = 8 * 1024 * 1024;
const HEAD_TIMEOUT_MS = 30_000;
/** What one environment can make the service hold: unfinished heads and bodies. */
export const MAX_BUFFERED_BYTES = MAX_UNFINISHED_HEAD_BYTES + MAX_COLLECTED_BYTES;

const INVOCATION_PREFIX = RUNTIME_API.response.path.slice(0, RUNTIME_API.response.path.indexOf('{'));

/** Whether a request is one of those that a runtime makes for each invocation. */
function isFrequent({ method, url }: PlainHead): boolean {
  if (method === RUNTIME_API.next.method) return url === RUNTIME_API.next.path;
  return INVOCATION_CALL.test(url);
}

const INVOCATION_CALL = /^\/2018-06-01\/runtime\/invocation\/([^/?]*)\/(response|error)$/;

function routeFrequent(
  session: RuntimeSession,
  trust: Trust,
  request: PlainRequest,
  response: PlainResponse,
): void | Promise<void> {
  if (request.method === 'GET') return trust.check(request, () => handleNext(session, response));
  const [, id = '', call] = INVOCATION_CALL.exec(request.url) ?? [];
  const handle = call === 'response' ? handleResponse : handleError;
  return trust.check(request, () => handle(session, id, request, response));
}

type RouteContext = {
  readonly session: RuntimeSession;
  readonly metadata: FunctionMetadata;
  readonly reach: Reach;
  readonly trust: Trust;
};

function route(context: RouteContext, request: HttpRequest, response: HttpResponse): void | Promise<void> {
  const { session, trust } = context;
  const path = pathOf(request.url ?? '/');
  if (path === RUNTIME_API.next.path) {
    if (request.method !== RUNTIME_API.next.method) return refuseMethod(request, response);
    return trust.check(request, () => handleNext(session, response));
  }
  if (path.startsWith(INVOCATION_PREFIX)) {
    const [id = '', call, ...rest] = path.slice(INVOCATION_PREFIX.length).split('/');
    if (rest.length === 0 && (call === 'response' || call === 'error')) {
      if (request.method !== 'POST') return refuseMethod(request, response);
      const handle = call === 'response' ? handleResponse : handleError;
      return trust.check(request, () => handle(session, id, request, response));
    }
  }
  if (path === RUNTIME_API.initError.path) {
    if (request.method !== RUNTIME_API.initError.method) return refuseMethod(request, response);
    return trust.check(request, () => handleInitError(session, request, response));
  }
  const handle = extensionCall(path, context, request, response);
  if (handle === 'wrong-method') return refuseMethod(request, response);
  if (handle) return trust.check(request, handle);
  request.resume();
  if (path === RUNTIME_API.ping.path) {
    if (request.method !== RUNTIME_API.ping.method) return refuseMethod(request, response);
    response.writeHead(200, ['Content-Type', 'text/plain; charset=utf-8', 'Content-Length', '4']).end('pong');
    return;
  }
  writeNotFound(response);
}

function extensionCall(
  path: string,
  { session, metadata, reach }: RouteContext,
  request: HttpRequest,
  response: HttpResponse,
): (() => void | Promise<void>) | 'wrong-method' | undefined {
  const { method } = request;
  const { register, next, initError, exitError } = EXTENSIONS_API;
  switch (path) {
    case register.path:
      return method === register.method ? () => handleRegister(session, metadata, request, response) : 'wrong-method';
    case next.path:
      return method === next.method ? () => handleEventNext(session, request, response) : 'wrong-method';
    case initError.path:
    case exitError.path: {
      const call = path === initError.path ? 'init-error' : 'exit-error';
      return method === initError.method
        ? () => handleExtensionError(session, call, request, response)
        : 'wrong-method';
    }
    case TELEMETRY_API.subscribe.path:
    case LOGS_API.subscribe.path: {
      const api = path === TELEMETRY_API.subscribe.path ? 'Telemetry' : 'Logs';
      const destinations = { reach, apiPort: request.socket.localPort ?? 0 };
      return method === TELEMETRY_API.subscribe.method
        ? () => handleSubscribe(session, api, destinations, request, response)
        : 'wrong-method';
    }
    default:
      return undefined;
  }
}

function refuseMethod(request: HttpRequest, response: HttpResponse): void {
  request.resume();
  writeWrongMethod(response);
}

/** Of a target in absolute form, which every server accepts (RFC 9112, 3.2.2), too. */
function pathOf(url: string): string {
  const target = url.startsWith('/') ? url : url.replace(/^http:\/\/[^/?]*/i, '');
  const query = target.indexOf('?');
  return query === -1 ? target : target.slice(0, query);
}

type Trust = {
  /** Starts to find out whose connection it is. */
  readonly decide: ((socket: Socket) => void) | undefined;
  /** Continues with a request of a trusted connection, and closes any other. */
  readonly check: (request: Pick<HttpRequest, 'socket'>, proceed: () => void | Promise<void>) => void | Promise<void>;
};

/** Caches the result of `isTrusted` for each connection. Without `isTrusted`, every connection is trusted. */
function createTrust({ isTrusted, isInhabited = () => true }: RuntimeApiOptions): Trust {
  const results = new WeakMap<object, boolean | Promise<boolean>>();
  const decide = (socket: Socket): boolean | Promise<boolean> => {
    const known = results.get(socket);
    if (known !== undefined || !isTrusted) return known ?? true;
    const result = isTrusted({
      peer: { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 },
      own: { address: socket.localAddress ?? '', port: socket.localPort ?? 0 },
    });
    results.set(socket, result);
    if (typeof result !== 'boolean') {
      result.then(
        (trusted) => results.set(socket, trusted),
        () => results.set(socket, false),
      );
    }
    return result;
  };
  const check: Trust['check'] = (request, proceed) => {
    const { socket } = request;
    const act = (trusted: boolean) => {
      if (trusted && isInhabited()) return proceed();
      socket.destroy();
      return undefined;
    };
    const result = decide(socket);
    return typeof result === 'boolean' ? act(result) : result.then(act, () => act(false));
  };
  return { decide: isTrusted && ((socket) => void decide(socket)), check };
}
