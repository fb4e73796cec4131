/**
 * Binds an HTTP server to an address and closes it again. It knows no routes and no protocol of AWS's; who may call
 * is decided by `http/guard.ts`. Node's request time-outs are off: GET next of the Runtime API may wait for hours.
 */
import { createServer } from 'node:http';
import { type AddressInfo, type Socket, Server as TcpServer } from 'node:net';
import type { Closeable } from '../lifetime.ts';
import { OperatorError } from '../operator-error.ts';
import type { HttpHandler, HttpRequest, HttpResponse } from './exchange.ts';

export interface Listener extends Closeable {
  readonly host: string;
  /** The port in use, also when 0 was asked for. */
  readonly port: number;
  /** Stops accepting, gives requests in flight `graceMs` milliseconds, then cuts them. */
  drain(graceMs: number): Promise<void>;
  /** Cuts every connection at once. */
  close(): Promise<void>;
}

export type ListenOptions = {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Listens at `host` and `port` already, in a network that this process is not in. Taken over, and closed at the end. */
  readonly server?: TcpServer | undefined;
  readonly handler: HttpHandler;
  /**
   * Of the request line and all headers, however many; longer ones get 431. Without it, Node's own limits (16 KiB, and
   * headers after the 2000th are dropped).
   */
  readonly maxHeaderBytes?: number;
  /** How long a client may take to send the head of a request; slower ones get 408. Without it, for ever. */
  readonly headPatienceMs?: number;
  /** Requests that come on a connection before the last has been answered wait for that, as in Go's server, AWS's. */
  readonly inOrder?: boolean;
  /** Called with what a handler threw or rejected with. */
  readonly onFailure: (failure: unknown) => void;
};

/** How often a server that drains looks for connections that have become idle, in milliseconds. */
const IDLE_SWEEP_MS = 20;

/** Listens. Throws `OperatorError` `port-in-use` or `cannot-listen`. */
export async function listen(options: ListenOptions): Promise<Listener> {
  const { maxHeaderBytes, headPatienceMs = 0 } = options;
  const server = createServer({
    keepAlive: true,
    noDelay: true,
    requestTimeout: 0,
    headersTimeout: headPatienceMs,
    // Node looks for slow clients from time to time.
    ...(headPatienceMs > 0 && { connectionsCheckingInterval: Math.min(30_000, headPatienceMs) }),
    ...(maxHeaderBytes !== undefined && { maxHeaderSize: maxHeaderBytes }),
  });
  if (maxHeaderBytes !== undefined) server.maxHeadersCount = 0;
  server.keepAliveTimeout = 0;
  server.timeout = 0;
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const handle = (request: HttpRequest, response: HttpResponse) => {
    const fail = (failure: unknown) => {
      options.onFailure(failure);
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end();
    };
    try {
      const answered = options.handler(request, response);
      if (answered !== undefined) answered.catch(fail);
    } catch (failure) {
      fail(failure);
    }
  };
  server.on('request', options.inOrder ? afterTheLast(handle) : handle);
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
  const closed = new Promise<void>((resolve) => server.once('close', () => resolve()));
  return {
    host: options.host,
    port: (server.address() as AddressInfo).port,
    async drain(graceMs) {
      // Not `server.close()`: to Node a connection is idle as soon as its answer has been handed over, and is cut while
      // a slow client still reads. And one that becomes idle later it would keep alive.
      TcpServer.prototype.close.call(server);
      const closeIdle = () => {
        if ([...sockets].every((socket) => socket.writableLength === 0)) server.closeIdleConnections();
      };
      closeIdle();
      const sweep = setInterval(closeIdle, IDLE_SWEEP_MS);
      const cut = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearInterval(sweep);
      clearTimeout(cut);
      // Node's own ends its watch over connections too, which would hold the server in memory.
      server.close();
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

type Handle = (request: HttpRequest, response: HttpResponse) => void;

/** Node itself only sends the answers in order. */
function afterTheLast(handle: Handle): Handle {
  const last = new WeakMap<Socket, HttpResponse>();
  return (request, response) => {
    const before = last.get(request.socket);
    last.set(request.socket, response);
    if (before === undefined || before.writableFinished) handle(request, response);
    else before.once('close', () => before.writableFinished && handle(request, response));
  };
}
