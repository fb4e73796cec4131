/**
 * Binds an HTTP server to an address and closes it. Routes, protocols and access control (`http/guard.ts`) belong to
 * the handler. Node's request timeouts are off: GET next of the Runtime API may wait for hours.
 */
import { createServer, type Server } from 'node:http';
import { type AddressInfo, type Socket, Server as TcpServer } from 'node:net';
import { type Cancel, systemClock } from '../clock.ts';
import type { Closeable } from '../lifetime.ts';
import { OperatorError } from '../operator-error.ts';
import type { BodyBudget } from './body-budget.ts';
import type { HttpHandler, HttpRequest, HttpResponse } from './exchange.ts';
import { PlainConnection, type PlainRequest, type PlainResponse } from './plain-connection.ts';
import type { PlainHead } from './plain-request.ts';

export interface Listener extends Closeable {
  readonly host: string;
  /** The port in use, also when the options gave 0. */
  readonly port: number;
  /** Stops accepting connections, gives requests in flight `graceMs` milliseconds, then cuts them. */
  drain(graceMs: number): Promise<void>;
  /** Cuts every connection at once. */
  close(): Promise<void>;
  /** What clients use now. */
  usage(): ListenerUsage;
}

export type ListenerUsage = {
  readonly connections: number;
  /** Connections that were closed because a limit was reached. */
  readonly refusedConnections: number;
  /** Unfinished request heads, a second old at most, and data that was not read or not sent yet, in bytes. */
  readonly bufferedBytes: number;
};

export type ListenOptions = {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** A server that already listens at `host` and `port`, in another network namespace. The listener closes it. */
  readonly server?: TcpServer | undefined;
  readonly handler: HttpHandler;
  /**
   * Maximum size of the request line and all headers. Longer ones get 431. Defaults to Node's limits: 16 KiB, and
   * headers after the 2000th are dropped.
   */
  readonly maxHeaderBytes?: number;
  /** How long a client may take to send the request line and headers. Slower ones get 408. Defaults to no limit. */
  readonly headTimeoutMs?: number;
  /** Called with each connection that is accepted. */
  readonly onConnection?: ((socket: Socket) => void) | undefined;
  /** Limits for clients that are not trusted. */
  readonly limits?: ConnectionLimits | undefined;
  /** Serves the requests that it takes without Node's HTTP server. The others go to `handler`. */
  readonly plain?: PlainRoutes | undefined;
  /** The memory for request bodies. Defaults to no limit. */
  readonly bodies?: BodyBudget | undefined;
  /** Handles pipelined requests of a connection one after the other, as the Runtime API's server on AWS (in Go) does. */
  readonly inOrder?: boolean;
  /** Called with the error of a handler that throws or rejects. */
  readonly onFailure: (failure: unknown) => void;
};

/** The frequent requests of a server. */
export type PlainRoutes = {
  /** Must return false for a request that `handler` does not handle. */
  readonly takes: (head: PlainHead, socket: Socket) => boolean;
  /** Like `HttpHandler`. */
  readonly handler: (request: PlainRequest, response: PlainResponse) => void | Promise<void>;
};

/** Limits on the connections of one listener. */
export type ConnectionLimits = {
  readonly maxConnections: number;
  /**
   * What happens to a further connection: it is closed, or it takes the place of one that has no request in progress, of
   * those that never had one first. Defaults to closing it.
   */
  readonly atMax?: 'close-it' | 'close-idle' | undefined;
  /** Maximum size of unfinished request heads of all connections combined. Those with the largest heads are closed. */
  readonly maxUnfinishedHeadBytes: number;
  /** How long a request head may be unfinished. */
  readonly headTimeoutMs: number;
  /** While it returns true, the clients cannot send, and no time passes for them. */
  readonly isPaused?: (() => boolean) | undefined;
  /** Takes a place for a connection among those of all listeners; false if there is none. */
  readonly budget?: { readonly take: (used: number) => boolean; readonly release: () => void } | undefined;
};

/** How often unfinished heads are looked for, in milliseconds. */
const HEAD_SWEEP_MS = 1000;

/** How often a draining server checks for idle connections, in milliseconds. */
const IDLE_SWEEP_MS = 20;

/** Listens. The caller closes the listener. @throws OperatorError 'port-in-use' or 'cannot-listen' */
export async function listen(options: ListenOptions): Promise<Listener> {
  const { maxHeaderBytes, headTimeoutMs = 0 } = options;
  const server = createServer({
    keepAlive: true,
    noDelay: true,
    requestTimeout: 0,
    headersTimeout: headTimeoutMs,
    // Node checks for slow clients at this interval, 30 s by default.
    ...(headTimeoutMs > 0 && { connectionsCheckingInterval: Math.min(30_000, headTimeoutMs) }),
    ...(maxHeaderBytes !== undefined && { maxHeaderSize: maxHeaderBytes }),
  });
  if (maxHeaderBytes !== undefined) server.maxHeadersCount = 0;
  server.keepAliveTimeout = 0;
  server.timeout = 0;
  const sockets = new Set<Socket>();
  const { limits } = options;
  const budget = limits?.budget;
  const closesIdle = limits?.atMax === 'close-idle';
  if (limits && !closesIdle) server.maxConnections = limits.maxConnections;
  const last = new WeakMap<Socket, HttpResponse>();
  /** Connections that have not been left to Node's server. */
  const plain = new Map<Socket, PlainConnection>();
  const heads = limits && createHeadSweep(limits, sockets, plain, last);
  const openPlain = options.plain && createPlainOpener(server, options.plain, options);
  let refusedConnections = 0;
  server.on('drop', () => {
    refusedConnections += 1;
  });
  server.on('connection', (socket) => {
    if (closesIdle && sockets.size >= limits.maxConnections) {
      refusedConnections += 1;
      const idle = findIdle(sockets, plain, last);
      (idle ?? socket).destroy();
      if (idle === undefined) return;
      sockets.delete(idle);
    }
    if (budget && !budget.take(sockets.size)) {
      refusedConnections += 1;
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      plain.delete(socket);
      budget?.release();
    });
    heads?.start();
    options.onConnection?.(socket);
    if (openPlain === undefined) return;
    const connection = openPlain(socket, (bytes) => {
      plain.delete(socket);
      heads?.begin(socket, bytes);
    });
    plain.set(socket, connection);
  });
  const handle = (request: HttpRequest, response: HttpResponse) => {
    // After a request to upgrade, Node.js 20 reports no parse errors on the connection: a malformed request would get no
    // response. Java's HttpClient offers h2c with its first request and expects the connection to be kept.
    const { upgrade } = request.headers;
    if (upgrade !== undefined && upgrade.toLowerCase() !== 'h2c') response.shouldKeepAlive = false;
    const fail = (failure: unknown) => {
      options.onFailure(failure);
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end();
    };
    try {
      const handled = options.handler(request, response);
      if (handled !== undefined) handled.catch(fail);
    } catch (failure) {
      fail(failure);
    }
  };
  server.on('request', (request: HttpRequest, response: HttpResponse) => {
    const before = last.get(request.socket);
    last.set(request.socket, response);
    options.bodies?.expect(request, response);
    if (options.inOrder) afterTheLast(handle, before, request, response);
    else handle(request, response);
  });
  server.on('clientError', (failure: NodeJS.ErrnoException, socket: Socket) => {
    refuseMalformed(failure, socket, last.get(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (failure: NodeJS.ErrnoException) => {
      const { host, port } = options;
      reject(
        failure.code === 'EADDRINUSE'
          ? new OperatorError('port-in-use', { host, port }, failure)
          : new OperatorError('cannot-listen', { host, port, reason: failure.message }, failure),
      );
    });
    if (options.server) server.listen(options.server, () => resolve());
    else server.listen({ host: options.host, port: options.port, backlog: 511 }, () => resolve());
  });
  // A connection that cannot be accepted, for example for lack of descriptors. The others stay.
  server.on('error', (failure) => options.onFailure(failure));
  const closed = new Promise<void>((resolve) => server.once('close', () => resolve()));
  const cutAll = () => {
    server.closeAllConnections();
    for (const socket of plain.keys()) socket.destroy();
  };
  return {
    host: options.host,
    port: (server.address() as AddressInfo).port,
    async drain(graceMs) {
      // Not `server.close()`: Node counts a connection as idle once the response is handed to the socket, and would cut
      // it while a slow client still reads. It would also keep alive the connections that become idle later.
      TcpServer.prototype.close.call(server);
      let cancelSweep: Cancel = () => undefined;
      const closeIdle = () => {
        if ([...sockets].every((socket) => socket.writableLength === 0)) server.closeIdleConnections();
        for (const [socket, connection] of plain) if (connection.isIdle) socket.destroy();
        cancelSweep = systemClock.after(IDLE_SWEEP_MS, closeIdle);
      };
      closeIdle();
      const cancelCut = systemClock.after(graceMs, cutAll);
      await closed;
      cancelSweep();
      cancelCut();
      // Stops Node's check for slow clients too, which would keep the server in memory.
      server.close();
    },
    async close() {
      server.close();
      cutAll();
      await closed;
    },
    usage() {
      let bufferedBytes = heads?.unfinishedBytes() ?? 0;
      for (const { readableLength, writableLength } of sockets) bufferedBytes += readableLength + writableLength;
      for (const { aheadBytes } of plain.values()) bufferedBytes += aheadBytes;
      return { connections: sockets.size, refusedConnections, bufferedBytes };
    },
  };
}

/** Takes the connections of a server over, and leaves to it those that are not plain. */
function createPlainOpener(
  server: Server,
  { takes, handler }: PlainRoutes,
  { onFailure, bodies }: Pick<ListenOptions, 'onFailure' | 'bodies'>,
): (socket: Socket, onLeft: (bytes: number) => void) => PlainConnection {
  const attach = server.listeners('connection') as ((socket: Socket) => void)[];
  server.removeAllListeners('connection');
  const handle = (request: PlainRequest, response: PlainResponse) => {
    const fail = (failure: unknown) => {
      onFailure(failure);
      if (response.headersSent) response.destroy();
      else response.writeHead(500, ['Content-Length', '0']).end();
    };
    try {
      const handled = handler(request, response);
      if (handled !== undefined) handled.catch(fail);
    } catch (failure) {
      fail(failure);
    }
  };
  return (socket, onLeft) =>
    new PlainConnection(socket, {
      // Bodies that need room go to Node's server.
      takes: (head, from) => bodies?.counts(head.headers.contentLength) !== true && takes(head, from),
      handler: handle,
      leave(_, bytes) {
        onLeft(bytes.length);
        socket.unshift(bytes);
        for (const listener of attach) listener.call(server, socket);
      },
    });
}

/** The connection that has waited longest for a request, of those without one in progress. */
function findIdle(
  sockets: ReadonlySet<Socket>,
  plain: ReadonlyMap<Socket, PlainConnection>,
  last: WeakMap<Socket, HttpResponse>,
): Socket | undefined {
  let idle: Socket | undefined;
  for (const socket of sockets) {
    const response = last.get(socket);
    const isBusy = plain.get(socket)?.isIdle === false || (response !== undefined && isInProgress(response));
    if (isBusy) continue;
    if (socket.bytesRead === 0) return socket;
    idle ??= socket;
  }
  return idle;
}

/** Also while the rest of a refused body arrives. */
function isInProgress(response: HttpResponse): boolean {
  return !(response.writableFinished && response.req.complete);
}

/**
 * Looks for unfinished heads once started, until there are none. Node hands a head to the handler when it is complete, so
 * it is recognized by bytes that arrived on a connection while no request was in progress.
 */
function createHeadSweep(
  limits: ConnectionLimits,
  sockets: ReadonlySet<Socket>,
  plain: ReadonlyMap<Socket, unknown>,
  last: WeakMap<Socket, HttpResponse>,
): {
  readonly start: () => void;
  /** A plain connection was left to Node's server, with `bytes` that it reads first. */
  readonly begin: (socket: Socket, bytes: number) => void;
  readonly unfinishedBytes: () => number;
} {
  type Seen = { readonly response: HttpResponse | undefined; readonly bytes: number; elapsedMs: number };
  const seen = new WeakMap<Socket, Seen>();
  let isPending = false;
  let unfinishedBytes = 0;
  const sweep = (): void => {
    isPending = false;
    const unfinished: { readonly socket: Socket; readonly bytes: number }[] = [];
    let total = 0;
    for (const socket of sockets) {
      // Plain connections have no unfinished heads.
      if (plain.has(socket)) continue;
      const response = last.get(socket);
      if (response !== undefined && isInProgress(response)) continue;
      let before = seen.get(socket);
      if (before === undefined || before.response !== response) {
        before = { response, bytes: response === undefined ? 0 : socket.bytesRead, elapsedMs: 0 };
        seen.set(socket, before);
      }
      const bytes = socket.bytesRead - before.bytes;
      if (bytes === 0) continue;
      if (!limits.isPaused?.()) before.elapsedMs += HEAD_SWEEP_MS;
      if (before.elapsedMs > limits.headTimeoutMs) socket.destroy();
      else {
        unfinished.push({ socket, bytes });
        total += bytes;
      }
    }
    unfinished.sort((a, b) => b.bytes - a.bytes);
    for (const { socket, bytes } of unfinished) {
      if (total <= limits.maxUnfinishedHeadBytes) break;
      socket.destroy();
      total -= bytes;
    }
    unfinishedBytes = total;
    if (sockets.size > 0) start();
  };
  const start = (): void => {
    if (isPending) return;
    isPending = true;
    systemClock.after(HEAD_SWEEP_MS, sweep);
  };
  return {
    start,
    begin(socket, bytes) {
      seen.set(socket, { response: undefined, bytes: socket.bytesRead - bytes, elapsedMs: 0 });
    },
    unfinishedBytes: () => unfinishedBytes,
  };
}

type Handle = (request: HttpRequest, response: HttpResponse) => void;

/** Node sends pipelined responses in order, but calls the handler for each request at once. */
function afterTheLast(
  handle: Handle,
  before: HttpResponse | undefined,
  request: HttpRequest,
  response: HttpResponse,
): void {
  if (before === undefined || before.writableFinished) handle(request, response);
  else before.once('close', () => before.writableFinished && handle(request, response));
}

/** The statuses that Node.js itself sends. */
const STATUS_OF_MALFORMED: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Payload Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/**
 * Refuses bytes that are not a request, and closes the connection. Unlike Node's own handler it sends nothing when they
 * are the rest of a request that has its response: a client would take a second one for the response to its next request.
 */
function refuseMalformed(failure: NodeJS.ErrnoException, socket: Socket, response: HttpResponse | undefined): void {
  const isAnswered = response?.headersSent === true && isInProgress(response);
  if (!socket.writable || isAnswered) {
    socket.destroySoon();
    return;
  }
  const status = STATUS_OF_MALFORMED[failure.code ?? ''] ?? '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`, () => socket.destroySoon());
}
